"""The simulator's own clock, so that it needs none of holdfast's; a fake one may stand in for it."""

import asyncio
import time
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """What the simulator asks of time."""

    def monotonic(self) -> float:
        """Seconds since some fixed moment."""
        ...

    def now(self) -> datetime:
        """The wall clock in UTC."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Come back after `seconds`."""
        ...


class RealClock:
    """The clock of this machine."""

    __slots__ = ()

    def monotonic(self) -> float:
        return time.monotonic()  # noqa: TID251 - the simulator may not import holdfast.clock

    def now(self) -> datetime:
        return datetime.now(UTC)  # noqa: TID251 - the simulator may not import holdfast.clock

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
