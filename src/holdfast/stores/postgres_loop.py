"""The event loop of a PostgreSQL store: one in a thread of its own, so that callers may come from any other."""

import asyncio
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from typing import Any, TypeVar

T = TypeVar("T")


class BackgroundLoop:
    """Starts when first used; a process that forked starts one of its own."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._turn = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None

    def running(self) -> asyncio.AbstractEventLoop:
        """The loop, started unless it runs."""
        with self._turn:
            if self._loop is None or self._thread is None or not self._thread.is_alive():
                self._loop = asyncio.new_event_loop()
                self._thread = threading.Thread(target=_run, args=(self._loop,), name=self._name, daemon=True)
                self._thread.start()
            return self._loop

    def submit(self, work: Coroutine[Any, Any, T]) -> Future[T]:
        """Begin `work` in the loop."""
        return asyncio.run_coroutine_threadsafe(work, self.running())

    async def do(self, work: Coroutine[Any, Any, T]) -> T:
        """Do `work` in the loop and wait for it in the caller's own."""
        return await asyncio.wrap_future(self.submit(work))

    def stop(self, *last: Callable[[], object]) -> None:
        """Do these in the loop, end it, cancelling what still runs there, and wait for its thread."""
        with self._turn:
            loop, thread = self._loop, self._thread
            self._loop = self._thread = None
        if loop is None or thread is None or not thread.is_alive():
            return
        for work in (*last, loop.stop):
            loop.call_soon_threadsafe(work)
        if thread is not threading.current_thread():
            thread.join()


def _run(loop: asyncio.AbstractEventLoop) -> None:
    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        runner.get_loop().run_forever()
