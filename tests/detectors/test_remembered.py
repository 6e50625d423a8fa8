from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib import import_module

import pytest

import holdfast.detectors
from holdfast.detectors.remembered import Remembered
from holdfast.parts.detection import Detection, GuardInput, unexamined


@dataclass
class Counted:
    version: str | None = "1"
    is_away: bool = False
    asked: list[str] = field(default_factory=list[str])

    async def score(self, items: Sequence[GuardInput]) -> Sequence[Detection]:
        self.asked += [item.text for item in items]
        if self.is_away:
            return [unexamined("counted", "away") for _ in items]
        return [Detection(detector="counted", score=len(item.text) / 10, fpr=0.1) for item in items]


async def test_the_same_text_is_asked_about_once_and_answers_keep_their_order() -> None:
    counted = Counted()
    detector = Remembered(detector=counted)
    await detector.score([GuardInput(text="a")])
    found = await detector.score([GuardInput(text=text) for text in ("bb", "a", "bb", "ccc")])
    assert [one.score for one in found] == [0.2, 0.1, 0.2, 0.3]
    assert counted.asked == ["a", "bb", "ccc"]
    assert detector.version == "1"


@pytest.mark.parametrize(
    "other",
    [GuardInput(text="a", tenant="bob"), GuardInput(text="a", channel="tool", tenant="alice")],
)
async def test_another_tenant_or_channel_is_asked_for_anew(other: GuardInput) -> None:
    counted = Counted()
    detector = Remembered(detector=counted)
    await detector.score([GuardInput(text="a", tenant="alice")])
    await detector.score([other])
    assert counted.asked == ["a", "a"]


@pytest.mark.parametrize("counted", [Counted(version=None), Counted(is_away=True)])
async def test_what_was_not_examined_or_may_change_is_asked_again(counted: Counted) -> None:
    detector = Remembered(detector=counted)
    for _ in range(2):
        await detector.score([GuardInput(text="a")])
    assert counted.asked == ["a", "a"]


@pytest.mark.parametrize("name", holdfast.detectors.__all__)
def test_every_promised_name_is_there(name: str) -> None:
    assert getattr(holdfast.detectors, name).__name__ == name


def test_a_name_that_was_never_promised_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="Nonsense"):
        _ = import_module("holdfast.detectors").Nonsense
