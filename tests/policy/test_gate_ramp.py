"""The ramp gate's rules, one by one: fewer calls in flight after a ramp limit, and more again with time."""

import pytest

from holdfast.policy.gate import GROWTH_MAX, ClosedUntil, GateConfig, RampGate, gate_of
from holdfast.policy.permit import Outcome, Permit
from tests.policy.test_gate import closed, is_open, permit, refused

OK = Outcome.OK


def ramp() -> RampGate:
    gate = gate_of("ramp", GateConfig())
    assert isinstance(gate, RampGate)
    return gate


def test_a_ramp_limit_leaves_seven_tenths_of_the_calls_in_flight() -> None:
    gate = ramp()
    calls = [permit(gate) for _ in range(10)]
    assert gate.limit(now=0.0) is None
    gate.close(calls[0], now=0.0, roll=0.0, wait=5.0)
    assert gate.limit(now=0.0) == 7


def test_a_limit_that_was_not_reached_falls_from_what_was_in_flight() -> None:
    gate = ramp()
    calls = [permit(gate) for _ in range(100)]
    gate.close(calls.pop(), now=0.0, roll=0.0, wait=5.0)
    for call in calls[10:]:
        gate.report(call, OK, now=1.0)
    gate.close(permit(gate, 6.0), now=6.0, roll=0.0, wait=5.0)
    assert gate.limit(now=6.0) == 7


def test_calls_limited_together_shrink_the_limit_once() -> None:
    gate = ramp()
    for call in [permit(gate) for _ in range(10)]:
        gate.close(call, now=0.0, roll=0.0, wait=5.0)
    assert gate.limit(now=0.0) == 7


def test_one_call_may_always_be_in_flight() -> None:
    gate = ramp()
    gate.close(permit(gate), now=0.0, roll=0.0, wait=1.0)
    assert gate.limit(now=0.0) == 1
    permit(gate, 1.0)


def test_ten_clean_seconds_after_opening_let_one_more_call_in() -> None:
    gate = ramp()
    calls = [permit(gate) for _ in range(10)]
    gate.close(calls[0], now=0.0, roll=0.0, wait=5.0)
    assert [gate.limit(now=now) for now in (4.9, 14.9, 15.0, 25.0)] == [7, 7, 8, 9]


def test_the_next_ramp_limit_starts_from_what_the_limit_has_grown_to() -> None:
    gate = ramp()
    for call in [permit(gate) for _ in range(10)]:
        gate.close(call, now=0.0, roll=0.0, wait=5.0)
    calls = [permit(gate, 35.0) for _ in range(10)]
    refused(gate, 35.0)
    gate.close(calls[0], now=36.0, roll=0.0, wait=5.0)
    assert gate.limit(now=36.0) == 7


def limited_to_one(now: float = 0.0) -> tuple[RampGate, Permit]:
    gate = ramp()
    gate.close(permit(gate, now), now=now, roll=0.0, wait=1.0)
    return gate, permit(gate, now + 1.0)


def test_calls_beyond_the_limit_are_told_to_come_back_in_a_second() -> None:
    gate, _ = limited_to_one()
    assert refused(gate, 2.0) == ClosedUntil(until=3.0, retry_after=1.0, why="concurrency_limited")
    assert is_open(gate, 2.0)


def test_a_closed_ramp_gate_says_when_it_opens() -> None:
    gate = closed("ramp", 20.0)
    assert refused(gate, 5.0) == ClosedUntil(until=20.0, retry_after=15.0, why="ramp_limited")


@pytest.mark.parametrize("outcome", [*Outcome])
def test_a_call_that_ends_gives_its_place_to_the_next(outcome: Outcome) -> None:
    gate, call = limited_to_one()
    gate.report(call, outcome, now=2.0)
    permit(gate, 2.0)


def test_a_stream_keeps_its_place_until_its_end() -> None:
    gate, call = limited_to_one()
    gate.begin(call, now=2.0)
    refused(gate, 2.0)


def test_a_lost_call_gives_its_place_back_when_its_lease_is_over() -> None:
    gate = gate_of("ramp", GateConfig(permit_lease=5.0))
    gate.close(permit(gate), now=0.0, roll=0.0, wait=1.0)
    permit(gate, 1.0)
    refused(gate, 5.9)
    permit(gate, 6.0)


def test_hours_without_a_ramp_limit_lift_the_limit() -> None:
    gate, call = limited_to_one()
    gate.report(call, OK, now=2.0)
    assert gate.limit(now=1.0 + 10.0 * GROWTH_MAX - 1.0) == GROWTH_MAX
    assert not gate.is_idle
    assert gate.limit(now=1.0 + 10.0 * GROWTH_MAX) is None
    assert gate.is_idle


def test_an_operator_lifts_the_limit_of_a_closed_ramp_gate() -> None:
    gate = ramp()
    gate.close(permit(gate), now=0.0, roll=0.0, wait=50.0)
    gate.open(now=1.0)
    assert gate.limit(now=1.0) is None
