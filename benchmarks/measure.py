"""Timing of small pieces of work: many rounds, the median, and its spread."""

import statistics
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

ROUNDS = 9
CALLS = 5_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """Microseconds of CPU per call: median, least and most over the rounds."""

    name: str
    median: float
    least: float
    most: float

    def line(self, base: "Figure") -> str:
        """One row of the table, with the ratio to `base`."""
        ratio = self.median / base.median
        return f"{self.name:<52} {self.median:9.2f} [{self.least:8.2f}-{self.most:8.2f}] {ratio:8.2f} x"


def measure(name: str, work: Callable[[], object], calls: int = CALLS) -> Figure:
    """Time a function."""
    work()
    return _figure(name, [_round(work, calls) for _ in range(ROUNDS)])


async def measure_async(name: str, work: Callable[[], Awaitable[object]], calls: int = CALLS) -> Figure:
    """Time a coroutine function."""
    await work()
    rounds: list[float] = []
    for _ in range(ROUNDS):
        started = time.process_time()
        for _ in range(calls):
            await work()
        rounds.append((time.process_time() - started) / calls * 1e6)
    return _figure(name, rounds)


def table(title: str, figures: list[Figure]) -> str:
    """The figures as text; ratios are to the first row."""
    rows = [figure.line(figures[0]) for figure in figures]
    head = f"{title:<52} {'us/call':>9} [{'least':>8}-{'most':>8}] {'ratio':>8}"
    return "\n".join([head, *rows])


def _round(work: Callable[[], object], calls: int) -> float:
    started = time.process_time()
    for _ in range(calls):
        work()
    return (time.process_time() - started) / calls * 1e6


def _figure(name: str, rounds: list[float]) -> Figure:
    return Figure(name=name, median=statistics.median(rounds), least=min(rounds), most=max(rounds))
