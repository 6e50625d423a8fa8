"""The way from threads without an event loop into one that runs beside them."""

import asyncio
import contextlib
import threading
import weakref
from collections.abc import Coroutine
from contextvars import copy_context
from typing import Any, Generic, TypeVar

T = TypeVar("T")

GRACE = 1.0
"""Seconds that a loop has for putting its house in order when nobody closed it."""


class Portal:
    """One event loop in one daemon thread, started when first used; safe from any thread.

    A script that never closes it ends all the same, and what is open in the loop is closed first.
    """

    def __init__(self) -> None:
        self._turn = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._dropped: weakref.finalize[..., Portal] | None = None

    @property
    def is_running(self) -> bool:
        """Whether its loop has been started and not been closed since."""
        return self._loop is not None

    @property
    def is_here(self) -> bool:
        """Whether this is the thread of the loop."""
        return threading.current_thread() is self._thread

    def call(self, work: Coroutine[Any, Any, T]) -> T:
        """Run `work` in the loop and wait for its result.

        An interrupt here cancels it there and waits until it has put its house in order; a second one does not
        wait. Raises `RuntimeError` in the loop's own thread, which cannot wait for itself.
        """
        if self.is_here:
            work.close()
            raise RuntimeError(
                "a blocking call was made inside an asynchronous one; use its async form here and await it"
            )
        job = _Job(work)
        with self._turn:
            # Handed over under the lock: a loop that `close` has told to stop would never begin it.
            loop = self._running_loop()
            loop.call_soon_threadsafe(job.begin, context=copy_context())
        return job.result(loop)

    def close(self) -> None:
        """End the loop and its thread, cancelling what still runs there; does nothing when it never ran.

        In the loop's own thread it does nothing either: whoever runs there is still at work.
        """
        if self.is_here:
            return
        with self._turn:
            loop, thread = self._loop, self._thread
            self._loop = self._thread = None
            if self._dropped is not None:
                self._dropped.detach()
        if loop is not None and thread is not None:
            _end(loop, thread, None)

    def _running_loop(self) -> asyncio.AbstractEventLoop:
        # A process that forked has the loop of its parent, but not the thread that ran it.
        if self._loop is None or self._thread is None or not self._thread.is_alive():
            self._loop = asyncio.new_event_loop()
            self._thread = threading.Thread(
                target=_run, args=(self._loop,), name="holdfast-portal", daemon=True
            )
            self._thread.start()
            self._dropped = weakref.finalize(self, _end, self._loop, self._thread, GRACE)
        return self._loop


class _Job(Generic[T]):
    """Work that one thread handed to the loop of another and waits for."""

    def __init__(self, work: Coroutine[Any, Any, T]) -> None:
        self._work = work
        self._over = threading.Event()
        self._task: asyncio.Task[T] | None = None

    def begin(self) -> None:
        """Start it; in the loop only."""
        self._task = asyncio.get_running_loop().create_task(self._work)
        self._task.add_done_callback(lambda _: self._over.set())

    def result(self, loop: asyncio.AbstractEventLoop) -> T:
        """Wait for the end; in the other thread."""
        try:
            self._over.wait()
        except BaseException:
            with contextlib.suppress(RuntimeError):  # the loop has ended meanwhile, and the work with it
                loop.call_soon_threadsafe(self._cancel)
            self._over.wait()
            raise
        assert self._task is not None
        return self._task.result()

    def _cancel(self) -> None:
        if self._task is not None:
            self._task.cancel()


def _end(loop: asyncio.AbstractEventLoop, thread: threading.Thread, patience: float | None) -> None:
    if thread.is_alive():
        loop.call_soon_threadsafe(loop.stop)
    if thread is not threading.current_thread():
        thread.join(patience)


def _run(loop: asyncio.AbstractEventLoop) -> None:
    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        runner.get_loop().run_forever()
