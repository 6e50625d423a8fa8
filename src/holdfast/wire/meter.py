"""What an answer used and how it ended, read from its events as they pass."""

from collections.abc import Mapping
from typing import Any, cast

import msgspec

from holdfast.wire.errors import ApiError, read_error, unreadable
from holdfast.wire.sse import Event
from holdfast.wire.usage import Usage, is_count

BYTES_PER_TOKEN = 4
"""Of delivered text in UTF-8, where the final count never came.

Four characters per token is what Anthropic's own gateway assumes; in bytes, so that Korean, which has three
to a letter and about a token to a syllable, is not reckoned at a quarter of what it costs.
"""

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
        "_delivered",
        "_final",
        "_usage",
        "complete",
        "content_started",
        "error",
        "malformed",
        "message_id",
        "model",
        "readable",
        "started",
        "stop_reason",
    )

    def __init__(self) -> None:
        self._usage = Usage()
        self._delivered = 0
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
        self.model: str | None = None
        self.message_id: str | None = None
        self.stop_reason: str | None = None
        self.error: ApiError | None = None

    @property
    def usage(self) -> Usage:
        """The tokens of this answer, at least what was certainly delivered.

        If the final count never came, the output is the larger of the last count seen and the delivered text
        at `BYTES_PER_TOKEN`; of a whole body without a count, all of it is taken for text.
        """
        if not self.estimated:
            return self._usage
        delivered = -(-self._delivered // BYTES_PER_TOKEN)
        return self._usage.with_output(max(self._usage.output_tokens, delivered))

    @property
    def estimated(self) -> bool:
        """The answer began and its final count never came."""
        return (self.started or self.content_started) and not self._final

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
        """It declined before it said anything: `usage` shows tokens, and the API does not bill them."""
        return self.is_refusal and not self.content_started

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
            self._delivered = len(body)
        else:
            self.error = read_error(document)

    def _whole_message(self, message: Mapping[str, Any]) -> None:
        self._start(message)
        self.content_started = bool(message.get("content"))
        self.complete = True
        self.stop_reason = _word(message, "stop_reason")
        usage = _mapping(message, "usage")
        self._final = is_count(usage.get("output_tokens"))

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
            self._deliver(_text(_mapping(document, "content_block")))

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

    def _deliver(self, text: str) -> None:
        self._delivered += len(text) if text.isascii() else len(text.encode("utf-8", "replace"))

    def _message_delta(self, data: bytes) -> None:
        document = self._document(data)
        if document is None:
            return
        usage = _mapping(document, "usage")
        self._usage = self._usage.merged(usage)
        self.stop_reason = _word(_mapping(document, "delta"), "stop_reason") or self.stop_reason
        if self.finished and is_count(usage.get("output_tokens")):
            self._final = True

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


def _text(block: Mapping[str, Any]) -> str:
    return _word(block, "text") or _word(block, "thinking") or ""
