"""Many pieces of work at once: in order, bounded, and together at the end of their money."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.errors import (
    BudgetExhausted,
    CallNotPermitted,
    ConfigError,
    InputRejected,
    RateLimited,
    RunCapReached,
    Stopped,
)
from holdfast.parts.bulk import AHEAD, PATIENCE, Spree, in_order
from holdfast.testing import FakeClock


async def collected(
    inputs: list[int], work: Callable[[int, int], Awaitable[int]], concurrency: int
) -> list[int]:
    return [result async for result in in_order(inputs, work, concurrency=concurrency)]


@given(delays=st.lists(st.integers(0, 5), max_size=30), concurrency=st.integers(1, 7))
def test_results_are_in_order_and_no_more_is_worked_on_than_allowed(
    delays: list[int], concurrency: int
) -> None:
    under_way = most = 0

    async def work(number: int, delay: int) -> int:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        for _ in range(delay):
            await asyncio.sleep(0)
        under_way -= 1
        return number * 10 + delay

    results = asyncio.run(collected(delays, work, concurrency))
    assert results == [number * 10 + delay for number, delay in enumerate(delays)]
    assert most <= concurrency


async def test_behind_one_that_takes_long_only_so_many_are_begun() -> None:
    gate, begun = asyncio.Event(), 0

    async def work(number: int, _: int) -> int:
        nonlocal begun
        begun += 1
        if number == 0:
            await gate.wait()
        return number

    results = in_order(range(1_000), work, concurrency=5)
    first = asyncio.ensure_future(anext(results))
    for _ in range(500):
        await asyncio.sleep(0)
    assert begun == 5 * AHEAD
    gate.set()
    assert await first == 0
    await results.aclose()


async def test_what_the_work_raises_ends_it_and_cancels_the_rest() -> None:
    cancelled: list[int] = []

    async def work(number: int, _: int) -> int:
        if number == 0:
            for _ in range(20):
                await asyncio.sleep(0)
            raise InputRejected("no")
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.append(number)
            raise
        return number

    with pytest.raises(InputRejected):
        await collected([0, 1, 2], work, 3)
    assert cancelled == [1, 2]


async def test_what_the_inputs_raise_is_raised() -> None:
    def inputs() -> Iterator[int]:
        yield 1
        raise OSError("gone")

    async def work(number: int, _: int) -> int:
        return number

    with pytest.raises(OSError, match="gone"):
        _ = [result async for result in in_order(inputs(), work, concurrency=1)]


@pytest.mark.parametrize("concurrency", [0, -1, 1_001])
async def test_a_concurrency_that_makes_no_sense_is_refused(concurrency: int) -> None:
    async def work(number: int, _: int) -> int:
        return number

    with pytest.raises(ConfigError, match="from 1 to 1000"):
        await collected([1], work, concurrency)


@dataclass
class Purse:
    """Money of which each piece of work holds `most` and spends `real`."""

    left: int
    most: int
    real: int
    asked: int = 0
    held: int = field(default=0)

    async def work(self) -> str:
        self.asked += 1
        assert self.asked < 10_000
        if self.held + self.most > self.left:
            raise BudgetExhausted("spent")
        self.held += self.most
        await asyncio.sleep(0)
        self.held -= self.most
        self.left -= self.real
        return "done"


@given(
    left=st.integers(0, 60),
    most=st.integers(1, 12),
    real=st.integers(0, 12),
    concurrency=st.integers(1, 8),
)
def test_whatever_there_is_money_for_is_done_and_nothing_else(
    left: int, most: int, real: int, concurrency: int
) -> None:
    real = min(real, most)
    purse, spree = Purse(left=left, most=most, real=real), Spree(clock=FakeClock())

    async def work(number: int, _: int) -> int:
        return 1 if await spree.run(purse.work) == "done" else 0

    done = sum(asyncio.run(collected([0] * 40, work, concurrency)))
    expected = 0
    while expected < 40 and left >= most:
        expected, left = expected + 1, left - real
    assert done == expected
    assert (spree.over is None) == (expected == 40)
    assert not spree.is_busy


async def test_a_quota_is_waited_for() -> None:
    clock = FakeClock()
    answers = iter([RateLimited("later", retry_after=20), CallNotPermitted("rest", retry_after=30), None])

    async def work() -> str:
        error = next(answers)
        if error is not None:
            raise error
        return "done"

    assert await Spree(clock=clock).run(work) == "done"
    assert clock.sleeps == [20, 30]


async def test_nobody_waits_for_ever() -> None:
    clock, tries = FakeClock(), 0

    async def work() -> str:
        nonlocal tries
        tries += 1
        raise RateLimited("later", retry_after=100)

    with pytest.raises(RateLimited):
        await Spree(clock=clock).run(work)
    assert sum(clock.sleeps) <= PATIENCE
    assert tries == 10


@pytest.mark.parametrize("error", [RateLimited("never"), InputRejected("no"), RunCapReached("turns")])
async def test_what_time_does_not_help_is_raised_and_ends_nothing(error: Exception) -> None:
    async def work() -> str:
        raise error

    spree = Spree(clock=FakeClock())
    with pytest.raises(type(error)):
        await spree.run(work)
    assert spree.over is None


async def test_an_operator_ends_everything_at_once() -> None:
    spree = Spree(clock=FakeClock())

    async def stopped() -> str:
        raise Stopped("stop")

    async def long() -> str:
        await asyncio.sleep(0)
        return "done"

    assert list(await asyncio.gather(spree.run(long), spree.run(stopped))) == ["done", None]
    assert isinstance(spree.over, Stopped)
    assert await spree.run(long) is None
