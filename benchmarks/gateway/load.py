"""The load: a raw HTTP client that asks, counts events and knows an answer's end, and the four ways to press."""

import asyncio
import json
import time
from dataclasses import dataclass, field
from typing import cast

from benchmarks.gateway.stub import BURST, EVENTS, LONG, PACED

FILLING = "The quick brown fox jumps over the lazy dog and asks where its order has got to. " * 10
PACED_EVENTS = EVENTS
_MARK = b"event:"


class LoadError(Exception):
    """An answer was not what was asked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Where to ask, and the headers that only this gateway wants, each with its line's end."""

    port: int
    headers: str = ""


def request(target: Target, *, stream: bool = False, max_tokens: int = BURST, about: int = 0) -> bytes:
    """A request of about one kilobyte."""
    asked: dict[str, object] = {
        "model": "claude-haiku-5-5",
        "max_tokens": max_tokens,
        "messages": [{"role": "user", "content": f"{FILLING}{about}"}],
    }
    if stream:
        asked["stream"] = True
    body = json.dumps(asked).encode()
    head = (
        f"POST /v1/messages HTTP/1.1\r\nhost: 127.0.0.1:{target.port}\r\nx-api-key: sk-ant-api03-local\r\n"
        f"authorization: Bearer sk-ant-api03-local\r\n{target.headers}"
        "anthropic-version: 2023-06-01\r\ncontent-type: application/json\r\n"
        f"content-length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


class Asking(asyncio.Protocol):
    """One connection, kept alive; `events` counts what has come."""

    def __init__(self) -> None:
        self.events = 0
        self.first = 0.0
        self._transport: asyncio.Transport | None = None
        self._answer: asyncio.Future[None] | None = None
        self._head = bytearray()
        self._left: int | None = None
        self._tail = b""
        self._in_body = False

    @property
    def is_open(self) -> bool:
        return self._transport is not None and not self._transport.is_closing()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(LoadError("the connection was closed in an answer"))

    async def ask(self, request: bytes) -> None:
        """Send, and wait for the whole answer; raises `LoadError` for one that is not 200."""
        if not self.is_open:
            raise LoadError("the connection was closed between two answers")
        self._answer = asyncio.get_running_loop().create_future()
        self._head.clear()
        self._left, self._tail, self._in_body, self.first = None, b"", False, 0.0
        assert self._transport is not None
        self._transport.write(request)
        await self._answer

    def close(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    def data_received(self, data: bytes) -> None:
        if not self._in_body:
            self._head += data
            end = self._head.find(b"\r\n\r\n")
            if end < 0:
                return
            data = self._begin(end)
        self._take(data)

    def _begin(self, end: int) -> bytes:
        self._in_body, self.first = True, time.perf_counter()
        head = bytes(self._head[:end]).lower()
        if b" 200 " not in head[:16]:
            self._end(LoadError(bytes(self._head[:600]).decode("utf-8", "replace")))
        if (found := head.find(b"content-length:")) >= 0:
            self._left = int(head[found + 15 :].split(b"\r\n", 1)[0])
        return bytes(self._head[end + 4 :])

    def _take(self, data: bytes) -> None:
        seen = self._tail + data
        if self._left is not None:
            self._left -= len(data)
            if self._left <= 0:
                self._end()
            return
        self.events += seen.count(_MARK)
        self._tail = seen[-(len(_MARK) - 1) :]
        if seen.endswith(b"0\r\n\r\n") or data.endswith(b"\r\n0\r\n\r\n"):
            self._end()

    def _end(self, error: LoadError | None = None) -> None:
        if self._answer is None or self._answer.done():
            return
        if error is None:
            self._answer.set_result(None)
        else:
            self._answer.set_exception(error)


async def connect(target: Target) -> Asking:
    """A connection to a server of this machine."""
    _, asking = await asyncio.get_running_loop().create_connection(Asking, "127.0.0.1", target.port)
    return asking


@dataclass(slots=True)
class Heard:
    """What a press has brought: answers, events, the wall seconds it took, and the times of single answers."""

    answers: int = 0
    events: int = 0
    seconds: float = 0.0
    errors: int = 0
    times: list[float] = field(default_factory=list[float])


async def closed(target: Target, seconds: float, *, connections: int = 16, stream: bool = False) -> Heard:
    """So many connections that ask again as soon as they are answered."""
    asked, heard = request(target, stream=stream), Heard()
    end = time.perf_counter() + seconds

    async def one() -> None:
        asking = await connect(target)
        while time.perf_counter() < end:
            try:
                await asking.ask(asked)
            except LoadError:
                heard.errors += 1
                asking.close()
                asking = await connect(target)
                continue
            heard.answers += 1
        heard.events += asking.events
        asking.close()

    began = time.perf_counter()
    await asyncio.gather(*(one() for _ in range(connections)))
    heard.seconds = time.perf_counter() - began
    return heard


async def paced(target: Target, seconds: float, streams: int) -> Heard:
    """So many streams of 55 events each at 100 events a second, each asked for again when it has ended."""
    asked, heard = request(target, stream=True, max_tokens=PACED), Heard()
    begun = time.perf_counter()
    end = begun + seconds
    open_ones: list[Asking] = []

    async def one(number: int) -> None:
        await asyncio.sleep(number / streams * 0.5)  # not all at once: nobody's callers do
        asking = await connect(target)
        open_ones.append(asking)
        while time.perf_counter() < end:
            sent = time.perf_counter()
            try:
                await asking.ask(asked)
            except LoadError:
                heard.errors += 1
                return
            heard.answers += 1
            heard.times.append(asking.first - sent)

    tasks = [asyncio.ensure_future(one(number)) for number in range(streams)]
    await asyncio.sleep(max(0.0, end - time.perf_counter()))
    heard.events = sum(asking.events for asking in open_ones)
    heard.seconds = time.perf_counter() - begun
    await asyncio.wait(tasks, timeout=15.0)
    for task in tasks:
        task.cancel()
    for asking in open_ones:
        asking.close()
    return heard


class Streams:
    """So many long streams that are all under way: what one event costs, without what a stream costs to begin."""

    def __init__(self, target: Target, streams: int) -> None:
        self._target, self._streams = target, streams
        self._open: list[Asking] = []
        self._tasks: list[asyncio.Task[None]] = []

    async def open(self) -> None:
        asked = request(self._target, stream=True, max_tokens=LONG)
        for _ in range(self._streams):
            asking = await connect(self._target)
            self._open.append(asking)
            self._tasks.append(asyncio.ensure_future(asking.ask(asked)))
        for _ in range(600):
            if all(asking.events >= 3 for asking in self._open):
                return
            await asyncio.sleep(0.05)

    @property
    def events(self) -> int:
        return sum(asking.events for asking in self._open)

    async def close(self) -> None:
        for asking in self._open:
            asking.close()
        await asyncio.gather(*self._tasks, return_exceptions=True)


async def beside(targets: list[Target], seconds: float, rate: float = 20.0) -> dict[Target, list[float]]:
    """The same request to every port in turn, so many times a second each: noise meets them all alike."""
    askings = {target: await connect(target) for target in targets}
    times: dict[Target, list[float]] = {target: [] for target in targets}
    pause = 1.0 / (rate * len(targets))
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        for target in targets:
            if not askings[target].is_open:
                askings[target] = await connect(target)
            sent = time.perf_counter()
            try:
                await askings[target].ask(request(target))
                times[target].append(time.perf_counter() - sent)
            except LoadError:
                askings[target].close()
            await asyncio.sleep(max(0.0, pause - (time.perf_counter() - sent)))
    for asking in askings.values():
        asking.close()
    return times
