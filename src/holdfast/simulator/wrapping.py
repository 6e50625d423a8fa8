"""The form in which bytes leave: in dialect, in crumbs, compressed, or under a wrong label."""

import zlib
from collections.abc import Mapping
from typing import Protocol

from holdfast.simulator.actions import Action, Chunks, ContentType, Dialect, Gzip

GZIP = 31
"""The window bits that make zlib write gzip."""


class Wrapping(Protocol):
    """What is done to the bytes of a body, in order."""

    every: float
    """Seconds between two pieces."""

    def pieces(self, data: bytes) -> list[bytes]:
        """One event, or a whole plain body, in the pieces in which it is written."""
        ...

    def end(self) -> bytes:
        """What is still to be written when all is said."""
        ...


class Plain:
    """As it is, or in pieces of a size."""

    def __init__(self, size: int = 0, every: float = 0.0) -> None:
        self.every = every
        self._size = size

    def pieces(self, data: bytes) -> list[bytes]:
        if not self._size:
            return [data] if data else []
        return [data[at : at + self._size] for at in range(0, len(data), self._size)]

    def end(self) -> bytes:
        return b""


class Spoken(Plain):
    """Events in a dialect."""

    def __init__(self, dialect: Dialect) -> None:
        super().__init__(dialect.write_bytes)
        self._dialect = dialect

    def pieces(self, data: bytes) -> list[bytes]:
        if self._dialect.unknown_events:
            data = b'event: weather\ndata: {"type":"weather","sky":"clear"}\n\n' + data
        if self._dialect.comments:
            data = b": still here\n" + data
        if self._dialect.crlf:
            data = data.replace(b"\n", b"\r\n")
        return super().pieces(data)


class Zipped:
    """Compressed, each event readable by itself; broken where the fault says so."""

    every = 0.0

    def __init__(self, action: Gzip, *, stream: bool) -> None:
        self._zip = zlib.compressobj(wbits=GZIP)
        self._broken = action.broken
        self._stream = stream
        self._good = 4 if stream else 1
        """After how many parts garbage begins: events, or halves of a plain body."""

    def pieces(self, data: bytes) -> list[bytes]:
        half = len(data) if self._stream else len(data) // 2
        return [self._part(part) for part in (data[:half], data[half:]) if part]

    def end(self) -> bytes:
        last = self._zip.flush()
        match self._broken:
            case "truncated":
                return b""
            case "checksum":
                return last[:-8] + bytes(byte ^ 0xFF for byte in last[-8:])
            case _:
                return last

    def _part(self, data: bytes) -> bytes:
        part = self._zip.compress(data) + self._zip.flush(zlib.Z_SYNC_FLUSH)
        self._good -= 1
        garbage = self._broken == "garbage" and self._good < 0
        return bytes(byte ^ 0xFF for byte in part) if garbage else part


def zips(action: Action | None, headers: Mapping[str, str]) -> bool:
    """Whether the answer is compressed for a caller who sent these headers."""
    return isinstance(action, Gzip) and (action.unasked or "gzip" in headers.get("accept-encoding", ""))


def wrapping(action: Action | None, headers: Mapping[str, str], *, stream: bool) -> Wrapping:
    """The form that a fault gives to an answer to these headers."""
    match action:
        case Gzip() if zips(action, headers):
            return Zipped(action, stream=stream)
        case Chunks(size=size, every=every):
            return Plain(size, every)
        case Dialect() if stream:
            return Spoken(action)
        case _:
            return Plain()


def labelled(head: Mapping[str, str], action: Action | None, headers: Mapping[str, str]) -> dict[str, str]:
    """The headers of the answer with what the form says about itself, true or not."""
    if isinstance(action, ContentType):
        return {**head, "content-type": action.value}
    return {**head, "content-encoding": "gzip"} if zips(action, headers) else dict(head)
