"""What an answer used and how it ended, read from its events as they pass."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any, cast

import msgspec

from holdfast.wire.errors import ApiError, read_error, unreadable
from holdfast.wire.sse import Event
from holdfast.wire.usage import Usage, is_count

ASCII_PER_TOKEN = 3
"""Delivered ASCII characters to a token, at the least; of any other script it is two bytes of UTF-8.

An upper bound of the tokens, for a budget must not be short of what was billed: the newest tokenizers make
1.3 tokens of four characters of English, and of a Korean syllable, which has three bytes.
"""
LONGEST_TOKEN = 16
"""Bytes of text to a token that nothing written reaches on the whole; a final count below that is not believed."""

_NOT_ASCII = bytes(range(0x80, 0x100))
_OF_THE_PROMPT = frozenset(
    ("input_tokens", "cache_read_input_tokens", "cache_creation_input_tokens", "cache_creation")
)
_UNREADABLE = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)


class _Pieces(msgspec.Struct, gc=False):
    text: str = ""
    thinking: str = ""
    partial_json: str = ""
    content: str | None = ""


class _ContentDelta(msgspec.Struct, gc=False):
    delta: _Pieces


_NOTHING = _Pieces()
_read_delta = msgspec.json.Decoder(_ContentDelta).decode


class Meter:
    """Reads one answer, streamed or whole; nothing it is shown makes it raise."""

    __slots__ = (
        "_bytes",
        "_counted",
        "_final",
        "_steps",
        "_tokens",
        "_usage",
        "complete",
        "content_started",
        "error",
        "is_replayed",
        "malformed",
        "message_id",
        "model",
        "output_bound",
        "prompt_bound",
        "readable",
        "started",
        "stop_reason",
    )

    def __init__(self) -> None:
        self._usage = Usage()
        self._bytes = 0
        self._tokens = 0
        self._counted = 0
        self._steps = 1
        self._final = False
        self.started = False
        """A `message_start` or a whole message has been seen."""
        self.content_started = False
        """Something that a consumer would show or act on has been seen."""
        self.complete = False
        """The answer came to its proper end: `message_stop`, or a whole message."""
        self.malformed = False
        """Something that had to be read was no JSON of the expected shape."""
        self.readable = True
        """False once a whole body turned out to be no JSON object."""
        self.is_replayed = False
        """The answer was given before and paid then: `usage` says what it has used at that time."""
        self.model: str | None = None
        self.message_id: str | None = None
        self.stop_reason: str | None = None
        self.error: ApiError | None = None
        self.prompt_bound = 0
        """Tokens that the prompt has at most: what it is reckoned at if the answer does not say."""
        self.output_bound: int | None = None
        """Tokens that were asked for at most; after each result of a server's tool there may be as many again."""

    @property
    def usage(self) -> Usage:
        """The tokens of this answer, and never less than what was certainly delivered.

        The final count, to the token. If it never came, or is too small for what was delivered, the output is
        the larger of the counts seen and the upper bound of the tokens delivered, each delta and the opening
        of each block rounded up; of a whole body without a count, all of it is taken for text.
        """
        usage = self._usage
        if self._is_silent_of_prompt:
            usage = replace(usage, input_tokens=self.prompt_bound)
        if self._is_counted:
            return usage
        allowed = self._tokens if self.output_bound is None else self.output_bound * self._steps
        return usage.with_output(max(usage.output_tokens, min(self._tokens, allowed)))

    @property
    def estimated(self) -> bool:
        """The answer began, and what it used was not said, or not credibly."""
        return self._has_begun and (self._is_silent_of_prompt or not self._is_counted)

    @property
    def _has_begun(self) -> bool:
        return self.started or self.content_started

    @property
    def _is_counted(self) -> bool:
        return not self._has_begun or (self._final and self._counted * LONGEST_TOKEN >= self._bytes)

    @property
    def _is_silent_of_prompt(self) -> bool:
        """No prompt is empty: a usage without one was not read from a meter."""
        return self._has_begun and self.prompt_bound > 0 and self._usage.prompt_tokens == 0

    @property
    def finished(self) -> bool:
        """The model said why it stopped."""
        return self.stop_reason is not None

    @property
    def is_refusal(self) -> bool:
        """The model's safety systems declined to go on."""
        return self.stop_reason == "refusal"

    @property
    def is_unbilled(self) -> bool:
        """It declined before it said anything, or was paid before: `usage` shows tokens, and nobody bills them."""
        return self.is_replayed or (self.is_refusal and not self.content_started)

    def observe(self, event: Event) -> None:
        """Take note of one event; unknown ones say nothing."""
        match event.name:
            case "content_block_delta":
                self._block_delta(event.data)
            case "content_block_start":
                self._block_start(event.data)
            case "message_start":
                self._message_start(event.data)
            case "message_delta":
                self._message_delta(event.data)
            case "message_stop":
                self.complete = self.finished
            case "error":
                self._stream_error(event.data)
            case _:
                pass

    def observe_body(self, body: bytes) -> None:
        """Take note of a whole JSON answer: a message, an error envelope, or another object."""
        document = self._document(body)
        self.readable = document is not None
        if document is None:
            return
        if document.get("type") == "message":
            self._whole_message(document)
            if not self._final:
                self._tokens = _bound(body)
        else:
            self.error = read_error(document)

    def _whole_message(self, message: Mapping[str, Any]) -> None:
        self._start(message)
        content: object = message.get("content")
        self.content_started = bool(content)
        for block in cast("list[object]", content) if isinstance(content, list) else ():
            if isinstance(block, dict):
                self._open(cast("Mapping[str, Any]", block))
        self.complete = True
        self.stop_reason = _word(message, "stop_reason")
        self._final = is_count(_mapping(message, "usage").get("output_tokens"))
        self._counted = self._usage.output_tokens

    def _start(self, message: Mapping[str, Any]) -> None:
        self.started = True
        self.model = _word(message, "model")
        self.message_id = _word(message, "id")
        self._usage = Usage.of(_mapping(message, "usage"))

    def _message_start(self, data: bytes) -> None:
        document = self._document(data)
        if document is not None:
            self._start(_mapping(document, "message"))

    def _block_start(self, data: bytes) -> None:
        self.content_started = True
        document = self._document(data)
        if document is not None:
            self._open(_mapping(document, "content_block"))

    def _block_delta(self, data: bytes) -> None:
        self.content_started = True
        try:
            pieces = _read_delta(data).delta
        except _UNREADABLE:
            pieces = self._odd_delta(data)
        self._deliver(pieces.text or pieces.partial_json or pieces.thinking or pieces.content or "")

    def _odd_delta(self, data: bytes) -> _Pieces:
        """A delta that is not of the usual shape: a newer kind that says nothing to us, or junk."""
        self._document(data)
        return _NOTHING

    def _open(self, block: Mapping[str, Any]) -> None:
        """A block with what it begins with: its mark is a token, and a call has a name and arguments."""
        if (_word(block, "type") or "").endswith("_tool_result"):
            self._steps += 1
        self._tokens += 1 + _bound((_word(block, "name") or "").encode("utf-8", "surrogatepass"))
        self._deliver(_word(block, "text") or _word(block, "thinking") or "")
        if given := block.get("input"):
            with suppress(*_UNREADABLE):
                self._deliver(msgspec.json.encode(given).decode())

    def _deliver(self, text: str) -> None:
        if text.isascii():
            size = len(text)
            self._tokens += -(-size // ASCII_PER_TOKEN)
        else:
            raw = text.encode("utf-8", "surrogatepass")
            size = len(raw)
            self._tokens += _bound(raw)
        self._bytes += size

    def _message_delta(self, data: bytes) -> None:
        document = self._document(data)
        if document is None:
            return
        told = _mapping(document, "usage")
        usage = _laid_over(self._usage, told)
        self.stop_reason = _word(_mapping(document, "delta"), "stop_reason") or self.stop_reason
        if is_count(told.get("output_tokens")):
            # Every count is of all so far: one that shrinks was right before. The first, of message_start,
            # only holds the place of those that follow.
            self._counted = max(self._counted, usage.output_tokens)
            usage = usage.with_output(self._counted)
            self._final = self._final or self.finished
        self._usage = usage

    def _stream_error(self, data: bytes) -> None:
        document = self._document(data)
        found = read_error(document) if document is not None else None
        self.error = found or unreadable(500)

    def _document(self, data: bytes) -> dict[str, Any] | None:
        try:
            document: object = msgspec.json.decode(data)
        except _UNREADABLE:
            document = None
        if isinstance(document, dict):
            return cast("dict[str, Any]", document)
        self.malformed = True
        return None


def _word(source: Mapping[str, Any], name: str) -> str | None:
    value = source.get(name)
    return value if isinstance(value, str) else None


def _mapping(source: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = source.get(name)
    return cast("Mapping[str, Any]", value) if isinstance(value, dict) else {}


def _bound(raw: bytes) -> int:
    """The tokens that so much UTF-8 has at most, in whole sixths: a third of an ASCII byte, a half of another."""
    plain = len(raw.translate(None, _NOT_ASCII))
    return -((plain - 3 * len(raw)) // 6)


def _laid_over(usage: Usage, told: Mapping[str, Any]) -> Usage:
    """The usage with a later one laid over it, whose prompt counts only if it has not shrunk.

    After a compaction the totals may honestly be smaller: then the steps say where the rest went.
    """
    newer = usage.merged(told)
    if _prompt(newer) >= _prompt(usage):
        return newer
    return usage.merged({name: value for name, value in told.items() if name not in _OF_THE_PROMPT})


def _prompt(usage: Usage) -> int:
    return max(usage.prompt_tokens, sum(step.prompt_tokens for step in usage.iterations))
