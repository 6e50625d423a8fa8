"""Faults planted in the retry bucket and its waits, each of which the naive reading must catch."""

import inspect
from dataclasses import asdict
from typing import Any

import pytest

from holdfast.policy import retry as policy
from holdfast.policy.retry import RetryBudget, RetryBudgetConfig, RetryConfig
from tests.policy.test_retry_model import Make, walks

PRICES = '"transient": config.transient_cost, "throttle": config.throttle_cost'
REWARD = "self.config.success_reward if last_cost is None else last_cost"
DENIED = "if cost > self._tokens:\n            return None\n"
SENSE = "retry_after is None or not 0 < retry_after < inf"
FLOOR = "max(delay, retry_after * (1.0 + FLOOR_JITTER * roll))"
CEILING = "roll * min(maximum, initial * 2.0**doublings)"
MUTANTS: dict[str, list[tuple[str, str]]] = {
    "the costs are swapped": [
        (PRICES, '"transient": config.throttle_cost, "throttle": config.transient_cost')
    ],
    "an attempt that never left is charged": [('"immediate": 0', '"immediate": 1')],
    "nothing is charged": [("        self._tokens -= cost\n", "")],
    "a denied retry is charged": [
        (DENIED, DENIED.replace("return", "self._tokens -= min(cost, self._tokens)\n            return"))
    ],
    "the last coin cannot be spent": [("cost > self._tokens", "cost >= self._tokens")],
    "the balance falls below zero": [("cost > self._tokens", "self._tokens <= 0 < cost")],
    "a denied retry goes ahead free of charge": [(DENIED, DENIED.replace("None", "0"))],
    "a retry that succeeds gets nothing back": [(REWARD, "self.config.success_reward * (last_cost is None)")],
    "a retry that succeeds earns what a first try does": [(REWARD, "self.config.success_reward")],
    "a retry that succeeds gets back twice what it paid": [(REWARD, f"2 * ({REWARD})")],
    "a retry that succeeds earns on top": [(REWARD, "self.config.success_reward + (last_cost or 0)")],
    "a free retry that succeeds earns what a first try does": [("last_cost is None", "not last_cost")],
    "a first try that succeeds earns nothing": [(REWARD, "last_cost or 0")],
    "a first try that succeeds fills the bucket": [
        (REWARD, "self.config.capacity if last_cost is None else last_cost")
    ],
    "the bucket overflows": [
        ("min(self.config.capacity, self._tokens + reward)", "self._tokens + reward"),
    ],
    "the bucket begins empty": [("self._tokens = self.config.capacity\n", "self._tokens = 0\n")],
    "the upstream's wish is not heard": [(SENSE, "True")],
    "the upstream's wish is a ceiling": [(FLOOR, FLOOR.replace("max", "min"))],
    "the upstream's wish is met exactly": [(FLOOR, "max(delay, retry_after)")],
    "the upstream's wish is undercut": [("1.0 + FLOOR_JITTER * roll", "1.0 - FLOOR_JITTER * roll")],
    "the upstream's wish is added": [(FLOOR, FLOOR.replace("max(delay,", "(delay +"))],
    "a wish that is no number is waited for": [
        (SENSE, "retry_after is None or retry_after <= 0 or retry_after == inf"),
        (FLOOR, "max(retry_after * (1.0 + FLOOR_JITTER * roll), delay)"),
    ],
    "a wish for ever is waited for": [(SENSE, "retry_after is None or not 0 < retry_after")],
    "there is no jitter": [(CEILING, CEILING.replace("roll", "1.0"))],
    "half of the wait is certain": [(CEILING, CEILING.replace("roll", "(0.5 + roll / 2)"))],
    "jitter comes on top": [(CEILING, CEILING.replace("roll", "(1.0 + roll)"))],
    "waits do not grow": [("2.0**doublings", "1.0")],
    "waits grow in steps": [("2.0**doublings", "(1 + doublings)")],
    "waits grow from the first on": [("attempt - 1, DOUBLINGS_MAX", "attempt, DOUBLINGS_MAX")],
    "waits grow without end": [("min(maximum, initial * 2.0**doublings)", "(initial * 2.0**doublings)")],
    "a throttled call waits as after a fault": [('backoff == "throttle"', 'backoff == "transient"')],
    "an attempt that never left waits at once": [("0.0 if attempt == 1 else initial", "initial")],
    "an attempt that never left never waits": [("0.0 if attempt == 1 else initial", "0.0")],
}


def planted(changes: list[tuple[str, str]]) -> Make:
    """Bucket and waits with a fault written into their source."""
    source = inspect.getsource(policy)
    for before, after in changes:
        assert source.count(before) == 1, f"the fault no longer fits the source: {before!r}"
        source = source.replace(before, after)
    namespace: dict[str, Any] = {"__name__": "mutant"}
    exec(compile(source, "<mutant>", "exec"), namespace)

    def make(waits: RetryConfig, costs: RetryBudgetConfig) -> tuple[RetryConfig, RetryBudget]:
        return namespace["RetryConfig"](**asdict(waits)), namespace["RetryBudget"](costs)

    return make


def test_the_source_itself_is_no_mutant() -> None:
    walks(planted([]), 20)


@pytest.mark.parametrize("fault", MUTANTS)
@pytest.mark.requirement("breaker:mutants")
def test_the_naive_reading_catches_a_bucket_or_wait_where(fault: str) -> None:
    mutant = planted(MUTANTS[fault])
    with pytest.raises(AssertionError):
        walks(mutant, 100)
