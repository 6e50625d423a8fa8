"""How late the loop is shows on a gauge, and is forgotten once it is on time again."""

import asyncio
from contextlib import suppress

from holdfast.clock import Clock
from holdfast.telemetry.lag import EVERY, KEPT, Lag
from holdfast.testing import FakeClock


class Late(FakeClock):
    """A clock whose sleeps last longer than asked, as those of a busy loop do."""

    def __init__(self, delays: list[float]) -> None:
        super().__init__()
        self._delays = delays

    async def sleep(self, seconds: float) -> None:
        if not self._delays:
            raise asyncio.CancelledError
        self.advance(seconds + self._delays.pop(0))


async def looked(delays: list[float]) -> float:
    clock: Clock = Late(delays)
    lag = Lag(clock)
    with suppress(asyncio.CancelledError):
        await lag.run()
    return lag.worst()


async def test_a_loop_that_was_never_looked_at_is_on_time() -> None:
    assert await looked([]) == 0.0


async def test_the_worst_of_the_last_looks_is_shown() -> None:
    assert round(await looked([0.0, 0.3, 0.1]), 6) == 0.3


async def test_a_hitch_is_forgotten_when_a_scraper_has_had_time_to_see_it() -> None:
    assert EVERY * KEPT == 15.0
    assert round(await looked([2.0, *[0.0] * KEPT]), 6) == 0.0
