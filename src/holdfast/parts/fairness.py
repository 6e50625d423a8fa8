"""A waiting room: calls that a quota refuses for a moment wait here, and go in a fair order."""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass

from holdfast.clock import Clock
from holdfast.policy.counters import Granted, Limited
from holdfast.policy.fairness import FairnessConfig, FairQueue, Overflow, Place, Ticket
from holdfast.policy.quota import owner

POLL = 0.25
"""Seconds between two questions for a place: that one is free in another process is not announced."""

Attempt = Callable[[], Awaitable[Granted | Limited]]


@dataclass(frozen=True, slots=True, eq=False)
class _Seat:
    """Where one call waits: the loop that it runs in, and what wakes it there."""

    loop: asyncio.AbstractEventLoop
    woken: asyncio.Event

    def wake(self) -> None:
        if self.loop is asyncio.get_running_loop():
            self.woken.set()
        elif not self.loop.is_closed():
            self.loop.call_soon_threadsafe(self.woken.set)

    async def sleep(self, seconds: float, clock: Clock) -> None:
        """Until it is woken, `seconds` at most."""
        waits = [asyncio.ensure_future(wait) for wait in (self.woken.wait(), clock.sleep(seconds))]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()
        self.woken.clear()


class WaitingRoom:
    """A fair queue with a lock and a clock; safe among event loops in several threads.

    Nobody runs it: every call that waits looks after itself and wakes the one whose turn it is.
    """

    def __init__(self, config: FairnessConfig, *, clock: Clock) -> None:
        self._queue = FairQueue(config)
        self._max_wait = config.max_wait
        self._clock = clock
        self._lock = threading.Lock()
        self._seats: dict[Place, _Seat] = {}

    def __len__(self) -> int:
        with self._lock:
            return len(self._queue)

    async def admit(self, ticket: Ticket, attempt: Attempt) -> Granted | Limited:
        """Ask at once, and again when there is hope, up to `max_wait` seconds and never past the deadline.

        A call that needs what others wait for waits behind them. `Limited` when the room is full, the wait
        would be too long, or it was; its `retry_after` is then the better of both guesses. A call that is
        cancelled leaves its place.
        """
        with self._lock:
            key = self._queue.holder(ticket.keys, ticket.priority)
        refused: Limited | None = None
        if key is None:
            answer = await attempt()
            if isinstance(answer, Granted):
                return answer
            if answer.retry_after > self._most(ticket):
                return answer
            refused, key = answer, answer.key
        place = self._enter(ticket, refused)
        if isinstance(place, Overflow):
            return _later(refused, Limited(key=key, retry_after=place.retry_after))
        try:
            return await self._wait(place, attempt, refused) or self._too_late(ticket, key)
        finally:
            self._leave(place)

    def free(self, keys: Collection[str]) -> None:
        """Something was given back: let those ask who wait for it."""
        with self._lock:
            if not self._seats:
                return
            self._queue.free(keys, now=self._clock.monotonic())
        self._wake_next()

    def _enter(self, ticket: Ticket, refused: Limited | None) -> Place | Overflow:
        with self._lock:
            place = self._queue.enter(ticket, now=self._clock.monotonic())
            if isinstance(place, Place):
                self._seats[place] = _Seat(asyncio.get_running_loop(), asyncio.Event())
                if refused is not None:
                    self._postpone(place, refused)
        return place

    async def _wait(
        self, place: Place, attempt: Attempt, refused: Limited | None
    ) -> Granted | Limited | None:
        """The answer, or the last refusal when time is up; `None` when its turn never came."""
        seat = self._seats[place]
        while (now := self._clock.monotonic()) < place.until:
            with self._lock:
                chosen = self._queue.choose(now=now)
            if chosen is not place:
                self._wake(chosen)
                ready_at = place.ready_at if place.ready_at > now else place.until
                await seat.sleep(min(ready_at, place.until) - now, self._clock)
                continue
            answer = await attempt()
            now = self._clock.monotonic()
            if isinstance(answer, Granted):
                with self._lock:
                    self._queue.serve(place, now=now)
                return answer
            refused = answer
            if now + answer.retry_after > place.until:
                return answer
            with self._lock:
                self._postpone(place, answer)
            self._wake_next()
        return refused

    def _postpone(self, place: Place, refused: Limited) -> None:
        is_place = owner(refused.key)[1] == "concurrency"
        wait = min(refused.retry_after, POLL) if is_place else refused.retry_after
        self._queue.postpone(place, refused.key, until=self._clock.monotonic() + wait)

    def _most(self, ticket: Ticket) -> float:
        return min(self._max_wait, ticket.deadline - self._clock.monotonic())

    def _too_late(self, ticket: Ticket, key: str) -> Limited:
        with self._lock:
            return Limited(key=key, retry_after=self._queue.expected_wait(ticket))

    def _leave(self, place: Place) -> None:
        with self._lock:
            self._queue.leave(place)
            self._seats.pop(place, None)
        self._wake_next()

    def _wake_next(self) -> None:
        with self._lock:
            chosen = self._queue.choose(now=self._clock.monotonic())
        self._wake(chosen)

    def _wake(self, chosen: Place | None) -> None:
        seat = None if chosen is None else self._seats.get(chosen)
        if seat is not None:
            seat.wake()


def _later(one: Limited | None, other: Limited) -> Limited:
    return other if one is None or one.retry_after < other.retry_after else one
