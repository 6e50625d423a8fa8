"""The sheet of a drill: which expectations held, what was found, and what to do about the others."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from holdfast.drill.expectation import Expectation
from holdfast.drill.facts import Fact, shown
from holdfast.drill.scenario import Scenario
from holdfast.language import Language, Sentence


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One expectation and what was found."""

    expectation: str
    passed: bool
    found: Mapping[str, Fact]
    cure: Sentence | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    """What became of a drill.

    Attributes:
        incident: the name of the scenario.
        title: what went wrong in it.
        seed: the same seed gives the same sheet, but for scenarios that take real time.
        lines: the expectations in their order.
        facts: everything that was found out, by name; see docs/drill.md.
        seconds: how long it lasted for its users; `took` are the seconds that passed on this machine.
    """

    incident: str
    title: Sentence
    seed: int
    lines: tuple[Line, ...]
    facts: Mapping[str, Fact]
    seconds: float
    took: float

    @property
    def passed(self) -> bool:
        """Whether every expectation held."""
        return all(line.passed for line in self.lines)

    def said(self, language: Language = "en") -> str:
        """The sheet for people."""
        return "\n".join([self._head(language), *self._lines(language), self._foot(language)])

    def wire(self) -> dict[str, Any]:
        """The sheet for programs; dollars are decimal strings."""
        return {
            "incident": self.incident,
            "title": {"en": self.title.en, "ko": self.title.ko},
            "passed": self.passed,
            "seed": self.seed,
            "expectations": [
                {
                    "expectation": line.expectation,
                    "passed": line.passed,
                    "found": {name: _plain(fact) for name, fact in line.found.items()},
                    "cure": None if line.cure is None else {"en": line.cure.en, "ko": line.cure.ko},
                }
                for line in self.lines
            ],
            "facts": {name: _plain(fact) for name, fact in self.facts.items()},
            "seconds": round(self.seconds, 3),
            "took": round(self.took, 3),
        }

    def __str__(self) -> str:
        return self.said()

    def _head(self, language: Language) -> str:
        verdict = Sentence("PASS", ko="통과") if self.passed else Sentence("FAIL", ko="실패")
        times = Sentence(
            f"{self.seconds:.0f} s in {self.took:.1f} s",
            ko=f"{self.seconds:.0f}초 분량을 {self.took:.1f}초에",
        )
        return (
            f"{verdict.say(language)}  {self.incident} · {self.title.say(language)} · {times.say(language)}"
        )

    def _lines(self, language: Language) -> list[str]:
        found: list[str] = []
        for line in self.lines:
            mark = "ok  " if line.passed else "FAIL"
            facts = ", ".join(f"{name} = {shown(fact)}" for name, fact in line.found.items())
            found.append(f"  {mark}  {line.expectation}   ({facts})")
            if not line.passed and line.cure is not None:
                found.append(f"        -> {line.cure.say(language)}")
        return found

    def _foot(self, language: Language) -> str:
        facts = {name: shown(fact) for name, fact in self.facts.items()}
        text = Sentence(
            "{calls} calls: {answered} answered, {fallbacks} fallback, {cached} cached, {refused} refused, "
            "{users_saw_errors} errors · {upstream_requests} upstream requests · billed ${billed}, settled ${settled}",
            ko="호출 {calls}건: 응답 {answered}, 대체 {fallbacks}, 캐시 {cached}, 거절 {refused}, "
            "오류 {users_saw_errors} · 업스트림 요청 {upstream_requests}건 · 실제 청구 ${billed}, 원장 ${settled}",
        )
        return "  " + text.say(language).format(**facts)


def sheet(scenario: Scenario, facts: Mapping[str, Fact], *, seed: int, seconds: float, took: float) -> Sheet:
    """The sheet of a scenario that was played."""
    return Sheet(
        incident=scenario.name,
        title=scenario.title,
        seed=seed,
        lines=tuple(_line(expectation, facts) for expectation in scenario.expectations),
        facts=facts,
        seconds=seconds,
        took=took,
    )


def _line(expectation: Expectation, facts: Mapping[str, Fact]) -> Line:
    return Line(
        expectation=expectation.text,
        passed=expectation.holds(facts),
        found=expectation.found(facts),
        cure=expectation.cure,
    )


def _plain(fact: Fact) -> str | int | float | bool | None:
    match fact:
        case None | bool() | int():
            return fact
        case float():
            return round(fact, 3)
        case _:
            return shown(fact)
