"""Server-sent events, cut out of a stream of bytes without losing one of them."""

import re

import msgspec

DEFAULT_LIMIT = 16 * 1024 * 1024
"""Bytes of one event; the largest real ones carry a whole file or search result."""

_BOM = b"\xef\xbb\xbf"
_LF, _CR = 0x0A, 0x0D
# A line's end and a blank line's end; the first must not be half of a CRLF.
_BOUNDARY = re.compile(rb"(?:\r\n|\n|\r(?!\n))(?:\r\n?|\n)")
_LONGEST_BOUNDARY = 4
_LINE_END = re.compile(r"\r\n|\r|\n")
_LINE_END_BYTES = re.compile(rb"\r\n|\r|\n")


class OversizedEvent(ValueError):
    """One event outgrew the limit of its splitter; the stream cannot be read further."""

    def __init__(self, *, limit: int) -> None:
        super().__init__(f"a server-sent event is longer than {limit} bytes")
        self.limit = limit


class Event(msgspec.Struct, frozen=True, gc=False):
    """One block of a stream; a comment, a blank line or a lone field is one too, with an empty name or data.

    A struct and not a dataclass because one is made per event of every stream.
    """

    name: str
    data: bytes
    raw: bytes
    """The bytes as received, boundary included; all of them in order are the stream."""


class Splitter:
    """Cuts bytes into events; what is not yet an event waits in `rest`.

    Line ends may be LF, CRLF or CR (HTML standard, section 9.2.6). An event is given out as soon as its blank
    line has begun, so a CRLF that is cut in two leaves a lone LF behind, which comes out as an empty event.
    """

    __slots__ = ("_first", "_has_cr", "_limit", "_pending", "_scanned")

    def __init__(self, *, limit: int = DEFAULT_LIMIT) -> None:
        self._limit = limit
        self._pending = bytearray()
        self._scanned = 0
        self._has_cr = False
        self._first = True

    @property
    def rest(self) -> bytes:
        """The bytes after the last whole event."""
        return bytes(self._pending)

    def feed(self, chunk: bytes) -> list[Event]:
        """Take the next bytes and give out the events they complete.

        Raises:
            OversizedEvent: an event is longer than the limit, whether or not its end has come.
        """
        events: list[Event] = []
        if self._pending:
            chunk = self._finish_pending(chunk, events)
        if chunk:
            self._cut(chunk, events)
        if len(self._pending) > self._limit:
            raise OversizedEvent(limit=self._limit)
        return events

    def _finish_pending(self, chunk: bytes, events: list[Event]) -> bytes:
        pending = self._pending
        pending += chunk
        self._has_cr = self._has_cr or _CR in chunk
        end = _boundary_end(pending, self._scanned, has_cr=self._has_cr)
        if end < 0:
            self._scanned = max(0, len(pending) - _LONGEST_BOUNDARY)
            return b""
        raw, left = bytes(pending[:end]), bytes(pending[end:])
        self._pending = bytearray()
        self._give(raw, events)
        return left

    def _cut(self, chunk: bytes, events: list[Event]) -> None:
        start, size, has_cr = 0, len(chunk), _CR in chunk
        while start < size:
            end = self._blank_line_end(chunk, start)
            if end < 0:
                end = _boundary_end(chunk, start, has_cr=has_cr)
            if end < 0:
                self._keep(chunk[start:])
                return
            self._give(chunk[start:end], events)
            start = end

    def _blank_line_end(self, chunk: bytes, start: int) -> int:
        """The end of the blank line that `start` is in, or -1 where a line with something in it starts."""
        first = chunk[start]
        if first == _LF:
            return start + 1
        if first == _CR:
            return start + 2 if chunk[start + 1 : start + 2] == b"\n" else start + 1
        return -1

    def _keep(self, tail: bytes) -> None:
        self._pending += tail
        self._has_cr = _CR in tail
        self._scanned = max(0, len(tail) - _LONGEST_BOUNDARY)

    def _give(self, raw: bytes, events: list[Event]) -> None:
        if len(raw) > self._limit:
            raise OversizedEvent(limit=self._limit)
        events.append(_read(raw, first=self._first))
        self._first = False


def _boundary_end(data: bytes | bytearray, start: int, *, has_cr: bool) -> int:
    if not has_cr:
        found = data.find(b"\n\n", start)
        return found + 2 if found >= 0 else -1
    match = _BOUNDARY.search(data, start)
    return match.end() if match else -1


def _read(raw: bytes, *, first: bool) -> Event:
    # The one shape the Messages API writes, without going through the lines.
    if raw.startswith(b"event: "):
        name_end = raw.find(b"\n")
        data_end = len(raw) - 2
        if (
            raw.startswith(b"data: ", name_end + 1)
            and raw.find(b"\n", name_end + 7) == data_end
            and _CR not in raw
        ):
            return Event(raw[7:name_end].decode("utf-8", "replace"), raw[name_end + 7 : data_end], raw)
    return _read_lines(raw, raw.removeprefix(_BOM) if first else raw)


def _read_lines(raw: bytes, text: bytes) -> Event:
    name, data = b"", list[bytes]()
    for line in _LINE_END_BYTES.split(text):
        field, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if field == b"event":
            name = value
        elif field == b"data":
            data.append(value)
    return Event(name.decode("utf-8", "replace"), b"\n".join(data), raw)


def emit(name: str, data: bytes) -> bytes:
    """The bytes of one event; data of several lines becomes several fields."""
    lines = b"".join(b"data: " + line + b"\n" for line in _LINE_END_BYTES.split(data))
    return b"event: " + _LINE_END.sub("", name).encode() + b"\n" + lines + b"\n"


def ping() -> bytes:
    """The event that says the stream is alive; clients skip it."""
    return b'event: ping\ndata: {"type": "ping"}\n\n'
