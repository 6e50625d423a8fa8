"""A text in pieces, those that were found among them marked: what a page shows of it, as text alone."""

from collections.abc import Iterable

LONGEST = 4_000
"""Letters of a tested text that a page shows."""
Span = tuple[int, int]


def pieces(text: str, spans: Iterable[Span]) -> list[dict[str, object]]:
    """The text as pieces, marked or not, in their order."""
    found: list[dict[str, object]] = []
    place = 0
    for start, end in _joined(spans, min(len(text), LONGEST)):
        found += [_piece(text[place:start], is_marked=False), _piece(text[start:end], is_marked=True)]
        place = end
    found.append(_piece(text[place:LONGEST], is_marked=False))
    return [one for one in found if one["text"]]


def _joined(spans: Iterable[Span], most: int) -> list[Span]:
    """Spans that overlap become one."""
    joined: list[Span] = []
    for start, end in sorted((max(0, start), min(end, most)) for start, end in spans):
        if start >= end:
            continue
        if joined and start <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        else:
            joined.append((start, end))
    return joined


def _piece(text: str, *, is_marked: bool) -> dict[str, object]:
    return {"text": text, "marked": is_marked}
