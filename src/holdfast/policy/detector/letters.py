"""A text as numbers: code points, where words begin, and sums from which any stretch is hashed at once.

The hash of a stretch is a polynomial in an odd base modulo 2**64, so that it follows from two prefix sums.
"""

import unicodedata
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

Codes = NDArray[np.uint32]
Hashes = NDArray[np.uint64]
Positions = NDArray[np.int64]

LONGEST = 8_192
"""Letters that are read at once; a longer text is read in pieces."""

SPACE, SIGN, SPACED, DENSE = 0, 1, 2, 3
"""Kinds of characters: blanks, signs, letters of scripts that put spaces between words, and of those that do not."""

_BASE = 0x9E3779B97F4A7C15
_INVERSE = pow(_BASE, -1, 1 << 64)
_MIX = np.uint64(0xD6E8FEB86659FD93)
_DENSE = (
    (0x0600, 0x06FF), (0x0E00, 0x0EFF), (0x1000, 0x109F), (0x1100, 0x11FF), (0x1780, 0x17FF),
    (0x3040, 0x30FF), (0x3130, 0x318F), (0x3400, 0x9FFF), (0xA960, 0xA97F), (0xAC00, 0xD7FF), (0xF900, 0xFAFF),
)  # fmt: skip
_WIDE = ((0x3040, 0x30FF), (0x3400, 0x9FFF), (0xAC00, 0xD7A3), (0xF900, 0xFAFF))
_ALL = (1 << 64) - 1
_QUOTES = {"‘": "'", "’": "'", "“": '"', "”": '"', "`": "'", "–": "-", "—": "-"}
_SENTENCE_ENDS = tuple(map(ord, ".!?。！？\n;"))
_PAUSE = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Letters:
    """One text, ready to be hashed.

    Attributes:
        codes: its characters; runs of blanks are one space, and there is one at each end.
        origins: for each of them its index in the text.
        kinds: for each of them whether it is a blank, a sign, or a letter of which sort of script.
        places: for each of them how far into the text it is, in Latin letters: a Han or Hangul character
            counts two, the end of a sentence ten.
        sums: prefix sums, from which `hashed` takes the hash of any stretch.
    """

    codes: Codes
    origins: Positions
    kinds: NDArray[np.uint8]
    places: Positions
    sums: Hashes

    def hashed(self, starts: Positions, lengths: Positions | int) -> Hashes:
        """The hashes of the stretches that begin at `starts`."""
        return mixed((self.sums[starts + lengths] - self.sums[starts]) * _powers()[1][starts])


def letters(text: str) -> Letters:
    """`text`, already folded, of which the first `LONGEST` characters count."""
    raw = np.frombuffer(f" {text[:LONGEST]} ".encode("utf-32-le", "replace"), dtype="<u4").astype(np.uint32)
    small = np.minimum(raw, 0xFFFF)
    plain, kinds = _table()
    codes, kind = plain[small].astype(np.uint32), kinds[small]
    codes = np.where(raw > 0xFFFF, raw, codes).astype(np.uint32)
    joins = (codes == ord("-")) | (codes == ord("_"))
    joins[1:-1] &= (kind[:-2] >= SPACED) & (kind[2:] >= SPACED)
    codes[joins], kind[joins] = ord(" "), SPACE
    kept = np.ones(len(codes), dtype=bool)
    kept[1:] = (kind[1:] != SPACE) | (kind[:-1] != SPACE)
    places = np.cumsum(_lengths()[small] + np.isin(raw, _SENTENCE_ENDS) * _PAUSE)
    codes, where = codes[kept], np.flatnonzero(kept)
    return Letters(
        codes=codes,
        origins=np.clip(where - 1, 0, max(len(text) - 1, 0)),
        kinds=kind[kept],
        places=places[kept],
        sums=_sums(codes),
    )


def ranges(firsts: Positions, counts: Positions) -> Positions:
    """As many whole numbers as each of `counts` says, from each of `firsts` on."""
    shifts: Positions = (firsts - np.cumsum(counts) + counts).repeat(counts)
    return shifts + np.arange(len(shifts))


def mixed(hashes: Hashes) -> Hashes:
    """Hashes whose every bit depends on all others."""
    hashes = (hashes ^ (hashes >> np.uint64(32))) * _MIX
    return hashes ^ (hashes >> np.uint64(29))


def hash_of(plain: str) -> int:
    """The hash that `Letters.hashed` gives a stretch that reads `plain`."""
    total, power = 0, 1
    for char in plain:
        total += _spread(char) * power
        power = power * _BASE & _ALL
    return _mixed(total & _ALL)


@cache
def _spread(char: str) -> int:
    return _mixed((ord(char) + 1) * int(_MIX) & _ALL)


def _mixed(number: int) -> int:
    number = (number ^ number >> 32) * int(_MIX) & _ALL
    return number ^ number >> 29


def kind_of(char: str) -> int:
    """Of which kind one character is."""
    return int(_table()[1][min(ord(char), 0xFFFF)])


def _sums(codes: Codes) -> Hashes:
    spread = mixed((codes.astype(np.uint64) + np.uint64(1)) * _MIX)
    sums = np.zeros(len(codes) + 1, dtype=np.uint64)
    np.cumsum(spread * _powers()[0][: len(codes)], out=sums[1:])
    return sums


@cache
def _powers() -> tuple[Hashes, Hashes]:
    """The powers of the base and of its inverse."""
    return _series(_BASE), _series(_INVERSE)


def _series(base: int) -> Hashes:
    factors = np.full(LONGEST + 3, base, dtype=np.uint64)
    factors[0] = 1
    return np.cumprod(factors, dtype=np.uint64)


@cache
def _table() -> tuple[NDArray[np.uint16], NDArray[np.uint8]]:
    """For each character of the basic plane what it counts as, and of which kind that is."""
    plain = np.arange(0x10000, dtype=np.uint16)
    for char, other in _QUOTES.items():
        plain[ord(char)] = ord(other)
    kinds = np.array([_kind(chr(point)) for point in range(0x10000)], dtype=np.uint8)
    plain[kinds == SPACE] = ord(" ")
    for first, last in _DENSE:
        span = kinds[first : last + 1]
        span[span == SPACED] = DENSE
    return plain, kinds


def _kind(char: str) -> int:
    category = unicodedata.category(char)
    if char.isspace() or category.startswith("Z"):
        return SPACE
    return SPACED if category[0] in "LNM" else SIGN


@cache
def _lengths() -> NDArray[np.int64]:
    lengths = np.ones(0x10000, dtype=np.int64)
    for first, last in _WIDE:
        lengths[first : last + 1] = 2
    return lengths
