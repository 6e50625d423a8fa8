"""What scores are worth, and which labels are not believed."""

from random import Random

import numpy as np
import pytest

from holdfast.policy.detector.calibration import RATES, Calibration
from holdfast.training.examples import Example
from holdfast.training.judging import calibration_of, cautious, doubtful, made_of, pages_of

FLAG = RATES.index(0.01)


def example(text: str, *, attack: bool = False, source: str = "a/b") -> Example:
    return Example(text=text, attack=attack, channel="user", source=source, language="en", kind="")


def many(count: int, *, attack: bool = False, source: str = "a/b") -> list[Example]:
    return [example(f"text {number}", attack=attack, source=source) for number in range(count)]


def test_labels_that_other_sources_contradict_are_doubted() -> None:
    examples = [*many(10), *many(10, attack=True)]
    scores = np.array(
        [9.0, *[-3.0 - number for number in range(9)], -20.0, *[float(n) for n in range(1, 10)]]
    )
    assert np.flatnonzero(doubtful(examples, scores)).tolist() == [0, 10]


def test_what_we_wrote_ourselves_is_not_doubted() -> None:
    examples = [*many(5), *many(5, attack=True), example("ours", source="written en")]
    scores = np.array([-3.0] * 5 + [3.0] * 5 + [50.0])
    assert not doubtful(examples, scores).any()


@pytest.mark.parametrize("attack", [True, False])
def test_one_label_alone_is_believed(attack: bool) -> None:
    assert not doubtful(many(3, attack=attack), np.array([1.0, 2.0, 3.0])).any()


def test_kinds_of_text_that_are_common_are_judged_by_themselves() -> None:
    short = [example(f"text {number}") for number in range(300)]
    middle = [example("word " * 100) for _ in range(300)]
    made = calibration_of([*short, *middle], np.array([0.0] * 300 + [5.0] * 300), (), seed=1)
    assert made.scores["latin/middle"][FLAG] == pytest.approx(5, abs=0.1)
    assert made.scores["latin/short"][FLAG] < 5


def test_texts_longer_than_a_page_are_judged_as_pages_are() -> None:
    pages = [(example("word " * 400), 7.0)] * 200
    made = calibration_of(many(300), np.zeros(300), pages, seed=1)
    for kind in ("latin/long", "latin/vast"):
        assert made.scores[kind][FLAG] == pytest.approx(7, abs=0.1)
    assert made.scores["latin/middle"][FLAG] < 1


def test_without_pages_longer_texts_are_put_together() -> None:
    scores = np.array([0.0] * 290 + [7.0] * 10)
    made = calibration_of(many(300), scores, (), seed=1)
    assert made.scores["latin/long"][FLAG] == pytest.approx(7, abs=0.1)


def test_pages_are_put_together_of_one_source_each_and_as_many_of_every_one() -> None:
    sources = [many(150, source="a/b"), many(40, source="c/d"), many(10, source="e/f")]
    ours = many(200, source="written en")
    attacks = many(200, attack=True)
    pages = list(pages_of([*(one for texts in sources for one in texts), *ours, *attacks], Random(1)))
    assert {page.source for page in pages} == {"a/b", "c/d"}
    assert sum(page.source == "a/b" for page in pages) == len(pages) / 2
    assert all(1_999 <= len(page.text) <= 2_001 for page in pages)


def test_no_pages_are_made_of_a_script_with_few_texts() -> None:
    assert not list(pages_of(many(140), Random(1)))


def test_every_harmless_text_that_was_collected_counts_for_a_threshold() -> None:
    texts = [*many(400), *many(100, attack=True), *many(400, source="written en")]
    scores = np.array(
        [*[-5.0] * 380, *[9.0] * 20, *[float(number) / 20 for number in range(100)], *[99.0] * 400]
    )
    assert calibration_of(texts, scores, (), seed=1).rate(8.9, "latin", "short") == pytest.approx(
        0.05, abs=0.01
    )


def test_half_of_what_easy_texts_of_a_script_allow_is_believed() -> None:
    many_rates = len(RATES)
    easy, hard = (-4.0,) * many_rates, (2.0,) * many_rates
    mine = Calibration(scores={"hangul/short": easy, "han/short": hard, "han/long": easy})
    made = cautious(mine, Calibration(scores={"any/short": (0.0,) * many_rates}))
    assert made.scores["hangul/short"] == (-2.0,) * many_rates
    assert made.scores["han/short"] == hard
    assert made.scores["han/long"] == easy


def test_a_document_scores_as_its_surest_text() -> None:
    assert made_of([(100, 1.0), (100, 7.0)], 5_000, Random(1)) == 7.0
