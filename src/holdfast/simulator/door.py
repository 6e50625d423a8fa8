"""Whether connections are accepted: what a simulator decides and its servers do."""

from collections.abc import Callable, Generator
from contextlib import contextmanager
from threading import Lock

from holdfast.simulator.clock import Clock


class Door:
    """Open at first; shut for a while or until it is opened.

    Attributes:
        clock: the clock of the simulator.
        listening: how many servers listen now.
    """

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.listening = 0
        self._lock = Lock()
        self._until: float | None = None
        self._watchers: list[Callable[[], None]] = []

    @property
    def is_shut(self) -> bool:
        """Whether connections are refused now."""
        return self.left > 0

    @property
    def left(self) -> float:
        """The seconds for which connections are still refused."""
        until = self._until
        return 0.0 if until is None else max(0.0, until - self.clock.monotonic())

    def shut(self, seconds: float | None = None) -> None:
        """Refuse connections for `seconds`; `None` is until `open`."""
        self._set(self.clock.monotonic() + (float("inf") if seconds is None else seconds))

    def open(self) -> None:
        """Accept connections again."""
        self._set(None)

    @contextmanager
    def listener(self, changed: Callable[[], None]) -> Generator[None, None, None]:
        """Have a server's `changed` called, in whatever thread, whenever the door is shut or opened by hand."""
        with self._lock:
            self._watchers.append(changed)
        self.listening += 1
        try:
            yield
        finally:
            with self._lock:
                self._watchers.remove(changed)

    def _set(self, until: float | None) -> None:
        with self._lock:
            self._until = until
            watchers = tuple(self._watchers)
        for changed in watchers:
            changed()
