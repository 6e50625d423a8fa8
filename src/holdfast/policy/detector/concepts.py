"""What words mean, in eighteen languages: the lexicon, and where its terms stand in a text."""

import tomllib
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import msgspec
import numpy as np
from numpy.typing import NDArray

from holdfast.errors import ConfigError
from holdfast.language import Sentence
from holdfast.policy.detector.letters import (
    DENSE,
    SIGN,
    SPACED,
    Hashes,
    Letters,
    Positions,
    hash_of,
    kind_of,
    ranges,
)
from holdfast.policy.lookalikes import LATIN_TWINS, fold_letter

CONCEPTS = (
    "override", "instruction", "order", "prior", "all", "reveal", "secret", "prompt", "your", "become", "persona",
    "unlimited", "safeguard", "negation", "mode", "refuse", "must", "now", "instead", "model", "act", "destination",
    "hide", "user", "urgent", "respond", "authority", "border", "turn", "discuss", "encode", "fiction", "harm",
    "verbatim", "trophy", "threat", "credential", "task", "before", "tool", "comply", "turnoff", "permission", "me",
    "outage", "boast", "doubt",
)  # fmt: skip
"""Their order is part of the weights: new ones go to the end."""

_BEGINS, _ENDS = 1, 2
_WORD = 5
"""Letters of a term's word that is known where words run together; shorter ones are in everything."""
_SIEVE_BITS = 18
_SIEVE_SHIFT = np.uint64(64 - _SIEVE_BITS)


class _File(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    language: str
    concepts: Mapping[str, tuple[str, ...]] = msgspec.field(default_factory=dict[str, tuple[str, ...]])
    words: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hits:
    """Where concepts stand in a text, in order of their beginnings.

    Attributes:
        starts: index of the first letter.
        ends: one past the last.
        concepts: index into `CONCEPTS`.
    """

    starts: Positions
    ends: Positions
    concepts: Positions


@dataclass(frozen=True, slots=True, kw_only=True)
class _Pool:
    """Terms sorted by hash, whatever their length; a term has `counts` meanings from `firsts` on.

    Attributes:
        openings: for each character of the basic plane whether a term begins with it.
        sieve: for the first bits of a hash whether any term has them.
    """

    lengths: Positions
    openings: NDArray[np.bool_]
    sieve: NDArray[np.bool_]
    hashes: Hashes
    firsts: Positions
    counts: Positions
    concepts: Positions
    edges: NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Lexicon:
    """Terms by where they may begin: at words, at any letter of a dense script, or at any sign.

    `words` are common Latin words, and the longer ones that stand in the terms.
    """

    pools: tuple[_Pool, ...]
    words: frozenset[str]

    def hits(self, text: Letters) -> Hits:
        """Every term in the text, also those inside others; of one concept from one place the longest."""
        inside = text.kinds == SPACED
        begins = inside.copy()
        begins[1:] &= ~inside[:-1]
        places = (begins, text.kinds == DENSE, text.kinds == SIGN)
        found = [_matches(text, pool, where) for pool, where in zip(self.pools, places, strict=True)]
        starts, ends, concepts = (np.concatenate(row) for row in zip(*found, strict=True))
        order = np.lexsort((ends, concepts, starts))
        starts, ends, concepts = starts[order], ends[order], concepts[order]
        longest = np.ones(len(starts), dtype=bool)
        longest[:-1] = (starts[1:] != starts[:-1]) | (concepts[1:] != concepts[:-1])
        return Hits(starts=starts[longest], ends=ends[longest], concepts=concepts[longest])


def _matches(text: Letters, pool: _Pool, where: NDArray[np.bool_]) -> tuple[Positions, Positions, Positions]:
    """The terms of one pool that begin at the places that `where` marks."""
    where = where & pool.openings[np.minimum(text.codes, 0xFFFF)]
    starts = np.flatnonzero(where)[:, None]
    size = len(text.codes)
    lengths = np.minimum(pool.lengths[None, :], size - starts)
    hashes = text.hashed(starts, lengths)
    rows, columns = np.nonzero(pool.sieve[hashes >> _SIEVE_SHIFT] & (lengths == pool.lengths))
    keys = hashes[rows, columns]
    terms = np.minimum(np.searchsorted(pool.hashes, keys), len(pool.hashes) - 1)
    known = pool.hashes[terms] == keys
    terms, begin = terms[known], starts[rows[known], 0]
    end = begin + pool.lengths[columns[known]]
    counts = pool.counts[terms]
    meanings = ranges(pool.firsts[terms], counts)
    begin, end = np.repeat(begin, counts), np.repeat(end, counts)
    edges = pool.edges[meanings]
    before, after = text.kinds[begin - 1] >= SPACED, text.kinds[np.minimum(end, size - 1)] == SPACED
    fits = ~((edges & _BEGINS > 0) & before) & ~((edges & _ENDS > 0) & after)
    return begin[fits], end[fits], pool.concepts[meanings[fits]]


def parse_lexicon(files: Iterable[str]) -> Lexicon:
    """The terms of lexicon files, TOML each.

    Raises:
        ConfigError: a file is not TOML, or names an unknown concept or member.
    """
    pools: tuple[dict[str, set[tuple[int, int]]], ...] = tuple(defaultdict(set) for _ in range(3))
    common: set[str] = set()
    for text in files:
        book = _read(text)
        common |= set(book.words.split())
        for concept, terms in book.concepts.items():
            for term in terms:
                pool, plain, edges = _placed(term)
                pools[pool][plain].add((CONCEPTS.index(concept), edges))
    words = (word for plain in pools[0] for word in plain.split() if len(word) >= _WORD and word.isascii())
    return Lexicon(tuple(_pool(pool) for pool in pools), frozenset(common.union(words)))


def _read(text: str) -> _File:
    try:
        book = msgspec.convert(tomllib.loads(text), type=_File)
    except (tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise _unreadable(str(error)) from error
    for concept in book.concepts:
        if concept not in CONCEPTS:
            raise _unreadable(f"{concept!r} is no concept")
    return book


def _unreadable(why: str) -> ConfigError:
    return ConfigError(
        Sentence(
            f"A lexicon of the detector cannot be read: {why}.",
            ko=f"탐지기의 어휘 파일을 읽을 수 없습니다: {why}.",
        )
    )


def _placed(term: str) -> tuple[int, str, int]:
    """In which pool a term is looked up, what it says, and at which edges a word must stop."""
    plain = folded_term(term.strip("*^"))
    if term.startswith("*"):
        return (0, plain, _BEGINS) if kind_of(plain[0]) == SPACED else (2, plain, 0)
    if kind_of(plain[0]) == DENSE:
        return 1, plain, _BEGINS if term.startswith("^") else 0
    if kind_of(plain[0]) == SIGN:
        return 2, plain, 0
    return 0, plain, _BEGINS if term.endswith("*") else _BEGINS | _ENDS


def folded_term(term: str) -> str:
    """A term as the folded view of a text shows it."""
    plain = "".join(fold_letter(char) for char in term)
    return plain.translate(LATIN_TWINS) if any("a" <= char <= "z" for char in plain) else plain


def _pool(terms: Mapping[str, set[tuple[int, int]]]) -> _Pool:
    rows: list[tuple[int, int, list[tuple[int, int]]]] = []
    openings = np.zeros(0x10000, dtype=bool)
    for plain, meanings in terms.items():
        openings[ord(plain[0])] = True
        rows.append((hash_of(plain), len(plain), sorted(meanings)))
    rows.sort()
    hashes = np.array([key for key, _, _ in rows], dtype=np.uint64)
    sieve = np.zeros(1 << _SIEVE_BITS, dtype=bool)
    sieve[hashes >> _SIEVE_SHIFT] = True
    counts = np.array([len(meanings) for _, _, meanings in rows])
    every = np.array([meaning for _, _, meanings in rows for meaning in meanings], dtype=np.int64)
    return _Pool(
        lengths=np.array(sorted({length for _, length, _ in rows}), dtype=np.int64),
        openings=openings,
        sieve=sieve,
        hashes=hashes,
        firsts=np.cumsum(counts) - counts,
        counts=counts,
        concepts=every[:, 0],
        edges=every[:, 1].astype(np.uint8),
    )
