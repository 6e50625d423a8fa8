"""The gates of all upstreams, as the attempts ask and tell them."""

import io
import json
from dataclasses import replace

import pytest

from holdfast.errors import BudgetExhausted, RateLimited, Refused, Unauthenticated
from holdfast.events import Event, GateChanged
from holdfast.policy.failure import Gate as GateName
from holdfast.policy.failure import rule
from holdfast.policy.gate import ClosedManually, ClosedUntil, GateConfig, Open
from holdfast.policy.permit import Outcome
from holdfast.telemetry.logs import AgentLogger
from holdfast.telemetry.observer import logged
from holdfast.upstream.gates import Gates, Pass, Place, fingerprint
from holdfast.wire.headers import Headers
from tests.upstream.gatehouse import (
    FAILURES,
    HAIKU,
    OTHER_KEY,
    OTHER_UPSTREAM,
    RATE,
    SONNET,
    GateHouse,
    NoDice,
)


@pytest.fixture
def house() -> GateHouse:
    return GateHouse()


def test_at_first_every_gate_is_open(house: GateHouse) -> None:
    assert house.gates.refusal(*SONNET) is None
    house.ok()
    assert house.gates.closed() == {}


@pytest.mark.parametrize(
    ("name", "shut"),
    [
        ("rate", {SONNET}),
        ("ramp", {SONNET}),
        ("spend", {SONNET, HAIKU}),
        ("credential", {SONNET, HAIKU}),
    ],
)
def test_a_gate_closes_for_those_whom_it_concerns(
    house: GateHouse, name: GateName, shut: set[tuple[str, str, str]]
) -> None:
    house.close(name)
    places = [SONNET, HAIKU, OTHER_KEY, OTHER_UPSTREAM]
    assert {place for place in places if house.gates.refusal(*place) is not None} == shut


def test_credentials_of_one_organisation_are_spent_together(house: GateHouse) -> None:
    house.fail(house.admit(SONNET, "acme"), FAILURES["spend"])
    assert house.refused(OTHER_KEY, "acme").why == "spend_limit_reached"
    house.admit(OTHER_KEY, "other")


def test_a_rate_limit_is_over_when_the_upstream_said(house: GateHouse) -> None:
    house.close("rate")
    house.clock.advance(15)
    assert house.refused().retry_after == pytest.approx(5.0)
    house.clock.advance(5)
    house.ok()


def test_a_rate_limit_without_retry_after_lasts_until_the_limits_are_reset(house: GateHouse) -> None:
    headers: Headers = (
        ("anthropic-ratelimit-requests-remaining", "0"),
        ("anthropic-ratelimit-requests-reset", "2026-11-22T12:00:07Z"),
    )
    house.fail(house.admit(), replace(RATE, retry_after=None), headers)
    assert house.refused().retry_after == pytest.approx(7.0)


def test_a_rate_limit_that_names_no_time_closes_nothing(house: GateHouse) -> None:
    house.fail(house.admit(), replace(RATE, retry_after=None))
    house.ok()


def test_a_spent_account_is_tried_each_quarter_of_an_hour_until_the_first(house: GateHouse) -> None:
    house.close("spend")
    assert house.refused().retry_after == 8.5 * 86_400
    house.clock.advance(900)
    probe = house.admit()
    assert house.refused().why == "spend_limit_reached"
    house.fail(probe, FAILURES["spend"])
    house.clock.advance(8.5 * 86_400 - 900)
    house.ok()
    house.ok()


def test_a_probe_opens_with_its_first_content(house: GateHouse) -> None:
    house.close("credential")
    house.clock.advance(900)
    probe = house.admit()
    house.refused()
    house.gates.begin(probe)
    house.ok()
    house.gates.report(probe, Outcome.FAIL)
    house.ok()


def test_a_probe_that_hangs_up_lets_the_next_try(house: GateHouse) -> None:
    house.close("credential")
    house.clock.advance(900)
    house.gates.report(house.admit(), Outcome.NEUTRAL)
    house.ok()
    assert house.gates.closed() == {}


def test_late_answers_of_calls_under_way_do_not_open_a_gate(house: GateHouse) -> None:
    late = house.admit()
    house.close("credential")
    house.gates.begin(late)
    house.gates.report(late, Outcome.OK)
    house.refused()


def test_late_refusals_of_calls_under_way_do_not_close_a_gate_again(house: GateHouse) -> None:
    late = house.admit()
    house.close("credential")
    house.gates.open(Place("credential", "anthropic", "main"))
    house.fail(late, FAILURES["credential"])
    house.ok()


def test_an_attempt_is_told_once_and_the_second_time_changes_nothing(house: GateHouse) -> None:
    admission = house.admit()
    house.gates.report(admission, Outcome.OK)
    house.fail(admission, RATE)
    house.ok()


def test_a_call_refused_by_one_gate_uses_up_no_probe_of_another(house: GateHouse) -> None:
    late = house.admit()
    house.close("credential")
    house.clock.advance(895)
    house.fail(late, RATE)
    house.clock.advance(10)
    assert house.refused().why == "rate_limited"
    house.clock.advance(10)
    house.ok()


def test_of_several_closed_gates_the_one_that_holds_longest_answers(house: GateHouse) -> None:
    calls = [house.admit() for _ in range(3)]
    seen: list[tuple[str, float | None]] = []
    names: list[GateName] = ["rate", "spend", "credential"]
    for call, name in zip(calls, names, strict=True):
        house.fail(call, FAILURES[name])
        seen.append((house.refused().why, house.refused().retry_after))
    assert seen == [
        ("rate_limited", 20.0),
        ("spend_limit_reached", 8.5 * 86_400),
        ("credential_rejected", None),
    ]


def test_after_a_ramp_limit_fewer_calls_are_in_flight(house: GateHouse) -> None:
    calls = [house.admit() for _ in range(10)]
    for call in calls:
        house.fail(call, FAILURES["ramp"])
    house.clock.advance(20)
    calls = [house.admit() for _ in range(7)]
    assert house.refused().why == "concurrency_limited"
    house.gates.begin(calls[0])
    house.refused()
    house.gates.report(calls[0], Outcome.OK)
    house.admit()


def test_closing_and_opening_are_announced(house: GateHouse) -> None:
    house.close("rate")
    house.close("credential", OTHER_KEY)
    house.clock.advance(20)
    house.gates.closed()
    house.gates.open(Place("credential", "anthropic", "spare"))
    assert house.events == [
        GateChanged(
            gate="rate",
            place="anthropic/main/claude-sonnet-5-5",
            state="closed",
            reason="rate_limited",
            retry_after=20.0,
        ),
        GateChanged(gate="credential", place="anthropic/spare", state="closed", reason="credential_rejected"),
        GateChanged(
            gate="rate", place="anthropic/main/claude-sonnet-5-5", state="open", reason="time_passed"
        ),
        GateChanged(gate="credential", place="anthropic/spare", state="open", reason="operator"),
    ]


def test_an_observer_may_ask_the_gates(house: GateHouse) -> None:
    seen: list[bool] = []

    def ask(_: Event) -> None:
        seen.append(gates.refusal(*SONNET) is None)

    gates = Gates(GateConfig(), clock=house.clock, dice=NoDice(), observe=ask)
    admission = gates.admit(*SONNET)
    assert isinstance(admission, Pass)
    gates.failed(admission, rule(RATE), RATE)
    assert seen == [False]


def test_operators_see_every_closed_gate_and_how_long_it_stays_so(house: GateHouse) -> None:
    house.close("credential", OTHER_KEY)
    house.close("rate")
    rate = Place("rate", *SONNET)
    assert house.gates.closed() == {
        Place("credential", "anthropic", "spare"): ClosedManually(why="credential_rejected"),
        rate: ClosedUntil(until=20.0, retry_after=20.0, why="rate_limited"),
    }
    assert house.gates.standing(rate) == ClosedUntil(until=20.0, retry_after=20.0, why="rate_limited")
    assert house.gates.standing(Place("spend", "anthropic", "main")) == Open()


def test_opening_a_gate_that_nobody_has_used_does_nothing(house: GateHouse) -> None:
    house.gates.open(Place("spend", "anthropic", "main"))
    assert house.events == []


@pytest.mark.parametrize("level", ["error", "warn"])
@pytest.mark.parametrize("name", FAILURES)
def test_what_waits_for_a_person_is_logged_as_an_error_at_once(name: GateName, level: str) -> None:
    stream = io.StringIO()
    logger = AgentLogger(stream=stream, level=level)
    house = GateHouse()
    gates = Gates(GateConfig(), clock=house.clock, dice=NoDice(), observe=logged(logger))
    admission = gates.admit(*SONNET)
    assert isinstance(admission, Pass)
    gates.failed(admission, rule(FAILURES[name]), FAILURES[name])
    logger.flush()
    lines = [json.loads(line) for line in stream.getvalue().splitlines()]
    calls_for_a_person = name in {"spend", "credential"}
    assert len(lines) == (1 if calls_for_a_person or level == "warn" else 0)
    for line in lines:
        assert line["level"] == ("error" if calls_for_a_person else "warn")
        assert (line["metadata"]["gate"], line["metadata"]["state"]) == (name, "closed")


@pytest.mark.parametrize(
    ("name", "error", "retry"),
    [
        ("rate", RateLimited, True),
        ("ramp", RateLimited, True),
        ("spend", BudgetExhausted, False),
        ("credential", Unauthenticated, False),
    ],
)
def test_a_refusal_is_told_like_the_upstream_would_tell_it(
    house: GateHouse, name: GateName, error: type[Refused], retry: bool
) -> None:
    house.close(name)
    refusal = house.refused()
    told = refusal.error()
    assert type(told) is error
    assert (told.retry_after, told.should_retry) == (refusal.retry_after, retry)
    assert "anthropic" in told.say("en")
    assert "anthropic" in told.say("ko")
    assert "main" not in told.say("en") + told.say("ko")


def test_a_refusal_for_want_of_a_place_says_to_come_back_in_a_second(house: GateHouse) -> None:
    house.close("ramp")
    house.clock.advance(20)
    house.admit()
    told = house.refused().error()
    assert told.say("en").endswith("Come back in 1 s.")
    assert told.retry_after == 1.0


def test_a_fingerprint_names_a_key_without_giving_it_away() -> None:
    assert fingerprint("sk-ant-1") == fingerprint("sk-ant-1") != fingerprint("sk-ant-2")
    assert "sk-ant" not in fingerprint("sk-ant-1")
