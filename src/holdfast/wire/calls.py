"""Calls of tools in an answer: those that must not be made are taken out, with a word to the reader in their place.

All calls of an answer are held together until the last of them is there, since what was held is said before
the first of those that go on: text and then calls is the order in which a turn can be sent back.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import cast

import msgspec

from holdfast.wire.members import Document, inner, member, number, word
from holdfast.wire.place import Path, find_value
from holdfast.wire.provenance import texts_of_result
from holdfast.wire.sse import Event, Splitter, emit, ping

PING_AFTER = 64
"""Events held back after which a ping goes out in their place, so that no client takes the line for dead."""

_NO_LIMIT = 1 << 62
_UNREADABLE = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
_CALL = "tool_use"
_END = b'"end_turn"'


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One call that an answer asks for; `source` is its input as JSON, whatever the model has written there."""

    tool: str
    source: bytes
    id: str = ""

    @property
    def input(self) -> object:
        """The input as a value; one that is no JSON is the text that it is."""
        try:
            return msgspec.json.decode(self.source)
        except _UNREADABLE:
            return self.source.decode("utf-8", "replace")


@dataclass(frozen=True, slots=True)
class Ruled:
    """Which of some calls must not be made, by their positions, and what the reader is told instead."""

    held: frozenset[int] = frozenset()
    text: str = ""


Rule = Callable[[Sequence[Asked], Sequence[str]], Ruled]
"""Judges the calls of an answer; the second are texts of tools that the API ran for the same answer."""


def gated_body(body: bytes, rule: Rule) -> bytes:
    """A whole answer without the calls that must not be made; one that has none comes back as it is.

    So does one that makes no sense: no client can read it either, and thus it calls nothing.
    """
    document = _decoded(body)
    content = member(document, "content")
    blocks = [*enumerate(cast("list[object]", content))] if isinstance(content, list) else []
    places = [place for place, block in blocks if word(block, "type") == _CALL]
    if not places:
        return body
    asked = [
        Asked(
            tool=word(blocks[place][1], "name") or "",
            source=_slice(body, ("content", place, "input")) or b"{}",
            id=word(blocks[place][1], "id") or "",
        )
        for place in places
    ]
    ruled = rule(asked, [text for _, block in blocks for text in texts_of_result(block)])
    if not ruled.held:
        return body
    held = {places[at] for at in ruled.held}
    rest = [_slice(body, ("content", place)) for place, _ in blocks if place not in held]
    rest.insert(places[0], msgspec.json.encode({"type": "text", "text": ruled.text}))
    body = _put(body, ("content",), b"[" + b",".join(rest) + b"]")
    is_over = len(held) == len(places) and word(document, "stop_reason") == _CALL
    return _put(body, ("stop_reason",), _END) if is_over else body


def _slice(data: bytes, path: Path) -> bytes:
    found = find_value(data, path)
    return b"" if found is None else data[slice(*found)]


def _put(data: bytes, path: Path, value: bytes) -> bytes:
    found = find_value(data, path)
    return data if found is None else data[: found[0]] + value + data[found[1] :]


@dataclass(slots=True)
class _Held:
    """The events of one block that waits; `call` is its tool if it is a call."""

    index: int
    events: list[Event]
    call: str | None = None
    id: str = ""
    source: bytes = b""
    is_whole: bool = False


class GatedStream:
    """A stream of events that waits from its first call on until all calls are there and have been judged.

    Bytes that are no whole event yet wait until they are. What breaks off before its calls are there ends without
    them. Behind a call that was taken out, blocks are counted lower; every other byte is as it came. One that
    does not hold lets everything pass, and has it judged all the same.
    """

    __slots__ = ("_blocks", "_heard", "_holds", "_kept", "_rule", "_shift", "_splitter", "_taken", "_waited")

    def __init__(self, rule: Rule, *, holds: bool = True) -> None:
        self._rule = rule
        self._holds = holds
        self._splitter = Splitter(limit=_NO_LIMIT)
        self._blocks: list[_Held] = []
        self._heard: list[str] = []
        self._waited = 0
        self._shift = 0
        self._taken = 0
        self._kept = 0

    @property
    def is_waiting(self) -> bool:
        """Whether a call is held back."""
        return bool(self._blocks)

    def feed(self, chunk: bytes) -> bytes:
        """The next bytes to send for the next bytes that came."""
        return b"".join([self._passed(event) for event in self._splitter.feed(chunk)])

    def end(self) -> bytes:
        """What is left when no more comes; calls that nobody has judged are not."""
        return b"" if self._blocks and self._holds else self._splitter.rest

    def _passed(self, event: Event) -> bytes:
        match event.name:
            case "content_block_start":
                waiting = self._begin(event)
            case "content_block_delta" | "content_block_stop":
                waiting = self._go_on(event)
            case "message_delta" | "message_stop":
                waiting = self._judged() + self._ended(event)
            case "error":
                self._blocks.clear()
                return event.raw
            case _:
                return event.raw
        return waiting if self._holds else event.raw

    def _begin(self, event: Event) -> bytes:
        document = _decoded(event.data)
        block = inner(document, "content_block")
        self._heard += texts_of_result(block)
        is_call = word(block, "type") == _CALL
        if not is_call and not self._blocks:
            return _moved(event, self._shift)
        held = _Held(index=number(document, "index") or 0, events=[event])
        if is_call:
            held.call, held.source = word(block, "name") or "", _started(event.data)
            held.id = word(block, "id") or ""
        self._blocks.append(held)
        return self._paused()

    def _go_on(self, event: Event) -> bytes:
        if not self._blocks:
            return _moved(event, self._shift)
        index = number(_decoded(event.data), "index")
        held = next((block for block in self._blocks if block.index == index), self._blocks[-1])
        held.events.append(event)
        if event.name == "content_block_stop":
            held.is_whole = True
        elif held.call is not None:
            held.source += (word(inner(_decoded(event.data), "delta"), "partial_json") or "").encode()
        return self._paused()

    def _paused(self) -> bytes:
        self._waited += 1
        return b"" if self._waited % PING_AFTER else ping()

    def _judged(self) -> bytes:
        """All that has waited, without the calls that must not be made."""
        blocks = [block for block in self._blocks if block.call is None or block.is_whole]
        dropped = len(self._blocks) - len(blocks)
        calls = [block for block in blocks if block.call is not None]
        self._blocks = []
        if not calls and not dropped:
            return b""
        asked = [Asked(tool=block.call or "", source=block.source or b"{}", id=block.id) for block in calls]
        ruled = self._rule(asked, self._heard)
        held = [calls[at] for at in ruled.held]
        self._taken += len(held) + dropped
        self._kept += len(calls) - len(held)
        return self._written(blocks, held, ruled.text)

    def _written(self, blocks: Sequence[_Held], held: Sequence[_Held], text: str) -> bytes:
        written: list[bytes] = []
        if held:
            written.append(_notice(text, blocks[0].index + self._shift))
            self._shift += 1
        for block in blocks:
            if block in held:
                self._shift -= 1
            else:
                written += [_moved(event, self._shift) for event in block.events]
        return b"".join(written)

    def _ended(self, event: Event) -> bytes:
        """The event that says why the answer ends; without any call left, it just ends."""
        if not self._taken or self._kept or event.name != "message_delta":
            return event.raw
        delta = inner(_decoded(event.data), "delta")
        if word(delta, "stop_reason") != _CALL:
            return event.raw
        return _again(event, _put(event.data, ("delta", "stop_reason"), _END))


def _started(data: bytes) -> bytes:
    """The input that a call begins with; the API begins with an empty one and then tells it in pieces."""
    source = _slice(data, ("content_block", "input"))
    return b"" if source == b"{}" else source


def _notice(text: str, index: int) -> bytes:
    return b"".join(
        (
            _event("content_block_start", index=index, content_block={"type": "text", "text": ""}),
            _event("content_block_delta", index=index, delta={"type": "text_delta", "text": text}),
            _event("content_block_stop", index=index),
        )
    )


def _event(name: str, **members: object) -> bytes:
    return emit(name, msgspec.json.encode({"type": name, **members}))


def _moved(event: Event, shift: int) -> bytes:
    """The event with its block so many places further on; of all its bytes only the number changes."""
    index = number(_decoded(event.data), "index") if shift else None
    if index is None:
        return event.raw
    return _again(event, _put(event.data, ("index",), b"%d" % (index + shift)))


def _again(event: Event, data: bytes) -> bytes:
    """The event with other data. Data that was written as several fields does not stand in it as it reads."""
    before, found, after = event.raw.partition(event.data)
    return before + data + after if found else emit(event.name, data)


def _decoded(data: bytes) -> Document:
    try:
        return msgspec.json.decode(data, type=dict[str, object])
    except _UNREADABLE:
        return {}
