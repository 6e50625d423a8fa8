"""What happens while a team works, as its stream tells it."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from holdfast.errors import HoldfastError
from holdfast.teams.step import StepResult


@dataclass(frozen=True, slots=True, kw_only=True)
class TeamResult:
    """What came of a team's work; `str(result)` is its text.

    Attributes:
        text: what the team has said; empty when it has failed.
        error: why it has not come to its end; `None` when it has.
        steps: in the order in which they ended, failed ones among them.
        cost: exact dollars of everybody; `None` when a price is not known. What an answer has cost that was cut off
            under way is in the ledger alone.
        seconds: how long it took.
        run: what all its calls are part of: `holdfast runs show RUN`, `holdfast stop run RUN`.
    """

    text: str
    error: HoldfastError | None
    steps: tuple[StepResult, ...]
    cost: Decimal | None
    seconds: float
    run: str

    def __str__(self) -> str:
        return self.text

    @property
    def outcome(self) -> Literal["done", "partial", "failed"]:
        """`done`, `partial` when it has an answer although steps have failed, or `failed`."""
        if self.error is not None:
            return "failed"
        return "done" if all(step.is_clean for step in self.steps) else "partial"

    @property
    def failures(self) -> tuple[StepResult, ...]:
        """The steps that have failed, those of teams inside among them."""
        return tuple(_failures(self.steps))

    def checked(self) -> "TeamResult":
        """This result; raises `error` if there is one."""
        if self.error is not None:
            raise self.error
        return self


def _failures(steps: tuple[StepResult, ...]) -> list[StepResult]:
    found: list[StepResult] = []
    for step in steps:
        inside = _failures(step.steps)
        found += inside or ([step] if step.error is not None else [])
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class StepStarted:
    """A member begins to work; `path` is its name behind those of the teams around it."""

    path: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class StepEnded:
    """A member has come to an end, good or bad."""

    step: StepResult


@dataclass(frozen=True, slots=True, kw_only=True)
class TeamEnded:
    """Everybody has come to an end."""

    result: TeamResult


TeamEvent = StepStarted | StepEnded | TeamEnded
