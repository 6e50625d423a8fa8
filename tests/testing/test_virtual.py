"""The event loop in virtual time: what it promises, and what it refuses."""

import asyncio
import gc
import hashlib
import os
import subprocess
import sys
import time
from collections.abc import Callable, Coroutine
from datetime import timedelta
from pathlib import Path
from typing import Any

import anyio
import pytest

from holdfast.clock import Clock
from holdfast.testing import FakeClock
from holdfast.testing.clock import START
from holdfast.testing.virtual import (
    VirtualClock,
    VirtualLoop,
    run,
)

CLOCK: Clock = VirtualClock()


async def stamped(log: list[tuple[str, float]], name: str, *waits: float) -> None:
    for wait in waits:
        await CLOCK.sleep(wait)
        log.append((name, CLOCK.monotonic()))


async def crowd(clients: int, seconds: int) -> list[tuple[str, float]]:
    """Clients that all wake at the same moments, so that the order is the seed's alone."""
    log: list[tuple[str, float]] = []
    async with asyncio.TaskGroup() as group:
        for number in range(clients):
            group.create_task(stamped(log, f"client-{number}", *[1.0] * seconds))
    return log


def trace(seed: int, clients: int = 20, seconds: int = 10) -> str:
    return hashlib.sha256(repr(run(crowd(clients, seconds), seed=seed)).encode()).hexdigest()


def test_it_returns_what_the_main_coroutine_returns() -> None:
    async def main() -> int:
        return 42

    assert run(main()) == 42


def test_it_raises_what_the_main_coroutine_raises() -> None:
    async def main() -> None:
        raise LookupError("nothing there")

    with pytest.raises(LookupError, match="nothing there") as caught:
        run(main())
    assert not hasattr(caught.value, "__notes__")


def test_an_hour_passes_at_once_and_exactly() -> None:
    async def main() -> tuple[float, float]:
        begun = time.perf_counter()
        await CLOCK.sleep(3600)
        return CLOCK.monotonic(), time.perf_counter() - begun

    virtual, real = run(main())
    assert virtual == 3600.0
    assert real < 1.0


def test_two_hundred_clients_pass_two_minutes_in_well_under_a_second() -> None:
    begun = time.process_time()
    assert len(run(crowd(200, 128))) == 200 * 128
    assert time.process_time() - begun < 1.5


def test_the_wall_clock_goes_along() -> None:
    async def main() -> None:
        await CLOCK.sleep(90)
        assert CLOCK.now() == START + timedelta(seconds=90)

    run(main())


def test_blocking_lets_time_pass_while_nothing_else_runs() -> None:
    async def main() -> list[tuple[str, float]]:
        log: list[tuple[str, float]] = []
        task = asyncio.create_task(stamped(log, "sleeper", 1.0))
        await asyncio.sleep(0)
        CLOCK.block(5.0)
        log.append(("blocker", CLOCK.monotonic()))
        await task
        return log

    assert run(main()) == [("blocker", 5.0), ("sleeper", 5.0)]


def test_a_timer_that_is_due_is_not_kept_waiting_by_tasks_that_go_on() -> None:
    async def main() -> list[tuple[str, float]]:
        log: list[tuple[str, float]] = []
        task = asyncio.create_task(stamped(log, "sleeper", 1.0))
        await asyncio.sleep(0)
        CLOCK.block(5.0)
        for _ in range(10):
            await asyncio.sleep(0)
        log.append(("busy", CLOCK.monotonic()))
        await task
        return log

    assert run(main()) == [("sleeper", 5.0), ("busy", 5.0)]


@pytest.mark.parametrize("seconds", [0.0, -1.0])
def test_time_never_goes_back(seconds: float) -> None:
    async def main() -> float:
        await CLOCK.sleep(seconds)
        CLOCK.block(seconds)
        return CLOCK.monotonic()

    assert run(main()) == 0.0


def test_timers_of_different_moments_run_in_their_order() -> None:
    async def main() -> list[tuple[str, float]]:
        log: list[tuple[str, float]] = []
        await asyncio.gather(*(stamped(log, str(wait), wait) for wait in (3.0, 1.0, 2.0, 0.5)))
        return log

    assert run(main(), seed=5) == [("0.5", 0.5), ("1.0", 1.0), ("2.0", 2.0), ("3.0", 3.0)]


def test_what_is_ready_runs_first_come_first_served_whatever_the_seed() -> None:
    async def main() -> list[int]:
        log: list[int] = []
        for number in range(50):
            asyncio.get_running_loop().call_soon(log.append, number)
        await asyncio.sleep(0)
        return log

    assert all(run(main(), seed=seed) == list(range(50)) for seed in range(5))


def test_the_same_seed_gives_the_same_order() -> None:
    assert trace(7) == trace(7)


def test_other_seeds_give_other_orders_of_what_is_due_at_one_moment() -> None:
    assert len({trace(seed) for seed in range(20)}) == 20


def test_the_order_is_the_same_in_every_process() -> None:
    program = "from tests.testing.test_virtual import trace; print(trace(7))"
    root = Path(__file__).resolve().parents[2]
    seen = {
        subprocess.run(
            [sys.executable, "-c", program],
            cwd=root,
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
        for hash_seed in ("1", "2")
    }
    assert seen == {trace(7)}


def test_tasks_have_the_same_names_in_every_run() -> None:
    async def main() -> list[str]:
        tasks = [asyncio.create_task(asyncio.sleep(0), name=name) for name in (None, "mine", None)]
        await asyncio.gather(*tasks)
        return [task.get_name() for task in tasks]

    assert run(main()) == run(main()) == ["task-2", "mine", "task-4"]


async def by_timeout() -> None:
    async with asyncio.timeout(5):
        await asyncio.sleep(600)


async def by_wait_for() -> None:
    await asyncio.wait_for(asyncio.Event().wait(), 5)


async def by_anyio() -> None:
    with anyio.fail_after(5):
        await anyio.sleep(600)


@pytest.mark.parametrize("wait", [by_timeout, by_wait_for, by_anyio])
def test_a_timeout_comes_at_its_virtual_time(wait: Callable[[], Coroutine[Any, Any, None]]) -> None:
    async def main() -> float:
        with pytest.raises(TimeoutError):
            await wait()
        return CLOCK.monotonic()

    assert run(main()) == 5.0


def test_a_timeout_that_is_not_needed_takes_no_time() -> None:
    async def main() -> float:
        async with asyncio.timeout(600):
            await asyncio.sleep(1)
        return CLOCK.monotonic()

    assert run(main()) == 1.0


def test_thousands_of_timeouts_that_are_not_needed_take_no_room() -> None:
    async def main() -> int:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualLoop)
        for _ in range(20_000):
            async with asyncio.timeout(600):
                await asyncio.sleep(0)
        await asyncio.sleep(1)
        return loop.timers

    assert run(main()) < 1_000


def test_queues_hand_over_between_tasks() -> None:
    async def main() -> list[tuple[int, float]]:
        queue: asyncio.Queue[int] = asyncio.Queue(maxsize=1)
        got: list[tuple[int, float]] = []

        async def produce() -> None:
            for number in range(3):
                await CLOCK.sleep(10)
                await queue.put(number)

        async def consume() -> None:
            for _ in range(3):
                got.append((await queue.get(), CLOCK.monotonic()))

        await asyncio.gather(produce(), consume())
        return got

    assert run(main()) == [(0, 10.0), (1, 20.0), (2, 30.0)]


def test_a_shielded_task_survives_the_cancellation_of_its_waiter() -> None:
    async def main() -> list[tuple[str, float]]:
        log: list[tuple[str, float]] = []
        inner = asyncio.create_task(stamped(log, "inner", 10.0))
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(asyncio.shield(inner), 1)
        log.append(("outer", CLOCK.monotonic()))
        await inner
        return log

    assert run(main()) == [("outer", 1.0), ("inner", 10.0)]


def test_a_task_group_cancels_the_rest_when_one_fails() -> None:
    async def fail() -> None:
        await asyncio.sleep(3)
        raise LookupError("one")

    async def both() -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(asyncio.sleep(600))
            group.create_task(fail())

    async def main() -> float:
        with pytest.raises(ExceptionGroup) as caught:
            await both()
        assert isinstance(caught.value.exceptions[0], LookupError)
        return CLOCK.monotonic()

    assert run(main()) == 3.0


def test_a_closed_loop_takes_no_timers() -> None:
    closed = VirtualLoop()
    closed.close()
    with pytest.raises(RuntimeError, match="closed"):
        closed.call_later(1, print)


@pytest.mark.parametrize("is_automatic", [True, False])
def test_it_leaves_the_process_as_it_was(*, is_automatic: bool) -> None:
    hook = sys.unraisablehook
    if not is_automatic:
        gc.disable()
    try:
        run(asyncio.sleep(1))
        assert (sys.unraisablehook, gc.isenabled()) == (hook, is_automatic)
    finally:
        gc.enable()


def test_a_run_in_a_large_process_is_as_quick_as_in_a_small_one() -> None:
    ballast = [[number] for number in range(500_000)]
    begun = time.process_time()
    for _ in range(100):
        run(asyncio.sleep(1))
    assert time.process_time() - begun < 1.0
    assert len(ballast) == 500_000


def test_it_works_in_debug_mode(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONASYNCIODEBUG", "1")
    assert trace(3) == trace(3)


def test_code_written_for_a_clock_runs_on_either() -> None:
    async def twice(clock: Clock) -> float:
        await clock.sleep(2)
        clock.block(3)
        return clock.monotonic()

    assert run(twice(CLOCK)) == run(twice(FakeClock())) == 5.0
