"""How much of a long conversation is sent: whole exchanges from its end, so many that they fit the model.

An exchange begins where a person speaks and goes on to where they speak again: calls of tools stay with their
results and thinking with the answer it led to, for nothing is ever left out but whole exchanges from the front.
Once that is necessary, half of the room is made free at once, so that the next answers find the same beginning,
and with it the prompt cache, until it is full again.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import cast

import msgspec

from holdfast.policy.estimate import BYTES_PER_TOKEN, IMAGE_TOKENS

Message = Mapping[str, object]

CONTEXT_TOKENS = 200_000
"""What a model takes where nothing is known of it."""
PDF_BYTES_PER_TOKEN = 10
"""Characters of base64 for each token of a PDF: about 4,000 tokens for a page of 40 kB (PDF support page)."""
DOCUMENT_TOKENS = 20_000
"""Tokens of a document that is only named."""
MESSAGE_TOKENS = 4
"""Tokens of the frame around a message."""

_THOUGHTS = ("thinking", "redacted_thinking")
_encode = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What the API has counted: `tokens` of all that was sent, and answered, up to the first `length` messages."""

    tokens: int
    length: int


def first_sent(
    messages: Sequence[Message],
    *,
    limit: int,
    start: int = 0,
    overhead: int = 0,
    measured: Measured | None = None,
) -> int:
    """The index of the first message to send, so that all from there on have at most `limit` tokens.

    `start` is what it was the last time, which it stays as long as that fits; `overhead` are rough tokens of what
    is sent besides. The newest exchange is always sent, whether or not it fits. Sizes are rough, and too high
    rather than too low, but for what was `measured` from `start` on.
    """
    rough = [rough_tokens(message) for message in messages]
    factor = _Factor.of(overhead + sum(rough[start : measured.length]), measured) if measured else _Factor()
    known = 0 if measured is None else measured.length
    sizes = [factor.of_rough(size) if at < known else size for at, size in enumerate(rough)]
    besides = factor.of_rough(overhead)
    left = besides + sum(sizes[start:])
    if left <= limit:
        return start
    first = start
    for at in range(start, len(messages)):
        if at > start and begins_exchange(messages[at]):
            first = at
            if left <= limit // 2:
                break
        left -= sizes[at]
    return first


@dataclass(frozen=True, slots=True)
class _Factor:
    """By how much rough sizes are wrong, as a fraction."""

    true: int = 1
    rough: int = 1

    @classmethod
    def of(cls, rough: int, measured: Measured) -> "_Factor":
        return cls(measured.tokens, rough) if rough > 0 and measured.tokens > 0 else cls()

    def of_rough(self, size: int) -> int:
        return -(-size * self.true // self.rough)


def begins_exchange(message: Message) -> bool:
    """Whether a person speaks here, and no tool."""
    return message.get("role") == "user" and not any(
        block.get("type") == "tool_result" for block in blocks_of(message)
    )


def open_calls(messages: Sequence[Message]) -> tuple[str, ...]:
    """The ids of the calls at the end that have no results yet."""
    if not messages or messages[-1].get("role") != "assistant":
        return ()
    return tuple(
        str(block.get("id", "")) for block in blocks_of(messages[-1]) if block.get("type") == "tool_use"
    )


def without_thoughts(messages: Sequence[Message]) -> tuple[Message, ...]:
    """The messages less all thinking, which the API takes back only behind what it was written behind.

    A message that was nothing but thinking is left out, since an empty one is refused.
    """
    kept: list[Message] = []
    for message in messages:
        blocks = blocks_of(message)
        if message.get("role") == "assistant" and any(block.get("type") in _THOUGHTS for block in blocks):
            spoken = [block for block in blocks if block.get("type") not in _THOUGHTS]
            kept += [{**message, "content": spoken}] if spoken else []
        else:
            kept.append(message)
    return tuple(kept)


def blocks_of(message: Message) -> Sequence[Mapping[str, object]]:
    """The content blocks of a message; none of one that is plain text."""
    content = message.get("content")
    if not isinstance(content, list | tuple):
        return ()
    return cast("Sequence[Mapping[str, object]]", content)


def rough_tokens(message: Message) -> int:
    """Tokens of a message, rather too many than too few."""
    content = message.get("content")
    if isinstance(content, str):
        return MESSAGE_TOKENS + _text_tokens(content)
    return MESSAGE_TOKENS + sum(_block_tokens(block) for block in blocks_of(message))


def _block_tokens(block: Mapping[str, object]) -> int:
    match block.get("type"):
        case "image":
            return IMAGE_TOKENS
        case "document":
            return _document_tokens(block)
        case "tool_result" if isinstance(block.get("content"), list | tuple):
            return MESSAGE_TOKENS + sum(_block_tokens(inner) for inner in blocks_of(block))
        case _:
            return -(-len(_encode(block)) // BYTES_PER_TOKEN)


def _document_tokens(block: Mapping[str, object]) -> int:
    source = block.get("source")
    data = cast("Mapping[str, object]", source).get("data") if isinstance(source, Mapping) else None
    if not isinstance(data, str):
        return DOCUMENT_TOKENS
    is_pdf = cast("Mapping[str, object]", source).get("type") == "base64"
    return -(-len(data) // PDF_BYTES_PER_TOKEN) if is_pdf else _text_tokens(data)


def _text_tokens(text: str) -> int:
    return -(-len(text.encode()) // BYTES_PER_TOKEN)
