"""What a score is worth: how often harmless texts of the same kind score as high."""

from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from math import exp, log
from typing import Literal

import msgspec

Script = Literal["latin", "hangul", "han", "other"]
Length = Literal["short", "middle", "long", "vast"]

SHORT, MIDDLE, LONG = 300, 2_000, 8_000
"""Characters up to which a text is short, of middle length, and long."""

RATES = (0.5, 0.2, 0.1, 0.05, 0.02, 0.01, 0.005, 0.002, 0.001, 0.0005, 0.0002, 0.0001)
"""False-positive rates for which a calibration holds the score."""

_TAIL = 0.04
"""Share of the highest scores from which the thin end is drawn out: exponential, like most tails."""

FEWEST = 200
"""Texts of one kind from which the kind is judged by itself."""

_CERTAIN = 1e-6
_HANGUL = "\uac00"
_HANGUL_ENDS = "\ud7a3"
_HAN = "\u3040"
_HAN_ENDS = "\u9fff"


class Calibration(msgspec.Struct, frozen=True, kw_only=True):
    """For one channel the scores at `RATES`, by kind of text.

    Attributes:
        scores: by `script/length`; `any/any` is there always.
    """

    scores: Mapping[str, tuple[float, ...]]

    def rate(self, score: float, script: Script, length: Length) -> float:
        """The share of harmless texts of this kind that score at least as high, as an estimate."""
        steps = (
            self.scores.get(f"{script}/{length}")
            or self.scores.get(f"any/{length}")
            or self.scores["any/any"]
        )
        return _rate(steps, score)


def _rate(steps: Sequence[float], score: float) -> float:
    """Between two known scores the logarithm of the rate is drawn straight, and on beyond the last."""
    if score <= steps[0]:
        return 1.0 if score < steps[0] else RATES[0]
    at = min(bisect_left(steps, score), len(steps) - 1)
    low, high = steps[at - 1], steps[at]
    share = (score - low) / max(high - low, 1e-9)
    return max(exp(log(RATES[at - 1]) + share * (log(RATES[at]) - log(RATES[at - 1]))), _CERTAIN)


def fitted(scores: Iterable[tuple[Script, Length, float]]) -> Calibration:
    """The calibration that harmless texts give: each kind of text that is common enough gets its own.

    Raises:
        ValueError: there are fewer than `FEWEST` texts.
    """
    groups: dict[str, list[float]] = {}
    for script, length, score in scores:
        for name in (f"{script}/{length}", f"any/{length}", "any/any"):
            groups.setdefault(name, []).append(score)
    if len(groups.get("any/any", ())) < FEWEST:
        raise ValueError(f"a calibration needs {FEWEST} harmless texts or more")
    return Calibration(
        scores={name: _steps(sorted(group)) for name, group in sorted(groups.items()) if len(group) >= FEWEST}
    )


def _steps(rising: Sequence[float]) -> tuple[float, ...]:
    """The scores at `RATES`: counted where texts are many, drawn out where they are few."""
    many = len(rising)
    start = rising[int(many * (1 - _TAIL))]
    beyond = [score - start for score in rising if score > start]
    mean = sum(beyond) / max(len(beyond), 1) or 1e-3
    steps: list[float] = []
    for rate in RATES:
        counted = rising[min(int(many * (1 - rate)), many - 1)]
        drawn = start + mean * log(_TAIL / rate) if rate < _TAIL else counted
        value = counted if rate * many >= 20 else max(drawn, counted if rate * many >= 5 else drawn)
        steps.append(round(max(value, steps[-1] + 1e-6 if steps else value), 4))
    return tuple(steps)


def script_of(text: str) -> Script:
    """In which script most of a text's first letters are."""
    counts: dict[Script, int] = {"latin": 0, "hangul": 0, "han": 0, "other": 0}
    for char in text[:400]:
        if char.isalpha():
            counts[_script(char)] += 1
    counts["hangul"] *= 3
    counts["han"] *= 3
    return max(counts, key=lambda name: counts[name])


def _script(char: str) -> Script:
    if char < "\u0250" or "\u1e00" <= char <= "\u1eff":
        return "latin"
    if _HANGUL <= char <= _HANGUL_ENDS:
        return "hangul"
    return "han" if _HAN <= char <= _HAN_ENDS else "other"


def length_of(text: str) -> Length:
    """Of which length class a text is."""
    if len(text) <= SHORT:
        return "short"
    if len(text) <= MIDDLE:
        return "middle"
    return "long" if len(text) <= LONG else "vast"


_WORTH = ((0.1, 0.0), (0.01, 0.5), (0.001, 0.7), (0.0001, 0.85), (_CERTAIN, 0.97))
"""Suspicion by false-positive rate: the default thresholds of the screen are its budgets of 1 % and 0.1 %."""


def suspicion(rate: float) -> float:
    """A false-positive rate as a score in [0, 1], as rules give it."""
    if rate >= _WORTH[0][0]:
        return 0.0
    for (high, low_score), (low, high_score) in pairwise(_WORTH):
        if rate >= low:
            return round(low_score + (high_score - low_score) * log(high / rate) / log(high / low), 4)
    return _WORTH[-1][1]


def rate_of(score: float) -> float:
    """The false-positive rate that a suspicion stands for: what `suspicion` makes of it, undone."""
    if score <= 0:
        return 1.0
    for (high, low_score), (low, high_score) in pairwise(_WORTH):
        if score <= high_score:
            return high * exp(log(low / high) * (score - low_score) / (high_score - low_score))
    return _CERTAIN
