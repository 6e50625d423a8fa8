"""How good a detector is on sources that it never saw, and what its scores are worth there."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from random import Random

import numpy as np
from numpy.typing import NDArray

from holdfast.policy.detector.calibration import (
    FEWEST,
    MIDDLE,
    SHORT,
    Calibration,
    Length,
    Script,
    length_of,
    script_of,
)
from holdfast.policy.detector.calibration import fitted as calibrated
from holdfast.training.examples import FOLDS, SOURCE, Example
from holdfast.training.fitting import Fitted, Instances, fitted
from holdfast.training.regression import Vector
from holdfast.training.synthesis import pick

PAGE = 2_000
"""Characters of a page: the false-positive budget of a longer text is that of each of its pages."""
MADE = 1_000
"""Harmless texts of a length that are put together of each script in which it is rare."""
PAGES = 500
"""Harmless pages that are put together of each script."""

_LIKE_ATTACKS = 0.8
"""A harmless text that scores higher than this share of the attacks is taken for mislabelled."""
_LIKE_HARMLESS = 0.5
"""An attack that scores lower than this share of the harmless texts is, too."""
_HOSTS = 150
"""Texts of a script from which pages of it are made."""
_FEWEST_HOSTS = 30
"""Texts of a source from which pages of it are made."""
_LONGER: tuple[Length, ...] = ("long", "vast")
_SPANS: tuple[tuple[Length, int, int], ...] = (
    ("middle", SHORT, MIDDLE),
    ("long", PAGE, PAGE),
    ("vast", PAGE, PAGE),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """One example with the score that a head gave it which had not seen its source.

    Attributes:
        rate: false-positive rate of that score.
    """

    example: Example
    score: float
    rate: float


def heads_without(
    examples: Sequence[Example], instances: Instances, learned: NDArray[np.bool_] | None = None
) -> dict[int, Fitted]:
    """For each fold a head trained on the others.

    On those examples that are `learned`; if that is yet to be found out, on all of them and roughly.
    """
    folds = np.array([example.fold for example in examples])
    heads: dict[int, Fitted] = {}
    for fold in range(FOLDS):
        if (folds == fold).any():
            others = folds != fold if learned is None else (folds != fold) & learned
            heads[fold] = fitted(
                instances.chosen(others[instances.owners]), examples, roughly=learned is None
            )
    return heads


def kept_out(examples: Sequence[Example], instances: Instances, heads: Mapping[int, Fitted]) -> Vector:
    """The score of each example by the head that was trained without its fold."""
    scores = np.full(len(examples), -50.0)
    folds = np.array([example.fold for example in examples])
    for fold, head in heads.items():
        mine = folds == fold
        scores[mine] = head.best(instances.chosen(mine[instances.owners]), len(examples))[mine]
    return scores


def doubtful(examples: Sequence[Example], scores: Vector) -> NDArray[np.bool_]:
    """Which collected examples look mislabelled to a head that never saw their source."""
    attacks = np.array([example.attack for example in examples])
    collected = np.array([not example.source.startswith(SOURCE) for example in examples])
    if not (attacks & collected).any() or not (~attacks & collected).any():
        return np.zeros(len(examples), dtype=bool)
    high = np.quantile(scores[attacks & collected], _LIKE_ATTACKS)
    low = np.quantile(scores[~attacks & collected], _LIKE_HARMLESS)
    doubted: NDArray[np.bool_] = collected & np.where(attacks, scores < low, scores > max(high, 0))
    return doubted


def calibration_of(
    examples: Sequence[Example], scores: Vector, pages: Sequence[tuple[Example, float]], *, seed: int
) -> Calibration:
    """What scores are worth by the harmless examples that were collected, none that we wrote.

    Of texts longer than a page by what `pages` score.
    """
    harmless = [
        (example, float(score))
        for example, score in zip(examples, scores, strict=True)
        if not example.attack and not example.source.startswith(SOURCE)
    ]
    single: list[tuple[Script, Length, float]] = [
        (script_of(one.text), length_of(one.text), score) for one, score in harmless
    ]
    paged: list[tuple[Script, Length, float]] = [
        (script_of(page.text), length, score) for page, score in pages for length in _LONGER
    ]
    counts = Counter[tuple[Script, Length]]((script, length) for script, length, _ in [*single, *paged])
    made = calibrated([*single, *paged, *_put_together(harmless, counts, Random(seed))])
    return cautious(made, made)


def pages_of(examples: Sequence[Example], dice: Random) -> Iterator[Example]:
    """Pages put together of harmless texts, each of one source, as many of each script."""
    for sources in _hosts(examples).values():
        for number in range(PAGES):
            parts = [pick(sources[number % len(sources)], dice)]
            while sum(len(part.text) + 1 for part in parts) < PAGE:
                parts.append(pick(sources[number % len(sources)], dice))
            yield replace(parts[0], text="\n".join(part.text for part in parts)[: PAGE + 1])


def cautious(calibration: Calibration, at_large: Calibration) -> Calibration:
    """A calibration in which no script is judged much more strictly than texts of its length at large.

    The harmless texts of a script may all be easy ones: half of what they seem to allow is believed.
    """
    scores: dict[str, tuple[float, ...]] = {}
    for name, own in calibration.scores.items():
        common = at_large.scores.get(f"any/{name.split('/')[1]}", own)
        halves = (round((one + other) / 2, 4) for one, other in zip(own, common, strict=True))
        scores[name] = tuple(map(max, own, halves))
    return Calibration(scores=scores)


def _put_together(
    harmless: Sequence[tuple[Example, float]], counts: Mapping[tuple[Script, Length], int], dice: Random
) -> Iterator[tuple[Script, Length, float]]:
    """Texts of lengths that are rare: what is surest in one is the surest of its parts."""
    by_script: dict[Script, list[tuple[int, float]]] = defaultdict(list)
    for example, score in harmless:
        by_script[script_of(example.text)].append((len(example.text), score))
    for script, texts in sorted(by_script.items()):
        for length, low, high in _SPANS if len(texts) >= _HOSTS else ():
            if counts.get((script, length), 0) < FEWEST:
                for _ in range(MADE):
                    yield script, length, made_of(texts, low * (high / low) ** dice.random(), dice)


def _hosts(examples: Sequence[Example]) -> dict[Script, list[list[Example]]]:
    """Collected harmless texts by script and source, where there are enough to make pages of."""
    sources: dict[tuple[str, str], list[Example]] = defaultdict(list)
    for example in examples:
        if not example.attack and not example.source.startswith(SOURCE):
            sources[example.source, example.language].append(example)
    hosts: dict[Script, list[list[Example]]] = defaultdict(list)
    for _, texts in sorted(sources.items()):
        if len(texts) >= _FEWEST_HOSTS:
            scripts = Counter[Script](script_of(one.text) for one in texts)
            hosts[scripts.most_common(1)[0][0]].append(texts)
    return {script: found for script, found in hosts.items() if sum(map(len, found)) >= _HOSTS}


def made_of(texts: Sequence[tuple[int, float]], wanted: float, dice: Random) -> float:
    """The score of a document of `wanted` characters, made of texts of which length and score are known."""
    size, best = 0, -50.0
    while size < wanted:
        length, score = texts[int(dice.random() * len(texts))]
        size, best = size + length + 1, max(best, score)
    return best


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
