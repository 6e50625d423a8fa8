"""The detector at work: every view of a text in windows, the surest of them, and how rare that is."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice

import numpy as np
from msgspec import structs
from numpy.typing import NDArray

from holdfast.policy.detector.calibration import Calibration, length_of, script_of
from holdfast.policy.detector.concepts import CONCEPTS, Lexicon
from holdfast.policy.detector.features import Features, features, pairs_of
from holdfast.policy.detector.letters import LONGEST, Letters, letters
from holdfast.policy.detector.segments import cut, respaced
from holdfast.policy.detector.weights import Channel, Head, Weights
from holdfast.policy.normalization import View, ViewName

STRIDE = LONGEST - 1_024
_TOP = 5
_RUNS = 4
_MARGIN = 100
_AROUND = 400
_CLEAR: Mapping[Channel, float] = {"user": -1.5, "tool": -2.5}
"""A window that scores no more is not read by rules: next to nothing is in it that they would find."""
_DISGUISED = 0.2
"""What a reading that is not the plain one must score more: each further reading is a further chance to err."""
_MOST = 0.8
"""Share of a text that a reading must cover to stand for all of it."""
_SPREAD = 0.7
"""Share of a text that is left of it when spread letters are joined, up to which it is nothing else."""
_PLAIN: frozenset[ViewName] = frozenset(
    {"folded", "unescaped", "base64", "hex", "binary", "hidden", "rot13", "reversed", "joined"}
)
"""Readings that are no chance: what is undone there is found only where somebody did it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """Two concepts in their order that speak for an attack.

    Attributes:
        concepts: the one and the other, as in `CONCEPTS`.
        start: where in the source the first begins.
        end: where in the source the second ends.
        weight: what the pair adds to the score.
    """

    concepts: tuple[str, str]
    start: int
    end: int
    weight: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Detection:
    """How much a text reads like an attack.

    Attributes:
        score: of the surest window in any view; only its rank means something.
        rate: estimated share of harmless texts of this channel, script and length that score as high.
        view: the reading in which that window stands.
        start: where in the source the window begins.
        end: where it ends.
        evidence: what speaks most for an attack there, the strongest first.
        suspects: the parts of the views that are worth a closer look, by rules.
    """

    score: float
    rate: float
    view: ViewName
    start: int
    end: int
    evidence: tuple[Evidence, ...] = ()
    suspects: tuple[View, ...] = field(default=(), repr=False, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Best:
    score: float
    view: View
    piece: int
    window: int
    text: Letters
    found: Features
    scores: NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """A lexicon with the weights that belong to it."""

    lexicon: Lexicon
    weights: Weights

    @property
    def version(self) -> str:
        """Names the weights: the first letters of their digest."""
        return self.weights.digest[:12]

    def with_calibration(self, calibration: Mapping[Channel, Calibration]) -> "Model":
        """The same weights with other worths for their scores in the channels that are given."""
        header = structs.replace(
            self.weights.header, calibration={**self.weights.header.calibration, **calibration}
        )
        return replace(self, weights=replace(self.weights, header=header))

    def examine(self, views: Sequence[View], *, channel: Channel, explained: float = 0.05) -> Detection:
        """What the readings of a text amount to; the first view is the text as it is.

        Evidence is only looked for when the false-positive rate is at most `explained`.
        """
        source = views[0].text
        head = self.weights.heads[channel]
        pieces = tuple(self._windows(readings(views, self.lexicon), head))
        best = max(pieces, key=lambda one: one.score)
        rate = self.weights.header.calibration[channel].rate(
            best.score, script_of(best.view.text), length_of(_said(best.view, source))
        )
        start, end = _origin(
            best, best.found.windows.starts[best.window], best.found.windows.ends[best.window]
        )
        return Detection(
            score=round(best.score, 4),
            rate=rate,
            view=best.view.name,
            start=start,
            end=end,
            evidence=tuple(_evidence(best, head)) if rate <= explained else (),
            suspects=tuple(view for piece in pieces for view in _suspects(piece, _CLEAR[channel])),
        )

    def _windows(self, views: Sequence[View], head: Head) -> Iterator[_Best]:
        """The surest window of each piece of each view."""
        for view in views:
            loss = disguise_loss(view.name)
            for piece in range(0, max(len(view.text) - (LONGEST - STRIDE), 1), STRIDE):
                text = letters(view.text[piece : piece + LONGEST])
                found = features(text, self.lexicon, width=head.width)
                scores = head.scores(found)
                window = int(np.argmax(scores))
                yield _Best(
                    score=float(scores[window]) - loss,
                    view=view,
                    piece=piece,
                    window=window,
                    text=text,
                    found=found,
                    scores=scores,
                )


def readings(views: Sequence[View], lexicon: Lexicon) -> tuple[View, ...]:
    """The views that are scored: not the text as it is; of a reading that undoes little, what is around that.

    Words that run together are taken apart. Letters that are all spread out say nothing until they are joined.
    """
    folded = views[1]
    plain = [part for view in views[2:] if not view.loose for part in _changed(view, folded)]
    if not any(_joins(view, folded) for view in views[2:]):
        plain = [folded, *plain]
    runs = (run for view in plain for run in respaced(view, lexicon.words))
    return (*plain, *islice(runs, _RUNS))


def _joins(view: View, folded: View) -> bool:
    """Whether a view is all of the text, most of which was spread letters."""
    if view.name != "joined" or len(view.text) > _SPREAD * len(folded.text):
        return False
    return view.origins[0] == folded.origins[0] and view.end == folded.end


def _changed(view: View, folded: View) -> Iterator[View]:
    """The stretches of a view in which it differs from the folded one, with what a window sees around them."""
    if len(view.text) != len(folded.text) or len(view.text) <= 2 * _AROUND:
        yield view
        return
    differs = np.flatnonzero(_codes(view.text) != _codes(folded.text))
    breaks = np.flatnonzero(np.diff(differs) > 2 * _AROUND)
    for first, last in zip([0, *(breaks + 1)], [*breaks, len(differs) - 1], strict=True):
        yield cut(view, int(differs[first]) - _AROUND, int(differs[last]) + _AROUND)


def _codes(text: str) -> NDArray[np.uint32]:
    return np.frombuffer(text.encode("utf-32-le", "replace"), dtype="<u4").astype(np.uint32)


def _said(view: View, source: str) -> str:
    """What counts as the text: what most of it was decoded to, else the text as it is."""
    covered = view.end - view.origins[0] if view.text else 0
    return view.text if covered >= _MOST * len(source) else source


def disguise_loss(name: ViewName) -> float:
    """What a reading of this name takes off the score."""
    return 0.0 if name in _PLAIN else _DISGUISED


def _suspects(piece: _Best, clear: float) -> Iterator[View]:
    """The stretches of a piece in which some window scores more than `clear`, with a margin around them."""
    windows = piece.found.windows
    end = -1
    start = 0
    for row in np.flatnonzero(piece.scores > clear):
        first = piece.piece + int(piece.text.origins[windows.starts[row]])
        last = piece.piece + int(piece.text.origins[windows.ends[row] - 1]) + 1
        if end >= first:
            end = max(end, last)
            continue
        if end > 0:
            yield cut(piece.view, start - _MARGIN, end + _MARGIN)
        start, end = first, last
    if end > 0:
        yield cut(piece.view, start - _MARGIN, end + _MARGIN)


def _evidence(best: _Best, head: Head) -> Iterator[Evidence]:
    """The pairs of concepts in the surest window that add most, each pair of concepts once."""
    start, end = (int(edge[best.window]) for edge in (best.found.windows.starts, best.found.windows.ends))
    seen: set[tuple[int, int]] = set()
    pairs = pairs_of(best.text, best.found.hits, start, end)
    worth = head.meanings[pairs.features].astype(float)
    for row in np.argsort(-worth, kind="stable"):
        first, second = int(pairs.firsts[row]), int(pairs.seconds[row])
        kinds = int(best.found.hits.concepts[first]), int(best.found.hits.concepts[second])
        if worth[row] <= 0 or len(seen) == _TOP:
            return
        if kinds in seen:
            continue
        seen.add(kinds)
        begin, stop = _origin(best, best.found.hits.starts[first], best.found.hits.ends[second])
        yield Evidence(
            concepts=(CONCEPTS[kinds[0]], CONCEPTS[kinds[1]]),
            start=begin,
            end=stop,
            weight=round(float(worth[row]), 3),
        )


def _origin(best: _Best, start: int, end: int) -> tuple[int, int]:
    """Where in the source the letters from `start` up to `end` of the best piece came from."""
    size = len(best.view.text)
    first = min(best.piece + int(best.text.origins[start]), size - 1)
    last = min(best.piece + int(best.text.origins[end - 1]), size - 1)
    return best.view.span(first, last + 1) if size else (0, 0)
