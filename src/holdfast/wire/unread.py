"""The blocks of the newest turn that hold no text anyone but the model can read."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import cast

import msgspec

from holdfast.wire.members import Document, inner, member, word

MOST_UNREAD = 1_000
"""Blocks of one turn that are looked for."""

_UNREADABLE = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
_MARKS = (b'"image"', b'"base64"', b'"file_id"', b'"url"', b"thinking", b"encrypted", b'"container_upload"')
_SEALED = ("encrypted_content", "encrypted_stdout", "encrypted_index")


@dataclass(frozen=True, slots=True)
class Unread:
    """A block that cannot be read here: where it stands in the body, and why."""

    path: str
    reason: str


def unread(body: bytes) -> tuple[Unread, ...]:
    """Images, encoded files, addresses of files, thinking and sealed content since the last assistant turn.

    A body without any of their marks is not decoded; one that makes no sense has none.
    """
    if not any(mark in body for mark in _MARKS):
        return ()
    try:
        messages: object = msgspec.json.decode(body, type=dict[str, object]).get("messages")
    except _UNREADABLE:
        return ()
    turn = _newest(cast("list[object]", messages)) if isinstance(messages, list) else []
    found: list[Unread] = []
    for place, message in turn:
        for block in _unread(member(message, "content"), f"messages.{place}.content"):
            found.append(block)
            if len(found) == MOST_UNREAD:
                return tuple(found)
    return tuple(found)


def reason_of(block: Document) -> str | None:
    """Why a block cannot be read; `None` if it can, or if what it holds can."""
    kind = word(block, "type")
    source = inner(block, "source")
    if any(word(block, name) for name in _SEALED) or kind == "redacted_thinking":
        return "encrypted"
    if kind in ("thinking", "image"):
        return kind
    match word(source, "type"):
        case "base64":
            return "base64_document"
        case "url" | "file" as elsewhere:
            return f"{elsewhere}_source"
        case _:
            return "file_source" if kind == "container_upload" else None


def _newest(messages: list[object]) -> list[tuple[int, object]]:
    """What stands between the last assistant turn and the end; one at the very end is looked past."""
    end = len(messages)
    while end and word(messages[end - 1], "role") == "assistant":
        end -= 1
    start = end
    while start and word(messages[start - 1], "role") != "assistant":
        start -= 1
    return [*enumerate(messages)][start:end]


def _unread(content: object, path: str) -> Iterator[Unread]:
    waiting = [(content, path, 0)]
    while waiting:
        value, place, depth = waiting.pop()
        if isinstance(value, dict):
            block = cast("Document", value)
            reason = reason_of(block)
            if reason is not None:
                yield Unread(place, reason)
            waiting.append((inner(block, "source").get("content"), f"{place}.source.content", depth + 1))
            waiting.append((block.get("content"), f"{place}.content", depth + 1))
        elif isinstance(value, list) and depth < 8:
            blocks = cast("list[object]", value)
            waiting += [(block, f"{place}.{at}", depth + 1) for at, block in enumerate(blocks)][::-1]
