"""The last hour of one process, as the charts of the console show it: an observer that counts calls in slices."""

import threading
from dataclasses import dataclass
from datetime import datetime, timedelta

from holdfast.clock import Clock
from holdfast.events import CallEnded, Event
from holdfast.policy.series import Point, Series


@dataclass(frozen=True, slots=True, kw_only=True)
class Slot:
    """A point of the series, and when it began."""

    at: datetime
    point: Point


class History:
    """Counts every call that is over; safe from any thread, and bounded."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._series = Series()

    def __call__(self, event: Event) -> None:
        """Take note of an event."""
        if not isinstance(event, CallEnded):
            return
        outcome = event.label if event.end == "answered" else event.end
        with self._lock:
            self._series.add(self._clock.monotonic(), outcome, event.duration_ms, event.cost_pico)

    def slots(self, span: float, step: float) -> tuple[Slot, ...]:
        """The last `span` seconds in steps of `step` seconds, oldest first; the last one is under way."""
        with self._lock:
            monotonic, now = self._clock.monotonic(), self._clock.now()
            points = self._series.points(monotonic, span, step)
        return tuple(Slot(at=now - timedelta(seconds=monotonic - point.at), point=point) for point in points)
