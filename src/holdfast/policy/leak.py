"""Leaks of the system prompt: stretches of it that turn up in an answer, verbatim or in disguise.

Seen: quotes from any part of it, in any case, spacing, markup, list, quotation or string; letters spelled out or
parted by invisible ones; accents and look-alikes; backwards, word by word backwards, rot13; base64, hex, binary,
and the escapes of URLs, JSON and HTML. Not seen: translations, paraphrases, and ciphers that need a key.
"""

import re
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import accumulate

from holdfast.policy.leak_index import BACKWARDS, OUTPUT_STEP, SHINGLE, Prompt, either_way
from holdfast.policy.leak_text import cut_at, squeeze, tokens, unescape

SHORTEST_LEAK = 30
"""Units of one stretch that counts as a leak by itself."""
LEAK_WEIGHT = 78
"""What it must weigh, that is 26 units of words that say something; ones that everybody uses weigh a third."""
PIECE_WEIGHT = 30
"""What a shorter stretch must weigh to count together with others near it."""
PIECES_WEIGHT = 150
"""What all stretches of the last `NEAR` units must weigh together."""
NEAR = 1_500
_REMEMBERED = 4_096
_KEPT = 256
_LONGEST_PIECE = 2_048
_LONGEST_WORD = 64
_MOST_LOOKUPS = 200
_LAST_WORD = re.compile(r"\w+\Z")


@dataclass(frozen=True, slots=True, kw_only=True)
class Leak:
    """Characters `start` up to `end` of the answer repeat the prompt; the end moves on while they still do.

    `part` of the prompt that they begin in: its start, middle or end.
    """

    part: str
    start: int
    end: int


@dataclass(slots=True, kw_only=True)
class _Run:
    """A common stretch: from where to where in what was read, and in which view of the prompt from where."""

    start: int
    end: int
    view: int
    place: int
    units: str = ""
    quoted: int = 0
    is_open: bool = True
    is_leak: bool = False


def quotable(text: str) -> str:
    """A text as both readings of an answer would read it, to be looked up."""
    plain = unescape(text)
    return f"{squeeze(plain)} {squeeze(either_way(plain))}"


class _Reading:
    """What an answer reads like in one way of reading it, compared to all views of the prompt at once."""

    __slots__ = ("_buffer", "_buffer_start", "_next", "_prompt", "_run")

    def __init__(self, prompt: Prompt) -> None:
        self._prompt = prompt
        self._buffer = ""
        self._buffer_start = 0
        self._next = 0
        self._run: _Run | None = None

    @property
    def end(self) -> int:
        """Units read so far."""
        return self._buffer_start + len(self._buffer)

    def feed(self, units: str) -> Iterator[_Run]:
        """The runs that begin or go on in the next units; one that goes on is the same object."""
        self._buffer += units
        run = self._run or self._find()
        while run is not None:
            yield self._extended(run)
            run = None if run.is_open else self._find()
        self._forget()

    def _find(self) -> _Run | None:
        """The next stretch that is in the prompt."""
        buffer, index = self._buffer, self._prompt.index
        at = self._next - self._buffer_start
        for place in range(at, len(buffer) - SHINGLE + 1, OUTPUT_STEP):
            found = index.get(buffer[place : place + SHINGLE])
            if found is not None:
                return self._begun(place, *self._prompt.found(found))
        left = max(0, len(buffer) - SHINGLE + 1 - at)
        self._next += -(-left // OUTPUT_STEP) * OUTPUT_STEP
        return None

    def _begun(self, at: int, view: int, place: int) -> _Run:
        text, buffer = self._prompt.views[view], self._buffer
        while at and place and buffer[at - 1] == text[place - 1]:
            at, place = at - 1, place - 1
        start = self._buffer_start + at
        return _Run(start=start, end=start, view=view, place=place)

    def _extended(self, run: _Run) -> _Run:
        """The run as far as it goes; it stays open if that is as far as has been read."""
        text, buffer = self._prompt.views[run.view], self._buffer
        at = run.end - self._buffer_start
        place = run.place + run.end - run.start
        first, last = at, min(len(buffer), at + len(text) - place)
        while at < last and buffer[at] == text[place + at - first]:
            at += 1
        run.units += buffer[first:at]
        run.end = self._next = self._buffer_start + at
        run.is_open = at == len(buffer)
        self._run = run if run.is_open else None
        return run

    def _forget(self) -> None:
        spare = len(self._buffer) - _KEPT
        if spare > 0:
            self._buffer = self._buffer[spare:]
            self._buffer_start += spare


@dataclass(slots=True)
class _Piece:
    """Characters of the answer, and how many characters and units came before them."""

    text: str
    start: int
    units: int


Known = Callable[[], str]
"""What the caller himself has put into the conversation, made by `quotable`."""


class LeakDetector:
    """Reads one answer as it comes; work is linear in its length, and what is remembered of it is bounded."""

    def __init__(self, prompt: Prompt, known: Known = str) -> None:
        self._prompt = prompt
        self._known = known
        self._lookups = 0
        # Both count the same units: a word has as many letters backwards.
        self._plain = _Reading(prompt)
        self._words = _Reading(prompt)
        self._waiting = ""
        self._word = ""
        self._end = 0
        self._text: deque[_Piece] = deque()
        self._short: deque[tuple[int, int, int]] = deque()

    def feed(self, text: str) -> list[Leak]:
        """The leaks that begin or go on in the next characters."""
        leaks: list[Leak] = []
        # In pieces, because the place of a leak is looked for in the piece that it is in.
        for at in range(0, len(text), _LONGEST_PIECE):
            piece = self._waiting + text[at : at + _LONGEST_PIECE]
            whole = cut_at(piece)
            self._waiting = piece[whole:]
            leaks += self._read(piece[:whole])
        return leaks

    def rest(self) -> list[Leak]:
        """The leaks in what waited for more characters, which do not come."""
        waiting, self._waiting = self._waiting, ""
        return self._read(waiting, is_all=True)

    def decoded(self, text: str, start: int, end: int) -> list[Leak]:
        """The leaks in what the characters `start` up to `end` stand for."""
        runs = _Reading(self._prompt).feed(squeeze(unescape(text)))
        return [Leak(part=self._part(run), start=start, end=end) for run in runs if self._counts(run)]

    def _read(self, text: str, *, is_all: bool = False) -> list[Leak]:
        self._text.append(_Piece(text, self._end, self._plain.end))
        self._end += len(text)
        while self._plain.end - self._text[0].units > _REMEMBERED and len(self._text) > 1:
            self._text.popleft()
        plain = unescape(text)
        runs = [*self._plain.feed(squeeze(plain)), *self._words.feed(self._whole_words(plain, is_all=is_all))]
        return [self._placed(run) for run in runs if self._counts(run)]

    def _whole_words(self, text: str, *, is_all: bool) -> str:
        """The words that have come to their end, each the way round that sorts first."""
        text = self._word + text
        last = _LAST_WORD.search(text, max(0, len(text) - _LONGEST_WORD))
        at = len(text) if is_all or last is None else last.start()
        self._word = text[at:]
        return squeeze(either_way(text[:at]))

    def _counts(self, run: _Run) -> bool:
        """Whether a stretch is a leak, by itself or together with others near it."""
        if run.is_leak:
            return True
        weight = self._weight(run)
        if weight >= PIECE_WEIGHT and (self._suffices(run, weight) or self._adds_up(run)):
            self._leave_out_quoted(run)
            weight = self._weight(run)
            run.is_leak = self._suffices(run, weight) or self._adds_up(run)
        return run.is_leak

    def _weight(self, run: _Run) -> int:
        return self._prompt.weight(*self._place(run))

    @staticmethod
    def _suffices(run: _Run, weight: int) -> bool:
        return run.end - run.start - run.quoted >= SHORTEST_LEAK and weight >= LEAK_WEIGHT

    def _adds_up(self, run: _Run) -> bool:
        """Note a short stretch; no part of the prompt counts twice."""
        start, end = self._place(run)
        others = [piece for piece in self._short if piece[1] <= start or end <= piece[0]]
        recent = [piece for piece in others if piece[2] >= run.end - NEAR]
        self._short = deque([*recent, (start, end, run.end)])
        return sum(self._prompt.weight(*piece[:2]) for piece in self._short) >= PIECES_WEIGHT

    def _leave_out_quoted(self, run: _Run) -> None:
        """Find out how much of a stretch, from its beginning on, the caller has said himself."""
        if self._lookups == _MOST_LOOKUPS:
            return
        self._lookups += 1
        known, most = self._known(), len(run.units)
        if run.units in known:
            run.quoted = most
            return
        while run.quoted < most - 1:
            middle = (run.quoted + most) // 2
            if run.units[:middle] in known:
                run.quoted = middle
            else:
                most = middle

    def _place(self, run: _Run) -> tuple[int, int]:
        """Where in the prompt the stretch is, without what is quoted."""
        return self._prompt.forwards(run.view, run.place + run.quoted, run.place + run.end - run.start)

    def _part(self, run: _Run) -> str:
        """The third of the prompt that the stretch begins in."""
        start, end = self._place(run)
        first = end - 1 if run.view == BACKWARDS else start
        return ("start", "middle", "end")[min(2, 3 * first // self._prompt.length)]

    def _placed(self, run: _Run) -> Leak:
        start, end = self._piece(run.start + run.quoted), self._piece(run.end - 1)
        return Leak(
            part=self._part(run),
            start=_character(start, run.start + run.quoted)[0],
            end=_character(end, run.end - 1)[1],
        )

    def _piece(self, unit: int) -> _Piece:
        """The piece that a unit is in, or the oldest that is remembered."""
        found = (piece for piece in reversed(self._text) if piece.units <= unit)
        return next(found, self._text[0])


def _character(piece: _Piece, unit: int) -> tuple[int, int]:
    """Where in the answer the character begins and ends that a unit is from."""
    counted = accumulate((len(units) for _, _, units in tokens(piece.text)), initial=piece.units)
    next(counted)
    places = (
        (start, end)
        for (start, end, _), before in zip(tokens(piece.text), counted, strict=True)
        if before > unit
    )
    start, end = next(places, (0, 0))
    return piece.start + start, piece.start + end
