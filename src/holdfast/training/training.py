"""From labelled texts to a weights file and the judgement of it."""

from dataclasses import dataclass

import numpy as np

from holdfast.policy.detector.calibration import Calibration
from holdfast.policy.detector.concepts import Lexicon
from holdfast.policy.detector.weights import Channel, Header, HeadFacts, packed
from holdfast.training.examples import Data, Example
from holdfast.training.fitting import Fitted, fitted, instances_of
from holdfast.training.grammar import Grammar
from holdfast.training.judging import Judged, calibration_of, judged, kept_out
from holdfast.training.regression import Vector
from holdfast.training.synthesis import written

WIDTHS: dict[Channel, int] = {"tool": 400, "user": 800}
"""Letters in a window: what tools say is mostly about something else, of which a narrow window holds less."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """What a training needs besides the data.

    Attributes:
        lexicon: the concepts.
        lexicon_digest: names the lexicon, so that the weights are used with no other.
        grammars: for examples of our own.
        seed: of everything that is drawn.
        share: how much of the usual amount of examples is written.
    """

    lexicon: Lexicon
    lexicon_digest: str
    grammars: tuple[Grammar, ...]
    seed: int = 1
    share: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Trained:
    """A weights file, and how its kind does on sources kept out."""

    weights: bytes
    judged: tuple[Judged, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Head:
    weights: Fitted
    width: int
    calibration: Calibration
    judged: tuple[Judged, ...]

    def facts(self) -> HeadFacts:
        return HeadFacts(
            meaning_scale=_largest(self.weights.meanings),
            gram_scale=_largest(self.weights.grams),
            bias=round(self.weights.bias, 6),
            width=self.width,
        )


def train(data: Data, course: Course) -> Trained:
    """Weights for both channels; the same data and course give the same bytes.

    Raises:
        ValueError: the data has too few harmless texts to calibrate by.
    """
    every = (*data.examples, *written(course.grammars, data.examples, seed=course.seed, share=course.share))
    heads: dict[Channel, _Head] = {
        channel: _head(every, course, channel, width) for channel, width in WIDTHS.items()
    }
    header = Header(
        lexicon=course.lexicon_digest,
        trained_on=dict(sorted(data.digests.items())),
        heads={channel: head.facts() for channel, head in heads.items()},
        calibration={channel: head.calibration for channel, head in heads.items()},
    )
    file = packed(
        header,
        {channel: head.weights.meanings.astype(np.float32) for channel, head in heads.items()},
        {channel: head.weights.grams.astype(np.float32) for channel, head in heads.items()},
    )
    return Trained(weights=file, judged=tuple(one for head in heads.values() for one in head.judged))


def _head(every: tuple[Example, ...], course: Course, channel: Channel, width: int) -> _Head:
    examples = tuple(example for example in every if example.channel == channel)
    instances = instances_of(examples, course.lexicon, width=width)
    scores = kept_out(examples, instances)
    calibration = calibration_of(examples, scores, seed=course.seed)
    return _Head(
        weights=fitted(instances, examples),
        width=width,
        calibration=calibration,
        judged=judged(examples, scores, calibration),
    )


def _largest(weights: Vector) -> float:
    return float(np.float32(max(np.abs(weights).max(), 1e-9)))
