"""The breaker among threads, tasks and event loops."""

import asyncio
import threading

import pytest

from holdfast.parts.breaker import CircuitBreaker
from holdfast.testing.clock import FakeClock


async def fails() -> None:
    raise OSError("down")


def test_racing_threads_never_get_more_probes_than_permitted() -> None:
    clock = FakeClock()
    breaker = CircuitBreaker(failure_threshold=3, permitted_calls_in_half_open=2, clock=clock)
    for _ in range(50):
        breaker.reset()
        for _ in range(3):
            breaker.record_failure()
        clock.advance(36)
        start, granted = threading.Barrier(8), list[bool]()

        def race(start: threading.Barrier = start, granted: list[bool] = granted) -> None:
            start.wait()
            granted.append(breaker.can_execute())

        threads = [threading.Thread(target=race) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sum(granted) == 2


def test_racing_threads_lose_no_outcome() -> None:
    breaker = CircuitBreaker(failure_threshold=None, clock=FakeClock())

    def work() -> None:
        for _ in range(500):
            with breaker:
                pass

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    seen = breaker.snapshot()
    assert (seen.calls, seen.live, seen.repeated_outcomes_total) == (4000, 0, 0)


def test_one_breaker_serves_many_event_loops() -> None:
    breaker = CircuitBreaker(failure_threshold=3)
    for _ in range(3):
        with pytest.raises(OSError, match="down"):
            asyncio.run(breaker.execute(fails))
    assert breaker.state == "open"


async def test_slow_calls_do_not_wait_for_each_other() -> None:
    breaker = CircuitBreaker()
    inside, may_go = 0, asyncio.Event()

    async def slow() -> None:
        nonlocal inside
        inside += 1
        await may_go.wait()

    calls = [asyncio.create_task(breaker.execute(slow)) for _ in range(20)]
    await asyncio.sleep(0)
    assert inside == 20
    may_go.set()
    await asyncio.gather(*calls)
