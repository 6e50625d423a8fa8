"""A detector whose answers are remembered, so that the same text is not paid for twice."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from holdfast.parts.detection import Detection, Detector, GuardInput
from holdfast.parts.verdicts import Verdicts


@dataclass(frozen=True, slots=True, kw_only=True)
class Remembered:
    """Asks a detector once about the same text of the same tenant, as long as there is room to remember it.

    An answer that takes seconds would tell one tenant what another has sent, so each has answers of its own.
    What was not examined is asked again, and so is a detector without a version.
    """

    detector: Detector
    verdicts: Verdicts[Detection] = field(default_factory=lambda: Verdicts[Detection]())

    @property
    def version(self) -> str | None:
        return self.detector.version

    async def score(self, items: Sequence[GuardInput]) -> Sequence[Detection]:
        version = self.detector.version
        if version is None:
            return await self.detector.score(items)
        digests = [self.verdicts.digest(version, item.channel, item.tenant, item.text) for item in items]
        known = {digest: found for digest in digests if (found := self.verdicts.recall(digest)) is not None}
        asked = {digest: item for digest, item in zip(digests, items, strict=True) if digest not in known}
        if asked:
            answers = await self.detector.score([*asked.values()])
            for digest, answer in zip(asked, answers, strict=True):
                known[digest] = answer
                if answer.examined:
                    self.verdicts.keep(digest, answer)
        return [known[digest] for digest in digests]
