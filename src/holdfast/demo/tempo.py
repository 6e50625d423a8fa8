"""The time of the demo: a clock that may run faster than ours, and a story that may be paused."""

import asyncio
from datetime import datetime, timedelta

from holdfast.clock import Clock

LOOK = 0.2
"""Seconds of the story between two looks whether it was paused."""


class QuickClock:
    """A clock on which everything, waiting too, takes a `speed`-th of its time; it starts at the time of `clock`."""

    __slots__ = ("_began", "_began_at", "_clock", "_speed")

    def __init__(self, clock: Clock, speed: float) -> None:
        self._clock = clock
        self._speed = speed
        self._began, self._began_at = clock.monotonic(), clock.now()

    def monotonic(self) -> float:
        return self._began + self._passed()

    def now(self) -> datetime:
        return self._began_at + timedelta(seconds=self._passed())

    async def sleep(self, seconds: float) -> None:
        await self._clock.sleep(seconds / self._speed)

    def block(self, seconds: float) -> None:
        self._clock.block(seconds / self._speed)

    def _passed(self) -> float:
        return (self._clock.monotonic() - self._began) * self._speed


class Tempo:
    """The seconds of a story; they stand still while it is paused."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._began = clock.monotonic()
        self._stopped: float | None = None
        self._going = asyncio.Event()
        self._going.set()

    @property
    def seconds(self) -> float:
        """How far the story is."""
        now = self._clock.monotonic() if self._stopped is None else self._stopped
        return now - self._began

    @property
    def is_paused(self) -> bool:
        """Whether it stands still."""
        return self._stopped is not None

    def toggle(self) -> None:
        """Pause, or go on where it was paused."""
        if self._stopped is None:
            self._stopped = self._clock.monotonic()
            self._going.clear()
        else:
            self._began += self._clock.monotonic() - self._stopped
            self._stopped = None
            self._going.set()

    async def until(self, second: float) -> None:
        """Come back when the story is so far."""
        while True:
            await self._going.wait()
            left = second - self.seconds
            if left <= 0:
                return
            await self._clock.sleep(min(left, LOOK))

    async def sleep(self, seconds: float) -> None:
        """Come back when so much of the story has passed."""
        await self.until(self.seconds + seconds)
