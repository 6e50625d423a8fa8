"""A system prompt made ready to be recognised in an answer: every stretch of it, forwards and in disguise."""

import re
from array import array
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import accumulate
from typing import Self

from holdfast.policy.leak_text import squeeze, unescape
from holdfast.policy.leak_words import weigh

SHINGLE = 14
"""Units of one stretch that is looked up."""
PROMPT_STEP, OUTPUT_STEP = 5, 3
"""One stretch is kept every five units of the prompt and one looked up every three of the answer: as neither
divides the other, every common run of `SHINGLE + 14` units is met."""
SHORTEST_PROMPT = 40
"""Units of a prompt that can be told from any other."""
LONGEST_PROMPT = 120_000
"""Units that are kept; of a longer prompt, its first and its last half as many."""

BACKWARDS = 1
"""The view in which the prompt is read from its end."""

_WORD = re.compile(r"\w+")
_ROT13 = str.maketrans("abcdefghijklmnopqrstuvwxyz", "nopqrstuvwxyzabcdefghijklm")


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompt:
    """One prompt, indexed; made once and shared by every call that carries it.

    Attributes:
        views: the squeezed prompt as it is, backwards, in rot13, and with each word the way round that sorts first.
        index: a stretch -> its place in a view and which view, as one number.
        sums: the weight of all units before a place.
        skipped: units in the middle of a very long prompt that are not watched.
    """

    views: tuple[str, ...]
    index: Mapping[str, int]
    sums: "array[int]"
    skipped: int = 0

    @classmethod
    def of(cls, text: str) -> Self:
        """The index of a prompt; linear in its length."""
        text = unescape(text)
        kept, skipped = _kept(text)
        backwards = squeeze("".join(reversed(kept)))
        plain = squeeze(kept)
        views = (plain, backwards, plain.translate(_ROT13), squeeze(either_way(kept)))
        index: dict[str, int] = {}
        # Last the prompt as it is: what reads the same in two views is taken for what it is in that one.
        for number, view in reversed([*enumerate(views)]):
            places = range(0, len(view) - SHINGLE + 1, PROMPT_STEP)
            index.update({view[place : place + SHINGLE]: place * len(views) + number for place in places})
        sums = array("Q", accumulate(weigh(kept), initial=0))
        return cls(views=views, index=index, sums=sums, skipped=skipped)

    @property
    def length(self) -> int:
        """Units of the prompt."""
        return len(self.views[0])

    @property
    def is_tellable(self) -> bool:
        """Whether it is long enough to be told from any other."""
        return self.length >= SHORTEST_PROMPT

    def forwards(self, view: int, start: int, end: int) -> tuple[int, int]:
        """The same stretch as places of the prompt itself."""
        return (self.length - end, self.length - start) if view == BACKWARDS else (start, end)

    def found(self, number: int) -> tuple[int, int]:
        """The view and the place in it that a number of the index stands for."""
        place, view = divmod(number, len(self.views))
        return view, place

    def weight(self, start: int, end: int) -> int:
        """How much a stretch of the prompt says about whose it is."""
        return self.sums[min(end, len(self.sums) - 1)] - self.sums[max(0, start)]


def either_way(text: str) -> str:
    """Each word the way round that sorts first, so that words written backwards read like the others."""
    words: list[str] = _WORD.findall(text.lower())
    return " ".join([min(word, word[::-1]) for word in words])


class Prompts:
    """The prompts used last, ready, as long as all of them have no more than `most` units."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._kept: dict[str, Prompt] = {}

    def find(self, text: str) -> Prompt | None:
        """The prompt if it is ready; it counts as used."""
        prompt = self._kept.pop(text, None)
        if prompt is not None:
            self._kept[text] = prompt
        return prompt

    def keep(self, text: str, prompt: Prompt) -> None:
        """Have it ready for the next call, and let go of those that have waited longest."""
        self._kept[text] = prompt
        while len(self._kept) > 1 and sum(each.length for each in self._kept.values()) > self._most:
            self._kept.pop(next(iter(self._kept)))


def _kept(text: str) -> tuple[str, int]:
    """The ends of the text that are worth `LONGEST_PROMPT` units, and how many lie between them."""
    units = len(squeeze(text))
    if units <= LONGEST_PROMPT:
        return text, 0
    half = len(text) * LONGEST_PROMPT // units // 2
    kept = text[:half] + "\n" + text[-half:]
    return kept, units - len(squeeze(kept))
