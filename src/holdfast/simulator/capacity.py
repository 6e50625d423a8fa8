"""The places of a service that can work on a few requests at once; the rest waits in a queue, or is turned away."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from threading import Lock
from typing import Protocol

from holdfast.simulator.refusals import refusal


@dataclass(frozen=True, slots=True, kw_only=True)
class Capacity:
    """What a service can bear.

    Attributes:
        concurrent: requests it works on at once, from their admission to the last byte of their answers.
        queue: requests that may wait for a place, first come, first served; one more is answered with 529.
        patience: seconds after which a waiting request is answered with 529; `None` is for ever.
        slowdown: how much the time to the first token grows until all places are taken: it is multiplied by
            `1 + slowdown * utilisation`, where the utilisation is the share of places taken by others.
    """

    concurrent: int
    queue: int = 0
    patience: float | None = None
    slowdown: float = 0.0

    def __post_init__(self) -> None:
        if self.concurrent < 1 or self.queue < 0:
            raise ValueError("a service has at least one place, and no fewer than none to wait")


class Caller(Protocol):
    """Who waits for a place."""

    async def wait_for(self, turn: "asyncio.Future[None]", seconds: float | None) -> bool:
        """Wait for a turn; whether it came in time."""
        ...


@dataclass(slots=True, eq=False)
class _Waiting:
    """A request in the queue; its future belongs to the loop that it was made in."""

    rules: Capacity
    turn: "asyncio.Future[None]" = field(default_factory=lambda: asyncio.get_running_loop().create_future())

    def call(self) -> None:
        loop = self.turn.get_loop()
        if loop is asyncio.get_running_loop():
            self._come()
        else:
            loop.call_soon_threadsafe(self._come)

    def _come(self) -> None:
        if not self.turn.done():
            self.turn.set_result(None)


class Service:
    """Who is being worked on and who waits."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._queue: deque[_Waiting] = deque()
        self._working = 0

    @property
    def working(self) -> int:
        """How many requests are being worked on."""
        return self._working

    @property
    def waiting(self) -> int:
        """How many requests wait for a place."""
        return len(self._queue)

    @asynccontextmanager
    async def place(self, rules: Capacity | None, caller: Caller) -> AsyncGenerator[float, None]:
        """Take a place while the block runs; what it is given is how much slower the answer begins.

        Raises:
            ApiError: 529, when too many wait already, or when the wait was too long.
        """
        waiting = self._enter(rules)
        if waiting is not None:
            await self._wait(waiting, caller)
        try:
            yield self._slower(rules)
        finally:
            self._leave()

    def _enter(self, rules: Capacity | None) -> _Waiting | None:
        with self._lock:
            if rules is None or (self._working < rules.concurrent and not self._queue):
                self._working += 1
                return None
            if len(self._queue) >= rules.queue:
                raise refusal("overloaded")
            waiting = _Waiting(rules)
            self._queue.append(waiting)
            return waiting

    async def _wait(self, waiting: _Waiting, caller: Caller) -> None:
        came = False
        try:
            came = await caller.wait_for(waiting.turn, waiting.rules.patience)
        finally:
            if not came and not self._give_up(waiting):
                self._leave()  # the place came while the caller was leaving
        if not came:
            raise refusal("overloaded")

    def _give_up(self, waiting: _Waiting) -> bool:
        """Leave the queue; whether it was still in it."""
        with self._lock:
            if waiting not in self._queue:
                return False
            self._queue.remove(waiting)
            return True

    def _leave(self) -> None:
        with self._lock:
            self._working -= 1
            called: list[_Waiting] = []
            while self._queue and self._working < self._queue[0].rules.concurrent:
                called.append(self._queue.popleft())
                self._working += 1
        for waiting in called:
            waiting.call()

    def _slower(self, rules: Capacity | None) -> float:
        if rules is None:
            return 1.0
        return 1.0 + rules.slowdown * min(1.0, (self._working - 1) / rules.concurrent)
