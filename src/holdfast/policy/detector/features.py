"""What the detector counts in each window of a text: concepts and their order, words and runs of letters."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from holdfast.policy.detector.concepts import CONCEPTS, Hits, Lexicon
from holdfast.policy.detector.letters import DENSE, SPACED, Hashes, Letters, Positions, mixed, ranges

NARROW = 200
"""Letters in a narrow window."""

GRAM_BITS = 17
GRAMS = 1 << GRAM_BITS
_TRIPLE_BITS = 15
_TRIPLES = 1 << _TRIPLE_BITS
_COUNT = len(CONCEPTS)
_REACHES = (16, 48, 130)
_TRIPLE_REACH = 60
_PAIRS = _COUNT * _COUNT * len(_REACHES)
MEANINGS = 2 * _COUNT + _PAIRS + _TRIPLES
"""Features of meaning: a concept is there, or there thrice; two follow one another within a reach; three do."""

_OFTEN = 3
_PARTNERS = 14
"""Concepts that each one is paired with at most, the next ones in the text."""
_TRIPLE_PARTNERS = 6
_FAR = 1 << 40
_SALTS = tuple(np.uint64(0x9E3779B97F4A7C15 * number & (1 << 64) - 1) for number in range(1, 6))


@dataclass(frozen=True, slots=True, kw_only=True)
class Windows:
    """Where the windows of a text begin and end, as indexes into its letters."""

    starts: Positions
    ends: Positions

    @classmethod
    def over(cls, length: int, width: int) -> "Windows":
        """Windows of `width`, each half over the one before; the last is full if there is more than one."""
        last = max(length - width, 0)
        starts = np.unique(np.minimum(np.arange(0, last + width // 2, width // 2), last))
        return cls(starts=starts, ends=np.minimum(starts + width, length))

    @classmethod
    def wide_and_narrow(cls, length: int, width: int) -> "Windows":
        """Wide windows for what a text says as a whole, narrow ones for what is planted in it; by their starts."""
        wide, narrow = cls.over(length, width), cls.over(length, min(NARROW, width))
        if length <= NARROW:
            return wide
        starts = np.concatenate([wide.starts, narrow.starts])
        order = np.argsort(starts, kind="stable")
        return cls(starts=starts[order], ends=np.concatenate([wide.ends, narrow.ends])[order])


@dataclass(frozen=True, slots=True, kw_only=True)
class Pairs:
    """Hits that follow one another within reach, with the feature of the nearest reach."""

    firsts: Positions
    seconds: Positions
    features: Positions


@dataclass(frozen=True, slots=True, kw_only=True)
class Features:
    """The features of each window of a text, as rows of two sparse tables.

    Attributes:
        windows: the stretches that were read.
        meaning_rows: window of each feature of meaning, each at most once.
        meanings: that feature.
        gram_rows: window of each feature of words and letters, each at most once: saying a thing again adds nothing.
        grams: that feature.
    """

    windows: Windows
    hits: Hits
    meaning_rows: Positions
    meanings: Positions
    gram_rows: Positions
    grams: Positions

    @property
    def totals(self) -> NDArray[np.int64]:
        """How many grams each window has, at least 1."""
        return np.maximum(np.bincount(self.gram_rows, minlength=len(self.windows.starts)), 1)


def features(text: Letters, lexicon: Lexicon, *, width: int) -> Features:
    """The features of a text in windows of `width` letters."""
    windows = Windows.wide_and_narrow(len(text.codes), width)
    hits = lexicon.hits(text)
    places, found = _meanings(text, hits)
    rows, meanings = _by_window(places, found, windows)
    sorts = [_once(where, grams, windows) for where, grams in _grams(text)]
    return Features(
        windows=windows,
        hits=hits,
        meaning_rows=rows,
        meanings=meanings,
        gram_rows=np.concatenate([rows for rows, _ in sorts]),
        grams=np.concatenate([grams for _, grams in sorts]),
    )


# --- meaning ----------------------------------------------------------------------------------------


def _meanings(text: Letters, hits: Hits) -> tuple[Positions, Positions]:
    """Features of meaning with the places where they begin."""
    gaps = _gaps(text, hits)
    places, found = [hits.starts], [hits.concepts]
    for reach, limit in enumerate(_REACHES):
        firsts, steps = np.nonzero(gaps <= limit)
        places.append(hits.starts[firsts])
        found.append(_pair(hits, firsts, firsts + steps + 1, reach))
    firsts, triples = _triples(hits, gaps)
    return np.concatenate([*places, hits.starts[firsts]]), np.concatenate([*found, triples])


def _gaps(text: Letters, hits: Hits) -> Positions:
    """For each hit how far it is to each of the next ones; too far where there is none, or one inside it."""
    count = len(hits.starts)
    others = np.arange(count)[:, None] + np.arange(1, _PARTNERS + 1)[None, :]
    present = others < count
    others = np.minimum(others, max(count - 1, 0))
    if not count:
        return np.zeros((0, _PARTNERS), dtype=np.int64)
    gaps = text.places[hits.starts][others] - text.places[hits.ends - 1][:, None]
    return np.where(present & (hits.starts[others] >= hits.ends[:, None]), gaps, _FAR)


def _pair(hits: Hits, firsts: Positions, seconds: Positions, reach: Positions | int) -> Positions:
    kinds = hits.concepts[firsts] * _COUNT + hits.concepts[seconds]
    return 2 * _COUNT + kinds * len(_REACHES) + reach


def pairs_of(text: Letters, hits: Hits, start: int, end: int) -> Pairs:
    """All pairs that begin between two letters."""
    gaps = _gaps(text, hits)
    inside = (hits.starts >= start) & (hits.starts < end)
    firsts, steps = np.nonzero((gaps <= _REACHES[-1]) & inside[:, None])
    seconds = firsts + steps + 1
    reach = np.searchsorted(_REACHES, gaps[firsts, steps])
    return Pairs(firsts=firsts, seconds=seconds, features=_pair(hits, firsts, seconds, reach))


def _triples(hits: Hits, gaps: Positions) -> tuple[Positions, Positions]:
    """Three concepts in a row, the second near the first, the third near the second."""
    near = gaps[:, :_TRIPLE_PARTNERS] <= _TRIPLE_REACH
    firsts, steps = np.nonzero(near)
    seconds = firsts + steps + 1
    rows, more = np.nonzero(near[seconds])
    firsts, seconds = firsts[rows], seconds[rows]
    kinds = hits.concepts
    key = (kinds[firsts] * _COUNT + kinds[seconds]) * _COUNT + kinds[seconds + more + 1]
    return firsts, 2 * _COUNT + _PAIRS + _bucket(key.astype(np.uint64), _TRIPLE_BITS)


def _bucket(keys: Hashes, bits: int) -> Positions:
    return (mixed(keys * _SALTS[0]) >> np.uint64(64 - bits)).astype(np.int64)


def _by_window(places: Positions, found: Positions, windows: Windows) -> tuple[Positions, Positions]:
    """Each feature once for each window it begins in; concepts met often get their second feature."""
    order = np.argsort(places, kind="stable")
    places, found = places[order], found[order]
    firsts, lasts = np.searchsorted(places, windows.starts), np.searchsorted(places, windows.ends)
    counts = lasts - firsts
    rows = np.repeat(np.arange(len(counts)), counts)
    members = ranges(firsts, counts)
    keys, times = np.unique(rows * MEANINGS + found[members], return_counts=True)
    rows, features_seen = np.divmod(keys, MEANINGS)
    often = (features_seen < _COUNT) & (times >= _OFTEN)
    return (
        np.concatenate([rows, rows[often]]),
        np.concatenate([features_seen, features_seen[often] + _COUNT]),
    )


# --- words and letters ------------------------------------------------------------------------------


def _grams(text: Letters) -> Iterator[tuple[Positions, Positions]]:
    """Words, pairs of words, and runs of letters: for each sort the places and the features."""
    inside = text.kinds == SPACED
    begins, stops = inside.copy(), inside.copy()
    begins[1:] &= ~inside[:-1]
    stops[:-1] &= ~inside[1:]
    starts, ends = np.flatnonzero(begins), np.flatnonzero(stops) + 1
    words = text.hashed(starts, ends - starts)
    yield starts, _gram(words, 0)
    yield starts[:-1], _gram(mixed(words[:-1] + _SALTS[2]) ^ words[1:], 1)
    dense = np.flatnonzero(text.kinds == DENSE)
    for length in (2, 3):
        fit = dense[dense + length < len(text.codes)]
        yield fit, _gram(text.hashed(fit, length), length)
    runs = np.flatnonzero(inside)
    runs = runs[runs + 4 < len(text.codes)]
    yield runs, _gram(text.hashed(runs, 4), 4)


def _gram(hashes: Hashes, sort: int) -> Positions:
    return (mixed(hashes ^ _SALTS[sort]) >> np.uint64(64 - GRAM_BITS)).astype(np.int64)


def _once(places: Positions, grams: Positions, windows: Windows) -> tuple[Positions, Positions]:
    """The windows and the grams in them, each once for each window."""
    firsts, lasts = np.searchsorted(places, windows.starts), np.searchsorted(places, windows.ends)
    counts = lasts - firsts
    rows = np.repeat(np.arange(len(counts)), counts)
    members = ranges(firsts, counts)
    new = _earlier(grams)[members] < firsts[rows]
    return rows[new], grams[members[new]]


def _earlier(grams: Positions) -> Positions:
    """For each gram where the same one stands last before it; -1 if nowhere."""
    order = np.argsort(grams, kind="stable")
    before, after = order[:-1], order[1:]
    same = grams[before] == grams[after]
    earlier = np.full(len(grams), -1, dtype=np.int64)
    earlier[after[same]] = before[same]
    return earlier
