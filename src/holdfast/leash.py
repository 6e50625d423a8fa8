"""A leash: lets somebody else end a call that is under way, at once and with a reason."""

import asyncio
from dataclasses import dataclass
from types import TracebackType
from typing import Any

from holdfast.errors import HoldfastError


@dataclass(slots=True, eq=False)
class _Grip:
    """The task that works inside the leash just now."""

    loop: asyncio.AbstractEventLoop
    task: "asyncio.Task[Any]"
    cancelling: int
    pulled: bool = False


class Leash:
    """What a call is held by while it works: `async with leash` raises the reason as soon as it is cut.

    The same leash holds a call step by step, in one task or another, never in two at once. `cut` may come
    from any thread, and before or between the steps.
    """

    __slots__ = ("_grip", "error")

    def __init__(self) -> None:
        self.error: HoldfastError | None = None
        """Why the call must end; `None` while it need not."""
        self._grip: _Grip | None = None

    def cut(self, error: HoldfastError) -> None:
        """End the call; the first reason counts."""
        if self.error is None:
            self.error = error
        grip = self._grip
        if grip is not None:
            try:
                grip.loop.call_soon_threadsafe(self._pull, grip)
            except RuntimeError:
                return  # the loop is over, and the call with it

    def _pull(self, grip: _Grip) -> None:
        if self._grip is grip and not grip.pulled:
            grip.pulled = True
            grip.task.cancel()

    async def __aenter__(self) -> None:
        if self.error is not None:
            raise self.error
        task = asyncio.current_task()
        assert task is not None
        self._grip = _Grip(asyncio.get_running_loop(), task, task.cancelling())
        if self.error is not None:  # cut by another thread in between: nobody saw our grip
            self._grip = None
            raise self.error

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        grip, self._grip = self._grip, None
        if grip is None or not grip.pulled:
            return
        # Who else wanted the task cancelled still gets that: as in asyncio.timeout, only ours is taken back.
        if grip.task.uncancel() <= grip.cancelling and kind is asyncio.CancelledError:
            assert self.error is not None
            raise self.error from None
