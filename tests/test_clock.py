"""The clocks: the one of this machine, and the one that a test moves by hand."""

import asyncio
import time
from datetime import UTC, datetime, timedelta
from threading import Thread

import pytest

from holdfast.clock import SYSTEM_CLOCK, Clock
from holdfast.testing import FakeClock


def test_both_are_clocks() -> None:
    clocks: list[Clock] = [SYSTEM_CLOCK, FakeClock()]

    assert all(clock.now().utcoffset() == timedelta(0) for clock in clocks)


async def test_the_clock_of_the_machine_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    before = SYSTEM_CLOCK.monotonic()
    await SYSTEM_CLOCK.sleep(0.001)
    slept = SYSTEM_CLOCK.monotonic()
    SYSTEM_CLOCK.block(0.001)

    assert before < slept < SYSTEM_CLOCK.monotonic()
    assert abs(SYSTEM_CLOCK.now().timestamp() - time.time()) < 5  # noqa: TID251 - what it must agree with


def test_a_fake_clock_stands_still_until_it_is_moved() -> None:
    clock = FakeClock()
    assert (clock.monotonic(), clock.now()) == (0.0, datetime(2026, 11, 22, 12, tzinfo=UTC))
    clock.advance(30)
    clock.advance(timedelta(minutes=1))
    clock.advance(0.5)

    assert clock.monotonic() == 90.5
    assert clock.now() == datetime(2026, 11, 22, 12, 1, 30, 500_000, tzinfo=UTC)
    assert repr(clock) == "FakeClock(elapsed=90.5)"


def test_a_fake_clock_starts_when_it_is_told_to() -> None:
    start = datetime(2020, 1, 1, tzinfo=UTC)

    assert FakeClock(start).now() == start


def test_a_fake_clock_knows_no_time_without_a_zone() -> None:
    with pytest.raises(ValueError, match="timezone-aware"):
        FakeClock(datetime(2020, 1, 1))  # noqa: DTZ001 - the mistake itself


@pytest.mark.parametrize("step", [-1, -0.001, float("nan"), float("inf"), timedelta(seconds=-1)])
def test_no_clock_goes_back_or_nowhere(step: float | timedelta) -> None:
    clock = FakeClock()
    with pytest.raises(ValueError, match="clock"):
        clock.advance(step)

    assert clock.monotonic() == 0.0


async def test_who_sleeps_on_a_fake_clock_moves_it_and_lets_others_run() -> None:
    clock = FakeClock()
    other = asyncio.ensure_future(clock.sleep(5))
    await clock.sleep(2.5)
    clock.block(1)
    await other
    await clock.sleep(-1)

    assert clock.monotonic() == 8.5
    assert sorted(clock.sleeps) == [-1, 1, 2.5, 5]


def test_threads_that_move_a_fake_clock_at_once_lose_no_time() -> None:
    clock = FakeClock()

    def move() -> None:
        for _ in range(1_000):
            clock.advance(1)

    threads = [Thread(target=move) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert clock.monotonic() == 8_000
