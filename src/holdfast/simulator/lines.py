"""The ways in which an answer leaves: through the server, by hand onto its connection, or as if by hand in process."""

from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from http import HTTPStatus
from typing import Any, Protocol, TypeAlias

Send: TypeAlias = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Pairs: TypeAlias = Sequence[tuple[bytes, bytes]]
Pause: TypeAlias = Callable[[float], Awaitable[None]]


class Transport(Protocol):
    """The server's connection, for faults that HTTP has no words for."""

    def abort(self) -> None: ...

    def write(self, data: bytes, /) -> None: ...

    def close(self) -> None: ...


class Line(Protocol):
    """Where an answer goes."""

    async def start(self, status: int, pairs: Pairs) -> None: ...

    async def write(self, data: bytes) -> None: ...

    async def finish(self, data: bytes) -> None: ...


class AsgiLine:
    """Through the server, which frames the body and keeps the connection."""

    def __init__(self, send: Send) -> None:
        self._send = send

    async def start(self, status: int, pairs: Pairs) -> None:
        await self._send({"type": "http.response.start", "status": status, "headers": list(pairs)})

    async def write(self, data: bytes) -> None:
        await self._send({"type": "http.response.body", "body": data, "more_body": True})

    async def finish(self, data: bytes) -> None:
        await self._send({"type": "http.response.body", "body": data, "more_body": False})


class HandLine:
    """Onto the connection itself, whose end is the end of the answer; `every` seconds between two bytes of the head."""

    def __init__(self, transport: Transport, pause: Pause, every: float) -> None:
        self._transport = transport
        self._pause = pause
        self._every = every

    async def start(self, status: int, pairs: Pairs) -> None:
        head = _head(status, pairs)
        step = 1 if self._every else len(head)
        for at in range(0, len(head), step):
            self._transport.write(head[at : at + step])
            await self._pause(self._every)

    async def write(self, data: bytes) -> None:
        self._transport.write(data)

    async def finish(self, data: bytes) -> None:
        self._transport.write(data)
        self._transport.close()


class MimickedLine:
    """In process, what an HTTP client makes of an answer by hand: its stated length is taken for the truth."""

    def __init__(self, send: Send, pause: Pause, every: float) -> None:
        self._line = AsgiLine(send)
        self._pause = pause
        self._every = every
        self._left: int | None = None

    async def start(self, status: int, pairs: Pairs) -> None:
        await self._pause(self._every * len(_head(status, pairs)))
        self._left = next((int(value) for name, value in pairs if name == b"content-length"), None)
        await self._line.start(status, pairs)

    async def write(self, data: bytes) -> None:
        await self._line.write(self._read(data))

    async def finish(self, data: bytes) -> None:
        read = self._read(data)
        if self._left:
            await self._line.write(read)
            raise ConnectionResetError(
                "the simulated upstream closed the connection before the end of the body"
            )
        await self._line.finish(read)

    def _read(self, data: bytes) -> bytes:
        if self._left is None:
            return data
        read = data[: self._left]
        self._left -= len(read)
        return read


def _head(status: int, pairs: Pairs) -> bytes:
    lines = [f"HTTP/1.1 {status} {HTTPStatus(status).phrase}".encode()]
    lines += [name + b": " + value for name, value in pairs]
    return b"\r\n".join([*lines, b"connection: close", b"", b""])
