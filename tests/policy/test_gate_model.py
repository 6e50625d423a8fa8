"""The gates against a naive reading of their rules, and that reading against planted faults."""

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from math import inf, nan
from typing import Literal

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from holdfast.policy.failure import Gate as GateName
from holdfast.policy.gate import (
    ClosedManually,
    ClosedUntil,
    Gate,
    GateConfig,
    Open,
    RampGate,
    gate_of,
)
from holdfast.policy.permit import Outcome, Permit

State = Literal["open", "closed"]
Make = Callable[[GateName, GateConfig], Gate]

NAMES: list[GateName] = ["rate", "spend", "credential", "ramp"]
CONFIGS = [
    GateConfig(),
    GateConfig(permit_lease=20.0, probe_interval=15.0, ramp_step=2.0),
    GateConfig(wait_max=6.0, probe_interval=5.0, permit_lease=50.0, ramp_factor=0.5),
]
STEPS = [0.0, 0.1, 1.0, 2.0, 3.0, 5.0, 6.1, 10.0, 15.0, 20.0, 31.0, 600.0, 900.0]
STATES: list[State] = ["open", "closed"]
AGES = [0.0, 0.1, 3.0, 8.0, 1000.0]
"""Seconds ago that a peer saw it."""
LEFT = [None, -1.0, 0.0, 0.5, 4.0, 40.0, 5000.0]
"""Seconds that are left of a peer's wait."""
WAITS = [None, nan, inf, -1.0, 0.0, 0.5, 3.0, 4.0, 9.0, 40.0, 1000.0, 5000.0]


@dataclass
class Closing:
    """One time of being closed, with every call that had a part in it."""

    at: float
    roll: float
    ends: list[float]
    probes: list[tuple[int, float]] = field(default_factory=list[tuple[int, float]])
    given_back: dict[int, float] = field(default_factory=dict[int, float])
    opened_at: float | None = None
    left: int | None = None
    first_seen: float | None = None
    """When the peer saw it that it was heard of from."""


@dataclass
class Set:
    """A call that was let in: when, after how many closings, and when it was over."""

    at: float
    closings: int
    probe: bool
    over: bool = False


@dataclass
class Naive:
    """The rules read aloud: nothing is ever thrown away, and every question is answered from the whole story."""

    name: GateName
    config: GateConfig
    closings: list[Closing] = field(default_factory=list[Closing])
    calls: list[Set] = field(default_factory=list[Set])
    lifted: int = 0
    learned: float = -inf
    """When the last thing happened that is known here, other than that time passed."""

    def end_of(self, closing: Closing) -> float:
        if self.name == "credential":
            return inf
        if self.name == "spend":
            return closing.ends[0]
        asked = max(end - closing.at for end in closing.ends)
        wait = asked if asked < self.config.wait_max else self.config.wait_max
        return closing.at + wait + wait * closing.roll / 10

    def closed(self, now: float) -> Closing | None:
        if not self.closings:
            return None
        last = self.closings[-1]
        if last.opened_at is None and self.end_of(last) - now <= 1e-6:
            last.opened_at = self.end_of(last)
        return last if last.opened_at is None else None

    def in_flight(self, now: float) -> list[Set]:
        return [c for c in self.calls if not c.over and now - c.at < self.config.permit_lease]

    def limit(self, now: float) -> int | None:
        closing = self.closed(now)
        if self.name != "ramp" or len(self.closings) == self.lifted:
            return None
        last = self.closings[-1]
        assert last.left is not None
        if closing is not None:
            return last.left
        assert last.opened_at is not None
        grown = int((now + 1e-6 - last.opened_at) / self.config.ramp_step)
        if grown >= 1000:
            self.lifted = len(self.closings)
            return None
        return last.left + grown

    def may_probe(self, closing: Closing, now: float) -> bool:
        if self.name in {"rate", "ramp"}:
            return False
        began = closing.at if closing.first_seen is None else closing.first_seen
        due = began + self.config.probe_interval
        if closing.probes:
            number, at = closing.probes[-1]
            due = closing.given_back.get(number, at + self.config.probe_interval)
        return due - now <= 1e-6

    def refusal(self, now: float) -> float | None:
        """Seconds to wait, infinite where only a person helps; `None` for let in."""
        closing = self.closed(now)
        if closing is not None:
            return None if self.may_probe(closing, now) else self.end_of(closing) - now
        limit = self.limit(now)
        return 1.0 if limit is not None and len(self.in_flight(now)) >= limit else None

    def grant(self, now: float) -> None:
        closing = self.closed(now)
        self.calls.append(Set(at=now, closings=len(self.closings), probe=closing is not None))
        if closing is not None:
            closing.probes.append((len(self.calls) - 1, now))

    def counts(self, which: int, now: float) -> bool:
        call = self.calls[which]
        self.closed(now)
        return not call.over and now - call.at < self.config.permit_lease

    def speaks(self, which: int, now: float) -> Closing | None:
        """The closing whose latest probe this call is, as long as it lasts."""
        closing = self.closed(now)
        is_last = closing and closing.probes and closing.probes[-1][0] == which
        return closing if closing and is_last and which not in closing.given_back else None

    def begin(self, which: int, now: float) -> None:
        if self.counts(which, now) and (closing := self.speaks(which, now)):
            closing.opened_at = self.learned = now

    def report(self, which: int, outcome: Outcome, now: float) -> None:
        if not self.counts(which, now):
            return
        self.calls[which].over = True
        closing = self.speaks(which, now)
        if closing is not None and outcome is Outcome.OK:
            closing.opened_at = self.learned = now
        elif closing is not None:
            closing.given_back[which] = now

    def close(self, which: int, now: float, roll: float, wait: float | None) -> None:
        if not self.counts(which, now):
            return
        busy, limit = len(self.in_flight(now)), self.limit(now)
        call = self.calls[which]
        is_sense = wait is not None and 0 < wait < inf
        seconds = {"rate": 0.0, "spend": 0.0, "ramp": self.config.ramp_wait, "credential": inf}[self.name]
        if self.name != "credential" and is_sense and wait is not None:
            seconds = wait
        if seconds == 0.0:
            self.report(which, Outcome.NEUTRAL, now)
            return
        call.over = True
        closing = self.closed(now)
        if closing is None and call.closings == len(self.closings) and not call.probe:
            fresh = Closing(at=now, roll=roll, ends=[now + seconds])
            fresh.left = max(1, int(min(busy, limit or busy) * self.config.ramp_factor + 1e-6))
            self.closings.append(fresh)
            self.learned = now
        elif closing is not None and not call.probe and call.closings == len(self.closings) - 1:
            closing.ends.append(now + seconds)

    def open(self, now: float) -> None:
        closing = self.closed(now)
        if closing is not None:
            closing.opened_at = self.learned = now
            self.lifted = len(self.closings)

    def adopt(self, state: State, now: float, at: float, left: float | None) -> None:
        closing, limit = self.closed(now), self.limit(now)
        if at < self.learned:
            return
        if state == "open" and closing is not None:
            closing.opened_at, self.learned = now, at
        if state == "closed" and closing is None:
            if self.name == "credential":
                left = inf
            if left is not None and left > 0:
                self.closings.append(Closing(at=now, roll=0.0, ends=[now + left], left=limit, first_seen=at))
                self.learned = at
                self.lifted = len(self.closings) if limit is None else self.lifted


@dataclass
class Pair:
    """The gate and the naive reading, driven together; any difference is an `AssertionError`."""

    gate: Gate
    naive: Naive
    now: float = 100.0
    permits: list[Permit] = field(default_factory=list[Permit])

    def ask(self) -> None:
        expected = self.naive.refusal(self.now)
        refusal = self.gate.refusal(now=self.now)
        match refusal:
            case None:
                assert expected is None
                self.naive.grant(self.now)
                self.permits.append(self.gate.grant(now=self.now))
            case ClosedManually():
                assert expected == inf
            case ClosedUntil():
                assert expected == pytest.approx(refusal.retry_after, abs=1e-6)
        self.compare()

    def begin(self, back: int) -> None:
        which = len(self.permits) - 1 - back
        self.naive.begin(which, self.now)
        self.gate.begin(self.permits[which], now=self.now)
        self.compare()

    def report(self, back: int, outcome: Outcome) -> None:
        which = len(self.permits) - 1 - back
        self.naive.report(which, outcome, self.now)
        self.gate.report(self.permits[which], outcome, now=self.now)
        self.compare()

    def close(self, back: int, roll: float, wait: float | None) -> None:
        which = len(self.permits) - 1 - back
        self.naive.close(which, self.now, roll, wait)
        self.gate.close(self.permits[which], now=self.now, roll=roll, wait=wait)
        self.compare()

    def open(self) -> None:
        self.naive.open(self.now)
        self.gate.open(now=self.now)
        self.compare()

    def adopt(self, state: State, age: float, left: float | None) -> None:
        self.naive.adopt(state, self.now, self.now - age, left)
        self.gate.adopt(state, now=self.now, at=self.now - age, retry_after=left)
        self.compare()

    def compare(self) -> None:
        closing = self.naive.closed(self.now)
        match self.gate.standing(now=self.now):
            case Open():
                assert closing is None
            case ClosedManually():
                assert closing is not None
                assert self.naive.end_of(closing) == inf
            case ClosedUntil(until=until):
                assert closing is not None
                assert until == pytest.approx(self.naive.end_of(closing), abs=1e-6)
        limit = self.naive.limit(self.now)
        if isinstance(self.gate, RampGate):
            assert self.gate.limit(now=self.now) == limit
        is_busy = closing is not None or self.naive.in_flight(self.now) or limit is not None
        assert self.gate.is_idle is not bool(is_busy)
        assert self.opened() == len([c for c in self.naive.closings if c.opened_at is not None])

    def opened(self) -> int:
        self.moved = getattr(self, "moved", 0) + sum(move.state == "open" for move in self.gate.take_moves())
        return self.moved


def pair(name: GateName, config: GateConfig, make: Make = gate_of) -> Pair:
    return Pair(make(name, config), Naive(name, config))


def walk(make: Make, seed: int, steps: int) -> None:
    """One random walk over all verbs."""
    dice = random.Random(seed)
    both = pair(NAMES[seed % 4], dice.choice(CONFIGS), make)
    for _ in range(steps):
        back = int(dice.random() ** 2 * min(12, len(both.permits)))
        verbs = ["ask", "begin", "report", "close", "wait", "open", "adopt"]
        verb = dice.choices(verbs, [30, 5, 18, 12, 15, 1, 3])[0]
        match verb:
            case "begin" if both.permits:
                both.begin(back)
            case "report" if both.permits:
                both.report(back, dice.choice([*Outcome]))
            case "close" if both.permits:
                both.close(back, dice.random(), dice.choice(WAITS))
            case "wait":
                both.now += dice.choice(STEPS)
                both.compare()
            case "open":
                both.open()
            case "adopt":
                both.adopt(dice.choice(STATES), dice.choice(AGES), dice.choice(LEFT))
            case _:
                both.ask()


def walks(make: Make, count: int) -> None:
    for seed in range(count):
        walk(make, seed, 200)


class GateAgainstNaive(RuleBasedStateMachine):
    backs = st.integers(0, 30)

    @initialize(name=st.sampled_from(NAMES), config=st.sampled_from(CONFIGS))
    def start(self, name: GateName, config: GateConfig) -> None:
        self.both = pair(name, config)

    @rule(count=st.integers(1, 4))
    def ask(self, count: int) -> None:
        for _ in range(count):
            self.both.ask()

    @rule(back=backs)
    def begin(self, back: int) -> None:
        if back < len(self.both.permits):
            self.both.begin(back)

    @rule(back=backs, outcome=st.sampled_from([*Outcome]))
    def report(self, back: int, outcome: Outcome) -> None:
        if back < len(self.both.permits):
            self.both.report(back, outcome)

    @rule(back=backs, roll=st.floats(0, 1, exclude_max=True), wait=st.sampled_from(WAITS) | st.floats(0, 99))
    def close(self, back: int, roll: float, wait: float | None) -> None:
        if back < len(self.both.permits):
            self.both.close(back, roll, wait)

    @rule(step=st.sampled_from(STEPS) | st.floats(0, 100))
    def wait(self, step: float) -> None:
        self.both.now += step
        self.both.compare()

    @rule()
    def open(self) -> None:
        self.both.open()

    @rule(
        state=st.sampled_from(STATES),
        age=st.sampled_from(AGES) | st.floats(0, 60),
        left=st.sampled_from(LEFT) | st.floats(0, 99),
    )
    def adopt(self, state: State, age: float, left: float | None) -> None:
        self.both.adopt(state, age, left)


GateAgainstNaive.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
TestGateAgainstNaive = GateAgainstNaive.TestCase


@pytest.mark.parametrize("seed", range(80))
@pytest.mark.requirement("breaker:model")
def test_a_random_walk_finds_no_difference(seed: int) -> None:
    walk(gate_of, seed, 200)
