"""The circuit against a naive reading of its rules, and that reading against planted faults."""

import inspect
import random
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Literal

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from holdfast.policy import breaker
from holdfast.policy.breaker import (
    BreakerConfig,
    Circuit,
    NotPermitted,
    Order,
    Outcome,
    Permit,
    Permitted,
    State,
    Word,
)

CONFIGS = [
    BreakerConfig(),
    BreakerConfig(failure_threshold=2, failure_rate_threshold=None, permit_lease=7.0),
    BreakerConfig(failure_threshold=None, minimum_calls=4, window=10.0, success_threshold=3),
    BreakerConfig(failure_threshold=3, permitted_calls_in_half_open=1, success_threshold=1),
    BreakerConfig(failure_threshold=4, slow_call_rate_threshold=0.5, slow_call_duration_threshold=2.0),
    BreakerConfig(failure_threshold=2, minimum_calls=3, recovery_timeout=1.5, recovery_timeout_max=40.0),
]
ORDERS: list[Order] = ["closed", "forced_open", "disabled", "metrics_only"]
STATES: list[Literal["open", "closed"]] = ["open", "closed"]
LEFT = [-1.0, 0.0, 1.0, 4.0, 1e9]
"""Seconds that a peer's circuit stays open."""
ADOPTED = [
    Word(state=state, at=age, retry_after=left, openings=openings)
    for state in STATES
    for age in (0.0, 0.1, 3.0, 20.0)
    for left in LEFT
    for openings in (1, 4)
]
"""Words of peers; `at` is how long ago."""
AGES = st.sampled_from([0.0, 0.1, 3.0, 20.0]) | st.floats(0, 60)
STEPS = [0.0, 0.1, 1.0, 1.5, 3.0, 4.6, 5.0, 6.1, 7.0, 20.0, 31.0, 61.0]
WISHES = [None, None, None, float("nan"), -1.0, 0.0, 9.0, 1e9]


@dataclass
class Naive:
    """The rules read aloud: every sample kept for ever, every number counted anew."""

    config: BreakerConfig
    state: State = "closed"
    generation: int = 0
    until: float = 0.0
    openings: int = 0
    oks: int = 0
    stale: int = 0
    repeated: int = 0
    granted: int = 0
    samples: list[tuple[float, Outcome, bool]] = field(default_factory=list[tuple[float, Outcome, bool]])
    waiting: list[Permit] = field(default_factory=list[Permit])
    begun: list[Permit] = field(default_factory=list[Permit])
    news: list[tuple[float, bool]] = field(default_factory=list[tuple[float, bool]])

    def mine(self) -> list[Permit]:
        return [permit for permit in self.waiting if permit.generation == self.generation]

    def tick(self, now: float, roll: float) -> None:
        if self.state == "half_open":
            lost = [p.granted_at + self.config.permit_lease for p in self.mine()]
            if lost and min(lost) <= now:
                self.open(min(lost), roll, None)
        if self.state == "open" and now > self.until - 2e-6 and now - self.until >= -1e-6:
            self.move("half_open", None)

    def move(self, state: State, learned: float | None, *, of_peer: bool = False) -> None:
        """Every move but those of time alone is a piece of news, learned at some moment."""
        if learned is not None:
            self.news.append((learned, of_peer))
        self.state, self.oks = state, 0
        self.generation += 1
        if state not in {"open", "half_open"}:
            self.samples, self.openings = [], 0

    def open(self, at: float, roll: float, wish: float | None) -> None:
        longest = self.config.recovery_timeout_max or self.config.recovery_timeout * 4
        base = self.config.recovery_timeout
        for _ in range(min(self.openings, 30)):
            base = min(base * 2, longest)
        wait = base + base * roll / 5
        if wish is not None and wish == wish and wish > wait:
            wait = max(wait, min(wish, longest))
        self.openings += 1
        self.until = at + wait
        self.move("open", at)

    def adopt(self, word: Word, now: float, roll: float) -> None:
        self.tick(now, roll)
        if self.news and word.at < self.news[-1][0]:
            return
        longest = (self.config.recovery_timeout_max or self.config.recovery_timeout * 4) * 1.2
        if word.state == "open" and self.state in {"closed", "half_open"} and word.retry_after > 0:
            self.openings = max(self.openings, word.openings)
            self.until = now + min(longest, word.retry_after)
            self.move("open", word.at, of_peer=True)
        elif word.state == "closed" and (
            self.state == "half_open" or (self.state == "open" and self.news[-1][1])
        ):
            self.move("closed", word.at, of_peer=True)

    def acquire(self, now: float, roll: float) -> float | Permit | None:
        self.tick(now, roll)
        if self.state == "open":
            return self.until - now
        if self.state == "forced_open":
            return None
        if self.state == "half_open" and len(self.mine()) == self.config.permitted_calls_in_half_open:
            return 1.0
        self.granted += 1
        is_probe = self.state == "half_open"
        permit = Permit(generation=self.generation, number=self.granted, granted_at=now, is_probe=is_probe)
        self.waiting.append(permit)
        return permit

    def report(self, permit: Permit, outcome: Outcome, now: float, roll: float, wish: float | None) -> None:
        self.tick(now, roll)
        if permit.generation != self.generation:
            self.stale += 1
        elif permit in self.waiting:
            self.waiting.remove(permit)
            self.hear(outcome, now, roll, now - permit.granted_at, wish)
        elif permit in self.begun:
            self.begun.remove(permit)
            if outcome is Outcome.FAIL and self.state in {"closed", "metrics_only"}:
                self.hear(outcome, now, roll, 0.0, wish)
        else:
            self.repeated += 1

    def begin(self, permit: Permit, now: float, roll: float) -> None:
        is_first = permit in self.waiting and permit.generation == self.generation
        self.report(permit, Outcome.OK, now, roll, None)
        if is_first and permit.generation == self.generation:
            self.begun.append(permit)

    def record(self, outcome: Outcome, now: float, roll: float, wish: float | None) -> None:
        self.tick(now, roll)
        if self.state == "half_open" and self.mine():
            self.waiting.remove(self.mine()[0])
        self.hear(outcome, now, roll, 0.0, wish)

    def hear(self, outcome: Outcome, now: float, roll: float, took: float, wish: float | None) -> None:
        if outcome is Outcome.OK and self.state in {"closed", "metrics_only", "half_open"}:
            self.news.append((now, False))
        if self.state in {"closed", "metrics_only"} and outcome is not Outcome.NEUTRAL:
            self.samples.append((now, outcome, took > self.config.slow_call_duration_threshold))
            if self.state == "closed" and self.is_broken(now):
                self.open(now, roll, wish)
        elif self.state == "half_open" and outcome is Outcome.FAIL:
            self.open(now, roll, wish)
        elif self.state == "half_open" and outcome is Outcome.OK:
            self.oks += 1
            if self.oks == self.config.success_threshold:
                self.move("closed", now)

    def in_a_row(self) -> int:
        outcomes = [outcome for _, outcome, _ in self.samples]
        return next((n for n, o in enumerate(reversed(outcomes)) if o is Outcome.OK), len(outcomes))

    def in_window(self, now: float) -> tuple[int, int, int]:
        width = self.config.window / 10
        recent = [s for s in self.samples if int(now / width) - int(s[0] / width) < 10]
        failures = sum(o is Outcome.FAIL for _, o, _ in recent)
        return len(recent), failures, sum(s and o is Outcome.OK for _, o, s in recent)

    def is_broken(self, now: float) -> bool:
        _, outcome, took_long = self.samples[-1]
        failed = outcome is Outcome.FAIL
        if failed and self.in_a_row() == self.config.failure_threshold:
            return True
        calls, failures, slow = self.in_window(now)
        if calls < self.config.minimum_calls or not (failed or took_long):
            return False
        by_failure, by_slow = self.config.failure_rate_threshold, self.config.slow_call_rate_threshold
        failing = failed and by_failure is not None and failures / calls >= by_failure
        return failing or (by_slow is not None and slow / calls >= by_slow)


@dataclass
class Pair:
    """The circuit and the naive reading, driven together; any difference is an `AssertionError`."""

    circuit: Circuit
    naive: Naive
    now: float = 100.0
    permits: list[Permit] = field(default_factory=list[Permit])

    def acquire(self, roll: float) -> None:
        expected = self.naive.acquire(self.now, roll)
        match self.circuit.acquire(now=self.now, roll=roll):
            case Permitted(permit):
                assert permit == expected
                self.permits.append(permit)
            case NotPermitted(retry_after=None):
                assert expected is None
            case NotPermitted(retry_after=retry_after):
                assert isinstance(expected, float)
                assert retry_after == pytest.approx(expected, abs=1e-6)
        self.compare(roll)

    def report(self, which: int, outcome: Outcome, roll: float, wish: float | None) -> None:
        permit = self.permits[which % len(self.permits)]
        self.naive.report(permit, outcome, self.now, roll, wish)
        self.circuit.report(permit, outcome, now=self.now, roll=roll, retry_after=wish)
        self.compare(roll)

    def begin(self, which: int, roll: float) -> None:
        permit = self.permits[which % len(self.permits)]
        self.naive.begin(permit, self.now, roll)
        self.circuit.begin(permit, now=self.now, roll=roll)
        self.compare(roll)

    def record(self, outcome: Outcome, roll: float, wish: float | None) -> None:
        self.naive.record(outcome, self.now, roll, wish)
        self.circuit.record(outcome, now=self.now, roll=roll, retry_after=wish)
        self.compare(roll)

    def order(self, state: Order) -> None:
        if state == "closed" or state != self.naive.state:
            self.naive.move(state, self.now)
        self.circuit.order(state, now=self.now)
        self.compare(0.0)

    def adopt(self, word: Word, roll: float) -> None:
        word = replace(word, at=self.now - word.at)
        before = self.naive.generation
        self.naive.adopt(word, self.now, roll)
        self.circuit.adopt(word, now=self.now, roll=roll)
        if self.naive.generation != before and self.naive.state == "open":
            longest = self.circuit.config.wait_max * 1.2
            assert (self.circuit.retry_after(now=self.now) or 0.0) <= longest + 1e-6
        self.compare(roll)

    def compare(self, roll: float) -> None:
        self.naive.tick(self.now, roll)
        seen = self.circuit.snapshot(now=self.now, roll=roll)
        assert (seen.state, seen.generation) == (self.naive.state, self.naive.generation)
        assert (seen.stale_outcomes_total, seen.repeated_outcomes_total) == (
            self.naive.stale,
            self.naive.repeated,
        )
        assert (seen.live, seen.probe_successes) == (len(self.naive.mine()), self.naive.oks)
        assert (seen.consecutive_openings, seen.permitted_total) == (self.naive.openings, self.naive.granted)
        assert seen.consecutive_failures == self.naive.in_a_row()
        assert (seen.calls, seen.failures, seen.slow_calls) == self.naive.in_window(self.now)
        if seen.state == "half_open":
            assert seen.live <= self.circuit.config.permitted_calls_in_half_open


def pair(config: BreakerConfig, make: Callable[[BreakerConfig], Circuit] = Circuit) -> Pair:
    return Pair(make(config), Naive(config))


def walk(make: Callable[[BreakerConfig], Circuit], seed: int, steps: int) -> None:
    """One random walk over all verbs; half of it in a bad hour of the service."""
    dice = random.Random(seed)
    both = pair(dice.choice(CONFIGS), make)
    fails = dice.choice([0.2, 0.5, 0.9])
    for _ in range(steps):
        roll, wish = dice.random(), dice.choice(WISHES)
        outcome = dice.choices([*Outcome], weights=[1 - fails, fails, 0.2])[0]
        latest = len(both.permits) - 1 - int(dice.random() ** 2 * 8)
        match dice.choices(["acquire", "report", "begin", "record", "wait", "rare"], [30, 30, 8, 5, 20, 2])[
            0
        ]:
            case "report" if both.permits:
                both.report(latest, outcome, roll, wish)
            case "begin" if both.permits:
                both.begin(latest, roll)
            case "record":
                both.record(outcome, roll, wish)
            case "wait":
                both.now += dice.choice(STEPS)
                both.compare(roll)
            case "rare" if dice.random() < 0.5:
                both.adopt(dice.choice(ADOPTED), roll)
            case "rare":
                both.order(dice.choice([*ORDERS, "closed", "closed"]))
            case _:
                both.acquire(roll)


def walks(make: Callable[[BreakerConfig], Circuit], count: int) -> None:
    for seed in range(count):
        walk(make, seed, 200)


class CircuitAgainstNaive(RuleBasedStateMachine):
    outcomes = st.sampled_from([*Outcome])
    rolls = st.floats(0, 1, exclude_max=True)
    wishes = st.sampled_from(WISHES)

    @initialize(config=st.sampled_from(CONFIGS))
    def start(self, config: BreakerConfig) -> None:
        self.both = pair(config)

    @rule(roll=rolls)
    def acquire(self, roll: float) -> None:
        self.both.acquire(roll)

    @rule(which=st.integers(0, 50), outcome=outcomes, roll=rolls, wish=wishes)
    def report(self, which: int, outcome: Outcome, roll: float, wish: float | None) -> None:
        if self.both.permits:
            self.both.report(-1 - which, outcome, roll, wish)

    @rule(which=st.integers(0, 50), roll=rolls)
    def begin(self, which: int, roll: float) -> None:
        if self.both.permits:
            self.both.begin(-1 - which, roll)

    @rule(outcome=outcomes, roll=rolls, wish=wishes)
    def record(self, outcome: Outcome, roll: float, wish: float | None) -> None:
        self.both.record(outcome, roll, wish)

    @rule(step=st.sampled_from(STEPS) | st.floats(0, 100), roll=rolls)
    def wait(self, step: float, roll: float) -> None:
        self.both.now += step
        self.both.compare(roll)

    @rule(state=st.sampled_from(ORDERS))
    def order(self, state: Order) -> None:
        self.both.order(state)

    @rule(
        state=st.sampled_from(STATES), age=AGES, retry_after=st.sampled_from(LEFT), openings=st.integers(1, 9)
    )
    def adopt(self, state: Literal["open", "closed"], age: float, retry_after: float, openings: int) -> None:
        word = Word(state=state, at=age, retry_after=retry_after, openings=openings)
        self.both.adopt(word, 0.5)


CircuitAgainstNaive.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
TestCircuitAgainstNaive = CircuitAgainstNaive.TestCase

COUNT = "self._count(outcome, now=now, roll=roll, took=0.0, retry_after=None)"
IF_NEUTRAL = "is Outcome.NEUTRAL:\n            return\n"
FORCED = 'case "forced_open":\n                return '
POP = "self._live.pop(permit.number, None)"
MUTANTS: dict[str, list[tuple[str, str]]] = {
    # The four of the article's five faults that concern the machine; the fifth is a test of Retry.
    "a success does not end a row of failures": [
        ("1 if failed else 0", "1 if failed else self._consecutive")
    ],
    "successes count outside of half_open": [
        ("reason = self._judge(", "self._successes += 1; reason = self._judge("),
        ("        self._successes = 0\n", ""),
    ],
    "half_open admits everybody": [
        ("if len(self._live) >= self.config.permitted", "if self.config.permitted")
    ],
    "the caller's faults count": [(IF_NEUTRAL, "is Outcome.NEUTRAL:\n            outcome = Outcome.FAIL\n")],
    "half_open admits one too many": [(") >= self.config.permitted", ") > self.config.permitted")],
    "a neutral probe closes": [(IF_NEUTRAL, "is Outcome.NEUTRAL:\n            outcome = Outcome.OK\n")],
    "late outcomes count": [("self._stale += 1\n", f"self._stale += 1; {COUNT}\n")],
    "generations stand still": [("        self._generation += 1\n", "")],
    "an outcome counts twice": [("self._repeated += 1\n", f"self._repeated += 1; {COUNT}\n")],
    "a neutral probe keeps its place": [
        (POP, "self._live.get(permit.number)\n        if outcome is not Outcome.NEUTRAL: " + POP)
    ],
    "a lost probe holds its place for ever": [("if now >= due:", "if not due:")],
    "a lost probe is found late": [("self._open(due,", "self._open(now,")],
    "the wait does not grow": [(".wait(self._openings,", ".wait(1,")],
    "the wait never shrinks again": [("self._consecutive = self._openings = 0", "self._consecutive = 0")],
    "probes come before their time": [("self._until = at + wait\n", "self._until = at + 0.8 * wait\n")],
    "the upstream's wish is not heard": [
        ("roll=roll, retry_after=retry_after)\n        self._u", "roll=roll)\n        self._u")
    ],
    "the rate must be exceeded": [(".failures / window.calls >=", ".failures / window.calls >")],
    "the rate looks at too few calls": [("if window.calls >= config.minimum_calls else None", "")],
    "slow calls are not seen": [("took > config.slow", "took < -config.slow")],
    "the window survives the closing": [("            self._window.clear()\n", "")],
    "old permits take the place of probes": [("        self._live.clear()\n", "")],
    "one success too many is asked for": [("_successes >= self", "_successes > self")],
    "watching opens": [('and self._state == "closed":\n', "and True:\n")],
    "an order to open is not followed": [(f"{FORCED}None", f"{FORCED}0.0")],
    "a broken stream hurts a probing circuit": [(' and self._state != "half_open":', ":")],
    "a word of yesterday is heard": [("if word.at < self._known_at:", "if word.at < 0:")],
    "what went well since is forgotten": [("        if not failed:\n            self._known_at = now\n", "")],
    "a probe that went well since is forgotten": [
        ("self._successes += 1\n                self._known_at = now\n", "self._successes += 1\n")
    ],
    "a past opening is heard": [(" and wait > 0 and", " and")],
    "a peer's opening lasts as long as the peer likes": [
        ("min(self.config.wait_max * (1.0 + JITTER), word.retry_after)", "word.retry_after")
    ],
    "a peer's openings do not count": [("max(self._openings, word.openings)", "self._openings")],
    "a peer closes what was opened here": [("or self._is_adopted)", 'or self._state == "open")')],
    "a peer closes what it opened no more": [("or self._is_adopted)", ")")],
    "a peer's closing does not reach a probing circuit": [
        ('(self._state == "half_open" or self._is_adopted)', "self._is_adopted")
    ],
    "a peer overrules an operator": [('self._state in ("closed", "half_open"):', 'self._state != "open":')],
    "time alone counts as news": [("            self._known_at = known_at\n", "")],
    "adopted circuits stay adopted": [
        ("self._known_at, self._is_adopted = at, False", "self._known_at = at")
    ],
    "a probe is taken for a call like others": [
        ('is_probe = self._state == "half_open"', "is_probe = False")
    ],
    "a broken stream is forgotten": [
        ("            self._begun[permit.number] = now\n", "            pass\n")
    ],
}


def planted(changes: list[tuple[str, str]]) -> type[Circuit]:
    """The circuit with a fault written into its source."""
    source = inspect.getsource(Circuit)
    for before, after in changes:
        assert source.count(before) == 1, f"the fault no longer fits the source: {before!r}"
        source = source.replace(before, after)
    namespace = dict(vars(breaker))
    exec(compile(source, "<mutant>", "exec"), namespace)
    mutant: type[Circuit] = namespace["Circuit"]
    return mutant


@pytest.mark.parametrize("seed", range(40))
@pytest.mark.requirement("breaker:model")
def test_a_random_walk_finds_no_difference(seed: int) -> None:
    walk(Circuit, seed, 200)


@pytest.mark.parametrize("fault", MUTANTS)
@pytest.mark.requirement("breaker:mutants")
def test_the_naive_reading_catches_a_circuit_where(fault: str) -> None:
    mutant = planted(MUTANTS[fault])
    with pytest.raises(AssertionError):
        walks(mutant, 200)
