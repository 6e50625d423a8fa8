"""Calls that ask the same at the same time: one goes, the others wait for what it brings."""

import asyncio
import threading
from contextlib import suppress
from typing import Generic, TypeVar

T = TypeVar("T")


class Flight(Generic[T]):
    """One call under way, and those who wait for it, each in an event loop of its own; safe from any thread."""

    __slots__ = ("_flights", "_landed", "_lock", "_name", "_result", "_waiting")

    def __init__(self, flights: "Flights[T]", name: str) -> None:
        self._flights = flights
        self._name = name
        self._lock = threading.Lock()
        self._waiting: list[tuple[asyncio.AbstractEventLoop, asyncio.Future[None]]] = []
        self._landed = False
        self._result: T | None = None

    async def wait(self, seconds: float) -> T | None:
        """What the call brings; `None` if that is nothing, or takes longer. Whoever leaves disturbs nobody."""
        loop = asyncio.get_running_loop()
        landed: asyncio.Future[None] = loop.create_future()
        with self._lock:
            if self._landed:
                return self._result
            self._waiting.append((loop, landed))
        try:
            await asyncio.wait({landed}, timeout=seconds)
        finally:
            with self._lock:
                self._waiting = [one for one in self._waiting if one[1] is not landed]
        return self._result

    def end(self, result: T | None) -> None:
        """The call is over; the second time this changes nothing."""
        self._flights.forget(self._name, self)
        with self._lock:
            if self._landed:
                return
            self._landed, self._result = True, result
            waiting, self._waiting = self._waiting, []
        for loop, landed in waiting:
            with suppress(RuntimeError):  # a loop that has ended, and whoever waited there with it
                loop.call_soon_threadsafe(_land, landed)


class Flights(Generic[T]):
    """The calls under way, by what they ask; safe from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._under_way: dict[str, Flight[T]] = {}

    def __len__(self) -> int:
        return len(self._under_way)

    def join(self, name: str) -> tuple[Flight[T], bool]:
        """The flight of that name, and whether the caller is the one who has to end it."""
        with self._lock:
            known = self._under_way.get(name)
            if known is not None:
                return known, False
            flight = self._under_way[name] = Flight(self, name)
            return flight, True

    def forget(self, name: str, flight: Flight[T]) -> None:
        """Whoever asks from now on begins anew."""
        with self._lock:
            if self._under_way.get(name) is flight:
                del self._under_way[name]


def _land(landed: "asyncio.Future[None]") -> None:
    if not landed.done():
        landed.set_result(None)
