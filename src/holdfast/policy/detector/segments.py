"""Words that were written without spaces, taken apart by the words that the lexicon knows."""

import re
from collections.abc import Iterator
from dataclasses import replace
from functools import lru_cache, partial

from holdfast.policy.normalization import View, rewrite

LONGEST_WORD = 16
_COVERED = 0.8
_FEWEST = 3
_MEAN = 2.8
"""Letters that the pieces of a run must have on average: a rare long word falls into smaller ones."""
_LONG = 16
_MOST = 40
"""Runs of letters in one text that are taken apart."""
_AROUND = 400
_RUNS = re.compile(f"[a-z]{{{_LONG},400}}")
_SHORT_RUNS = re.compile("[a-z]{5,400}")
"""Beside a run that was taken apart a shorter one may be, too."""


def respaced(view: View, words: frozenset[str]) -> Iterator[View]:
    """The stretches of a view in which words run together, with blanks between them and some text around."""
    spans: list[tuple[int, int]] = []
    for match in _RUNS.finditer(view.text):
        if len(spans) < _MOST and _apart(words, match) is not None:
            spans.append(match.span())
    for start, stop in _joined(spans):
        yield replace(rewrite(cut(view, start, stop), _SHORT_RUNS, partial(_apart, words)), name="run")


def cut(view: View, start: int, end: int) -> View:
    """The characters of a view from `start` up to `end`, as far as there are any."""
    start, end = max(start, 0), min(end, len(view.text))
    if (start, end) == (0, len(view.text)) or start >= end:
        return view
    return replace(
        view, text=view.text[start:end], origins=view.origins[start:end], end=view.span(end - 1, end)[1]
    )


def _joined(spans: list[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """What is around some spans, as one stretch where it overlaps."""
    for at, (first, _) in enumerate(spans):
        if at and first - spans[at - 1][1] <= 2 * _AROUND:
            continue
        end = at
        while end + 1 < len(spans) and spans[end + 1][0] - spans[end][1] <= 2 * _AROUND:
            end += 1
        yield first - _AROUND, spans[end][1] + _AROUND


def _apart(words: frozenset[str], match: re.Match[str]) -> str | None:
    return _opened(words, match.group())


@lru_cache(maxsize=256)
def _opened(words: frozenset[str], text: str) -> str | None:
    """A run of letters with blanks between its words; `None` when too little of it is any known word."""
    if text in words:
        return None
    pieces, known = _pieces(text, words)
    fewest = _FEWEST if len(text) >= _LONG else 2
    if known < _COVERED * len(text) or not fewest <= len(pieces) <= len(text) / _MEAN:
        return None
    return f"{' '.join(pieces)} "


def _pieces(text: str, words: frozenset[str]) -> tuple[list[str], int]:
    """The text cut where known words begin and end, long words rather than many, and how many letters those have."""
    endings = _endings(words)
    best = [0] * (len(text) + 1)
    taken = [0] * (len(text) + 1)
    for end in range(1, len(text) + 1):
        best[end] = best[end - 1]
        for start in range(end - 1, max(end - LONGEST_WORD, 0) - 1, -1):
            piece = text[start:end]
            if piece not in endings:
                break
            worth = best[start] + (end - start) ** 2
            if worth > best[end] and piece in words:
                best[end], taken[end] = worth, end - start
    return _traced(text, taken)


@lru_cache(maxsize=8)
def _endings(words: frozenset[str]) -> frozenset[str]:
    """What any word ends in: a longer piece is no word where a shorter one is no ending."""
    return frozenset(word[start:] for word in words for start in range(len(word)))


def _traced(text: str, taken: list[int]) -> tuple[list[str], int]:
    pieces: list[str] = []
    known, end, loose = 0, len(text), len(text)
    while end:
        if length := taken[end]:
            if loose > end:
                pieces.append(text[end:loose])
            pieces.append(text[end - length : end])
            known += length
            end -= length
            loose = end
        else:
            end -= 1
    if loose:
        pieces.append(text[:loose])
    return pieces[::-1], known
