"""A summary of what was said, made of its own most telling sentences, without any model."""

import math
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from holdfast.policy.estimate import BYTES_PER_TOKEN
from holdfast.policy.recall import terms

Speaker = Literal["user", "assistant", "summary"]
"""`summary` is an earlier summary, whose sentences say themselves who has spoken."""

MOST_SENTENCES = 1_000
"""Sentences that are weighed; of a longer conversation, the newest."""
LONGEST = 400
"""Characters of one sentence that are kept."""
SAME = 0.6
"""Share of common terms from which a sentence says nothing new."""

_END = re.compile(r"(?<=[.!?])\s+|(?<=[。！？])\s*|\n+")
_NUMBER = re.compile(r"\d")
_NAMES: dict[Speaker, str] = {"user": "User: ", "assistant": "Assistant: ", "summary": ""}
_WORTH: dict[Speaker, float] = {"user": 1.3, "assistant": 1.0, "summary": 1.5}


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """Something that was said in a conversation."""

    who: Speaker
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Candidate:
    place: int
    line: str
    terms: frozenset[str]
    score: float


def tokens_of(text: str) -> int:
    """Tokens that a text has at most, reckoned from its bytes."""
    return -(-len(text.encode("utf-8", "replace")) // BYTES_PER_TOKEN)


def shortened(text: str, tokens: int) -> str:
    """The beginning of a text that surely has no more tokens than that."""
    room = max(0, tokens * BYTES_PER_TOKEN)
    raw = text.encode("utf-8", "replace")
    return text if len(raw) <= room else raw[:room].decode("utf-8", "ignore")


def extract(said: Sequence[Said], tokens: int) -> str:
    """The sentences that say most of a conversation, in their order, one a line, in at most so many tokens.

    A sentence says much that has the terms which come up again and again, or a number; the user's count more.
    """
    chosen: list[_Candidate] = []
    for one in sorted(_candidates(said), key=lambda one: (-one.score, one.place)):
        cost = tokens_of(f"{one.line}\n")
        if cost <= tokens and not any(_is_same(one, other) for other in chosen):
            chosen.append(one)
            tokens -= cost
    return "\n".join(one.line for one in sorted(chosen, key=lambda one: one.place))


def _candidates(said: Sequence[Said]) -> list[_Candidate]:
    sentences: list[tuple[Speaker, str]] = [*_sentences(said)][-MOST_SENTENCES:]
    read: list[tuple[Speaker, str, Counter[str]]] = [(who, text, terms(text)) for who, text in sentences]
    often: Counter[str] = Counter()
    for _, _, found in read:
        often.update(found.keys())
    return [
        _Candidate(
            place=place,
            line=f"{_NAMES[who]}{text}",
            terms=frozenset(found),
            score=_score(who, text, found, often),
        )
        for place, (who, text, found) in enumerate(read)
        if found
    ]


def _sentences(said: Sequence[Said]) -> Iterator[tuple[Speaker, str]]:
    for one in said:
        for sentence in _END.split(one.text):
            if text := " ".join(sentence.split())[:LONGEST]:
                yield one.who, text


def _score(who: Speaker, text: str, found: Counter[str], often: Counter[str]) -> float:
    weight = sum(math.log1p(often[term]) for term in found) / (4 + len(found))
    return _WORTH[who] * (weight + (0.3 if _NUMBER.search(text) else 0.0))


def _is_same(one: _Candidate, other: _Candidate) -> bool:
    common = len(one.terms & other.terms)
    return common >= SAME * min(len(one.terms), len(other.terms))
