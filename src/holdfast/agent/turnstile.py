"""One after the other: whoever has the same key waits for those who came before."""

import asyncio
import threading
from collections import deque
from collections.abc import Hashable
from concurrent.futures import Future, InvalidStateError
from contextlib import suppress
from dataclasses import dataclass, field
from types import TracebackType


@dataclass(slots=True, eq=False)
class _Place:
    """A place in a line; `called` is done when it is the first."""

    task: "asyncio.Task[object] | None"
    called: "Future[None]" = field(default_factory=lambda: Future[None]())


class Turnstile:
    """Lines by key, for tasks of any event loop and any thread; a line that nobody stands in takes no room."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._lines: dict[Hashable, deque[_Place]] = {}

    def __len__(self) -> int:
        return len(self._lines)

    def turn(self, key: Hashable, *, patience: float) -> "Turn":
        """One's turn, waited for at most `patience` seconds: `async with` raises `TimeoutError` then.

        A task that is through already does not wait for itself.
        """
        return Turn(turnstile=self, key=key, patience=patience)

    def join(self, key: Hashable) -> _Place | None:
        """The place of this task at the end of the line; `None` where it is the first one already."""
        place = _Place(asyncio.current_task())
        with self._lock:
            line = self._lines.setdefault(key, deque())
            if line and line[0].task is place.task:
                return None
            line.append(place)
            if line[0] is place:
                place.called.set_result(None)
        return place

    def leave(self, key: Hashable, place: _Place) -> None:
        """Give up a place, and call the next where it was the first."""
        with self._lock:
            line = self._lines[key]
            was_first = line[0] is place
            line.remove(place)
            if not line:
                del self._lines[key]
            elif was_first:
                # One who has given up in this very moment leaves, too, and calls the next.
                with suppress(InvalidStateError):
                    line[0].called.set_result(None)


@dataclass(slots=True, eq=False, kw_only=True)
class Turn:
    """What one waits for; no generator, which an event loop that shuts down would close twice within another."""

    turnstile: Turnstile
    key: Hashable
    patience: float
    _place: _Place | None = None

    async def __aenter__(self) -> None:
        self._place = place = self.turnstile.join(self.key)
        if place is None:
            return
        try:
            async with asyncio.timeout(self.patience):
                await asyncio.wrap_future(place.called)
        except BaseException:
            self._leave()
            raise

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._leave()

    def _leave(self) -> None:
        place, self._place = self._place, None
        if place is not None:
            self.turnstile.leave(self.key, place)
