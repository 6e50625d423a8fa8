"""Faults planted in how the inner ring tries calls again, each of which a test must catch."""

import inspect
from typing import Any

import pytest

from holdfast import ring as composition
from holdfast.simulator import Fault, Status
from holdfast.upstream import attempts as ring
from holdfast.upstream.attempts import Attempts
from tests.agent.conftest import World
from tests.upstream.test_attempts_model import walks

Changes = list[tuple[str, str]]

NEVER: Changes = [("wait = self._wait(journey, lost, retries)", "wait = None")]
ALLOWED = "retries >= _retries(lost.ruling, journey.limit) or not"
LIMIT = "return journey.attempts + elsewhere < journey.limit"
LATE = "wait >= self._left(journey) or"
PATIENCE = "patience=min(self.retry.patience, max(0.0, self._left(journey)))"
DENIED = "if cost is None:\n            return None\n"
UNTYPED = "if not isinstance(error, HoldfastError):"
MUTANTS: dict[str, Changes] = {
    # The article's fifth fault: its helper stood there, and nothing called it.
    "nothing is tried again": NEVER,
    "one attempt too many is made": [(LIMIT, LIMIT.replace("<", "<="))],
    "one attempt too few is made": [(LIMIT, LIMIT.replace("+ elsewhere", "+ 1"))],
    "final answers are tried again": [(ALLOWED, "not")],
    "a service that forbids it is asked again": [
        ("rule(failure, patience", "rule(replace(failure, should_retry=None), patience")
    ],
    "what may be retried once is retried as often as all": [
        ("if ruling.retries > 1 else", "if ruling.retries else")
    ],
    "more attempts than three are not made": [("max(ruling.retries, limit - 1) if", "ruling.retries if")],
    "retry-after is not read": [("retry_after=lost.failed.failure.retry_after,", "retry_after=None,")],
    "retry-after is waited for beyond all patience": [(PATIENCE, "patience=600.0")],
    "every wait is the first": [("            retries + 1,\n", "            1,\n")],
    "overload waits as a fault does": [("backoff=lost.ruling.backoff,", 'backoff="transient",')],
    "there is no jitter": [("roll=self.dice.random(),", "roll=1.0,")],
    "nothing waits": [
        (
            "retries += 1\n            await self.clock.sleep(wait)",
            "retries += 1\n            await self.clock.sleep(0.0)",
        )
    ],
    "a wait may pass the deadline": [(LATE, "")],
    "a wait may end at the deadline": [(LATE, LATE.replace(">=", ">"))],
    "the deadline begins anew at every attempt": [
        (
            "return journey.call.deadline - self.clock.monotonic()",
            "return journey.call.deadline - journey.call.started",
        )
    ],
    "an empty bucket is not heard": [(DENIED, "pass\n")],
    "throttling costs what a fault costs": [(".spend(lost.ruling.backoff)", '.spend("transient")')],
    "a wait that is not begun is charged": [
        (LATE, "self.budgets[lost.target.upstream].spend(lost.ruling.backoff) is None or " + LATE),
        ("cost = self.budgets[lost.target.upstream].spend(lost.ruling.backoff)\n", "cost = 0\n"),
    ],
    "a retry that succeeds gets nothing back": [("        journey.last_cost = cost\n", "")],
    "every success counts as a first try": [(".succeeded(journey.last_cost)", ".succeeded()")],
    "a call that is cancelled keeps its permit": [
        (
            "both(passage.ended, told.ended, Outcome.NEUTRAL)\n            " + UNTYPED,
            "told.ended(Outcome.NEUTRAL)\n            " + UNTYPED,
        )
    ],
}


def planted(changes: Changes) -> type[Attempts]:
    """The ring with a fault written into its source."""
    source = inspect.getsource(ring)
    for before, after in changes:
        assert source.count(before) == 1, f"the fault no longer fits the source: {before!r}"
        source = source.replace(before, after)
    namespace: dict[str, Any] = {"__name__": "mutant"}
    exec(compile(source, "<mutant>", "exec"), namespace)
    mutant: type[Attempts] = namespace["Attempts"]
    return mutant


def test_the_source_itself_is_no_mutant() -> None:
    walks(planted([]), 16)


@pytest.mark.parametrize("fault", MUTANTS)
def test_the_naive_reading_catches_a_ring_where(fault: str) -> None:
    mutant = planted(MUTANTS[fault])
    with pytest.raises(AssertionError):
        walks(mutant, 100)


async def recover() -> None:
    """An agent whose upstream is overloaded once answers all the same, at the second attempt."""
    world = World()
    world.simulator.fault(Fault(Status(529), times=1))
    async with world.hold() as hold:
        reply = await hold.agent().chat("Hello")
    assert (reply.outcome, reply.attempts, len(world.bodies())) == ("answered", 2, 2)


async def test_an_agent_recovers_from_one_overload() -> None:
    await recover()


@pytest.mark.requirement("breaker:mutants")
async def test_an_agent_that_never_calls_its_retry_does_not_recover(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(composition, "Attempts", planted(NEVER))
    with pytest.raises(AssertionError, match="fallback"):
        await recover()
