"""What one runtime tells other systems about itself: its metrics, and the spans of its calls."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

from holdfast.clock import Clock
from holdfast.events import Event
from holdfast.telemetry.metrics import Metrics
from holdfast.telemetry.tracing import Tracing


@dataclass(frozen=True, slots=True, kw_only=True)
class Reporting:
    """An observer that counts every event and tells the spans of its call."""

    metrics: Metrics
    tracing: Tracing

    @classmethod
    def of(cls, models: Iterable[str], clock: Clock) -> Self:
        """Both, with the ids that may stand in a label `model`."""
        return cls(metrics=Metrics(frozenset(models)), tracing=Tracing(clock))

    def __call__(self, event: Event) -> None:
        """Count an event, and tell the spans of its call."""
        self.metrics.observe(event)
        self.tracing.observe(event)
