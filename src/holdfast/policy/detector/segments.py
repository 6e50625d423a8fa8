"""Words that were written without spaces, taken apart by the words that the lexicon knows."""

from array import array
from collections.abc import Set

from holdfast.policy.normalization import View

LONGEST_WORD = 16
_COVERED = 0.6
_FEWEST = 3
_SMALL = frozenset(
    (
        *(
            "a",
            "i",
            "the",
            "and",
            "or",
            "of",
            "to",
            "in",
            "on",
            "is",
            "are",
            "was",
            "be",
            "been",
            "it",
            "its",
            "as",
        ),
        *(
            "at",
            "by",
            "for",
            "from",
            "with",
            "that",
            "this",
            "these",
            "those",
            "my",
            "me",
            "you",
            "your",
            "have",
        ),
        *(
            "has",
            "had",
            "not",
            "do",
            "can",
            "will",
            "would",
            "all",
            "any",
            "what",
            "which",
            "who",
            "then",
            "than",
        ),
        *("them", "they", "so", "if", "but", "about", "into"),
    )
)


def segmented(view: View, words: Set[str]) -> View | None:
    """A view of one run of letters with blanks between its words; `None` when most of it is no known word."""
    pieces, known = _pieces(view.text, words)
    if known < _COVERED * len(view.text) or len(pieces) < _FEWEST:
        return None
    origins: array[int] = array("Q")
    at = 0
    for piece in pieces:
        origins.extend(view.origins[at : at + len(piece)])
        at += len(piece)
        origins.append(origins[-1])
    return View(name=view.name, text=" ".join(pieces) + " ", origins=origins, end=view.end)


def _pieces(text: str, words: Set[str]) -> tuple[list[str], int]:
    """The text cut where known words begin and end, long words rather than many, and how many letters those have."""
    best = [0] * (len(text) + 1)
    taken = [0] * (len(text) + 1)
    for end in range(1, len(text) + 1):
        best[end] = best[end - 1]
        for length in range(1, min(LONGEST_WORD, end) + 1):
            word = text[end - length : end]
            worth = best[end - length] + length * length
            if worth > best[end] and (word in words or word in _SMALL):
                best[end], taken[end] = worth, length
    return _traced(text, taken)


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
