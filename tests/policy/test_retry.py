"""Waiting times and the retry budget against naive readings of their rules."""

import math
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule

from holdfast.errors import ConfigError
from holdfast.policy.retry import Backoff, RetryBudget, RetryBudgetConfig, RetryConfig, next_delay

rolls = st.floats(0, 1, exclude_max=True)
BACKOFFS: list[Backoff] = ["transient", "throttle", "immediate"]


def naive_ceiling(attempt: int, initial: float, maximum: float) -> Fraction:
    """Doubled by hand, in exact numbers, until the maximum is reached."""
    ceiling = Fraction(initial)
    for _ in range(attempt - 1):
        if ceiling >= maximum:
            break
        ceiling *= 2
    return min(ceiling, Fraction(maximum))


@given(
    attempt=st.integers(1, 5000),
    initial=st.floats(0.001, 1e3),
    maximum=st.floats(0.001, 1e4),
    roll=rolls,
)
def test_a_wait_is_the_rolled_share_of_a_ceiling_that_doubles_up_to_its_maximum(
    attempt: int, initial: float, maximum: float, roll: float
) -> None:
    delay = next_delay(attempt, initial=initial, maximum=maximum, roll=roll)
    assert delay == pytest.approx(float(naive_ceiling(attempt, initial, maximum) * Fraction(roll)))


@given(attempt=st.integers(1, 5000), wish=st.floats(0.001, 1e6), roll=rolls)
def test_the_upstreams_wish_is_a_floor_overshot_by_a_tenth_at_most(
    attempt: int, wish: float, roll: float
) -> None:
    delay = next_delay(attempt, initial=1.0, maximum=8.0, retry_after=wish, roll=roll)
    assert wish <= delay <= max(8.0, wish * 1.1)


@pytest.mark.parametrize("nonsense", [0.0, -1.0, math.nan, math.inf, -math.inf])
def test_a_wish_that_makes_no_sense_is_ignored(nonsense: float) -> None:
    assert next_delay(1, initial=1.0, maximum=8.0, retry_after=nonsense, roll=0.5) == 0.5


def test_the_five_thousandth_attempt_waits_no_longer_than_the_maximum() -> None:
    assert next_delay(5000, initial=1.0, maximum=20.0, roll=0.75) == 15.0


@pytest.mark.parametrize(
    ("backoff", "ceilings"),
    [
        ("transient", [0.5, 1.0, 2.0, 4.0, 8.0, 8.0]),
        ("throttle", [1.0, 2.0, 4.0, 8.0, 16.0, 20.0]),
        ("immediate", [0.0, 0.5, 1.0, 2.0, 4.0, 8.0]),
    ],
)
def test_each_kind_of_failure_has_its_own_waits(backoff: Backoff, ceilings: list[float]) -> None:
    halves = [RetryConfig().delay(attempt, backoff=backoff, roll=0.5) for attempt in range(1, 7)]
    assert halves == [ceiling / 2 for ceiling in ceilings]


def test_a_wish_is_a_floor_also_where_the_first_retry_comes_at_once() -> None:
    assert RetryConfig().delay(1, backoff="immediate", retry_after=3.0, roll=0.0) == 3.0


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("attempts", 0),
        ("attempts", -1),
        ("attempts", 1.5),
        ("attempts", True),
        ("wait_initial", 0.0),
        ("wait_max", math.inf),
        ("throttle_wait_initial", math.nan),
        ("throttle_wait_max", -1.0),
        ("patience", 0.0),
    ],
)
def test_a_setting_that_makes_no_sense_is_refused_by_its_name(key: str, value: object) -> None:
    settings: dict[str, Any] = {key: value}
    with pytest.raises(ConfigError, match=f"^{key}: ") as caught:
        RetryConfig(**settings)
    assert caught.value.say("ko").startswith(f"{key}: ")


@pytest.mark.parametrize("key", ["capacity", "transient_cost", "throttle_cost", "success_reward"])
def test_a_budget_below_zero_is_refused_by_its_name(key: str) -> None:
    settings: dict[str, Any] = {key: -1}
    with pytest.raises(ConfigError, match=f"^{key}: "):
        RetryBudgetConfig(**settings)


@pytest.mark.parametrize(("backoff", "retries"), [("transient", 35), ("throttle", 100)])
def test_a_full_outage_is_met_by_so_many_retries_and_then_by_none(backoff: Backoff, retries: int) -> None:
    budget = RetryBudget()
    paid = [budget.spend(backoff) for _ in range(1000)]
    assert sum(cost is not None for cost in paid) == retries


def test_an_attempt_that_never_left_is_retried_free_of_charge() -> None:
    budget = RetryBudget(RetryBudgetConfig(capacity=0))
    assert budget.spend("immediate") == 0
    assert budget.spend("transient") is None


def test_a_retry_that_succeeds_gets_back_what_it_paid() -> None:
    budget = RetryBudget()
    budget.succeeded(budget.spend("transient"))
    assert repr(budget) == "RetryBudget(500 of 500)"


def test_after_an_outage_first_successes_earn_the_right_to_retry() -> None:
    budget = RetryBudget(RetryBudgetConfig(capacity=14))
    assert budget.spend("transient") == 14
    for _ in range(14):
        assert budget.spend("transient") is None
        budget.succeeded()
    assert budget.spend("transient") == 14


class BudgetAgainstNaive(RuleBasedStateMachine):
    """The bucket against a book that writes every booking down and adds them up, each time anew."""

    def __init__(self) -> None:
        super().__init__()
        self.config = RetryBudgetConfig(capacity=40)
        self.budget = RetryBudget(self.config)
        self.book: list[int] = []

    def balance(self) -> int:
        balance = 40
        for booking in self.book:
            balance = min(40, balance + booking)
        return balance

    @rule(backoff=st.sampled_from(BACKOFFS))
    def retry(self, backoff: Backoff) -> None:
        cost = {"transient": 14, "throttle": 5, "immediate": 0}[backoff]
        is_affordable = cost <= self.balance()
        assert self.budget.spend(backoff) == (cost if is_affordable else None)
        self.book.append(-cost if is_affordable else 0)
        assert self.budget.tokens == self.balance()

    @rule(last_cost=st.sampled_from([None, 0, 5, 14]))
    def succeed(self, last_cost: int | None) -> None:
        self.budget.succeeded(last_cost)
        self.book.append(1 if last_cost is None else last_cost)
        assert self.budget.tokens == self.balance()


TestBudgetAgainstNaive = BudgetAgainstNaive.TestCase
