"""Leave to make one call, and what the call says when it is over."""

from dataclasses import dataclass
from enum import Enum


class Outcome(Enum):
    """What a call says about the health of its target; NEUTRAL says nothing."""

    OK = "ok"
    FAIL = "fail"
    NEUTRAL = "neutral"


@dataclass(frozen=True, slots=True, kw_only=True)
class Permit:
    """Leave to make one call; goes back with its outcome, once; a probe is one that others wait for."""

    generation: int
    number: int
    granted_at: float
    is_probe: bool = False


@dataclass(frozen=True, slots=True)
class Permitted:
    """The call may go."""

    permit: Permit


@dataclass(frozen=True, slots=True, kw_only=True)
class NotPermitted:
    """The call may not go; `retry_after` is `None` when only an operator can change that."""

    retry_after: float | None
