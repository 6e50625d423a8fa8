"""Named disasters in virtual time: an upstream that is gone for a minute, one that is ill, and a second one beside it."""

import json
from functools import cache
from random import Random

import pytest

from holdfast.events import AttemptFailed, CircuitChanged
from holdfast.policy.breaker import BreakerConfig
from holdfast.settings import TimeoutsConfig
from holdfast.simulator import BrownOut, Outage, Refuse, Reset, Stall, Status
from holdfast.simulator.actions import Action
from holdfast.testing.virtual import run
from tests.simulation.callers import play
from tests.simulation.checkers import complaints
from tests.simulation.scenario import FORMS, MODELS, Caller, Form, Scenario, Upstream
from tests.simulation.world import Heard, World

OVER = 60.0
"""Seconds after which the outage ends."""
DEADLINE = 10.0
OUTAGES: dict[str, Action] = {
    "500": Status(500),
    "529": Status(529),
    "refused": Refuse(),
    "reset": Reset(),
    "silent": Stall(0),
}
outages = pytest.mark.parametrize("name", OUTAGES)
STREAMED: tuple[Form, ...] = ("stream", "agent stream")
"""Whole answers may take until the deadline, so silence says nothing before it; a stream must begin."""
NO_BREAKER = BreakerConfig(failure_threshold=None, failure_rate_threshold=None)


def crowd(
    seed: int, *, size: int, until: float, pause: float, forms: tuple[Form, ...] = FORMS
) -> tuple[Caller, ...]:
    """Callers of every form who ask again and again; each asks once more after `until`."""
    dice = Random(seed)
    return tuple(
        Caller(
            number=number,
            form=forms[number % len(forms)],
            model=MODELS[0],
            max_tokens=8,
            arrives=dice.uniform(0.01, 1),
            calls=int(until / pause) + 1,
            pause=pause,
        )
        for number in range(size)
    )


def played(
    *upstreams: Upstream,
    callers: tuple[Caller, ...],
    breaker: BreakerConfig | None = None,
    deadline: float = DEADLINE,
) -> World:
    """The end of a run in which no promise was broken."""
    world = run(
        play(
            Scenario(
                seed=1,
                upstreams=upstreams,
                callers=callers,
                timeouts=TimeoutsConfig(deadline=deadline, stall=4.0),
                breaker=breaker or BreakerConfig(recovery_timeout=2.0),
            )
        ),
        seed=1,
    )
    assert complaints(world) == []
    return world


def gone(action: Action, end: float | None = OVER) -> Upstream:
    return Upstream(profile=(Outage(0.0, end, action=action),))


def good(heard: Heard) -> bool:
    """Whether the caller has the model's own answer."""
    return heard.status == 200 and heard.error is None and b"event: error" not in heard.body


def amplification(world: World, *, since: float) -> float:
    """Upstream attempts for each call that reached the upstream at all, of those that began later than `since`."""
    began = {heard.question: heard.began for heard in world.heard}
    tried: dict[str, int] = {}
    for tape in world.tapes:
        for body in (json.loads(request.body) for request in tape.simulator.requests):
            question = body["messages"][-1]["content"]
            tried[question] = tried.get(question, 0) + 1
    counts = [count for question, count in tried.items() if since <= began[question] < OVER]
    return sum(counts) / len(counts) if counts else 1.0


@cache
def outage(name: str) -> World:
    """A hundred callers, for whom everything is down for a minute and well again afterwards."""
    return played(gone(OUTAGES[name]), callers=crowd(1, size=100, until=82.0, pause=5.0))


@outages
@pytest.mark.requirement("outage:answered")
def test_in_a_total_outage_each_of_a_hundred_callers_is_answered_within_the_deadline(name: str) -> None:
    during = [heard for heard in outage(name).heard if (heard.returned or OVER) < OVER]
    assert len({heard.caller for heard in during}) == 100
    assert not any(good(heard) for heard in during)
    assert all(heard.text or heard.error or (heard.status or 0) >= 400 for heard in during)
    assert all((heard.ended or OVER) - heard.began <= DEADLINE + 1 for heard in during)


@outages
@pytest.mark.requirement("outage:amplification")
def test_once_the_circuit_knows_of_an_outage_a_call_is_hardly_ever_tried_twice(name: str) -> None:
    assert amplification(outage(name), since=DEADLINE) <= 1.02


@outages
@pytest.mark.requirement("outage:recovery")
def test_the_first_success_after_an_outage_comes_within_a_second_of_the_open_time(name: str) -> None:
    world = outage(name)
    success = min(heard.first_content or OVER for heard in world.heard if good(heard))
    due = max(
        at + (event.retry_after or 0.0)
        for at, event in world.events
        if isinstance(event, CircuitChanged) and event.after == "open" and at < success
    )
    assert OVER <= success <= max(OVER, due) + 1.0
    assert {snapshot.state for snapshot in world.final.values()} == {"closed"}


def test_without_any_breaker_an_outage_is_met_by_three_dozen_retries_and_then_by_none() -> None:
    world = played(gone(Status(500)), callers=crowd(3, size=100, until=30.0, pause=3.0), breaker=NO_BREAKER)
    retries = [
        at for at, event in world.events if isinstance(event, AttemptFailed) and event.wait is not None
    ]
    assert len(retries) <= 36
    assert amplification(world, since=max(retries)) <= 1.02


def test_after_a_brown_out_everybody_is_answered_again() -> None:
    ill = BrownOut(5.0, 35.0, error_rate=0.8, latency_factor=4.0, ramp_up=5.0, ramp_down=5.0)
    world = played(Upstream(profile=(ill,)), callers=crowd(4, size=30, until=60.0, pause=2.0))
    assert not all(good(heard) for heard in world.heard)
    assert all(good(heard) for heard in world.heard if heard.began > 35.0 + 4 * 2.0 * 1.2 + 1)


@outages
@pytest.mark.parametrize("size", [1, 20])
def test_with_a_second_upstream_nobody_sees_an_error_while_the_first_is_dead(name: str, size: int) -> None:
    world = played(
        gone(OUTAGES[name], None),
        Upstream(),
        callers=crowd(5, size=size, until=10.0, pause=2.0, forms=STREAMED if name == "silent" else FORMS),
        deadline=60.0,
    )
    assert [heard for heard in world.heard if not good(heard)] == []
