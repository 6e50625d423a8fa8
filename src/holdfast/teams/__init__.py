"""Teams of agents: one after the other, at the same time, and a review of code.

Names are loaded when they are first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from holdfast.teams.findings import Finding as Finding
    from holdfast.teams.happening import StepEnded as StepEnded
    from holdfast.teams.happening import StepStarted as StepStarted
    from holdfast.teams.happening import TeamEnded as TeamEnded
    from holdfast.teams.happening import TeamEvent as TeamEvent
    from holdfast.teams.happening import TeamResult as TeamResult
    from holdfast.teams.parallel import Parallel as Parallel
    from holdfast.teams.pipeline import Pipeline as Pipeline
    from holdfast.teams.report import Review as Review
    from holdfast.teams.review import CodeReview as CodeReview
    from holdfast.teams.review import CodeReviewSystem as CodeReviewSystem
    from holdfast.teams.sources import Diff as Diff
    from holdfast.teams.step import Member as Member
    from holdfast.teams.step import Step as Step
    from holdfast.teams.step import StepResult as StepResult

_HOMES = {
    "CodeReview": "review",
    "CodeReviewSystem": "review",
    "Diff": "sources",
    "Finding": "findings",
    "Member": "step",
    "Parallel": "parallel",
    "Pipeline": "pipeline",
    "Review": "report",
    "Step": "step",
    "StepEnded": "happening",
    "StepResult": "step",
    "StepStarted": "happening",
    "TeamEnded": "happening",
    "TeamEvent": "happening",
    "TeamResult": "happening",
}

__all__ = [
    "CodeReview",
    "CodeReviewSystem",
    "Diff",
    "Finding",
    "Member",
    "Parallel",
    "Pipeline",
    "Review",
    "Step",
    "StepEnded",
    "StepResult",
    "StepStarted",
    "TeamEnded",
    "TeamEvent",
    "TeamResult",
]


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
