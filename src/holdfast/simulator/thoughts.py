"""Signatures of thinking blocks: on newer models they hold only for the same model and the same conversation."""

import hmac
from base64 import b64encode

from holdfast.simulator.problems import invalid
from holdfast.simulator.request import MessageRequest
from holdfast.simulator.values import as_list, content_blocks, objects, word


def sign(request: MessageRequest, thinking: str, seed: int) -> str:
    """The signature of a thought that answers `request`."""
    return _signature(request, thinking, seed, len(request.prompt))


def check(request: MessageRequest, seed: int) -> None:
    """Refuse thinking blocks that were altered, or moved where they do not belong."""
    at = len(request.tools) + len(content_blocks(request.body.get("system")))
    for index, message in enumerate(request.messages):
        for position, block in enumerate(objects(message.get("content"))):
            if block.get("type") != "thinking":
                continue
            expected = _signature(request, word(block, "thinking"), seed, at)
            if not hmac.compare_digest(expected.encode(), word(block, "signature").encode()):
                invalid(f"messages.{index}.content.{position}: Invalid `signature` in `thinking` block")
        content = message.get("content")
        at += 1 if isinstance(content, str) else len(as_list(content))


def _signature(request: MessageRequest, thinking: str, seed: int, at: int) -> str:
    """A signature over the thought and, where it is bound, over the model and the first `at` blocks of the prompt."""
    bound = request.model.bound_thinking and at > 0
    place = request.prompt[at - 1].prefix if bound else b""
    key = f"holdfast-simulator-{seed}".encode()
    return b64encode(hmac.digest(key, place + thinking.encode(), "sha256")).decode()
