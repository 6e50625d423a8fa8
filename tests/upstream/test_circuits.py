import random
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields

import pytest

from holdfast.events import CircuitChanged, Event
from holdfast.policy.breaker import BreakerConfig
from holdfast.testing import FakeClock
from holdfast.upstream import circuits as module
from holdfast.upstream.circuits import Circuits


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
