"""Thinking blocks and summaries that come back: on newer models thoughts hold only for the same model and conversation."""

import hmac
from base64 import b64decode, b64encode
from binascii import Error

from holdfast.simulator.blocks import Compaction, Redacted, Thinking
from holdfast.simulator.problems import invalid
from holdfast.simulator.request import MessageRequest
from holdfast.simulator.values import JsonObject, as_list, content_blocks, objects, word

DIGEST = 32
"""Bytes in front of what is sealed."""


def thought(request: MessageRequest, thinking: str, secret: str, *, compacted: bool = False) -> Thinking:
    """A thought that answers `request`, signed; `secret` is the seed, and the account where that binds, too."""
    at = 0 if compacted else len(request.prompt)
    return Thinking(thinking=thinking, signature=_signature(request, thinking, secret, at))


def sealed(request: MessageRequest, thinking: str, secret: str) -> Redacted:
    """The same, for nobody to read."""
    digest = _digest(request, thinking, secret, len(request.prompt))
    return Redacted(thinking=thinking, data=b64encode(digest + thinking.encode()[::-1]).decode())


def summary(content: str, secret: str) -> Compaction:
    """A summary of a conversation, signed."""
    return Compaction(content=content, signature=_summary_signature(content, secret))


def check(request: MessageRequest, secret: str) -> None:
    """Refuse thinking blocks and summaries that were altered, or moved where they do not belong."""
    at = len(request.tools) + len(content_blocks(request.body.get("system")))
    for index, message in enumerate(request.messages):
        bound = at
        for position, block in enumerate(objects(message.get("content"))):
            if block.get("type") == "compaction":
                bound = 0
            if (wrong := _wrong(request, block, secret, bound)) is not None:
                invalid(f"messages.{index}.content.{position}: Invalid {wrong} block")
        content = message.get("content")
        at += 1 if isinstance(content, str) else len(as_list(content))


def _wrong(request: MessageRequest, block: JsonObject, secret: str, at: int) -> str | None:
    """What is wrong with a block; `None` for one that is as it was given out, and for those that bear no seal."""
    match block.get("type"):
        case "thinking":
            expected = _signature(request, word(block, "thinking"), secret, at)
            return None if _same(expected, word(block, "signature")) else "`signature` in `thinking`"
        case "redacted_thinking":
            found = _opened(word(block, "data"))
            expected_digest = _digest(request, found[1], secret, at)
            right = hmac.compare_digest(expected_digest, found[0])
            return None if right else "`data` in `redacted_thinking`"
        case "compaction" if block.get("signature") is not None:
            expected = _summary_signature(word(block, "content"), secret)
            return None if _same(expected, word(block, "signature")) else "`signature` in `compaction`"
        case _:
            return None


def _opened(data: str) -> tuple[bytes, str]:
    """The seal and the thought inside."""
    try:
        raw = b64decode(data, validate=True)
    except (Error, ValueError):
        return b"", ""
    return raw[:DIGEST], raw[DIGEST:][::-1].decode("utf-8", "replace")


def _same(one: str, other: str) -> bool:
    return hmac.compare_digest(one.encode(), other.encode("utf-8", "surrogatepass"))


def _signature(request: MessageRequest, thinking: str, secret: str, at: int) -> str:
    return b64encode(_digest(request, thinking, secret, at)).decode()


def _digest(request: MessageRequest, thinking: str, secret: str, at: int) -> bytes:
    """Over the thought and, where it is bound, over the model and the first `at` blocks of the prompt."""
    bound = request.model.bound_thinking and 0 < at <= len(request.prompt)
    place = request.prompt[at - 1].prefix if bound else b""
    return hmac.digest(_key(secret), place + thinking.encode("utf-8", "surrogatepass"), "sha256")


def _summary_signature(content: str, secret: str) -> str:
    raw = content.encode("utf-8", "surrogatepass")
    return b64encode(hmac.digest(_key(secret), b"summary" + raw, "sha256")).decode()


def _key(secret: str) -> bytes:
    return f"holdfast-simulator-{secret}".encode()
