"""A bounded series of what calls came to, in slices of time: counts by outcome, how long they took, what they cost."""

from collections import Counter, deque
from collections.abc import Iterable
from dataclasses import dataclass
from math import ceil, log2

SLICE = 5.0
"""Seconds of one slice."""
KEPT = 720
"""Slices that are remembered: one hour."""
FINENESS = 8
"""Bins of durations per doubling: a percentile is at most 9 percent too high."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """What came in one step of a chart.

    Attributes:
        at: when the step begins, in the seconds that `add` was told.
        outcomes: calls by what they came to.
        p50_ms: half of them took at most so long; `None` without any.
        p95_ms: 95 in a hundred did.
        cost_pico: what those cost together that have a price.
    """

    at: float
    outcomes: dict[str, int]
    p50_ms: float | None
    p95_ms: float | None
    cost_pico: int


class _Slice:
    __slots__ = ("cost_pico", "durations", "index", "outcomes")

    def __init__(self, index: int) -> None:
        self.index = index
        self.outcomes: Counter[str] = Counter()
        self.durations: Counter[int] = Counter()
        self.cost_pico = 0


class Series:
    """The last hour in slices; `now` is seconds that never go back."""

    __slots__ = ("_slices",)

    def __init__(self) -> None:
        self._slices: deque[_Slice] = deque(maxlen=KEPT)

    def add(self, now: float, outcome: str, ms: float, cost_pico: int | None) -> None:
        """Count a call that is over."""
        index = int(now // SLICE)
        if not self._slices or self._slices[-1].index < index:
            self._slices.append(_Slice(index))
        last = self._slices[-1]
        last.outcomes[outcome] += 1
        last.durations[_bin(ms)] += 1
        last.cost_pico += cost_pico or 0

    def points(self, now: float, span: float, step: float) -> tuple[Point, ...]:
        """The last `span` seconds in steps, oldest first, those in which nothing came among them.

        The last step is under way. A step holds whole slices: `step` is rounded up to them.
        """
        wide = max(1, ceil(step / SLICE))
        last = int(now // SLICE) // wide
        first = last - max(1, ceil(span / (wide * SLICE))) + 1
        found: dict[int, list[_Slice]] = {}
        for one in self._slices:
            if first <= one.index // wide <= last:
                found.setdefault(one.index // wide, []).append(one)
        return tuple(_point(step * wide * SLICE, found.get(step, ())) for step in range(first, last + 1))


def _point(at: float, slices: Iterable[_Slice]) -> Point:
    outcomes: Counter[str] = Counter()
    durations: Counter[int] = Counter()
    cost = 0
    for one in slices:
        outcomes += one.outcomes
        durations += one.durations
        cost += one.cost_pico
    return Point(
        at=at,
        outcomes=dict(outcomes),
        p50_ms=_percentile(durations, 0.5),
        p95_ms=_percentile(durations, 0.95),
        cost_pico=cost,
    )


def _bin(ms: float) -> int:
    """The bin of a duration: the first whose upper end is no shorter; less than a millisecond is one."""
    return max(0, ceil(FINENESS * log2(max(ms, 1.0))))


def _percentile(durations: Counter[int], share: float) -> float | None:
    wanted = ceil(share * durations.total())
    for number in sorted(durations):
        wanted -= durations[number]
        if wanted <= 0:
            return round(2 ** (number / FINENESS), 1)
    return None
