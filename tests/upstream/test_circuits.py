import random
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields

import pytest

from holdfast.events import CircuitChanged, Event
from holdfast.policy.breaker import BreakerConfig
from holdfast.policy.permit import Outcome
from holdfast.policy.routing import Account, Target
from holdfast.testing import FakeClock
from holdfast.upstream import circuits as module
from holdfast.upstream.circuits import Circuits
from tests.upstream.scripted import MODEL, UNREACHABLE, Reply, ScriptedClient, a_call, ring


def circuits(config: BreakerConfig | None = None, events: list[Event] | None = None) -> Circuits:
    seen: list[Event] = [] if events is None else events
    return Circuits(config or BreakerConfig(), clock=FakeClock(), dice=random.Random(1), observe=seen.append)


def test_a_target_has_one_circuit_of_its_own() -> None:
    known = circuits()
    assert known.of("a/x") is known.of("a/x")
    assert known.of("a/x") is not known.of("a/y")


def test_every_setting_of_the_breaker_reaches_the_circuit() -> None:
    config = BreakerConfig(
        failure_threshold=3,
        failure_rate_threshold=0.25,
        minimum_calls=4,
        window=7.0,
        slow_call_rate_threshold=0.5,
        slow_call_duration_threshold=3.0,
        success_threshold=5,
        permitted_calls_in_half_open=6,
        recovery_timeout=9.0,
        recovery_timeout_max=18.0,
        permit_lease=77.0,
    )
    circuit = circuits(config).of("a/x")
    assert {spec.name: getattr(circuit, spec.name) for spec in fields(config)} == {
        spec.name: getattr(config, spec.name) for spec in fields(config)
    }


def test_a_circuit_that_moves_is_announced_under_its_name() -> None:
    events: list[Event] = []
    known = circuits(BreakerConfig(failure_threshold=1), events)
    known.of("a/x").record_failure()
    (event,) = events
    assert isinstance(event, CircuitChanged)
    assert (event.circuit, event.before, event.after, event.reason) == (
        "a/x",
        "closed",
        "open",
        "failure_threshold",
    )
    assert event.retry_after is not None


def test_asking_for_a_state_makes_no_circuit() -> None:
    known = circuits()
    assert known.state("never/used") == "closed"
    assert known.states() == {}
    known.of("a/x").force_open()
    assert (known.state("a/x"), known.states()) == ("forced_open", {"a/x": "forced_open"})


def test_however_many_models_callers_name_only_so_many_circuits_are_kept(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "KEPT", 10)
    known = circuits()
    known.of("main/real").force_open()
    for number in range(1000):
        known.of(f"main/{number}")
        known.of("main/real")
    assert len(known.states()) == 10
    assert known.state("main/real") == "forced_open"


def test_threads_that_ask_at_once_get_the_same_circuit() -> None:
    known = circuits()
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(known.of, ["a/x"] * 200))
    assert len({id(circuit) for circuit in found}) == 1


def a_target(upstream: str = "a", model: str = "x") -> Target:
    return Target(upstream=upstream, model=model, account=Account(credential="key"))


def failures(known: Circuits) -> dict[str, int]:
    return {name: known.of(name).snapshot().failures for name in known.states()}


def test_an_upstream_out_of_reach_counts_against_its_other_models_and_nobody_else() -> None:
    known = circuits()
    for name in ("a/x", "a/y", "a/z", "ab/x", "b/y"):
        known.of(name)
    known.unreachable(a_target())
    assert failures(known) == {"a/x": 0, "a/y": 1, "a/z": 1, "ab/x": 0, "b/y": 0}


def test_an_upstream_out_of_reach_makes_no_circuit() -> None:
    known = circuits()
    known.unreachable(a_target())
    assert known.states() == {}


def test_an_upstream_out_of_reach_opens_the_circuits_of_all_models_in_use() -> None:
    known = circuits(BreakerConfig(failure_threshold=3))
    known.of("a/y")
    for _ in range(3):
        known.unreachable(a_target())
    assert known.state("a/y") == "open"


def test_a_probe_is_not_judged_by_what_happened_to_another_model() -> None:
    clock = FakeClock()
    config = BreakerConfig(failure_threshold=1, recovery_timeout=1.0)
    known = Circuits(config, clock=clock, dice=random.Random(1))
    known.of("a/y").record_failure()
    clock.advance(2.0)
    permit = known.of("a/y").acquire()
    known.unreachable(a_target())
    assert (known.state("a/y"), known.of("a/y").snapshot().live) == ("half_open", 1)
    known.of("a/y").report(permit, Outcome.OK)


def test_an_operators_order_outlives_an_upstream_out_of_reach() -> None:
    known = circuits(BreakerConfig(failure_threshold=1))
    known.of("a/y").disable()
    known.of("a/z").force_open()
    known.of("a/w").observe_only()
    known.unreachable(a_target())
    assert known.states() == {"a/y": "disabled", "a/z": "forced_open", "a/w": "metrics_only"}
    assert failures(known)["a/w"] == 1


async def test_a_call_that_cannot_connect_tells_the_other_models_of_its_upstream_once_an_attempt() -> None:
    upstream = ring(ScriptedClient(UNREACHABLE, UNREACHABLE, Reply()))
    upstream.circuits.of("main/other")
    await upstream.attempts(a_call())
    assert failures(upstream.circuits) == {f"main/{MODEL}": 2, "main/other": 2}


async def test_a_call_that_breaks_off_later_speaks_against_its_own_model_alone() -> None:
    upstream = ring(ScriptedClient(Reply.refusal(500, "api_error"), Reply()))
    upstream.circuits.of("main/other")
    await upstream.attempts(a_call())
    assert failures(upstream.circuits) == {f"main/{MODEL}": 1, "main/other": 0}
