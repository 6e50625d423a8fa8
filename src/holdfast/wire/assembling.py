"""A message put together again from the events of its stream, block by block."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, cast

import msgspec

from holdfast.wire.sse import Event

Block = dict[str, object]
"""A content block as the API writes it; members that nobody knows stay in it."""


class MalformedAnswer(ValueError):
    """What came is no message of the Messages API."""


@dataclass(frozen=True, slots=True)
class Piece:
    """Text that has just come, and of which sort it is."""

    kind: Literal["text", "thinking"]
    text: str


class _Event(msgspec.Struct):
    type: str = ""
    index: int = -1
    content_block: Block = {}
    delta: Block = {}


_read_event = msgspec.json.Decoder(_Event).decode
_NO_JSON = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
_PARTS: Mapping[str, str] = {
    "text_delta": "text",
    "thinking_delta": "thinking",
    "signature_delta": "signature",
    "input_json_delta": "partial_json",
}


class Assembling:
    """Feed it the events of one stream; `content` is what the message holds so far.

    `unreadable` are positions of calls whose input is no JSON; it stands as an empty one.
    Raises `MalformedAnswer` for an event that cannot be read.
    """

    __slots__ = ("_parts", "content", "stop_reason", "unreadable")

    def __init__(self) -> None:
        self.content: list[Block] = []
        self.stop_reason: str | None = None
        self.unreadable: set[int] = set()
        self._parts: dict[str, list[str]] = {}

    def feed(self, event: Event) -> Piece | None:
        """The text that the event brings, if it brings any."""
        if not event.name.startswith(("content_block_", "message_delta")):
            return None
        try:
            read = _read_event(event.data)
        except _NO_JSON as error:
            raise MalformedAnswer(str(error)) from error
        match event.name:
            case "content_block_start":
                return self._begin(read)
            case "content_block_delta":
                return self._go_on(read)
            case "content_block_stop":
                self._end()
            case _:
                reason = read.delta.get("stop_reason")
                self.stop_reason = reason if isinstance(reason, str) else self.stop_reason
        return None

    def _begin(self, read: _Event) -> Piece | None:
        self.content.append(read.content_block)
        text = read.content_block.get("text")
        self._parts = {"text": [text]} if isinstance(text, str) else {}
        return Piece("text", text) if isinstance(text, str) and text else None

    def _go_on(self, read: _Event) -> Piece | None:
        if not self.content:
            raise MalformedAnswer("a delta came before any block had begun")
        kind = read.delta.get("type")
        if kind == "citations_delta":
            cast("list[object]", self.content[-1].setdefault("citations", [])).append(
                read.delta.get("citation")
            )
            return None
        name = _PARTS.get(kind) if isinstance(kind, str) else None
        part = None if name is None else read.delta.get(name)
        if name is None or part is None:
            return None
        if not isinstance(part, str):
            raise MalformedAnswer(f"{name} is no text")
        self._parts.setdefault(name, []).append(part)
        return _piece(name, part)

    def _end(self) -> None:
        if not self.content:
            return
        block = self.content[-1]
        for name, parts in self._parts.items():
            whole = "".join(parts)
            if name == "partial_json":
                self._put_input(block, whole)
            else:
                block[name] = whole
        self._parts = {}

    def _put_input(self, block: Block, source: str) -> None:
        try:
            block["input"] = msgspec.json.decode(source) if source.strip() else block.get("input", {})
        except _NO_JSON:
            # An answer that was cut at its longest, or a model that was sloppy: whoever calls the tool must know.
            block["input"] = {}
            self.unreadable.add(len(self.content) - 1)


def _piece(name: str, part: str) -> Piece | None:
    match name:
        case "text" | "thinking" if part:
            return Piece(name, part)
        case _:
            return None


def content_of(body: bytes) -> tuple[list[Block], str | None]:
    """The blocks of a message that came in one piece, and why it stopped; raises `MalformedAnswer`."""
    try:
        message = msgspec.json.decode(body, type=_Message)
    except _NO_JSON as error:
        raise MalformedAnswer(str(error)) from error
    return message.content, message.stop_reason


def text_in(content: list[Block]) -> str:
    """The text blocks, joined."""
    return "".join(
        text
        for block in content
        if block.get("type") == "text" and isinstance(text := block.get("text"), str)
    )


class _Message(msgspec.Struct):
    content: list[Block] = []
    stop_reason: str | None = None
