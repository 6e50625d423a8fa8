"""The histogram of how long pieces of streamed answers are apart, added to once for each answer and not for each piece."""

import threading

from prometheus_client.core import HistogramMetricFamily

from holdfast.policy.chunk_times import BOUNDS, ChunkCounts
from holdfast.telemetry import names

LABELS = ("gen_ai_operation_name", "gen_ai_provider_name", "gen_ai_request_model")
Labels = tuple[str, str, str]


class Chunks:
    """What has been counted of every answer, by the values of `LABELS`; safe from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counted: dict[Labels, ChunkCounts] = {}

    def add(self, labels: Labels, counts: ChunkCounts) -> None:
        """Add what was counted of one answer."""
        with self._lock:
            self._counted[labels] = self._counted.get(labels, ChunkCounts()).plus(counts)

    def family(self) -> HistogramMetricFamily:
        """The histogram as it stands."""
        with self._lock:
            counted = dict(self._counted)
        said = "How long after the piece before it each piece of a streamed answer came."
        family = HistogramMetricFamily(names.TIME_PER_CHUNK, said, labels=LABELS)
        for labels, one in counted.items():
            family.add_metric(labels, buckets=_cumulated(one), sum_value=one.seconds)
        return family


def _cumulated(one: ChunkCounts) -> list[tuple[str, float]]:
    """As Prometheus wants it: of each bound how many were no longer."""
    bounds = (*(str(bound) for bound in BOUNDS), "+Inf")
    total = 0
    found: list[tuple[str, float]] = []
    for bound, count in zip(bounds, one.counts, strict=True):
        total += count
        found.append((bound, total))
    return found
