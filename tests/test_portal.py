"""The way from threads without an event loop into one that runs beside them."""

import asyncio
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar

import pytest

from holdfast.portal import Portal

NAME: ContextVar[str] = ContextVar("NAME", default="nobody")


async def where() -> str:
    await asyncio.sleep(0)
    return threading.current_thread().name


def threads() -> int:
    return sum(thread.name == "holdfast-portal" for thread in threading.enumerate())


def test_work_runs_in_one_thread_of_its_own() -> None:
    portal = Portal()

    def ask(_: int) -> str:
        return portal.call(where())

    with ThreadPoolExecutor(8) as pool:
        places = set(pool.map(ask, range(50)))

    assert (places, threads()) == ({"holdfast-portal"}, 1)
    portal.close()
    assert threads() == 0


def test_what_the_work_raises_reaches_the_caller() -> None:
    async def fail() -> None:
        raise LookupError("gone")

    portal = Portal()
    with pytest.raises(LookupError, match="gone"):
        portal.call(fail())
    portal.close()


def test_the_context_of_the_caller_goes_along() -> None:
    async def name() -> str:
        return NAME.get()

    portal = Portal()
    NAME.set("alice")
    assert portal.call(name()) == "alice"
    portal.close()


def test_a_portal_that_was_never_used_has_nothing_to_close() -> None:
    portal = Portal()
    portal.close()
    portal.close()

    assert threads() == 0


def test_a_closed_portal_opens_again_when_it_is_used() -> None:
    portal = Portal()
    portal.call(where())
    portal.close()

    assert portal.call(where()) == "holdfast-portal"
    portal.close()


def test_closing_cancels_what_still_runs_and_lets_it_clean_up() -> None:
    portal, begun, cleaned = Portal(), threading.Event(), threading.Event()

    async def wait() -> None:
        begun.set()
        try:
            await asyncio.sleep(60)
        finally:
            await asyncio.sleep(0)
            cleaned.set()

    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(portal.call, wait())
        begun.wait(5)
        portal.close()
        with pytest.raises(asyncio.CancelledError):
            waiting.result(5)
    assert cleaned.is_set()


def test_the_loop_cannot_wait_for_itself() -> None:
    portal = Portal()

    async def ask() -> str:
        portal.close()
        return portal.call(where())

    with pytest.raises(RuntimeError, match="use its async form"):
        portal.call(ask())
    portal.close()


def test_an_interrupt_waits_until_the_work_has_cleaned_up(monkeypatch: pytest.MonkeyPatch) -> None:
    portal, begun, cleaned = Portal(), threading.Event(), threading.Event()

    async def wait() -> None:
        begun.set()
        try:
            await asyncio.sleep(60)
        finally:
            await asyncio.sleep(0.01)
            cleaned.set()

    waits: list[float | None] = []
    real = threading.Event.wait

    def interrupted(event: threading.Event, timeout: float | None = None) -> bool:
        if threading.current_thread() is threading.main_thread():
            waits.append(timeout)
            if len(waits) == 2:  # the first waits for the thread to start
                real(begun, 5)
                raise KeyboardInterrupt
        return real(event, timeout)

    monkeypatch.setattr(threading.Event, "wait", interrupted)
    with pytest.raises(KeyboardInterrupt):
        portal.call(wait())
    monkeypatch.undo()

    assert cleaned.is_set()
    portal.close()


def test_a_dropped_portal_ends_its_thread() -> None:
    portal = Portal()
    portal.call(where())
    assert threads() == 1
    del portal

    assert threads() == 0


def test_many_threads_are_served_at_once() -> None:
    gate = asyncio.Barrier(8)
    portal = Portal()

    async def meet() -> int:
        await gate.wait()
        return 1

    def call(_: int) -> int:
        return portal.call(meet())

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(call, range(8))) == 8
    portal.close()


def test_calls_that_race_with_closing_are_answered_or_cancelled_never_forgotten() -> None:
    portal, stop = Portal(), threading.Event()
    ended: list[str] = []

    def call() -> None:
        while not stop.is_set():
            try:
                portal.call(where())
                ended.append("answered")
            except asyncio.CancelledError:
                ended.append("cancelled")

    callers = [threading.Thread(target=call) for _ in range(4)]
    for caller in callers:
        caller.start()
    for _ in range(30):
        time.sleep(0.002)  # noqa: TID251 - real threads race here
        portal.close()
    stop.set()
    for caller in callers:
        caller.join(5)
        assert not caller.is_alive()
    portal.close()
    assert "answered" in ended
