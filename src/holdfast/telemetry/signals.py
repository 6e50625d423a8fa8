"""What alert rules watch for, gathered from events: cheap for whoever announces one, and bounded."""

import threading
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from math import inf

from holdfast.clock import Clock
from holdfast.events import (
    BudgetAlerted,
    CallEnded,
    CircuitChanged,
    Event,
    GateChanged,
    RequestCrashed,
    RunStopped,
    SettleFailed,
)
from holdfast.language import Sentence
from holdfast.policy.alert_rules import (
    COUNT_WINDOW,
    LEAST_CALLS,
    AlertRuleConfig,
    Exceeds,
    Happens,
    Measure,
    Occurrence,
    Rate,
    RateExceeds,
    VerdictIs,
)
from holdfast.policy.incidents import Case
from holdfast.policy.verdict import Effect, Verdict
from holdfast.policy.verdict_words import sentence

MOMENT = 60.0
"""Seconds for which something that has just happened is seen."""
MOST = 500
"""Things with names that are remembered at once of each kind; what lasts until somebody ends it always is."""
LONGEST_LABEL = 200
RATED: Mapping[Rate, Effect] = {
    "error rate": "failed",
    "fallback rate": "fallback",
    "refusal rate": "refused",
}
UNSAID = Sentence("", ko="")
Thing = tuple[Occurrence, str]
"""What happened, and to whom."""


class Signals:
    """An observer that knows which rules hold; safe from any thread.

    `gauges` are asked each time how much has been lost so far.
    """

    def __init__(
        self,
        rules: Mapping[str, AlertRuleConfig],
        clock: Clock,
        gauges: Sequence[Callable[[], int]] = (),
    ) -> None:
        self._rules = {name: rule.condition for name, rule in rules.items()}
        self._clock = clock
        self._lock = threading.Lock()
        self._gauges = list(gauges)
        self._lost = 0
        self._things: dict[Thing, float] = {}
        self._said: dict[Thing, Sentence] = {}
        self._counted: deque[tuple[int, Counter[Measure]]] = deque()
        self._since: dict[str, float] = {}

    def add_gauge(self, gauge: Callable[[], int]) -> None:
        """Ask somebody else, too, how much has been lost."""
        self._gauges.append(gauge)

    def __call__(self, event: Event) -> None:
        """Take note of an event."""
        if self._rules:
            now = self._clock.monotonic()
            with self._lock:
                self._hear(event, now)

    def active(self, now: float, verdict: Verdict) -> frozenset[Case]:
        """The cases that are seen now."""
        with self._lock:
            self._sample(now)
            self._things = {thing: until for thing, until in self._things.items() if until > now}
            self._said = {thing: said for thing, said in self._said.items() if thing in self._things}
            while self._counted and self._counted[0][0] <= now - COUNT_WINDOW:
                self._counted.popleft()
            return frozenset(case for name in self._rules for case in self._cases(name, now, verdict))

    def detail(self, case: Case, verdict: Verdict) -> Sentence:
        """What is known of a case besides."""
        match self._rules[case.rule]:
            case Happens(what=what):
                return self._said.get((what, case.label), UNSAID)
            case Exceeds():
                return UNSAID
            case RateExceeds() | VerdictIs():
                return sentence(verdict)

    def _cases(self, name: str, now: float, verdict: Verdict) -> Sequence[Case]:
        match self._rules[name]:
            case Happens(what=what):
                return [Case(rule=name, label=label) for of, label in self._things if of == what]
            case Exceeds(measure=measure, above=above):
                holds = sum(counted[measure] for _, counted in self._counted) > above
                return [Case(rule=name)] if holds else []
            case RateExceeds(rate=rate, above=above, length=length):
                calls, hit = verdict.counts.calls, verdict.counts.effect(RATED[rate])
                return self._lasting(name, now, length, holds=calls >= LEAST_CALLS and hit > above * calls)
            case VerdictIs(kind=kind, negated=negated, length=length):
                # Idle claims nothing, so it is not the opposite of anything.
                holds = verdict.kind not in (kind, "idle") if negated else verdict.kind == kind
                return self._lasting(name, now, length, holds=holds)

    def _lasting(self, name: str, now: float, length: float, *, holds: bool) -> Sequence[Case]:
        if not holds:
            self._since.pop(name, None)
            return []
        began = self._since.setdefault(name, now)
        return [Case(rule=name)] if now - began >= length else []

    def _hear(self, event: Event, now: float) -> None:
        match event:
            case CircuitChanged():
                is_open = event.after in ("open", "half_open", "forced_open")
                self._mark("circuit open", event.circuit, inf if is_open else 0.0)
            case GateChanged():
                self._gate(event, now)
            case BudgetAlerted():
                self._mark("budget threshold", *_budget(event, now))
            case RunStopped():
                self._mark("runaway run", event.run or event.agent or "", now + MOMENT, _evidence(event))
            case RequestCrashed():
                self._mark("crash", event.place, now + MOMENT)
            case SettleFailed():
                self._count(now, "unsettled", 1)
            case CallEnded():
                self._count(now, "unpriced", int(event.cost is None and event.attempts > 0))
            case _:
                pass

    def _sample(self, now: float) -> None:
        lost = sum(gauge() for gauge in self._gauges)
        if lost > self._lost:
            self._count(now, "dropped", lost - self._lost)
        self._lost = lost

    def _gate(self, event: GateChanged, now: float) -> None:
        until = 0.0
        if event.state == "closed":
            until = inf if event.retry_after is None else now + event.retry_after
        self._mark("gate closed", f"{event.gate} {event.place}", until)
        if event.gate == "credential":
            self._mark("credential gate", event.place, until)
        if event.gate == "spend":
            self._mark("spend gate", event.place, until)

    def _mark(self, what: Occurrence, label: str, until: float, said: Sentence = UNSAID) -> None:
        thing = (what, label[:LONGEST_LABEL])
        if until and (until == inf or thing in self._things or self._has_room(what)):
            self._things[thing] = until
            self._said[thing] = said
        elif not until:
            self._things.pop(thing, None)

    def _has_room(self, what: Occurrence) -> bool:
        """Of its own for each kind: a flood of names of one sort leaves the others theirs."""
        if len(self._things) < MOST:
            return True
        return sum(of == what and until != inf for (of, _), until in self._things.items()) < MOST

    def _count(self, now: float, measure: Measure, count: int) -> None:
        if not count:
            return
        if not self._counted or self._counted[-1][0] != int(now):
            self._counted.append((int(now), Counter()))
        self._counted[-1][1][measure] += count


def _budget(event: BudgetAlerted, now: float) -> tuple[str, float, Sentence]:
    """One incident for each threshold of a window."""
    label = " ".join(part for part in (event.budget, event.subject, event.window, event.threshold) if part)
    limit = event.limit or "-"
    said = Sentence(
        f"Budget `{event.budget}`: {event.settled} of {limit} dollars are spent.",
        ko=f"예산 `{event.budget}`: {limit}달러 중 {event.settled}달러를 썼습니다.",
    )
    return label, now + MOMENT, said


def _evidence(event: RunStopped) -> Sentence:
    return Sentence(f"Cause: {event.cause}, {event.evidence}.", ko=f"원인: {event.cause}, {event.evidence}.")
