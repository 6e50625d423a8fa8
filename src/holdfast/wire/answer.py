"""Answers read by a judge on their way out: what it lets through passes byte for byte, what it edits is rewritten."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

import msgspec

from holdfast.wire.members import Document, inner, member, word
from holdfast.wire.place import Path, find_value
from holdfast.wire.sse import Event, Splitter, emit
from holdfast.wire.unread import reason_of

Form = Literal["text", "json", "thinking"]
"""What a block is written in: words, the arguments of a call as JSON source, or thinking, which nobody may alter."""

_NO_LIMIT = 1 << 62
_UNREADABLE = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
_SOURCE = "input"
"""The one member whose JSON is read as it is written."""
_MEMBER: dict[Form, str] = {"text": "text", "json": "partial_json", "thinking": "thinking"}
_IN_DELTA: dict[Form, Path] = {form: ("delta", name) for form, name in _MEMBER.items()}


@dataclass(frozen=True, slots=True)
class Edit:
    """Characters `start` up to `end` of all that a judge has read become the mark."""

    start: int
    end: int
    mark: str


class Judge(Protocol):
    """Reads the blocks of one answer, one after the other, as one run of characters.

    `decided` is the number of characters that may go; `edits` are those before it that must be made, in order.
    Once it has stopped, nothing behind `decided` may ever go.
    """

    @property
    def decided(self) -> int: ...

    @property
    def edits(self) -> Sequence[Edit]: ...

    @property
    def is_stopped(self) -> bool: ...

    def open(self, path: str, form: Form) -> bool:
        """A block begins; whether it is to be read."""
        ...

    def pass_over(self, path: str, reason: str) -> None:
        """A block or a part of one cannot be read."""
        ...

    def feed(self, text: str) -> None:
        """The next characters of the block."""
        ...

    def close(self) -> None:
        """The block is at its end: everything is decided."""
        ...


def form_of(block: Document) -> Form | None:
    """What a block of an answer is written in; `None` for one that holds nothing the model wrote in the open."""
    match word(block, "type"):
        case "text":
            return "text"
        case "tool_use" | "server_tool_use" | "mcp_tool_use":
            return "json"
        case "thinking":
            return "thinking"
        case _:
            return None


class _Delta(msgspec.Struct, gc=False):
    text: str = ""
    partial_json: str = ""
    thinking: str = ""


class _BlockDelta(msgspec.Struct, gc=False):
    delta: _Delta


_read_delta = msgspec.json.Decoder(_BlockDelta).decode


_Queued = tuple[Event, int, int, Path]
"""An event, which characters it holds, and where in its data they stand; a tuple because every event is one."""


class JudgedStream:
    """A stream of events that are let go as far as the judge has decided; none overtakes another."""

    __slots__ = ("_form", "_judge", "_path", "_queue", "_read", "_splitter")

    def __init__(self, judge: Judge) -> None:
        self._judge = judge
        self._splitter = Splitter(limit=_NO_LIMIT)
        self._queue: deque[_Queued] = deque()
        self._read = 0
        self._form: Form | None = None
        self._path = "content"

    def feed(self, chunk: bytes) -> bytes:
        """The next bytes to send for the next bytes that came."""
        for event in self._splitter.feed(chunk):
            if self._judge.is_stopped:
                break
            start = self._read
            path = self._take(event)
            if self._judge.is_stopped and self._read == start:
                break
            self._queue.append((event, start, self._read, path))
        return self._released()

    def end(self) -> bytes:
        """What is left when no more comes."""
        self._close()
        released = self._released()
        return released if self._judge.is_stopped else released + self._splitter.rest

    def _take(self, event: Event) -> Path:
        """Show an event to the judge; where in its data the characters stand, if it holds any."""
        match event.name:
            case "content_block_delta" if self._form is not None:
                return self._delta(event, self._form)
            case "content_block_start":
                return self._start(event)
            case "content_block_stop":
                self._close()
            case _:
                pass
        return ()

    def _start(self, event: Event) -> Path:
        self._close()
        document = _decoded(event.data)
        block = inner(document, "content_block")
        self._path = f"content.{member(document, 'index')}"[:40]
        self._form = _opened(self._judge, self._path, block)
        if self._form is None:
            return ()
        if self._form == "json":
            given = find_value(event.data, ("content_block", _SOURCE))
            raw = b"" if given is None else event.data[slice(*given)]
            return self._fed(raw.decode() if raw != b"{}" else "", ("content_block", _SOURCE))
        name = _MEMBER[self._form]
        return self._fed(word(block, name) or "", ("content_block", name))

    def _delta(self, event: Event, form: Form) -> Path:
        try:
            delta = _read_delta(event.data).delta
        except _UNREADABLE:
            self._judge.pass_over(self._path, "unreadable")
            return ()
        text = delta.text if form == "text" else delta.partial_json if form == "json" else delta.thinking
        return self._fed(text, _IN_DELTA[form])

    def _fed(self, text: str, path: Path) -> Path:
        self._read += len(text)
        if text:
            self._judge.feed(text)
        return path

    def _close(self) -> None:
        if self._form is not None:
            self._form = None
            self._judge.close()

    def _released(self) -> bytes:
        judge, queue = self._judge, self._queue
        released: list[bytes] = []
        decided, edits = judge.decided, judge.edits
        while queue and queue[0][2] <= decided:
            event, start, end, path = queue.popleft()
            own = within(edits, start, end) if edits and start < end else None
            released.append(_rewritten(event, start, path, own) if own else event.raw)
        return b"".join(released)


def _rewritten(event: Event, start: int, path: Path, edits: Sequence[Edit]) -> bytes:
    """The event with the edits made; of all its bytes only the value changes."""
    found = find_value(event.data, path)
    assert found is not None
    value = _edited(event.data[slice(*found)], edits, start, is_source=path[-1] == _SOURCE)
    data = event.data[: found[0]] + value + event.data[found[1] :]
    # Data that was written as several fields does not stand in the event as it reads.
    before, is_whole, after = event.raw.partition(event.data)
    return before + data + after if is_whole else emit(event.name, data)


class _Whole(msgspec.Struct, gc=False):
    content: list[dict[str, msgspec.Raw]] = []


_read_whole = msgspec.json.Decoder(_Whole).decode


def judged_body(body: bytes, judge: Judge) -> bytes:
    """A whole answer with the edits of the judge; one that it has none for comes back as it is."""
    try:
        content = _read_whole(body).content
        _check_letters(body)
    except _UNREADABLE:
        judge.pass_over("content", "unreadable")
        return body
    places = [_judged_block(judge, number, block) for number, block in enumerate(content)]
    # From the back, so that what stands before stays where it is.
    for number, (name, start, end) in reversed([*enumerate(places)]):
        edits = within(judge.edits, start, end)
        found = find_value(body, ("content", number, name)) if edits else None
        if found is not None:
            value = _edited(body[slice(*found)], edits, start, is_source=name == _SOURCE)
            body = body[: found[0]] + value + body[found[1] :]
    return body


def _check_letters(body: bytes) -> None:
    """Raise `UnicodeDecodeError` for bytes that are no letters, which the decoder passes over where it does not read."""
    if not body.isascii():
        body.decode()


def _judged_block(judge: Judge, number: int, block: dict[str, msgspec.Raw]) -> tuple[str, int, int]:
    """The member of a block that was read, and which characters it holds."""
    start, path = judge.decided, f"content.{number}"
    document = {name: _decoded(bytes(raw)) for name, raw in block.items() if name != "input"}
    form = None if judge.is_stopped else _opened(judge, path, document)
    if form is None:
        return "", start, start
    name = _SOURCE if form == "json" else _MEMBER[form]
    raw = bytes(block.get(name, msgspec.Raw(b'""')))
    judge.feed(raw.decode() if form == "json" else word(document, name) or "")
    judge.close()
    return name, start, judge.decided


def within(edits: Sequence[Edit], start: int, end: int) -> list[Edit]:
    """The edits of these characters; one that begins before them has left its mark there."""
    found: list[Edit] = []
    for edit in reversed(edits):
        if edit.end <= start:
            break
        if edit.start < end:
            mark = edit.mark if edit.start >= start else ""
            found.append(Edit(max(edit.start, start), min(edit.end, end), mark))
    return found[::-1]


def _edited(value: bytes, edits: Sequence[Edit], start: int, *, is_source: bool) -> bytes:
    """A string, or a piece of JSON source, with the edits made; `start` is where it begins."""
    text = value.decode() if is_source else msgspec.json.decode(value, type=str)
    for edit in reversed(edits):
        text = text[: edit.start - start] + edit.mark + text[edit.end - start :]
    return text.encode() if is_source else msgspec.json.encode(text)


def _opened(judge: Judge, path: str, block: Document) -> Form | None:
    form = form_of(block)
    if form is None:
        judge.pass_over(path, reason_of(block) or (word(block, "type") or "unknown")[:40])
        return None
    return form if judge.open(path, form) else None


def _decoded(data: bytes) -> object:
    try:
        return msgspec.json.decode(data)
    except _UNREADABLE:
        return None
