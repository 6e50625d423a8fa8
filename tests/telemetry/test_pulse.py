"""From events to a verdict: who is to blame for a call that never reached anybody, too."""

from dataclasses import replace
from typing import Any

import pytest

from holdfast.events import AttemptEnded, CallEnded, Event, GateChanged, InputFlagged, RequestCrashed
from holdfast.policy.failure import Blame
from holdfast.policy.verdict import Effect
from holdfast.telemetry.pulse import Pulse
from holdfast.testing import FakeClock

GOOD = AttemptEnded(
    request_id="r",
    upstream="live",
    model="m",
    attempt=1,
    kind="answered",
    status=200,
    blame=None,
    duration_ms=5.0,
    first_ms=2.0,
)
CALL = CallEnded(
    request_id="r",
    end="answered",
    model="m",
    status=200,
    attempts=1,
    duration_ms=1.0,
    input_tokens=1,
    output_tokens=1,
    cost="0.1",
    error_code=None,
)
REFUSED = replace(CALL, end="refused", attempts=0)


def after(*events: Event) -> Pulse:
    pulse = Pulse(FakeClock())
    for event in events:
        pulse(event)
    return pulse


def gate(name: str, state: str = "closed", retry_after: float | None = None) -> GateChanged:
    return GateChanged(gate=name, place="live", state=state, reason="x", retry_after=retry_after)


@pytest.mark.parametrize(
    ("changes", "blame", "mark"),
    [
        ({"status": 529, "kind": "http", "blame": "claude"}, "claude", "529"),
        ({"status": 200, "kind": "cut", "blame": "claude"}, "claude", "cut"),
        ({"status": None, "kind": "reset", "blame": "network"}, "network", "reset"),
        ({"status": 429, "kind": "http", "blame": "account"}, "account", "429"),
        ({"status": 400, "kind": "http", "blame": "client"}, "client", "400"),
    ],
)
def test_an_attempt_that_failed_is_somebodys_doing(changes: dict[str, Any], blame: Blame, mark: str) -> None:
    counts = after(replace(GOOD, **changes)).verdict().counts
    assert (counts.blamed(blame), counts.marks(blame)) == (1, ((mark, 1),))


@pytest.mark.parametrize("kind", ["abandoned", "client_gone", "draining"])
def test_an_attempt_that_was_ended_from_this_side_says_nothing(kind: str) -> None:
    assert after(replace(GOOD, kind=kind)).verdict().counts.attempts == 0


def test_an_attempt_that_went_well_is_a_success() -> None:
    verdict = after(GOOD).verdict()
    assert (verdict.kind, verdict.success_age, verdict.counts.good) == ("holding", 0.0, 1)


@pytest.mark.parametrize(
    ("changes", "effect"),
    [
        ({}, "answered"),
        ({"label": "cached", "attempts": 0}, "cached"),
        ({"label": "fallback"}, "fallback"),
        ({"end": "abandoned", "status": 499}, "left"),
        ({"end": "failed", "status": 529, "error_code": "overloaded_error"}, "failed"),
        ({"end": "failed", "status": 400, "error_code": "invalid_request_error"}, "refused"),
        ({"status": 529}, "failed"),
    ],
)
def test_a_call_comes_to_something_for_its_user(changes: dict[str, Any], effect: Effect) -> None:
    counts = after(replace(CALL, **changes)).verdict().counts
    assert (counts.effect(effect), counts.calls, counts.unsent, counts.blamed("us")) == (1, 1, 0, 0)


@pytest.mark.parametrize(
    ("code", "blame", "effect"),
    [
        ("holdfast_input_rejected", "us", "refused"),
        ("holdfast_budget_exhausted", "us", "refused"),
        ("holdfast_rate_limited", "us", "refused"),
        ("KeyError", "us", "refused"),
    ],
)
def test_a_call_that_we_refused_is_our_doing(code: str, blame: Blame, effect: Effect) -> None:
    counts = after(replace(REFUSED, error_code=code)).verdict().counts
    assert (counts.blamed(blame), counts.effect(effect)) == (1, 1)


@pytest.mark.parametrize("code", ["holdfast_request_malformed", "holdfast_model_unknown"])
def test_a_call_that_its_caller_got_wrong_is_the_callers(code: str) -> None:
    assert after(replace(REFUSED, error_code=code)).verdict().counts.weight("client") == (1, 1)


@pytest.mark.parametrize(
    ("gates", "code"),
    [
        ([gate("rate", retry_after=5.0)], "holdfast_rate_limited"),
        ([gate("ramp", retry_after=5.0)], "holdfast_rate_limited"),
        ([gate("spend")], "holdfast_budget_exhausted"),
        ([], "holdfast_key_rejected"),
    ],
)
def test_a_call_that_a_gate_kept_back_is_the_accounts(gates: list[GateChanged], code: str) -> None:
    counts = after(*gates, replace(REFUSED, error_code=code)).verdict().counts
    assert (counts.weight("account"), counts.effect("failed")) == ((1, 1), 1)


def test_a_gate_that_has_opened_keeps_nothing_back() -> None:
    limited = replace(REFUSED, error_code="holdfast_rate_limited")
    assert after(gate("rate"), gate("rate", "open"), limited).verdict().counts.blamed("us") == 1
    clock = FakeClock()
    pulse = Pulse(clock)
    pulse(gate("rate", retry_after=5.0))
    assert pulse.closed_gates() == ("rate live",)
    clock.advance(5)
    assert pulse.closed_gates() == ()
    pulse(limited)
    assert pulse.verdict().counts.blamed("us") == 1


def test_a_call_that_an_open_circuit_kept_back_is_of_whoever_opened_it() -> None:
    failed = replace(GOOD, kind="reset", status=None, blame="network")
    stopped = replace(REFUSED, error_code="holdfast_circuit_open")
    counts = after(failed, stopped).verdict().counts
    assert (counts.weight("network"), counts.effect("failed")) == ((2, 2), 1)


def test_a_fallback_without_an_attempt_is_of_whoever_keeps_it_back() -> None:
    fallback = replace(CALL, attempts=0, label="fallback")
    assert after(fallback).verdict().counts.weight("claude") == (1, 1)
    counts = after(gate("spend"), fallback).verdict().counts
    assert (counts.weight("account"), counts.effect("fallback")) == ((1, 1), 1)


@pytest.mark.parametrize(
    ("code", "ours"),
    [("holdfast_output_blocked", 1), ("holdfast_stream_interrupted", 0), ("overloaded_error", 0)],
)
def test_after_an_attempt_only_our_own_words_are_our_doing(code: str, ours: int) -> None:
    counts = after(replace(CALL, end="failed", status=502, error_code=code)).verdict().counts
    assert (counts.blamed("us"), counts.effect("failed")) == (ours, 1)


def test_a_crash_is_counted_once_whether_its_call_or_its_door_tells_of_it() -> None:
    crash = RequestCrashed(request_id="r", place="POST /x", error="KeyError", trace="")
    call = replace(CALL, end="failed", status=500, attempts=0, error_code="KeyError")
    assert after(call, crash).verdict().counts.blamed("us") == 1
    counts = after(crash).verdict().counts
    assert (counts.blamed("us"), counts.effect("failed")) == (1, 1)


def test_what_says_nothing_of_health_is_not_counted() -> None:
    counts = after(InputFlagged(request_id="r", rules=(), score=0.5)).verdict().counts
    assert (counts.calls, counts.attempts) == (0, 0)
