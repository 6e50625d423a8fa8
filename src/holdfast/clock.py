"""The clock and the dice of the real world; everything else is handed one."""

import asyncio
import random
import time
from datetime import UTC, datetime
from typing import Protocol

Dice = random.Random


class Clock(Protocol):
    """What holdfast asks of time; `holdfast.testing.FakeClock` is one that a test moves by hand."""

    def monotonic(self) -> float:
        """Seconds since some fixed moment; never goes back."""
        ...

    def now(self) -> datetime:
        """The wall clock, timezone-aware, in UTC."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Come back after `seconds`."""
        ...

    def block(self, seconds: float) -> None:
        """Block this thread for `seconds`."""
        ...


class SystemClock:
    """The clock of this machine."""

    __slots__ = ()

    def monotonic(self) -> float:
        return time.monotonic()  # noqa: TID251 - the one place that reads it

    def now(self) -> datetime:
        return datetime.now(UTC)  # noqa: TID251 - the one place that reads it

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    def block(self, seconds: float) -> None:
        time.sleep(seconds)  # noqa: TID251 - the one place that blocks


SYSTEM_CLOCK: Clock = SystemClock()
