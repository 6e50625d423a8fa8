"""How late the event loop is: whatever runs in it waits as long as this says."""

from collections import deque

from holdfast.clock import Clock

EVERY = 0.25
"""Seconds between two looks."""
KEPT = 60
"""Looks that are remembered: a scraper that comes every 15 seconds misses no moment."""


class Lag:
    """Sleeps again and again, and sees how much later than asked it wakes."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._late: deque[float] = deque(maxlen=KEPT)

    def worst(self) -> float:
        """Seconds that the loop was late at worst of late."""
        return max(self._late, default=0.0)

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            asked = self._clock.monotonic()
            await self._clock.sleep(EVERY)
            self._late.append(max(0.0, self._clock.monotonic() - asked - EVERY))
