"""What holdfast adds to a call: the same load through it and beside it, in turns, and both counted."""

import asyncio
import json
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from math import ceil
from typing import Any, TypeAlias

from holdfast.clock import Clock

MOST_REQUESTS = 100_000
MOST_CONCURRENCY = 512
TURNS = 10
"""How often the two are pressed in turn, or oftener, so that noise meets both alike."""
MOST_IN_TURN = 250
"""Requests of a turn: whoever interrupts a long load finds figures of both."""
WARM_UP = 16
"""Requests to each that are not counted: connections are opened, and rules compiled, once."""
QUANTILES = (0.50, 0.95, 0.99)
MODEL = "claude-haiku-5-5"
MAX_TOKENS = 64
GOOD = "ok"

Ask: TypeAlias = Callable[[bytes], Awaitable[str]]
"""Sends a body and reads the answer to its end; `GOOD`, or why it is none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What is sent to each of the two; `mark` makes the questions of this time differ from those of another."""

    requests: int
    concurrency: int
    stream: bool
    mark: str = ""

    def body(self, number: int) -> bytes:
        """The request with a number; no two are the same, so that no cache answers."""
        text = f"In one sentence: what is a circuit breaker? ({self.mark}{number})"
        asked: dict[str, Any] = {
            "model": MODEL,
            "max_tokens": MAX_TOKENS,
            "stream": self.stream,
            "messages": [{"role": "user", "content": text}],
        }
        return json.dumps(asked).encode()


@dataclass(slots=True, kw_only=True)
class Tally:
    """What came of a load so far: `seconds` it took, `cpu` of this process meanwhile, what each good answer took."""

    seconds: float = 0.0
    cpu: float = 0.0
    took: list[float] = field(default_factory=list[float])
    failed: Counter[str] = field(default_factory=Counter[str])

    @property
    def asked(self) -> int:
        """Requests that are over."""
        return len(self.took) + self.failed.total()

    @property
    def rate(self) -> float | None:
        """Good answers a second."""
        return len(self.took) / self.seconds if self.took and self.seconds else None

    @property
    def cpu_each(self) -> float | None:
        """Seconds of CPU for a request."""
        return self.cpu / self.asked if self.asked else None

    def quantiles(self) -> tuple[float, ...] | None:
        """Seconds within which half, 95 and 99 in 100 of the good answers were there."""
        if not self.took:
            return None
        ordered = sorted(self.took)
        return tuple(_nearest(ordered, part) for part in QUANTILES)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """Two ways to the same answers; `cpu` tells the seconds of CPU that this process has used."""

    load: Load
    direct: Ask
    through: Ask
    clock: Clock
    cpu: Callable[[], float]
    beside: Tally = field(default_factory=Tally)
    """Of the simulator asked directly."""
    guarded: Tally = field(default_factory=Tally)
    """Of the same load through holdfast."""

    async def run(self) -> None:
        """Press both in turns until all is sent; what was counted by then stays when this is cancelled."""
        ways = ((self.direct, self.beside), (self.through, self.guarded))
        warm = min(WARM_UP, self.load.concurrency, self.load.requests)
        for ask, _ in ways:
            await self._press(ask, Tally(), range(-warm, 0))
        in_turn = max(self.load.concurrency, min(MOST_IN_TURN, ceil(self.load.requests / TURNS)))
        for begin in range(0, self.load.requests, in_turn):
            for ask, tally in ways:
                await self._press(ask, tally, range(begin, min(begin + in_turn, self.load.requests)))

    async def _press(self, ask: Ask, tally: Tally, numbers: range) -> None:
        """Have so many callers send these, each one after the other."""
        waiting = iter(numbers)
        began, used = self.clock.monotonic(), self.cpu()
        callers = [
            asyncio.ensure_future(self._caller(ask, tally, waiting))
            for _ in range(min(self.load.concurrency, len(numbers)))
        ]
        try:
            await asyncio.gather(*callers)
        finally:
            tally.seconds += self.clock.monotonic() - began
            tally.cpu += self.cpu() - used
            for caller in callers:
                caller.cancel()
            await asyncio.gather(*callers, return_exceptions=True)

    async def _caller(self, ask: Ask, tally: Tally, waiting: Iterator[int]) -> None:
        for number in waiting:
            body, began = self.load.body(number), self.clock.monotonic()
            came = await ask(body)
            if came == GOOD:
                tally.took.append(self.clock.monotonic() - began)
            else:
                tally.failed[came] += 1


def ratio(through: float | None, direct: float | None) -> float | None:
    """How many times the one the other is; `None` where there is nothing to compare."""
    return through / direct if through is not None and direct else None


def added(guarded: Tally, beside: Tally) -> tuple[float, ...] | None:
    """Seconds more at each quantile: the one's quantile less the other's."""
    ours, theirs = guarded.quantiles(), beside.quantiles()
    if ours is None or theirs is None:
        return None
    return tuple(one - other for one, other in zip(ours, theirs, strict=True))


def _nearest(ordered: Sequence[float], part: float) -> float:
    return ordered[max(0, ceil(part * len(ordered)) - 1)]
