"""The detector that ships with holdfast, as one detector among others."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

from holdfast.parts.detection import Detection, GuardInput
from holdfast.parts.detector import default_model
from holdfast.policy.detector import model as trained
from holdfast.policy.detector.calibration import suspicion
from holdfast.policy.normalization import views
from holdfast.policy.sanitation import whole

NAME = "linear"
AT_ONCE = 10_000
"""Characters judged in the event loop, in about 25 ms; more go to a thread."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LinearDetector:
    """The trained weights alone, without any rule; a `score` from 0.5 has a rate of 1 % or less."""

    model: trained.Model = field(default_factory=default_model)

    @property
    def version(self) -> str | None:
        return f"{NAME}:{self.model.version}"

    async def score(self, items: Sequence[GuardInput]) -> Sequence[Detection]:
        if sum(len(item.text) for item in items) <= AT_ONCE:
            return self._judged(items)
        return await asyncio.to_thread(self._judged, items)

    def _judged(self, items: Sequence[GuardInput]) -> Sequence[Detection]:
        return [detected(self.model.examine(views(whole(item.text)), channel=item.channel)) for item in items]


def detected(seen: trained.Detection) -> Detection:
    """What the trained weights saw, in the words that all detectors have in common."""
    return Detection(
        detector=NAME,
        score=suspicion(seen.rate),
        fpr=seen.rate,
        views=(seen.view,),
        concepts=tuple(" → ".join(one.concepts) for one in seen.evidence),
        spans=tuple((one.start, one.end) for one in seen.evidence) or ((seen.start, seen.end),),
    )
