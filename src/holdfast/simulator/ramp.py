"""The acceleration limit: how much faster than a minute ago a caller may use input tokens."""

from collections import deque
from dataclasses import dataclass, field

MINUTE = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Ramp:
    """In any minute, `growth` times the input tokens of the minute before it are allowed, but always `input_tokens`.

    The API documents that such a limit exists, not how it counts; this is one that a client cannot tell from it.
    """

    input_tokens: int
    growth: float = 2.0

    def __post_init__(self) -> None:
        if self.input_tokens < 1 or self.growth <= 0:
            raise ValueError("a ramp begins with at least one token and grows by a factor above 0")


@dataclass(slots=True)
class Climb:
    """The input tokens of one caller in the last two minutes."""

    _taken: deque[tuple[float, int]] = field(default_factory=deque[tuple[float, int]])

    def seconds_until(self, tokens: int, ramp: Ramp, now: float) -> float:
        """0 where `tokens` more are allowed, else when the oldest tokens of this minute count no more."""
        while self._taken and self._taken[0][0] <= now - 2 * MINUTE:
            self._taken.popleft()
        recent = [(at, taken) for at, taken in self._taken if at > now - MINUTE]
        used = sum(taken for _, taken in recent)
        before = sum(taken for _, taken in self._taken) - used
        allowed = max(float(ramp.input_tokens), ramp.growth * before)
        if not recent or used + tokens <= allowed:
            return 0.0
        return recent[0][0] + MINUTE - now

    def take(self, tokens: int, now: float) -> None:
        """Note tokens that were let in."""
        self._taken.append((now, tokens))
