"""What the inner ring asks of a connection to a Messages API."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Literal, Protocol

from holdfast.wire.headers import Headers

TransportPhase = Literal["connect", "sent", "body"]


@dataclass(frozen=True, slots=True, kw_only=True)
class UpstreamRequest:
    """One HTTP request, ready to be sent as it is; `pieces` are a body that is sent while it comes in."""

    method: str
    path: str
    headers: Headers
    body: bytes = b""
    pieces: AsyncIterator[bytes] | None = field(default=None, compare=False, repr=False)


class TransportFailed(Exception):
    """The connection failed; `phase` tells whether the upstream can have seen the request.

    Attributes:
        phase: `connect` (nothing was sent), `sent` (no answer came), `body` (the answer broke off).
    """

    def __init__(self, phase: TransportPhase, reason: str) -> None:
        super().__init__(reason)
        self.phase: TransportPhase = phase
        self.reason = reason


class Connection(Protocol):
    """An answer that has begun; must be closed by whoever holds it."""

    status: int
    headers: Headers

    async def read(self) -> bytes:
        """The next bytes as they came, empty at a clean end. Raises `TransportFailed` (phase `body`)."""
        ...

    async def aclose(self) -> None:
        """Close at once; the upstream sees the hang-up. Never raises, may be called twice."""
        ...


class Client(Protocol):
    """A way to one Messages API, usable from any event loop."""

    async def send(self, request: UpstreamRequest) -> Connection:
        """Send and wait for the status line and headers. Raises `TransportFailed`. Cancelling closes at once."""
        ...

    async def aclose(self) -> None:
        """Close every idle connection; never raises."""
        ...


async def read_whole(connection: Connection, limit: int) -> bytes:
    """The rest of the answer; raises `TransportFailed` where it breaks off or passes `limit` bytes."""
    chunks: list[bytes] = []
    size = 0
    while chunk := await connection.read():
        chunks.append(chunk)
        size += len(chunk)
        if size > limit:
            raise TransportFailed("body", f"the answer passed {limit} bytes")
    return b"".join(chunks)
