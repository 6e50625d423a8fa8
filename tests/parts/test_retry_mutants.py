"""Faults planted in the retry of one call, each of which the naive reading must catch."""

import inspect
from typing import Any

import pytest

from holdfast.parts import retry as part
from holdfast.parts.retry import Retry, RetryBudget
from tests.parts.test_retry_model import Loaded, Make, World, make, walks

FINAL = "if not isinstance(error, Exception) or not self._is_retryable(error):"
ENDED = "self.is_over or self.attempt >= self.attempts"
TIME = "not self._has_time_for(wait)"
NO_MORE = f"wait is None or {TIME} or not self._pay(error)"
DEADLINE = "None if self._timeout is None else now + self._timeout"
TOO_LONG = "if wish is not None and wish > PATIENCE:\n            return None\n"
MUTANTS: dict[str, list[tuple[str, str]]] = {
    # The article's fifth fault: its helper stood there, and nothing called it.
    "nothing is tried again": [(ENDED, "True")],
    "it tries once too often": [(ENDED, "self.is_over or self.attempt > self.attempts")],
    "it tries once too seldom": [(ENDED, "self.is_over or self.attempt >= self.attempts - 1")],
    "tries are not counted": [("        self.attempt += 1\n", "")],
    "final answers are tried again": [(FINAL, "if not isinstance(error, Exception):")],
    "cancellation is tried again": [(FINAL, "if not self._is_retryable(error):")],
    "cancellation is asked about like any error": [
        (FINAL, "if isinstance(error, asyncio.CancelledError) or not self._is_retryable(error):")
    ],
    "retry-after is not read": [("retry_after=wish,", "retry_after=None,")],
    "retry-after is a ceiling": [
        ("return next_delay(", "return min(wish or float('inf'), next_delay("),
        ("roll=roll)\n\n", "roll=roll))\n\n"),
    ],
    "retry-after is waited for without end": [(TOO_LONG, "pass\n")],
    "retry-after is cut at ten minutes": [
        (TOO_LONG, "wish = wish if wish is None else min(wish, PATIENCE)\n")
    ],
    "ten minutes are too long": [("wish > PATIENCE", "wish >= PATIENCE")],
    "a retry-after that is no number is waited for": [
        ("wish = retry_after_of(error, now=self._clock.now())", "wish = getattr(error, 'retry_after', None)")
    ],
    "there is no jitter": [("roll = self._dice.random()", "roll = 1.0")],
    "every wait is the first": [("next_delay(attempt,", "next_delay(1,")],
    "the longest wait is not kept": [("maximum=self._maximum", "maximum=1e9")],
    "nothing waits": [
        ("        self.attempt += 1\n        return wait", "        self.attempt += 1\n        return 0.0")
    ],
    "there is no deadline": [(DEADLINE, "None")],
    "the deadline begins anew at every try": [
        (
            "        self.attempt += 1\n",
            "        self.attempt += 1\n"
            "        if self.deadline is not None:\n"
            "            self.deadline += self.clock.monotonic() + wait - self.began\n"
            "        self.began = self.clock.monotonic() + wait\n",
        ),
        ("    is_over: bool = False\n", "    is_over: bool = False\n    began: float = 0.0\n"),
    ],
    "a wait may pass the deadline": [(NO_MORE, NO_MORE.replace(TIME, "False"))],
    "a wait may end at the deadline": [("+ wait < self.deadline", "+ wait <= self.deadline")],
    "a try may run past the deadline": [("await trial.bounded(result) if", "await result if")],
    "the deadline forgets the last error": [("        self.error = error\n", "")],
    "the deadline is an error like any other": [
        ("        self.is_over = True\n", "        self.deadline = None\n")
    ],
    "the first error comes out": [
        ("        self.error = error\n", "        self.error = self.error or error\n"),
        (
            "        if self.is_over or",
            "        if self.error and self.attempt >= self.attempts:\n            raise self.error\n"
            "        if self.is_over or",
        ),
    ],
    "the bucket is not asked": [
        (
            "if self.budget is None:\n            return True",
            "return True\n        if self.budget is None:\n            return True",
        )
    ],
    "an empty bucket is not heard": [("return self.cost is not None", "return True")],
    "a wait that is not begun is charged": [(NO_MORE, f"wait is None or not self._pay(error) or {TIME}")],
    "the last failure is charged": [
        (ENDED, ENDED.replace("self.attempt >=", "self._pay(error) and self.attempt >="))
    ],
    "throttling costs what a fault costs": [("in (429, 529)", "in ()")],
    "an overload costs what a fault costs": [("in (429, 529)", "in (429,)")],
    "every fault costs what throttling costs": [
        ('"throttle" if status_of(error) in (429, 529) else "transient"', '"throttle"')
    ],
    "success is not told": [("self.budget.succeeded(self.cost)", "pass")],
    "every success counts as a first try": [("succeeded(self.cost)", "succeeded()")],
    "a first try that succeeds is paid for": [
        ("    cost: int | None = None\n", "    cost: int | None = 14\n")
    ],
    "every failure is told as a success": [
        ("        wait = self.delay(", "        self.succeeded()\n        wait = self.delay("),
    ],
}


def planted(changes: list[tuple[str, str]]) -> Make:
    """The retry with a fault written into its source."""
    source = inspect.getsource(part)
    for before, after in changes:
        assert source.count(before) == 1, f"the fault no longer fits the source: {before!r}"
        source = source.replace(before, after)
    namespace: dict[str, Any] = {"__name__": "mutant"}
    exec(compile(source, "<mutant>", "exec"), namespace)

    def make_it(world: World, budget: RetryBudget | None, dice: Loaded) -> Retry:
        return make(world, budget, dice, namespace["Retry"])

    return make_it


def test_the_source_itself_is_no_mutant() -> None:
    walks(planted([]), 22)


@pytest.mark.parametrize("fault", MUTANTS)
def test_the_naive_reading_catches_a_retry_where(fault: str) -> None:
    mutant = planted(MUTANTS[fault])
    with pytest.raises(AssertionError):
        walks(mutant, 100)
