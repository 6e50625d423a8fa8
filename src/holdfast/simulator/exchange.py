"""One request on its connection: its body, the answer's bytes, the caller's leaving, and the ways to break off."""

import asyncio
import socket
import struct
from collections.abc import Awaitable, Callable, Mapping, MutableMapping, Sequence
from dataclasses import replace
from typing import Any, TypeAlias, cast
from urllib.parse import unquote

from holdfast.simulator.capture import Capture, CapturedRequest, Ending
from holdfast.simulator.clock import Clock
from holdfast.simulator.lines import AsgiLine, HandLine, Line, MimickedLine, Send, Transport
from holdfast.simulator.problems import ORGANIZATION

Scope: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[MutableMapping[str, Any]]]

MAX_BODY = 32 * 1024 * 1024
MAX_BATCH = 256 * 1024 * 1024
BATCHES = "/v1/messages/batches"
MAX_FILE = 500 * 1024 * 1024
FILES = "/v1/files"
_RST = struct.pack("ii", 1, 0)
"""SO_LINGER on, zero seconds: closing then sends RST instead of FIN."""


class CallerLeft(Exception):
    """The caller closed the connection before the answer was complete."""


class Exchange:
    """A request and the answer to it.

    `body` is read before anything is sent; from then on a disconnect is noticed within every wait.
    """

    def __init__(self, scope: Scope, channels: tuple[Receive, Send], clock: Clock, capture: Capture) -> None:
        self.clock = clock
        self._capture = capture
        self.method = str(scope["method"])
        self.path = unquote(str(scope["path"]))
        self.query = cast("bytes", scope.get("query_string", b"")).decode("latin-1")
        self.headers = _headers(scope)
        self.peer = _peer(scope)
        self._transport = cast("Transport | None", cast("Scope", scope.get("state") or {}).get("transport"))
        self._receive, self._send = channels
        self._line: Line = AsgiLine(self._send)
        self._watching: asyncio.Task[None] | None = None
        self._gone = False
        self._open = True
        self.body = b""
        self.too_large = False
        self.request_id = ""
        self.key = ""
        self.events = 0
        self._record: CapturedRequest | None = None

    async def read(self) -> None:
        """Read the body; of one that is too large the rest is thrown away, so that the refusal can be read."""
        chunks: list[bytes] = []
        size = 0
        while True:
            event = await self._receive()
            if event["type"] == "http.disconnect":
                self._gone = True
                raise CallerLeft
            chunk = cast("bytes", event.get("body", b""))
            size += len(chunk)
            if size <= self.most:
                chunks.append(chunk)
            if not event.get("more_body", False):
                break
        self.too_large = size > self.most
        self.body = b"".join(chunks)

    def identify(self, request_id: str, key: str) -> None:
        """Give the request its id and capture it."""
        self.request_id, self.key = request_id, key
        self._keep(
            CapturedRequest(
                number=self._capture.number(),
                request_id=request_id,
                method=self.method,
                path=self.path,
                query=self.query,
                headers=self.headers,
                body=self.body,
                arrived=self.clock.monotonic(),
                arrived_at=self.clock.now(),
            )
        )

    def base_headers(self) -> dict[str, str]:
        """The headers of every answer of the API."""
        return {
            "content-type": "application/json",
            "request-id": self.request_id,
            "anthropic-organization-id": ORGANIZATION,
        }

    @property
    def most(self) -> int:
        """The bytes that a body may have."""
        return {BATCHES: MAX_BATCH, FILES: MAX_FILE}.get(self.path, MAX_BODY)

    @property
    def in_process(self) -> bool:
        """Whether there is no connection: the application was called directly."""
        return self._transport is None

    @property
    def is_answered(self) -> bool:
        """Whether nothing more may be sent."""
        return not self._open

    @property
    def is_completed(self) -> bool:
        """Whether the answer was given whole."""
        return self._record is not None and self._record.ending == "completed"

    def hit_by(self, fault: str) -> None:
        """Note the kind of fault that hit the request."""
        if self._record is not None:
            self._keep(replace(self._record, fault=fault))

    def ended(self, ending: Ending) -> None:
        """Note how the answer ended; the first word on it stands."""
        if self._record is not None and self._record.ending == "open":
            now = self.clock.monotonic()
            self._keep(replace(self._record, ending=ending, ended=now, events=self.events))

    def _keep(self, record: CapturedRequest) -> None:
        self._record = record
        self._capture.put(record)

    async def start(self, status: int, headers: Mapping[str, str]) -> None:
        """Send the head of the answer."""
        self._check()
        if self._record is not None:
            self._keep(replace(self._record, status=status, retry_after=_seconds(headers.get("retry-after"))))
        pairs = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]
        await self._line.start(status, pairs)

    async def write(self, data: bytes) -> None:
        """Send a part of the body; other connections get their turn, and the caller's leaving is noticed."""
        self._watch()
        self._check()
        await self._line.write(data)
        await asyncio.sleep(0)
        self._check()

    async def finish(self, data: bytes = b"") -> None:
        """Send the last part of the body."""
        self._open = False
        await self._line.finish(data)
        if isinstance(self._line, HandLine):
            await self._watch()

    def write_by_hand(self, every: float = 0.0) -> None:
        """From now on write on the connection itself, so that the head may lie, or come byte by byte."""
        if self._transport is None:
            self._line = MimickedLine(self._send, self.pause, every)
        else:
            self._line = HandLine(self._transport, self.pause, every)

    async def respond(self, status: int, headers: Mapping[str, str], body: bytes, *, ending: Ending) -> None:
        """Send a whole answer; `ending` is noted before its last byte is on the way."""
        await self.start(status, {**headers, "content-length": str(len(body))})
        self.ended(ending)
        await self.finish(b"" if self.method == "HEAD" else body)

    async def pause(self, seconds: float) -> None:
        """Wait; raises `CallerLeft` as soon as the caller goes."""
        if seconds > 0:
            await self._race([asyncio.ensure_future(self.clock.sleep(seconds))])
        self._check()

    async def wait_for(self, turn: "asyncio.Future[None]", seconds: float | None) -> bool:
        """Wait for a turn, at most `seconds`; whether it came in time. Raises `CallerLeft` as `pause` does."""
        late = [] if seconds is None else [asyncio.ensure_future(self.clock.sleep(seconds))]
        await self._race([turn, *late])
        self._check()
        return not turn.cancelled()

    async def wait_for_end(self) -> None:
        """Wait until the caller leaves."""
        await self._watch()
        self._check()

    async def refuse(self) -> None:
        """Do not take the connection; a real one was taken long ago and is reset."""
        if self._transport is None:
            raise ConnectionRefusedError("the simulated upstream refused the connection")
        await self.reset()

    async def reset(self) -> None:
        """Break the connection with a TCP reset; in process, where there is none, raise what a client would see."""
        self._open = False
        if self._transport is None:
            raise ConnectionResetError("the simulated upstream reset the connection")
        _linger(self._transport)
        self._transport.abort()
        await self._watch()

    async def hang_up(self) -> None:
        """Close the connection although the answer is not complete."""
        self._open = False
        if self._transport is None:
            raise ConnectionResetError("the simulated upstream closed the connection")
        self._transport.close()
        await self._watch()

    async def aclose(self) -> None:
        """Stop watching the connection."""
        if self._watching is not None:
            self._watching.cancel()
            await asyncio.wait([self._watching])

    def watch(self) -> None:
        """Begin to watch for the caller's leaving."""
        self._watch()

    def _watch(self) -> asyncio.Task[None]:
        if self._watching is None:
            self._watching = asyncio.ensure_future(self._until_gone())
        return self._watching

    async def _until_gone(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self._gone = self._open

    async def _race(self, others: "Sequence[asyncio.Future[None]]") -> None:
        """Wait until the first comes, or the caller goes; the others are given up."""
        try:
            await asyncio.wait({*others, self._watch()}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for other in others:
                other.cancel()

    def _check(self) -> None:
        if self._gone:
            raise CallerLeft


def _headers(scope: Scope) -> dict[str, str]:
    found: dict[str, str] = {}
    for raw_name, raw_value in cast("list[tuple[bytes, bytes]]", scope["headers"]):
        name, value = raw_name.decode("latin-1").lower(), raw_value.decode("latin-1")
        found[name] = f"{found[name]}, {value}" if name in found else value
    return found


def _seconds(text: str | None) -> float | None:
    """What `retry-after` says, if it is a number."""
    try:
        return None if text is None else float(text)
    except ValueError:
        return None


def _peer(scope: Scope) -> str:
    client = scope.get("client")
    return str(client[0]) if client else ""


def _linger(transport: Transport) -> None:
    connection = cast("Callable[[str], Any] | None", getattr(transport, "get_extra_info", None))
    sock = connection("socket") if connection is not None else None
    if sock is not None:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RST)
