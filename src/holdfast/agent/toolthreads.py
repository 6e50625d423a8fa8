"""Threads for tools that are no coroutines: so many at a time, and a turn is taken before the clock starts."""

import asyncio
import contextvars
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress


class ToolThreads:
    """The threads of one agent in one event loop.

    A thread cannot be ended: whoever no longer waits for one leaves its turn taken, until the thread is free.
    """

    def __init__(self, at_once: int) -> None:
        self._loop = asyncio.get_running_loop()
        self._pool = ThreadPoolExecutor(at_once, "holdfast-tool")
        self._turns = asyncio.Semaphore(at_once)

    @property
    def is_over(self) -> bool:
        """Whether the loop is closed, so that nobody comes here any more."""
        return self._loop.is_closed()

    async def begun(self, work: Callable[[], object]) -> "asyncio.Future[object]":
        """Wait for a turn and begin; the result is still to come. The work sees the context of the caller."""
        await self._turns.acquire()
        try:
            job = self._pool.submit(contextvars.copy_context().run, _ended, work)
        except RuntimeError:
            self._turns.release()
            raise
        job.add_done_callback(self._freed)
        return asyncio.wrap_future(job)

    def close(self) -> None:
        """Let go of the threads; what still runs there runs on, and nobody waits for it."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _freed(self, job: "Future[object]") -> None:
        with suppress(RuntimeError):  # the loop is closed, and nobody waits for a turn there
            self._loop.call_soon_threadsafe(self._turns.release)


def _ended(work: Callable[[], object]) -> object:
    """The result of the work; no future can hold a `StopIteration`, and whoever waited for it would wait for ever."""
    try:
        return work()
    except StopIteration as stop:
        raise RuntimeError("the tool raised StopIteration") from stop
