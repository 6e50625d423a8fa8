"""JSON as masking meets it: escapes read as the letters they stand for, and strings that no mark may reach out of."""

import json
import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import replace

from holdfast.policy.masking_findings import Finding

_ESCAPES = re.compile(r"(?<!\\)\\++u([0-9a-fA-F]{4})")
_KEPT = frozenset('"\\')
_STRING = re.compile(r"\"((?:[^\"\\]|\\.)*+)\"", re.DOTALL)
_SCALAR = re.compile(r"[-+.\w]+")


def is_document(text: str) -> bool:
    """Whether the whole text is a JSON object, list or string."""
    if text.lstrip()[:1] not in {"{", "[", '"'}:
        return False
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


class Letters:
    """A text whose letters are no longer escaped, at any depth of quoting; controls and quotes still are."""

    def __init__(self, text: str) -> None:
        parts: list[str] = []
        self._starts, self._shifts = [0], [0]
        end = length = 0
        for found in _ESCAPES.finditer(text):
            letter = chr(int(found[1], 16))
            if letter < " " or letter in _KEPT:
                continue
            parts += text[end : found.start()], letter
            length += found.start() - end + 1
            end = found.end()
            self._starts.append(length)
            self._shifts.append(end - length)
        parts.append(text[end:])
        self.text = "".join(parts)

    def back(self, finding: Finding) -> Finding:
        """The finding where it stands in the text as it came."""
        return replace(finding, start=self._place(finding.start), end=self._place(finding.end))

    def _place(self, place: int) -> int:
        return place + self._shifts[bisect_right(self._starts, place) - 1]


def inside(findings: Iterable[Finding], text: str) -> Iterator[Finding]:
    """The findings cut at the ends of the strings of a JSON document, so that it stays one."""
    spans = [found.span(1) for found in _STRING.finditer(text)]
    starts = [start for start, _ in spans]
    for finding in findings:
        first = max(0, bisect_right(starts, finding.start) - 1)
        met = [span for span in spans[first : bisect_left(starts, finding.end)] if span[1] > finding.start]
        scalar = _SCALAR.match(text, finding.start)
        is_whole = scalar is not None and scalar.end() == finding.end
        if not met and is_whole and not _SCALAR.match(text, finding.start - 1):
            yield finding
        for start, end in met:
            yield replace(finding, start=max(start, finding.start), end=min(end, finding.end), quote="")
