"""Waiting for what is somebody else's code, and may never end, not even when it is told to."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")

GRACE = 5.0
"""Seconds that something has to put its house in order once it is cancelled; then nobody waits for it any more."""

_running: set["asyncio.Task[Any]"] = set()
"""What has not ended: a loop alone would let go of what nobody waits for."""


async def ended_within(work: Coroutine[Any, Any, T], seconds: float | None) -> "asyncio.Task[T] | None":
    """The work when it has ended, or `None` when its time was over; `None` seconds are as many as it likes.

    Whether its time is over or nobody waits any more, the work is cancelled, and what does not heed that is left
    alone after `GRACE`.
    """
    task = asyncio.ensure_future(work)
    _running.add(task)
    task.add_done_callback(_heard)
    try:
        await asyncio.wait({task}, timeout=seconds)
        return task if task.done() else None
    finally:
        if not task.done():
            task.cancel()
            await asyncio.wait({task}, timeout=GRACE)


def _heard(task: "asyncio.Task[Any]") -> None:
    """Let go of what has ended; what it failed with is no news to those who have gone."""
    _running.discard(task)
    if not task.cancelled():
        task.exception()
