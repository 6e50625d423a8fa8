"""What an agent has been doing lately, read from the messages that its client sends again with every request."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any, cast

import msgspec

MOST_CALLS = 200
"""Calls of tools that are looked at, the newest ones."""
LONGEST_ERROR = 200
"""Characters of an error that are compared, after what differs from one time to the next is taken out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolCall:
    """One call of a tool; what it was given and what came of it are digests, so that nothing of them is kept.

    Attributes:
        arguments: the same for the same input, however its members are ordered and spaced.
        result: `None` when the history holds no result of this call.
        error: the text of a result that is an error, without numbers, ids and paths; else `None`.
    """

    tool: str
    arguments: bytes
    result: bytes | None = None
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Turn:
    """One turn of the model with the calls it made at once."""

    calls: tuple[ToolCall, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """What the agent has done, oldest first, since a person or the model itself last only spoke.

    `words` is what the person said last, without the reminders that clients put around it.
    """

    turns: tuple[Turn, ...] = ()
    words: str = ""


class _Block(msgspec.Struct, gc=False):
    type: str = "text"
    text: str = ""
    id: str = ""
    name: str = ""
    input: msgspec.Raw = msgspec.Raw()
    tool_use_id: str = ""
    content: msgspec.Raw = msgspec.Raw()
    is_error: bool | None = None


class _Message(msgspec.Struct, gc=False):
    role: str = ""
    content: msgspec.Raw = msgspec.Raw()


class _Conversation(msgspec.Struct, gc=False):
    messages: list[msgspec.Raw] = []


_conversation = msgspec.json.Decoder(_Conversation).decode
_message = msgspec.json.Decoder(_Message).decode
_content = msgspec.json.Decoder(str | list[msgspec.Raw]).decode
_block = msgspec.json.Decoder(_Block).decode
_UNREADABLE = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
_REMINDER = re.compile(r"<system-reminder>.*?</system-reminder>", re.DOTALL)
_RESULTS = b'"tool_result"'
_Results = dict[str, _Block]


def read_history(body: bytes) -> History:
    """The end of the conversation in the body of a request; what cannot be read is passed over.

    Read from the newest message backwards and no further than it takes, so that most of a long conversation
    is never decoded.
    """
    try:
        messages = _conversation(body).messages
    except _UNREADABLE:
        return History()
    turns: list[Turn] = []
    results: _Results = {}
    calls, is_open = 0, _RESULTS in body
    for role, blocks in _backwards(messages):
        if role == "assistant":
            turn = Turn(tuple(_calls(blocks, results))) if is_open else Turn(())
            calls += len(turn.calls)
            is_open = is_open and bool(turn.calls) and calls <= MOST_CALLS
            turns += [turn] if is_open else []
            results.clear()
        elif not _answers(blocks, results):
            words = _spoken(blocks)
            if words or any(block.type != "text" for block in blocks):
                return History(turns=tuple(reversed(turns)), words=words)
    return History(turns=tuple(reversed(turns)))


def _backwards(messages: Sequence[msgspec.Raw]) -> Iterator[tuple[str, list[_Block]]]:
    """Role and blocks of each message, the newest first; those of the role `system` are left out."""
    for raw in reversed(messages):
        try:
            message = _message(raw)
        except _UNREADABLE:
            continue
        if message.role != "system":
            yield message.role, _blocks(message.content)


def _blocks(content: msgspec.Raw) -> list[_Block]:
    try:
        pieces = _content(content)
    except _UNREADABLE:
        return []
    if isinstance(pieces, str):
        return [_Block(text=pieces)]
    return [block for piece in pieces if (block := _readable(piece)) is not None]


def _readable(piece: msgspec.Raw) -> _Block | None:
    try:
        return _block(piece)
    except _UNREADABLE:
        return None


def _answers(blocks: Sequence[_Block], results: _Results) -> bool:
    """Note the results of tools among these blocks; whether there were any."""
    found = {block.tool_use_id: block for block in blocks if block.type == "tool_result"}
    results.update(found)
    return bool(found)


def _spoken(blocks: Sequence[_Block]) -> str:
    said = "\n".join(block.text for block in blocks if block.type == "text")
    return _REMINDER.sub("", said).strip()


def _calls(blocks: Sequence[_Block], results: Mapping[str, _Block]) -> Iterator[ToolCall]:
    for block in blocks:
        if block.type == "tool_use":
            result = results.get(block.id)
            content = None if result is None else _decoded(result.content)
            failed = result is not None and result.is_error is True
            yield ToolCall(
                tool=block.name,
                arguments=_digest(_decoded(block.input)),
                result=None if result is None else _digest((failed, content)),
                error=normalized_error(_text(content)) if failed else None,
            )


def _decoded(raw: msgspec.Raw) -> object:
    """A value without the marks of the prompt cache, which clients move about."""
    try:
        value: object = msgspec.json.decode(raw)
    except _UNREADABLE:
        return bytes(raw)
    if not isinstance(value, list):
        return value
    blocks = [_unmarked(block) for block in cast("list[object]", value)]
    return _text(blocks) if all(_is_text(block) for block in blocks) else blocks


def _unmarked(block: object) -> object:
    if not isinstance(block, dict):
        return block
    members = cast("dict[str, Any]", block)
    return {name: value for name, value in members.items() if name != "cache_control"}


def _is_text(block: object) -> bool:
    return isinstance(block, dict) and cast("dict[str, Any]", block).get("type") == "text"


def _text(content: object) -> str:
    """The text of a result, whichever of its two forms it has."""
    if not isinstance(content, list):
        return content if isinstance(content, str) else ""
    texts = [
        cast("dict[str, Any]", block).get("text")
        for block in cast("list[object]", content)
        if _is_text(block)
    ]
    return "\n".join(text for text in texts if isinstance(text, str))


def _digest(value: object) -> bytes:
    return blake2b(msgspec.json.encode(value, order="sorted"), digest_size=16).digest()


# In this order: the wider ones would be cut up by the narrower ones.
_VARYING = (
    (re.compile(r"\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b", re.IGNORECASE), "<id>"),
    (re.compile(r"\b[a-z][a-z0-9+.-]{0,9}://[^\s\"'`<>]+", re.IGNORECASE), "<path>"),
    (re.compile(r"(?<![\w.~-])(?:[a-z]:|[\w.~-]*)[/\\][^\s\"'`<>:,;()]+", re.IGNORECASE), "<path>"),
    (re.compile(r"\b(?:0x)?(?=[0-9a-f]*[0-9])[0-9a-f]{6,}\b", re.IGNORECASE), "<id>"),
    (re.compile(r"[0-9]+"), "<n>"),
    (re.compile(r"\s+"), " "),
)


def normalized_error(text: str) -> str:
    """An error as it reads every time it happens: without its numbers, ids and paths, the first 200 characters."""
    text = text[: 4 * LONGEST_ERROR]
    for pattern, stand_in in _VARYING:
        text = pattern.sub(stand_in, text)
    return text.strip()[:LONGEST_ERROR]
