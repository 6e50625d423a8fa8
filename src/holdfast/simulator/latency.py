"""How long an answer takes: a plan drawn from the seed, in seconds before scaling."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from random import Random


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """Median seconds to the first token and median tokens per second after it."""

    first_token: float
    tokens_per_second: float

    def slower(self, *, start: float, all: float) -> "Pace":
        """The pace when it takes `start` times as long to begin and `all` times as long altogether."""
        return Pace(
            first_token=self.first_token * start * all, tokens_per_second=self.tokens_per_second / all
        )


def _paces() -> Mapping[str, Pace]:
    return {
        "haiku": Pace(first_token=0.35, tokens_per_second=150),
        "sonnet": Pace(first_token=0.6, tokens_per_second=80),
        "opus": Pace(first_token=1.0, tokens_per_second=55),
        "fable": Pace(first_token=1.4, tokens_per_second=45),
        "mythos": Pace(first_token=1.6, tokens_per_second=40),
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class Latency:
    """A log-normal model per model line; `sigma` is the spread, 0 gives the medians exactly."""

    paces: Mapping[str, Pace] = field(default_factory=_paces)
    otherwise: Pace = Pace(first_token=0.6, tokens_per_second=80)
    sigma: float = 0.25
    ping_every: float = 10.0
    """Seconds of silence before the first token after which a stream sends a `ping`."""

    def draw(self, line: str, roll: Random, *, fast: bool = False, cached: float = 0.0) -> Pace:
        """The pace of one answer.

        Fast mode writes 2.5 times as quickly; a prompt of which the share `cached` is read from the cache is
        begun sooner, all of it in 40 % of the time.
        """
        pace = self.paces.get(line, self.otherwise)
        return Pace(
            first_token=pace.first_token * _spread(roll, self.sigma) * (1 - 0.6 * cached),
            tokens_per_second=pace.tokens_per_second * _spread(roll, self.sigma) * (2.5 if fast else 1.0),
        )


def _spread(roll: Random, sigma: float) -> float:
    return math.exp(roll.gauss(0.0, sigma))
