"""A notice to the model in its own answer: one block of text before its first call of a tool, all else as it came.

Before that call and not at the end, because text and then calls is the order in which the model itself writes
and in which the API takes a turn back; an answer behind whose calls something else stands has been refused
there. An answer that calls no tool has left the loop that the notice is about, and stays as it is.
"""

import re
from collections.abc import Iterator

import msgspec

from holdfast.language import Language
from holdfast.wire.sse import Event, Splitter, emit

_TOKEN = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"|[{}\[\]]', re.DOTALL)
_NUMBER = re.compile(rb"[ \t\r\n]*:[ \t\r\n]*([0-9]+)")
_LIST = re.compile(rb"[ \t\r\n]*:[ \t\r\n]*\[")
_UNREADABLE = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
_NO_LIMIT = 1 << 62
_THINKING = ("thinking", "redacted_thinking")
_HANGUL = re.compile("[\uac00-\ud7a3]")
_LATIN = re.compile("[A-Za-z]")


class _Caller(msgspec.Struct, gc=False):
    type: str = "direct"


class _Block(msgspec.Struct, gc=False):
    type: str = ""
    caller: _Caller | None = None

    @property
    def is_call(self) -> bool:
        return self.type == "tool_use"

    @property
    def is_the_models_own(self) -> bool:
        """False for a call from within code that the API runs: nothing may come between the two."""
        return self.caller is None or self.caller.type == "direct"


class _Start(msgspec.Struct, gc=False):
    index: int
    content_block: _Block


class _Message(msgspec.Struct, gc=False):
    content: list[_Block] = []


_start = msgspec.json.Decoder(_Start).decode
_message = msgspec.json.Decoder(_Message).decode


def language_of(words: str) -> Language:
    """The language of what a person wrote; a letter of Hangul weighs as much as two of the Latin alphabet."""
    return "ko" if 2 * len(_HANGUL.findall(words)) > len(_LATIN.findall(words)) else "en"


def with_notice(body: bytes, text: str) -> bytes:
    """A whole answer with the notice in it; one that has no place for it comes back as it is.

    There is none before a call if thinking follows it, whose signature covers everything before.
    """
    try:
        content = _message(body).content
    except _UNREADABLE:
        return body
    place = next((number for number, block in enumerate(content) if block.is_call), None)
    starts = [*_starts(body)]
    if place is None or len(starts) != len(content) or not content[place].is_the_models_own:
        return body
    if any(block.type in _THINKING for block in content[place:]):
        return body
    block = msgspec.json.encode({"type": "text", "text": text})
    return body[: starts[place]] + block + b"," + body[starts[place] :]


class NoticedStream:
    """Puts the notice into a stream of events: new ones before the first call, later blocks counted one higher.

    Nothing is put in twice, nor into a stream that breaks before its first call. Bytes that are no whole event
    yet wait until they are.
    """

    __slots__ = ("_place", "_splitter", "_text")

    def __init__(self, text: str) -> None:
        self._text: str | None = text
        self._splitter = Splitter(limit=_NO_LIMIT)
        self._place: int | None = None

    def feed(self, chunk: bytes) -> bytes:
        """The next bytes to send for the next bytes that came."""
        return b"".join([self._passed(event) for event in self._splitter.feed(chunk)])

    def end(self) -> bytes:
        """What is left when no more comes."""
        return self._splitter.rest

    def _passed(self, event: Event) -> bytes:
        if self._place is not None:
            return _moved(event, self._place)
        if self._text is None or event.name != "content_block_start":
            return event.raw
        try:
            start = _start(event.data)
        except _UNREADABLE:
            return event.raw
        if not start.content_block.is_call:
            return event.raw
        text, self._text = self._text, None
        if not start.content_block.is_the_models_own:
            return event.raw
        self._place = start.index
        return _notice(text, start.index) + _moved(event, start.index)


def _notice(text: str, index: int) -> bytes:
    delta = {"type": "text_delta", "text": text}
    return b"".join(
        (
            _event("content_block_start", index=index, content_block={"type": "text", "text": ""}),
            _event("content_block_delta", index=index, delta=delta),
            _event("content_block_stop", index=index),
        )
    )


def _event(name: str, **members: object) -> bytes:
    return emit(name, msgspec.json.encode({"type": name, **members}))


def _moved(event: Event, place: int) -> bytes:
    """The event with its block one place further on; of all its bytes only the number changes."""
    if not event.name.startswith("content_block_"):
        return event.raw
    span = _index(event.data)
    if span is None or int(event.data[slice(*span)]) < place:
        return event.raw
    start, end = span
    data = event.data[:start] + b"%d" % (int(event.data[start:end]) + 1) + event.data[end:]
    # Data that was written as several fields does not stand in the event as it reads.
    before, found, after = event.raw.partition(event.data)
    return before + data + after if found else emit(event.name, data)


def _index(data: bytes) -> tuple[int, int] | None:
    """Where the number of the top-level `index` begins and ends."""
    depth = 0
    for token in _TOKEN.finditer(data):
        match token[0][:1]:
            case b"{" | b"[":
                depth += 1
            case b"}" | b"]":
                depth -= 1
            case _ if depth == 1 and token[0] == b'"index"' and (number := _NUMBER.match(data, token.end())):
                return number.span(1)
            case _:
                pass
    return None


def _starts(body: bytes) -> Iterator[int]:
    """Where each block of the top-level `content` begins."""
    depth, is_inside = 0, False
    for token in _TOKEN.finditer(body):
        match token[0][:1]:
            case b"{" | b"[":
                if is_inside and depth == 2:
                    yield token.start()
                depth += 1
            case b"}" | b"]":
                depth -= 1
                if is_inside and depth == 1:
                    return
            case _ if depth == 1 and token[0] == b'"content"' and _LIST.match(body, token.end()):
                is_inside = True
            case _:
                pass
