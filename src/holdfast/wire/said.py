"""What a request holds beside its system prompt: the words of the user, and what tools and documents said."""

from dataclasses import dataclass
from typing import cast

import msgspec

from holdfast.wire.members import Document, objects, word

_UNREADABLE = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
_SILENT = ("type", "id", "tool_use_id", "signature", "media_type", "cache_control", "citations")


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """The texts of a whole conversation, without those of the model and of the operator."""

    user: tuple[str, ...] = ()
    others: tuple[str, ...] = ()


def read_said(body: bytes) -> Said:
    """Every text that the caller has put into the messages of a request; one that makes no sense has none."""
    try:
        document = msgspec.json.decode(body, type=dict[str, object])
    except _UNREADABLE:
        return Said()
    messages = document.get("messages")
    user: list[str] = []
    others: list[str] = []
    for message in objects(messages):
        if message.get("role") not in ("assistant", "system"):
            _sort(message.get("content"), user, others)
    return Said(user=tuple(user), others=tuple(others))


def _sort(content: object, user: list[str], others: list[str]) -> None:
    """A text block at the top of a message is the user's own; all else came from somewhere."""
    if isinstance(content, str):
        user.append(content)
    for block in objects(content):
        if block.get("type") == "text":
            user.append(word(block, "text") or "")
        else:
            others += _texts(block)


def _texts(block: object) -> list[str]:
    found: list[str] = []
    waiting = [block]
    while waiting:
        value = waiting.pop()
        if isinstance(value, str):
            found.append(value)
        elif isinstance(value, list):
            waiting += reversed(cast("list[object]", value))
        elif isinstance(value, dict):
            members = cast("Document", value)
            is_read = members.get("type") != "base64"
            waiting += [held for name, held in members.items() if is_read and name not in _SILENT]
    return found
