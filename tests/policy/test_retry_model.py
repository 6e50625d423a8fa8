"""The retry bucket and its waits against a naive reading of their rules."""

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from math import inf, nan

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from holdfast.policy.retry import Backoff, RetryBudget, RetryBudgetConfig, RetryConfig

Make = Callable[[RetryConfig, RetryBudgetConfig], tuple[RetryConfig, RetryBudget]]

BACKOFFS: list[Backoff] = ["transient", "throttle", "immediate"]
COSTS: list[dict[str, int]] = [
    {},
    {"capacity": 40},
    {"capacity": 14},
    {"capacity": 0},
    {"capacity": 30, "transient_cost": 3, "throttle_cost": 10, "success_reward": 4},
    {"capacity": 12, "transient_cost": 20, "throttle_cost": 0, "success_reward": 0},
]
WAITS: list[dict[str, float]] = [
    {},
    {"wait_initial": 3.0, "wait_max": 2.0},
    {"wait_initial": 0.01, "wait_max": 1e6, "throttle_wait_initial": 7.0, "throttle_wait_max": 60.0},
]
WISHES = [None, None, None, nan, inf, -inf, -1.0, 0.0, 0.001, 0.4, 2.0, 30.0, 171.0, 1e300]


@dataclass
class Naive:
    """The rules read aloud: every booking is kept, and what is left is counted anew for every question."""

    capacity: int = 500
    transient_cost: int = 14
    throttle_cost: int = 5
    success_reward: int = 1
    wait_initial: float = 0.5
    wait_max: float = 8.0
    throttle_wait_initial: float = 1.0
    throttle_wait_max: float = 20.0
    bookings: list[int] = field(default_factory=list[int])

    def left(self) -> int:
        coins = self.capacity
        for booking in self.bookings:
            coins = sorted((0, coins + booking, self.capacity))[1]
        return coins

    def pay(self, backoff: Backoff) -> int | None:
        """What one more try costs; `None` for not enough left."""
        price = 0
        if backoff == "throttle":
            price = self.throttle_cost
        if backoff == "transient":
            price = self.transient_cost
        if self.left() < price:
            return None
        self.bookings.append(-price)
        return price

    def earn(self, paid: list[int]) -> None:
        """A call went well that had paid for these tries."""
        self.bookings.append(paid[-1] if paid else self.success_reward)

    def wait(self, failures: int, backoff: Backoff, wish: float | None, roll: float) -> float:
        """Seconds until the next try after so many failures of one call."""
        highest, end = self.wait_initial, self.wait_max
        if backoff == "throttle":
            highest, end = self.throttle_wait_initial, self.throttle_wait_max
        doublings = failures - 1
        if backoff == "immediate":
            highest, doublings = (0.0, 0) if failures == 1 else (highest, failures - 2)
        for _ in range(doublings):
            highest = min(end, highest + highest)
        wait = min(end, highest) * roll
        if wish is None or wish != wish or wish in {inf, -inf} or wish <= 0:
            return wait
        return sorted((wait, wish + wish * roll / 10))[1]


@dataclass
class Caller:
    """One call that is not answered yet: its failures, and what it has paid by either reading."""

    failures: int = 0
    cost: int | None = None
    paid: list[int] = field(default_factory=list[int])


@dataclass
class Pair:
    """The policy and the naive reading, driven together; any difference is an `AssertionError`."""

    waits: RetryConfig
    budget: RetryBudget
    naive: Naive
    callers: list[Caller] = field(default_factory=list[Caller])

    def begin(self) -> None:
        self.callers.append(Caller())

    def fail(self, which: int, backoff: Backoff, wish: float | None, roll: float) -> None:
        caller = self.callers[which]
        caller.failures += 1
        wait = self.waits.delay(caller.failures, backoff=backoff, retry_after=wish, roll=roll)
        assert wait == pytest.approx(self.naive.wait(caller.failures, backoff, wish, roll), rel=1e-12)
        expected, cost = self.naive.pay(backoff), self.budget.spend(backoff)
        assert cost == expected
        if expected is None:
            self.callers.remove(caller)
        else:
            caller.cost = cost
            caller.paid.append(expected)
        self.compare()

    def succeed(self, which: int) -> None:
        caller = self.callers.pop(which)
        self.naive.earn(caller.paid)
        self.budget.succeeded(caller.cost)
        self.compare()

    def give_up(self, which: int) -> None:
        self.callers.pop(which)
        self.compare()

    def outage(self, backoff: Backoff, calls: int) -> None:
        for _ in range(calls):
            self.begin()
            self.fail(-1, backoff, None, 0.5)

    def compare(self) -> None:
        assert self.budget.tokens == self.naive.left()
        assert 0 <= self.budget.tokens <= self.naive.capacity


def make(waits: RetryConfig, costs: RetryBudgetConfig) -> tuple[RetryConfig, RetryBudget]:
    return waits, RetryBudget(costs)


def pair(waits: dict[str, float], costs: dict[str, int], make: Make = make) -> Pair:
    naive = Naive()
    for name, value in (costs | waits).items():
        setattr(naive, name, value)
    times = RetryConfig()
    if waits:
        times = RetryConfig(
            wait_initial=naive.wait_initial,
            wait_max=naive.wait_max,
            throttle_wait_initial=naive.throttle_wait_initial,
            throttle_wait_max=naive.throttle_wait_max,
        )
    return Pair(*make(times, RetryBudgetConfig(**costs)), naive)


def walk(make: Make, seed: int, steps: int) -> None:
    """One random walk over all verbs; half of it in a bad hour of the service."""
    dice = random.Random(seed)
    both = pair(dice.choice(WAITS), COSTS[seed % len(COSTS)], make)
    for step in range(steps):
        is_bad = step % 100 < 50
        which = int(dice.random() ** 2 * len(both.callers)) - len(both.callers)
        verbs = ["begin", "fail", "succeed", "give up", "outage"]
        match dice.choices(verbs, [30, 60 if is_bad else 15, 5 if is_bad else 40, 3, 1])[0]:
            case "fail" if both.callers:
                both.fail(which, dice.choice(BACKOFFS), dice.choice(WISHES), dice.random())
            case "succeed" if both.callers:
                both.succeed(which)
            case "give up" if both.callers:
                both.give_up(which)
            case "outage":
                both.outage(dice.choice(BACKOFFS), dice.randrange(60))
            case _:
                both.begin()


def walks(make: Make, count: int) -> None:
    for seed in range(count):
        walk(make, seed, 200)


class RetryAgainstNaive(RuleBasedStateMachine):
    rolls = st.floats(0, 1, exclude_max=True)
    backoffs = st.sampled_from(BACKOFFS)
    some = st.integers(0, 30)

    @initialize(waits=st.sampled_from(WAITS), costs=st.sampled_from(COSTS))
    def start(self, waits: dict[str, float], costs: dict[str, int]) -> None:
        self.both = pair(waits, costs)

    @rule(count=st.integers(1, 4))
    def begin(self, count: int) -> None:
        for _ in range(count):
            self.both.begin()

    @rule(which=some, backoff=backoffs, wish=st.sampled_from(WISHES) | st.floats(), roll=rolls)
    def fail(self, which: int, backoff: Backoff, wish: float | None, roll: float) -> None:
        if which < len(self.both.callers):
            self.both.fail(which, backoff, wish, roll)

    @rule(times=st.integers(1, 80), backoff=backoffs, roll=rolls)
    def keep_failing(self, times: int, backoff: Backoff, roll: float) -> None:
        self.both.begin()
        calls = len(self.both.callers)
        for _ in range(times):
            if len(self.both.callers) == calls:
                self.both.fail(-1, backoff, None, roll)

    @rule(which=some)
    def succeed(self, which: int) -> None:
        if which < len(self.both.callers):
            self.both.succeed(which)

    @rule(which=some)
    def give_up(self, which: int) -> None:
        if which < len(self.both.callers):
            self.both.give_up(which)

    @rule(backoff=backoffs, calls=st.integers(1, 60))
    def outage(self, backoff: Backoff, calls: int) -> None:
        self.both.outage(backoff, calls)


RetryAgainstNaive.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
TestRetryAgainstNaive = RetryAgainstNaive.TestCase


@pytest.mark.parametrize("seed", range(40))
@pytest.mark.requirement("breaker:model")
def test_a_random_walk_finds_no_difference(seed: int) -> None:
    walk(make, seed, 200)
