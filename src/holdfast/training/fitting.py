"""Two linear models for each channel, fitted to windows when only whole texts are labelled."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from holdfast.policy.detector.concepts import Lexicon
from holdfast.policy.detector.features import GRAMS, MEANINGS, features
from holdfast.policy.detector.letters import letters
from holdfast.policy.detector.model import disguise_loss, readings
from holdfast.policy.normalization import views
from holdfast.training.examples import Channel, Example, importances
from holdfast.training.regression import Effort, Indexes, Table, Vector, fit

MEANING_SHARE = 0.3
"""Of the score that the meanings give; the grams give the rest. Chosen on sources kept out."""

_PENALTY_OF_MEANINGS = 1e-3
_PENALTY_OF_GRAMS = 1e-4
_ROUNDS = 24
_MORE_ROUNDS = 12
_SEARCHES: Mapping[Channel, int] = {"user": 1, "tool": 2}
"""How often the surest windows are looked for: more where most of a text is harmless. Chosen on sources kept out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Instances:
    """Every window of every view of some examples.

    Attributes:
        owners: for each window the example that it is of.
        losses: what its view takes off its score.
        meanings: its features of meaning.
        grams: its features of words and letters.
    """

    owners: Indexes
    losses: Vector
    meanings: Table
    grams: Table

    def chosen(self, kept: NDArray[np.bool_]) -> "Instances":
        """The windows that `kept` marks."""
        return Instances(
            owners=self.owners[kept],
            losses=self.losses[kept],
            meanings=self.meanings.chosen(kept),
            grams=self.grams.chosen(kept),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Fitted:
    """The weights of one head."""

    meanings: Vector
    grams: Vector
    bias: float

    def best(self, instances: Instances, count: int) -> Vector:
        """The score of each of `count` examples: that of its surest window."""
        scores = instances.meanings.times(self.meanings) + instances.grams.times(self.grams) + self.bias
        best = np.full(count, -50.0)
        np.maximum.at(best, instances.owners, scores - instances.losses)
        return best


def instances_of(examples: Iterable[Example], lexicon: Lexicon, *, width: int) -> Instances:
    """The windows of all examples, each seen as the detector will see it."""
    owners: list[int] = []
    losses: list[float] = []
    meanings: list[tuple[Indexes, Vector]] = []
    grams: list[tuple[Indexes, Vector]] = []
    for owner, example in enumerate(examples):
        for view in readings(views(example.text), lexicon):
            found = features(letters(view.text), lexicon, width=width)
            seen = _rows(found.meaning_rows, found.meanings, len(found.totals))
            read = _rows(found.gram_rows, found.grams, len(found.totals))
            for total, mine, letters_of in zip(found.totals, seen, read, strict=True):
                meanings.append((mine, np.ones(len(mine))))
                grams.append((letters_of, np.full(len(letters_of), total**-0.5)))
                owners.append(owner)
                losses.append(disguise_loss(view.name))
    return Instances(
        owners=np.array(owners, dtype=np.int64),
        losses=np.array(losses),
        meanings=Table.stacked(meanings, width=MEANINGS),
        grams=Table.stacked(grams, width=GRAMS),
    )


def _rows(rows: Indexes, columns: Indexes, count: int) -> list[Indexes]:
    """The columns of each of `count` rows."""
    order = np.argsort(rows, kind="stable")
    edges = np.cumsum(np.bincount(rows, minlength=count))[:-1]
    return np.split(columns[order], edges)


def fitted(instances: Instances, examples: Sequence[Example], *, roughly: bool = False) -> Fitted:
    """A head that tells the attacks among `examples`, all of one channel, whose windows `instances` are."""
    labels = np.array([example.attack for example in examples], dtype=np.float64)
    shares = np.zeros(len(examples))
    present = np.unique(instances.owners)
    shares[present] = importances([examples[int(owner)] for owner in present.tolist()])
    searches = 0 if roughly else _SEARCHES[examples[0].channel]
    meanings = _sought(instances.meanings, instances, labels, shares, _PENALTY_OF_MEANINGS, searches)
    grams = _sought(instances.grams, instances, labels, shares, _PENALTY_OF_GRAMS, searches)
    return Fitted(
        meanings=MEANING_SHARE * meanings[:-1],
        grams=(1 - MEANING_SHARE) * grams[:-1],
        bias=float(MEANING_SHARE * meanings[-1] + (1 - MEANING_SHARE) * grams[-1]),
    )


def _sought(
    table: Table, instances: Instances, labels: Vector, shares: Vector, penalty: float, searches: int
) -> Vector:
    """First every window bears its text's label; in each search then only the surest window of an attack does.

    Without a search the weights need not be the best.
    """
    owners = instances.owners
    each = np.bincount(owners, minlength=len(labels))
    importance = shares[owners] / each[owners]
    rounds = _ROUNDS if searches else _MORE_ROUNDS
    weights = fit(table, labels[owners], importance, Effort(penalty=penalty, rounds=rounds))
    for _ in range(searches):
        best = _surest(table.times(weights[:-1]), owners)
        importance = shares[owners] * np.where(labels[owners] == 1, best, 0.5 * best + 0.5 / each[owners])
        kept = importance > 0
        again = Effort(penalty=penalty, rounds=_MORE_ROUNDS, start=weights)
        weights = fit(table.chosen(kept), labels[owners][kept], importance[kept], again)
    return weights


def _surest(scores: Vector, owners: Indexes) -> Vector:
    """1 for the window of each example that scores highest, 0 for the others."""
    order = np.lexsort((-scores, owners))
    first = np.ones(len(owners), dtype=bool)
    first[1:] = owners[order][1:] != owners[order][:-1]
    best = np.zeros(len(owners))
    best[order[first]] = 1
    return best
