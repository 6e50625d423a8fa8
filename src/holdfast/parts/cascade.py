"""A cheap detector for every text, and a dear one for those about which the cheap one cannot be sure."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from holdfast.parts.detection import Detection, Detector, GuardInput
from holdfast.policy.second_opinion import BAND, Band, Fail, check_band, is_uncertain


@dataclass(frozen=True, slots=True, kw_only=True)
class Cascade:
    """Asks `dear` only about texts for which the false-positive rate of `cheap` lies in the band.

    Attributes:
        cheap: judges every text.
        dear: has the last word about those it is asked about, and can examine.
        band: lowest and highest rate that leaves room for doubt, both included.
        fail: what counts where `dear` could not examine a text: the word of `cheap` (`open`), or that the
            text was not examined (`closed`).

    Raises:
        ConfigError: the band is none.
    """

    cheap: Detector
    dear: Detector
    band: Band = BAND
    fail: Fail = "open"

    def __post_init__(self) -> None:
        check_band(self.band)

    @property
    def version(self) -> str | None:
        """Both versions; `None` if one of them may change its mind."""
        if self.cheap.version is None or self.dear.version is None:
            return None
        low, high = self.band
        return f"{self.cheap.version}>{self.dear.version}@{low:g}-{high:g},{self.fail}"

    async def score(self, items: Sequence[GuardInput]) -> Sequence[Detection]:
        return await self.reconsider(items, await self.cheap.score(items))

    async def reconsider(
        self, items: Sequence[GuardInput], first: Sequence[Detection]
    ) -> Sequence[Detection]:
        """What remains of first detections, each of the item in the same place."""
        found = list(first)
        asked = [at for at, one in enumerate(found) if one.examined and is_uncertain(one.fpr, self.band)]
        if asked:
            answers = await self.dear.score([items[at] for at in asked])
            for at, answer in zip(asked, answers, strict=True):
                found[at] = self._settled(found[at], answer)
        return found

    def _settled(self, cheap: Detection, dear: Detection) -> Detection:
        if dear.examined or self.fail == "closed":
            return dear
        return replace(cheap, reason=f"{dear.detector}:{dear.reason}")


def cascade(cheap: Detector, *dear: Detector, band: Band = BAND, fail: Fail = "open") -> Detector:
    """Each detector is asked about the texts that those before it leave in doubt.

    Raises:
        ConfigError: the band is none.
    """
    asked = cheap
    for one in dear:
        asked = Cascade(cheap=asked, dear=one, band=band, fail=fail)
    return asked
