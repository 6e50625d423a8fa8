"""How good a detector is on sources that it never saw, and what its scores are worth there."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from random import Random

import numpy as np

from holdfast.policy.detector.calibration import (
    MIDDLE,
    SHORT,
    Calibration,
    Length,
    Script,
    length_of,
    script_of,
)
from holdfast.policy.detector.calibration import fitted as calibrated
from holdfast.training.examples import FOLDS, Example
from holdfast.training.fitting import Instances, fitted
from holdfast.training.regression import Vector
from holdfast.training.synthesis import SOURCE

LONGEST_MADE = 20_000
MADE = 1_500
"""Long harmless documents that are put together for each script, to calibrate by."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """One example with the score that a head gave it which had not seen its source.

    Attributes:
        rate: false-positive rate of that score.
    """

    example: Example
    score: float
    rate: float


def kept_out(examples: Sequence[Example], instances: Instances) -> Vector:
    """The score of each example by a head trained without its fold."""
    scores = np.full(len(examples), -50.0)
    folds = np.array([example.fold for example in examples])
    for fold in range(FOLDS):
        mine = folds == fold
        if not mine.any():
            continue
        head = fitted(instances.chosen(~mine[instances.owners]), examples)
        scores[mine] = head.best(instances.chosen(mine[instances.owners]), len(examples))[mine]
    return scores


def calibration_of(examples: Sequence[Example], scores: Vector, *, seed: int) -> Calibration:
    """What scores are worth by the harmless examples that were collected, none that we wrote."""
    harmless = [
        (example, float(score))
        for example, score in zip(examples, scores, strict=True)
        if not example.attack and not example.source.startswith(SOURCE)
    ]
    return calibrated([*_single(harmless), *_put_together(harmless, Random(seed))])


def _single(harmless: Iterable[tuple[Example, float]]) -> Iterator[tuple[Script, Length, float]]:
    for example, score in harmless:
        yield script_of(example.text), length_of(example.text), score


def _put_together(
    harmless: Sequence[tuple[Example, float]], dice: Random
) -> Iterator[tuple[Script, Length, float]]:
    """Documents of several texts: what is surest in a document is the surest of its texts."""
    by_script: dict[Script, list[tuple[int, float]]] = defaultdict(list)
    for example, score in harmless:
        by_script[script_of(example.text)].append((len(example.text), score))
    for script, texts in sorted(by_script.items()):
        if len(texts) < MADE // 10:
            continue
        for number in range(MADE):
            low, high = (MIDDLE, LONGEST_MADE) if number % 3 else (SHORT, MIDDLE)
            wanted = low * (high / low) ** dice.random()
            size, best = 0, -50.0
            while size < wanted:
                length, score = texts[int(dice.random() * len(texts))]
                size, best = size + length + 1, max(best, score)
            yield script, "long" if low == MIDDLE else "middle", best


def judged(examples: Sequence[Example], scores: Vector, calibration: Calibration) -> tuple[Judged, ...]:
    """Each collected example with the rate that its score stands for."""
    return tuple(
        Judged(
            example=example,
            score=float(score),
            rate=calibration.rate(float(score), script_of(example.text), length_of(example.text)),
        )
        for example, score in zip(examples, scores, strict=True)
        if not example.source.startswith(SOURCE)
    )
