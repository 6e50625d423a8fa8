"""The upstream's own limits in a mirror, so that calls wait a moment instead of collecting refusals.

Each answer says what is left of a limit and when it will be whole again; the API refills it steadily in
between, and what we have sent since is gone. That is a guess, and it may only ever slow a call down a little:
a reading is forgotten when its limit is whole again, after a minute at the latest, and what contradicts
itself is never believed.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from holdfast.wire.limits import LimitName, RateLimit

BELIEVED = 60.0
"""Seconds after which a reading counts for nothing: the API's limits are limits of a minute."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """What a call is reckoned to need of the limits, beside one request."""

    input_tokens: int = 0
    output_tokens: int = 0

    def of(self, name: LimitName) -> int:
        """What it needs of one limit."""
        needs: dict[LimitName, int] = {
            "requests": 1,
            "tokens": self.input_tokens + self.output_tokens,
            "input-tokens": self.input_tokens,
            "output-tokens": self.output_tokens,
        }
        return needs[name]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Reading:
    """A limit as it stood at `at`, to be whole again at `reset_at`; `sent` has been asked of it since."""

    limit: int
    remaining: int
    at: float
    reset_at: float
    sent: int = 0

    def is_over(self, now: float) -> bool:
        return not self.at <= now < min(self.reset_at, self.at + BELIEVED)

    def wait(self, need: int, now: float) -> float:
        """Seconds until so much is there; a need beyond the limit waits for all of it."""
        missing = min(need, self.limit) + self.sent - self.remaining
        if missing <= 0:
            return 0.0
        ends = min(self.reset_at, self.at + BELIEVED)
        gone = self.limit - self.remaining
        refilled_at = ends if missing >= gone else self.at + missing * (self.reset_at - self.at) / gone
        return max(0.0, min(refilled_at, ends) - now)


class Mirror:
    """The limits of one account for one model; its owner serialises the calls and keeps the clock."""

    def __init__(self) -> None:
        self._readings: dict[LimitName, _Reading] = {}

    def observe(self, limits: Iterable[RateLimit], *, now: float) -> None:
        """An answer said how the limits stand: the latest word counts."""
        for found in limits:
            self._readings[found.name] = _Reading(
                limit=found.limit, remaining=found.remaining, at=now, reset_at=now + found.reset_after
            )

    def sent(self, size: Size, *, now: float) -> None:
        """A call goes: until the next answer says how the limits stand, reckon with it."""
        self._forget(now)
        for name, reading in self._readings.items():
            self._readings[name] = replace(reading, sent=reading.sent + size.of(name))

    def wait(self, size: Size, *, now: float) -> float:
        """Seconds until a call of that size fits, 0 for now; never more than `BELIEVED`."""
        self._forget(now)
        return max(
            (reading.wait(size.of(name), now) for name, reading in self._readings.items()), default=0.0
        )

    def left(self, *, now: float) -> tuple[RateLimit, ...]:
        """What was last said to be left, less what was sent since, while that is believed."""
        self._forget(now)
        return tuple(
            RateLimit(
                name=name,
                limit=one.limit,
                remaining=max(0, one.remaining - one.sent),
                reset_after=one.reset_at - now,
            )
            for name, one in self._readings.items()
        )

    @property
    def is_blank(self) -> bool:
        """Whether there is nothing in it to remember."""
        return not self._readings

    def _forget(self, now: float) -> None:
        self._readings = {
            name: reading for name, reading in self._readings.items() if not reading.is_over(now)
        }
