"""Every verdict in virtual time: a disaster that brings it about, and holding again when it is over."""

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from functools import cache
from itertools import pairwise

import pytest

from holdfast.policy.breaker import BreakerConfig
from holdfast.policy.budget import BudgetConfig
from holdfast.policy.verdict import DWELL, Kind
from holdfast.policy.verdict_words import sentence
from holdfast.settings import TimeoutsConfig
from holdfast.simulator import CleanEnd, ErrorEvent, Fault, Outage, Refusal, Refuse, Reset, Status
from holdfast.simulator.actions import Action
from holdfast.testing.virtual import run
from tests.simulation.callers import come
from tests.simulation.scenario import MODELS, Caller, Scenario, Upstream
from tests.simulation.world import World

BEGIN, END, OVER = 20.0, 50.0, 100.0
"""Seconds at which things go wrong, are well again, and the run is over."""
Told = list[tuple[float, Kind, str]]

DISASTERS: Mapping[str, tuple[Action, Kind]] = {
    "529": (Status(529), "overloaded"),
    "503": (Status(503), "overloaded"),
    "overloaded in the stream": (ErrorEvent(0, "overloaded_error"), "overloaded"),
    "500": (Status(500), "claude_failing"),
    "cut streams": (CleanEnd(6), "claude_failing"),
    "refused connections": (Refuse(), "network"),
    "reset connections": (Reset(), "network"),
    "429": (Status(429, retry_after=2.0), "account"),
    "403": (Status(403), "account"),
    "400": (Status(400), "client"),
    "413": (Status(413), "client"),
}


def crowd(
    *, user: str | None = None, first: int = 0, until: float = OVER, size: int = 3
) -> tuple[Caller, ...]:
    """Callers who each ask for a stream again and again."""
    return tuple(
        Caller(
            number=first + number,
            form="stream",
            model=MODELS[0],
            max_tokens=8,
            arrives=0.3 * (number + 1),
            calls=int(until / 2),
            pause=2.0,
            user=user,
        )
        for number in range(size)
    )


def scenario(
    upstream: Upstream, *callers: Caller, budgets: Mapping[str, BudgetConfig] | None = None
) -> Scenario:
    return Scenario(
        seed=1,
        upstreams=(upstream,),
        callers=callers or crowd(),
        timeouts=TimeoutsConfig(deadline=10.0, stall=4.0),
        breaker=BreakerConfig(recovery_timeout=2.0),
        budgets=budgets or {},
    )


def gone(action: Action) -> Upstream:
    return Upstream(profile=(Outage(BEGIN, END, action=action),))


async def watched(played: Scenario) -> Told:
    """What the verdict was each second of a run, and a while after it."""
    world, told = World(played), list[tuple[float, Kind, str]]()
    coming = asyncio.ensure_future(come(world, world.hold.asgi()))
    while not coming.done() or world.clock.monotonic() < OVER + 110:
        verdict = world.runtime.pulse.verdict()
        told.append((world.clock.monotonic(), verdict.kind, sentence(verdict).en))
        await world.clock.sleep(1.0)
    await coming
    return told


def kinds(told: Told, since: float, until: float) -> set[Kind]:
    return {kind for at, kind, _ in told if since <= at < until}


@cache
def disaster(name: str) -> Told:
    """What was told of one."""
    return run(watched(scenario(gone(DISASTERS[name][0]))), seed=1)


@pytest.mark.parametrize("name", DISASTERS)
@pytest.mark.requirement("verdict:named")
def test_a_disaster_is_named_within_twelve_seconds_and_is_over_within_thirty(name: str) -> None:
    told, expected = disaster(name), DISASTERS[name][1]
    assert kinds(told, 2.0, BEGIN) == {"holding"}
    assert kinds(told, BEGIN + 12, END) == {expected}
    assert kinds(told, END + 30, OVER) == {"holding"}
    assert kinds(told, OVER + 95, OVER + 110) == {"idle"}


@pytest.mark.parametrize("name", DISASTERS)
def test_a_verdict_stands_for_its_dwell_at_least(name: str) -> None:
    told = disaster(name)
    changes = [at for (_, before, _), (at, after, _) in pairwise(told) if before not in (after, "idle")]
    assert all(later - earlier >= DWELL for earlier, later in pairwise(changes))


@pytest.mark.parametrize(
    "refusal",
    [Refusal("enforced_spend_limit_reached"), Refusal("ramp_limit_exceeded")],
    ids=lambda one: one.reason,
)
def test_calls_behind_a_closed_gate_of_the_account_go_on_to_speak_against_it(refusal: Refusal) -> None:
    told = run(watched(scenario(Upstream(faults=(Fault(refusal, after=BEGIN, times=None),)))), seed=1)
    assert kinds(told, BEGIN + 15, OVER) == {"account"}


def test_a_rejected_key_is_the_accounts_doing_also_when_nothing_is_sent_any_more() -> None:
    told = run(watched(scenario(Upstream(faults=(Fault(Status(401), after=BEGIN, times=None),)))), seed=1)
    assert kinds(told, BEGIN + 15, OVER) == {"account"}
    assert any("not even sent" in said for at, _, said in told if at > BEGIN + 65)


def test_a_spent_budget_is_our_own_doing_until_its_callers_have_left() -> None:
    spent = BudgetConfig(usd=Decimal("0.000001"), per="day", where={"user": "alice"}, scope="user")
    alice = crowd(user="alice", until=END, first=100)
    told = run(watched(scenario(Upstream(), *crowd(), *alice, budgets={"small": spent})), seed=1)
    assert kinds(told, 15.0, END - 5) == {"us"}
    assert kinds(told, END + 40, OVER) == {"holding"}
    assert any("holdfast_budget_exhausted on" in said for _, kind, said in told if kind == "us")


def test_streams_that_break_now_and_then_are_a_service_that_users_find_degraded() -> None:
    some = Fault(CleanEnd(6), after=BEGIN, until=END, times=None, every=8)
    sturdy = BreakerConfig(failure_threshold=None, failure_rate_threshold=None)
    told = run(watched(replace(scenario(Upstream(faults=(some,)), *crowd(size=6)), breaker=sturdy)), seed=1)
    assert "degraded" in kinds(told, BEGIN, END)
    assert kinds(told, BEGIN, END) <= {"holding", "degraded"}
    assert kinds(told, END + 40, OVER) == {"holding"}


def test_the_sentence_of_an_outage_counts_its_attempts_and_its_users() -> None:
    told = disaster("529")
    said = next(said for at, _, said in told if at >= END - 1)
    assert said.startswith("Claude is overloaded (529 on ")
    assert "last success " in said
    assert "ended in an error for their user." in said
