"""Expectations: `users_saw_errors == 0`, `spent <= budget`, one comparison or several joined by `or`."""

import difflib
import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import TypeAlias

from holdfast.drill.facts import FACTS, Fact
from holdfast.errors import ConfigError
from holdfast.language import Sentence

Compare: TypeAlias = Callable[[Decimal, Decimal], bool]
_WORDS: Mapping[str, bool] = {"true": True, "false": False}
_OPERATORS: Mapping[str, Compare] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<=": operator.le,
    ">=": operator.ge,
    "<": operator.lt,
    ">": operator.gt,
}
_COMPARISON = re.compile(r"\s*([\w.]+)\s*(==|!=|<=|>=|<|>)\s*([\w.]+)\s*")
_NUMBER = re.compile(r"\d+(\.\d+)?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Two sides, each the name of a fact or a value, and what must hold between them."""

    left: str | Fact
    operator: str
    right: str | Fact

    def holds(self, facts: Mapping[str, Fact]) -> bool:
        """Whether it does; nothing holds of a fact that there is not, such as the budget where none is set."""
        left, right = _value(self.left, facts), _value(self.right, facts)
        if left is None or right is None:
            return False
        return _OPERATORS[self.operator](Decimal(left), Decimal(right))

    def names(self) -> list[str]:
        """The facts that it looks at."""
        return [side for side in (self.left, self.right) if isinstance(side, str)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Expectation:
    """What must hold at the end of a drill; one of the comparisons is enough."""

    text: str
    comparisons: tuple[Comparison, ...]
    cure: Sentence | None = None

    def holds(self, facts: Mapping[str, Fact]) -> bool:
        """Whether one of them holds."""
        return any(comparison.holds(facts) for comparison in self.comparisons)

    def found(self, facts: Mapping[str, Fact]) -> dict[str, Fact]:
        """The facts that it looked at, in the order of its words."""
        names = [name for comparison in self.comparisons for name in comparison.names()]
        return {name: facts[name] for name in names}


def expectation(text: str, cure: Sentence | None = None) -> Expectation:
    """Read one; raises `ConfigError` for what is no comparison, or names a fact that there is not."""
    parts = [_comparison(part, text) for part in re.split(r"\s+or\s+", text.strip())]
    return Expectation(text=" ".join(text.split()), comparisons=tuple(parts), cure=cure)


def _comparison(part: str, text: str) -> Comparison:
    found = _COMPARISON.fullmatch(part)
    if found is None:
        raise ConfigError(
            Sentence(
                f"`{text}` is no expectation; write a fact, one of {' '.join(_OPERATORS)}, and a value or another "
                "fact, such as `users_saw_errors == 0`; several may be joined by `or`",
                ko=f"`{text}`은(는) 기대 조건이 아닙니다. `users_saw_errors == 0`처럼 사실, 비교 연산자"
                f"({' '.join(_OPERATORS)}), 값이나 다른 사실을 적으세요. 여러 개는 `or`로 잇습니다",
            )
        )
    return Comparison(left=_side(found[1]), operator=found[2], right=_side(found[3]))


def _side(word: str) -> str | Fact:
    if word in _WORDS:
        return _WORDS[word]
    if _NUMBER.fullmatch(word):
        return Decimal(word)
    if word not in FACTS:
        raise _unknown(word)
    return word


def _unknown(word: str) -> ConfigError:
    near = difflib.get_close_matches(word, FACTS, n=1)
    known = ", ".join(FACTS)
    meant = Sentence(f"did you mean `{near[0]}`?", ko=f"혹시 `{near[0]}`인가요?") if near else None
    meant = meant or Sentence(f"there are: {known}", ko=f"쓸 수 있는 것: {known}")
    return ConfigError(
        Sentence(
            f"a drill knows no fact `{word}`; {meant.en}", ko=f"`{word}`라는 사실은 없습니다. {meant.ko}"
        )
    )


def _value(side: str | Fact, facts: Mapping[str, Fact]) -> Fact:
    return facts[side] if isinstance(side, str) else side
