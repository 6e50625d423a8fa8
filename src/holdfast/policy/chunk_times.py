"""How long an answer's pieces of content were apart, counted by length: a histogram that costs a stream next to nothing."""

from bisect import bisect_left
from dataclasses import dataclass

BOUNDS = (
    0.01,
    0.02,
    0.04,
    0.08,
    0.16,
    0.32,
    0.64,
    1.28,
    2.56,
    5.12,
    10.24,
    20.48,
    40.96,
    81.92,
    163.84,
    327.68,
    600.0,
)
"""Seconds up to which times are counted together; the last count is of all beyond."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChunkCounts:
    """How many pieces came how long after the one before: a count for each of `BOUNDS`, and of those beyond them."""

    counts: tuple[int, ...] = (0,) * (len(BOUNDS) + 1)
    seconds: float = 0.0

    def plus(self, other: "ChunkCounts") -> "ChunkCounts":
        """Both together."""
        counts = tuple(one + more for one, more in zip(self.counts, other.counts, strict=True))
        return ChunkCounts(counts=counts, seconds=self.seconds + other.seconds)


class ChunkTimes:
    """Counts the pieces of one answer as they come; moments are seconds of one clock."""

    __slots__ = ("_counts", "_last", "_seconds")

    def __init__(self) -> None:
        self._counts: list[int] | None = None
        self._last = 0.0
        self._seconds = 0.0

    def begin(self, now: float) -> None:
        """The first piece is there: what comes now is counted from it on."""
        self._last = now

    def came(self, now: float, pieces: int) -> None:
        """So many pieces have come at once: the first after a while, the others right behind it."""
        if not pieces:
            return
        if self._counts is None:
            self._counts = [0] * (len(BOUNDS) + 1)
        gap = max(0.0, now - self._last)
        self._counts[bisect_left(BOUNDS, gap)] += 1
        self._counts[0] += pieces - 1
        self._seconds += gap
        self._last = now

    @property
    def counts(self) -> ChunkCounts | None:
        """What has been counted so far; `None` for an answer that came in one piece."""
        return (
            None if self._counts is None else ChunkCounts(counts=tuple(self._counts), seconds=self._seconds)
        )
