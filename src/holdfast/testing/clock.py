"""A clock that stands still until a test moves it."""

import asyncio
from datetime import UTC, datetime, timedelta
from math import inf
from threading import Lock

START = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


class FakeClock:
    """A clock moved by `advance`; whoever sleeps on it moves it too, so no test ever waits.

    Example:
        >>> clock = FakeClock()
        >>> clock.advance(30)
        >>> clock.monotonic()
        30.0
    """

    def __init__(self, start: datetime = START) -> None:
        if start.tzinfo is None:
            raise ValueError(
                "a clock starts at a timezone-aware moment, such as datetime(2026, 1, 1, tzinfo=UTC)"
            )
        self._start = start
        self._elapsed = 0.0
        self._lock = Lock()
        self.sleeps: list[float] = []

    def __repr__(self) -> str:
        return f"FakeClock(elapsed={self._elapsed:g})"

    def advance(self, seconds: float | timedelta) -> None:
        """Move time forward by `seconds`; going back, or nowhere, raises `ValueError`."""
        step = seconds.total_seconds() if isinstance(seconds, timedelta) else float(seconds)
        if not 0 <= step < inf:
            raise ValueError("a monotonic clock never goes back, and not beyond all time either")
        with self._lock:
            self._elapsed += step

    def monotonic(self) -> float:
        return self._elapsed

    def now(self) -> datetime:
        return self._start + timedelta(seconds=self._elapsed)

    async def sleep(self, seconds: float) -> None:
        self.sleeps.append(seconds)
        self.advance(max(0.0, seconds))
        await asyncio.sleep(0)

    def block(self, seconds: float) -> None:
        self.sleeps.append(seconds)
        self.advance(max(0.0, seconds))
