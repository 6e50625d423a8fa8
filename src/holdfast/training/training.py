"""From labelled texts to a weights file and the judgement of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from random import Random

import numpy as np

from holdfast.policy.detector.calibration import Calibration
from holdfast.policy.detector.concepts import Lexicon
from holdfast.policy.detector.model import Model
from holdfast.policy.detector.weights import Channel, Head, Header, HeadFacts, Weights, packed
from holdfast.training.examples import FOLDS, Data, Example
from holdfast.training.fitting import Fitted, fitted, instances_of
from holdfast.training.grammar import Grammar
from holdfast.training.judging import (
    Judged,
    calibration_of,
    doubtful,
    heads_without,
    judged,
    kept_out,
    pages_of,
)
from holdfast.training.regression import Vector
from holdfast.training.synthesis import written
from holdfast.training.trials import disguised, documents, tried

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
    """A weights file, and how its kind does on sources kept out.

    Attributes:
        weights: the file.
        judged: the examples as they were collected.
        disguised: users' texts in every disguise.
        documents: long documents, with an attack in them and without.
    """

    weights: bytes
    judged: tuple[Judged, ...]
    disguised: tuple[Judged, ...]
    documents: tuple[Judged, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Head:
    """The head of one channel.

    Attributes:
        weights: fitted to all examples.
        without: for each fold those fitted to the others.
        calibration: what scores are worth.
        judged: each example by the head that was fitted without it.
    """

    weights: Fitted
    without: Mapping[int, Fitted]
    calibration: Calibration
    judged: tuple[Judged, ...]


def train(data: Data, course: Course) -> Trained:
    """Weights for both channels; the same data and course give the same bytes.

    Raises:
        ValueError: the data has too few harmless texts to calibrate by.
    """
    every = (*data.examples, *written(course.grammars, data.examples, seed=course.seed, share=course.share))
    heads: dict[Channel, _Head] = {channel: _head(every, course, channel) for channel in WIDTHS}
    header = _header(data, course, heads)
    file = packed(
        header,
        {channel: head.weights.meanings.astype(np.float32) for channel, head in heads.items()},
        {channel: head.weights.grams.astype(np.float32) for channel, head in heads.items()},
    )
    models = _models_without(header, course.lexicon, heads)
    dice = Random(course.seed)
    return Trained(
        weights=file,
        judged=tuple(one for head in heads.values() for one in head.judged),
        disguised=tuple(tried(disguised(data.examples, dice, share=course.share), models)),
        documents=tuple(tried(documents(data.examples, dice, share=course.share), models)),
    )


def _header(data: Data, course: Course, heads: Mapping[Channel, _Head]) -> Header:
    return Header(
        lexicon=course.lexicon_digest,
        trained_on=dict(sorted(data.digests.items())),
        heads={channel: _facts(head.weights, WIDTHS[channel]) for channel, head in heads.items()},
        calibration={channel: head.calibration for channel, head in heads.items()},
    )


def _facts(weights: Fitted, width: int) -> HeadFacts:
    return HeadFacts(
        meaning_scale=_largest(weights.meanings),
        gram_scale=_largest(weights.grams),
        bias=round(weights.bias, 6),
        width=width,
    )


def _head(every: tuple[Example, ...], course: Course, channel: Channel) -> _Head:
    examples = tuple(example for example in every if example.channel == channel)
    instances = instances_of(examples, course.lexicon, width=WIDTHS[channel])
    learned = np.ones(len(examples), dtype=bool)
    if channel == "user":
        # What tools return is mostly harmless even around an attack, so that likeness says nothing there.
        learned = ~doubtful(examples, kept_out(examples, instances, heads_without(examples, instances)))
    without = heads_without(examples, instances, learned)
    scores = kept_out(examples, instances, without)
    # What users type at length is one text; what tools return is put together of many.
    pages = tuple(pages_of(examples, Random(course.seed))) if channel == "tool" else ()
    page_scores = kept_out(pages, instances_of(pages, course.lexicon, width=WIDTHS[channel]), without)
    paged = list(zip(pages, page_scores.tolist(), strict=True))
    calibration = calibration_of(examples, scores, paged, seed=course.seed)
    return _Head(
        weights=fitted(instances.chosen(learned[instances.owners]), examples),
        without=without,
        calibration=calibration,
        judged=judged(examples, scores, calibration),
    )


def _models_without(header: Header, lexicon: Lexicon, heads: Mapping[Channel, _Head]) -> dict[int, Model]:
    """For each fold a detector that was trained on the others."""
    return {
        fold: Model(
            lexicon=lexicon,
            weights=Weights(
                header=header,
                heads={
                    channel: _unpacked(head.without[fold], WIDTHS[channel])
                    for channel, head in heads.items()
                    if fold in head.without
                },
                digest="",
            ),
        )
        for fold in range(FOLDS)
    }


def _unpacked(weights: Fitted, width: int) -> Head:
    return Head(
        meanings=weights.meanings.astype(np.float32),
        grams=weights.grams.astype(np.float32),
        bias=weights.bias,
        width=width,
    )


def _largest(weights: Vector) -> float:
    return float(np.float32(max(np.abs(weights).max(), 1e-9)))
