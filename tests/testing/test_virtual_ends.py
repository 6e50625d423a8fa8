"""How a run in virtual time can end badly: deadlocks, tasks left behind, errors that nobody heard."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from itertools import count
from typing import Any

import pytest

from holdfast.testing.virtual import Deadlock, LeakedTasks, Livelock, LostErrors, VirtualClock, run

CLOCK = VirtualClock()


async def on_a_future() -> None:
    await asyncio.get_running_loop().create_future()


async def on_an_endless_timer() -> None:
    await asyncio.sleep(float("inf"))


@pytest.mark.parametrize("wait", [on_a_future, on_an_endless_timer])
def test_waiting_for_nothing_is_a_deadlock(wait: Callable[[], Coroutine[Any, Any, None]]) -> None:
    with pytest.raises(Deadlock):
        run(wait())


def test_a_deadlock_names_the_tasks_and_where_they_wait() -> None:
    async def take(queue: asyncio.Queue[int]) -> int:
        return await queue.get()

    async def main() -> None:
        queue: asyncio.Queue[int] = asyncio.Queue()
        await CLOCK.sleep(5)
        await asyncio.gather(asyncio.create_task(take(queue), name="reader"), asyncio.Event().wait())

    with pytest.raises(Deadlock) as caught:
        run(main())
    assert [task.split(" in ")[0] for task in caught.value.tasks] == ["reader", "task-1", "task-3"]
    assert "take > Queue.get:" in caught.value.tasks[0]
    assert "reader in " in caught.value.say("en")
    assert "reader in " in caught.value.say("ko")
    assert caught.value.say("ko") != caught.value.say("en")


def test_a_deadlock_of_hundreds_names_some_and_counts_the_rest() -> None:
    async def main() -> None:
        await asyncio.gather(*(on_a_future() for _ in range(300)))

    with pytest.raises(Deadlock, match=r"; \+281$") as caught:
        run(main())
    assert len(caught.value.tasks) == 301


def test_a_task_that_spins_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("holdfast.testing.virtual.ROUNDS_MAX", 1_000)

    async def main() -> None:
        for _ in count():
            await asyncio.sleep(0)

    with pytest.raises(Livelock, match="task-1 in "):
        run(main())


def test_many_rounds_are_no_spinning_as_long_as_time_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("holdfast.testing.virtual.ROUNDS_MAX", 100)

    async def main() -> None:
        for _ in range(500):
            CLOCK.block(1.0)
            await asyncio.sleep(0)

    run(main())


def test_tasks_left_behind_fail_the_run() -> None:
    cleaned: list[bool] = []

    async def stay() -> None:
        try:
            await asyncio.sleep(3600)
        finally:
            cleaned.append(True)

    async def main() -> asyncio.Task[None]:
        task = asyncio.create_task(stay(), name="forgotten")
        await asyncio.sleep(1)
        return task

    with pytest.raises(LeakedTasks, match="forgotten in "):
        run(main())
    assert cleaned == [True]


def test_a_task_that_needs_no_more_time_to_end_is_not_left_behind() -> None:
    async def main() -> None:
        asyncio.create_task(asyncio.sleep(0), name="short")  # noqa: RUF006 - that it is dropped is the test
        task = asyncio.create_task(asyncio.sleep(600))
        await asyncio.sleep(0)
        task.cancel()

    run(main())


def test_a_task_that_will_not_be_cancelled_fails_the_run_and_does_not_hang_it() -> None:
    async def stay() -> None:
        while True:
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                continue

    async def main() -> None:
        asyncio.create_task(stay(), name="stubborn")  # noqa: RUF006 - that it is dropped is the test
        await asyncio.sleep(0)

    with pytest.raises(LeakedTasks, match="stubborn"):
        run(main())


def test_a_task_that_waits_for_nothing_when_it_is_cancelled_fails_the_run() -> None:
    async def stay() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            await asyncio.shield(asyncio.Event().wait())

    async def main() -> None:
        asyncio.create_task(stay(), name="stubborn")  # noqa: RUF006 - that it is dropped is the test
        await asyncio.sleep(0)

    with pytest.raises(LeakedTasks, match="stubborn"):
        run(main())


def test_tasks_left_behind_by_a_failure_are_a_note_of_it() -> None:
    async def main() -> None:
        asyncio.create_task(asyncio.sleep(60), name="forgotten")  # noqa: RUF006 - that it is dropped is the test
        await asyncio.sleep(0)
        raise LookupError("first")

    with pytest.raises(LookupError) as caught:
        run(main())
    assert "forgotten" in caught.value.__notes__[0]


def test_an_error_in_a_callback_fails_the_run() -> None:
    async def main() -> None:
        asyncio.get_running_loop().call_soon(int, "x")
        await asyncio.sleep(0)

    with pytest.raises(LostErrors, match="ValueError") as caught:
        run(main())
    assert isinstance(caught.value.__cause__, ValueError)
    assert len(caught.value.errors) == 1


def test_an_error_of_a_task_that_nobody_awaits_fails_the_run() -> None:
    async def fail() -> None:
        raise LookupError("unheard")

    async def main() -> None:
        asyncio.create_task(fail())  # noqa: RUF006 - that it is dropped is the test
        await asyncio.sleep(1)

    with pytest.raises(LostErrors, match="LookupError"):
        run(main())


class Bomb:
    """Fails in its finalizer."""

    def __init__(self) -> None:
        self.me = self

    def __del__(self) -> None:
        raise LookupError("in a finalizer")


def test_an_error_of_a_finalizer_fails_the_run() -> None:
    async def main() -> None:
        Bomb()

    with pytest.raises(LostErrors, match="in a finalizer"):
        run(main())


def test_a_message_without_an_error_fails_the_run_too() -> None:
    async def main() -> None:
        asyncio.get_running_loop().call_exception_handler({"message": "odd"})

    with pytest.raises(LostErrors, match="odd") as caught:
        run(main())
    assert caught.value.__cause__ is None


def test_an_async_generator_left_open_is_closed() -> None:
    closed: list[float] = []

    async def numbers() -> AsyncIterator[int]:
        try:
            yield 1
            yield 2
        finally:
            await CLOCK.sleep(1)
            closed.append(CLOCK.monotonic())

    async def main() -> AsyncIterator[int]:
        opened = numbers()
        assert await anext(opened) == 1
        return opened

    assert run(main()) is not None
    assert closed == [1.0]


def test_an_async_generator_that_cannot_be_closed_fails_the_run() -> None:
    async def numbers() -> AsyncIterator[int]:
        try:
            yield 1
        finally:
            await on_a_future()

    async def main() -> AsyncIterator[int]:
        opened = numbers()
        assert await anext(opened) == 1
        return opened

    with pytest.raises(LeakedTasks, match="shutdown_asyncgens"):
        run(main())


def test_a_task_that_spins_when_it_is_cancelled_fails_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("holdfast.testing.virtual.ROUNDS_MAX", 1_000)

    async def stay() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            for _ in count():
                await asyncio.sleep(0)

    async def main() -> None:
        asyncio.create_task(stay(), name="stubborn")  # noqa: RUF006 - that it is dropped is the test
        await asyncio.sleep(0)

    with pytest.raises(LeakedTasks, match="stubborn"):
        run(main())
