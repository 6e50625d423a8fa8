"""What a question has in common with what is remembered: words, and pairs of letters where words have no spaces.

Everything is counted in whole numbers, so that every store finds the same facts in the same order. The weights
are those of BM25 (Robertson and Zaragoza, 2009), with a length that facts typically have in place of their mean.
"""

import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from unicodedata import normalize

import numpy as np

SATURATION = 1.2
BY_LENGTH = 0.75
TYPICAL = 12
"""Terms of a fact of common length."""
SCALE = 1_000
MOST_READ = 4_000
"""Characters of a question or a fact that are looked at, from its beginning."""
MOST_TERMS = 64
"""Terms of a question that are looked up."""
SCANNED = 10_000
"""Facts that are weighed for one question at most; the rarest term is looked up in any case."""
CLOSE = 5
"""A fact is recalled that has at least one part in so many of the points of the best one."""
RANK = 60
"""How much less the first places count when two rankings are joined (Cormack and others, 2009)."""
ALIKE = 0.3
"""Cosine from which a text may be about the same thing."""

_DENSE = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7a3\uf900-\ufaff"
_PIECE = re.compile(rf"([{_DENSE}]+)|([^\W_{_DENSE}]+)")
_PARTICLES = frozenset("은는이가을를에의도로와과만")


def _listed(words: str) -> frozenset[str]:
    return frozenset(words.split())


_SAYS_NOTHING = _listed(
    """
    a about am an and any are as at be been but by can could did do does for from get had has have how i if in is it
    its let may me might my no not of on or our please shall should so some than that the their them then there these
    they this to up us was we were what when where which who whom whose why will with would you your
    니다 습니 입니 합니 세요 어요 해요 에요 예요 아요 있어 뭐야 뭐였 무엇 어떤 알려 려줘 해줘 에서 하는 하고 그리 리고 나의 저의
    내가 제가 에게 이다 한다 는지 인가 인지 가요 나요 까요
    """
)


def terms(text: str) -> Counter[str]:
    """The terms that a fact is found by, and how often each stands in it.

    Where words have no spaces or end in particles, every two neighbouring letters are a term, and the first letter
    of a run: `서킷이` is found by `서킷`, `집이` by `집`.
    """
    found: Counter[str] = Counter()
    for run, word in _pieces(text):
        found.update([*_pairs(run), run[0]] if run else [_stem(word)])
    return _telling(found)


def wanted(text: str) -> tuple[str, ...]:
    """The terms to look up for a question, at most `MOST_TERMS`, in the order in which they stand there."""
    found: dict[str, int] = {}
    for run, word in _pieces(text):
        is_bare = len(run) == 1 or (len(run) == 2 and run[1] in _PARTICLES)
        for term in [*_pairs(run), *([run[0]] if is_bare else [])] if run else [_stem(word)]:
            found[term] = 1
    return tuple(_telling(Counter(found)))[:MOST_TERMS]


def impacts(text: str) -> dict[str, int]:
    """How much each term says of a fact: more the more often it stands there, less the longer the fact is."""
    counted = terms(text)
    length = counted.total()
    return {term: _impact(count, length) for term, count in counted.items()}


def weights(frequencies: Mapping[str, int], facts: int) -> dict[str, int]:
    """How much each term of a question counts: more the fewer of the facts have it.

    Of terms that so many facts have that weighing them all would take long, only the rarest are left.
    """
    chosen: dict[str, int] = {}
    scanned = 0
    for term, count in sorted(frequencies.items(), key=lambda one: (one[1], one[0])):
        scanned += count
        if count > 0 and (scanned <= SCANNED or not chosen):
            chosen[term] = round(SCALE * math.log(1 + (max(facts, count) - count + 0.5) / (count + 0.5)))
    return chosen


def close(scored: Sequence[tuple[str, int]]) -> list[str]:
    """Those of a ranking, best first, that do not fall far behind the first."""
    best = scored[0][1] if scored else 0
    return [name for name, score in scored if score * CLOSE >= best]


def fused(rankings: Sequence[Sequence[str]]) -> list[str]:
    """Several rankings as one, by the sum of what each place is worth (reciprocal rank fusion)."""
    if len(rankings) == 1:
        return [*rankings[0]]
    points: Counter[str] = Counter()
    for ranking in rankings:
        for place, name in enumerate(ranking, start=1):
            points[name] += SCALE * SCALE // (RANK + place)
    return sorted(points, key=lambda name: (-points[name], name))


def nearest(question: bytes, kept: Mapping[str, bytes], limit: int) -> list[str]:
    """The names of the vectors that point most nearly the same way as `question`, nearest first; all as `packed`.

    Vectors of another length were made by another embedder and are none.
    """
    asked = np.frombuffer(question, dtype="<f4")
    fitting = [(name, raw) for name, raw in kept.items() if len(raw) == len(question)]
    length = float(np.linalg.norm(asked))
    if not fitting or not math.isfinite(length) or length == 0:
        return []
    matrix = np.frombuffer(b"".join(raw for _, raw in fitting), dtype="<f4").reshape(len(fitting), -1)
    lengths = np.linalg.norm(matrix, axis=1) * length
    cosines = np.divide(matrix @ asked, lengths, out=np.zeros(len(fitting), dtype="<f4"), where=lengths > 0)
    best = sorted(zip(cosines.tolist(), (name for name, _ in fitting), strict=True), key=_by_cosine)
    return [name for cosine, name in best[:limit] if cosine >= ALIKE]


def packed(vector: Sequence[float]) -> bytes:
    """A vector as it is kept: little-endian float32."""
    return np.asarray(vector, dtype="<f4").tobytes()


def affordable(costs: Iterable[int], budget: int) -> list[int]:
    """The places of what fits into a budget together, taken in order; what is too dear is passed over."""
    chosen: list[int] = []
    for place, cost in enumerate(costs):
        if cost <= budget:
            chosen.append(place)
            budget -= cost
    return chosen


def _pieces(text: str) -> Iterator[tuple[str, str]]:
    for found in _PIECE.finditer(normalize("NFKC", text[:MOST_READ]).casefold()):
        yield found[1] or "", found[2] or ""


def _pairs(run: str) -> list[str]:
    return [run[at : at + 2] for at in range(len(run) - 1)]


def _stem(word: str) -> str:
    """A word without the ending of its plural."""
    if len(word) > 4 and word.endswith("ies"):
        return f"{word[:-3]}y"
    return word[:-1] if len(word) > 3 and word.endswith("s") and not word.endswith("ss") else word


def _telling(found: Counter[str]) -> Counter[str]:
    """Without words that every sentence has, unless there are no others."""
    kept = Counter({term: count for term, count in found.items() if term not in _SAYS_NOTHING})
    return kept or found


def _impact(count: int, length: int) -> int:
    damping = SATURATION * (1 - BY_LENGTH + BY_LENGTH * length / TYPICAL)
    return round(SCALE * count * (SATURATION + 1) / (count + damping))


def _by_cosine(one: tuple[float, str]) -> tuple[float, str]:
    cosine, name = one
    return -cosine, name
