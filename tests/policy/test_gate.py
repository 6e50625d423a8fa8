"""The gates' rules, one by one."""

from datetime import UTC, datetime, timedelta, timezone
from math import inf, nan

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.errors import ConfigError
from holdfast.policy.failure import Gate as GateName
from holdfast.policy.gate import (
    LIVE_MAX,
    MOVES_MAX,
    Closed,
    ClosedManually,
    ClosedUntil,
    Gate,
    GateConfig,
    GateMove,
    Open,
    gate_of,
    until_next_month,
)
from holdfast.policy.permit import Outcome, Permit

OK, FAIL, NEUTRAL = Outcome.OK, Outcome.FAIL, Outcome.NEUTRAL
MONTH = 10_000.0
PROBED: list[GateName] = ["spend", "credential"]
ALL: list[GateName] = ["rate", "ramp", *PROBED]


def new(name: GateName) -> Gate:
    return gate_of(name, GateConfig())


def refused(gate: Gate, now: float) -> Closed:
    refusal = gate.refusal(now=now)
    assert refusal is not None
    return refusal


def permit(gate: Gate, now: float = 0.0) -> Permit:
    assert gate.refusal(now=now) is None
    return gate.grant(now=now)


def closed(name: GateName, wait: float = MONTH, *, roll: float = 0.0) -> Gate:
    gate = new(name)
    gate.close(permit(gate), now=0.0, roll=roll, wait=wait)
    return gate


def is_open(gate: Gate, now: float) -> bool:
    return isinstance(gate.standing(now=now), Open)


def until(gate: Gate, now: float = 0.0) -> float:
    standing = gate.standing(now=now)
    assert isinstance(standing, ClosedUntil)
    return standing.until


@pytest.mark.parametrize("name", ALL)
def test_a_new_gate_is_open(name: GateName) -> None:
    assert is_open(new(name), 0.0)
    assert new(name).refusal(now=0.0) is None


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("outcome", [*Outcome])
def test_calls_that_were_not_refused_leave_it_open(name: GateName, outcome: Outcome) -> None:
    gate = new(name)
    gate.report(permit(gate), outcome, now=1.0)
    assert is_open(gate, 1.0)


def test_a_rate_limit_closes_for_as_long_as_the_upstream_asks() -> None:
    gate = closed("rate", 20.0)
    assert gate.standing(now=5.0) == ClosedUntil(until=20.0, retry_after=15.0, why="rate_limited")


def test_the_wait_is_stretched_by_a_tenth_at_most() -> None:
    assert until(closed("rate", 20.0, roll=0.5)) == pytest.approx(21.0)


def test_the_wait_is_cut_at_ten_minutes_before_it_is_stretched() -> None:
    assert until(closed("rate", 4_294_967.0, roll=0.5)) == pytest.approx(630.0)


@pytest.mark.parametrize("wait", [None, 0.0, -1.0, nan, inf])
def test_a_rate_limit_that_names_no_time_does_not_close(wait: float | None) -> None:
    gate = new("rate")
    gate.close(permit(gate), now=0.0, roll=0.0, wait=wait)
    assert is_open(gate, 0.0)


@pytest.mark.parametrize("wait", [None, nan])
def test_a_ramp_limit_that_names_no_time_closes_for_a_second(wait: float | None) -> None:
    gate = new("ramp")
    gate.close(permit(gate), now=0.0, roll=0.0, wait=wait)
    assert until(gate) == 1.0


def test_time_opens_a_rate_gate() -> None:
    gate = closed("rate", 20.0)
    assert not is_open(gate, 19.9)
    assert is_open(gate, 20.0)


def test_who_comes_back_after_exactly_retry_after_is_let_in() -> None:
    gate = new("rate")
    gate.close(permit(gate, 0.1), now=0.1, roll=0.0, wait=0.2)
    assert gate.refusal(now=0.1 + until(gate, 0.1) - 0.1) is None


def test_a_rate_gate_lets_no_probe_through() -> None:
    gate = closed("rate", 600.0)
    assert all(gate.refusal(now=float(now)) is not None for now in range(600))


@pytest.mark.parametrize("name", ALL)
def test_a_late_success_does_not_open_it(name: GateName) -> None:
    gate = new(name)
    early, late = permit(gate), permit(gate)
    gate.close(early, now=1.0, roll=0.0, wait=50.0)
    gate.begin(late, now=2.0)
    gate.report(late, OK, now=3.0)
    assert not is_open(gate, 3.0)


def test_of_calls_limited_together_the_longest_wait_counts() -> None:
    gate = new("rate")
    first, second, third = permit(gate), permit(gate), permit(gate)
    gate.close(first, now=0.0, roll=0.0, wait=3.0)
    gate.close(second, now=1.0, roll=0.9, wait=40.0)
    gate.close(third, now=2.0, roll=0.9, wait=1.0)
    assert until(gate, 2.0) == 41.0


def test_calls_limited_together_keep_it_closed_ten_minutes_at_most() -> None:
    gate = new("rate")
    first, second = permit(gate), permit(gate)
    gate.close(first, now=0.0, roll=0.0, wait=600.0)
    gate.close(second, now=500.0, roll=0.0, wait=600.0)
    assert until(gate, 500.0) == 600.0


@pytest.mark.parametrize("name", ALL)
def test_a_call_from_before_the_closing_cannot_close_it_again(name: GateName) -> None:
    gate = new(name)
    first, late = permit(gate), permit(gate)
    gate.close(first, now=0.0, roll=0.0, wait=5.0)
    gate.open(now=5.0)
    gate.close(late, now=6.0, roll=0.0, wait=5.0)
    assert is_open(gate, 6.0)


def test_a_call_from_two_closings_ago_does_not_lengthen_this_one() -> None:
    gate = new("rate")
    late = permit(gate)
    for now in (0.0, 10.0):
        gate.close(permit(gate, now), now=now, roll=0.0, wait=5.0)
    gate.close(late, now=11.0, roll=0.0, wait=300.0)
    assert until(gate, 11.0) == 15.0


@pytest.mark.parametrize("name", ALL)
def test_the_second_outcome_of_a_call_counts_for_nothing(name: GateName) -> None:
    gate = new(name)
    once = permit(gate)
    gate.close(once, now=0.0, roll=0.0, wait=5.0)
    gate.close(once, now=4.0, roll=0.0, wait=500.0)
    gate.report(once, OK, now=4.0)
    gate.begin(once, now=4.0)
    assert gate.standing(now=4.0) == closed(name, 5.0).standing(now=4.0)


def test_a_spent_account_is_closed_until_the_month_is_over() -> None:
    gate = closed("spend")
    assert gate.standing(now=1.0) == ClosedUntil(
        until=MONTH, retry_after=MONTH - 1.0, why="spend_limit_reached"
    )
    assert is_open(gate, MONTH)


def test_a_rejected_key_waits_for_a_person() -> None:
    gate = closed("credential", 5.0)
    assert gate.standing(now=1e9) == ClosedManually(why="credential_rejected")


@pytest.mark.parametrize("name", PROBED)
def test_one_call_in_a_quarter_of_an_hour_may_try(name: GateName) -> None:
    gate = closed(name)
    tried: list[int] = []
    for now in range(0, 3600, 10):
        if gate.refusal(now=now) is None:
            gate.grant(now=now)
            tried.append(now)
    assert tried == [900, 1800, 2700]


@pytest.mark.parametrize("name", PROBED)
def test_a_probe_that_comes_through_opens(name: GateName) -> None:
    gate = closed(name)
    gate.report(permit(gate, 900.0), OK, now=905.0)
    assert is_open(gate, 905.0)


@pytest.mark.parametrize("name", PROBED)
def test_the_first_content_of_a_probe_opens_long_before_its_end(name: GateName) -> None:
    gate = closed(name)
    probe = permit(gate, 900.0)
    gate.begin(probe, now=901.0)
    assert is_open(gate, 901.0)
    gate.report(probe, FAIL, now=1500.0)
    assert is_open(gate, 1500.0)


@pytest.mark.parametrize("name", PROBED)
def test_a_probe_that_is_refused_leaves_the_next_to_the_next_quarter(name: GateName) -> None:
    gate = closed(name)
    gate.close(permit(gate, 900.0), now=905.0, roll=0.0, wait=MONTH)
    assert refused(gate, 1799.0) == gate.standing(now=1799.0)
    assert gate.refusal(now=1800.0) is None


@pytest.mark.parametrize("name", PROBED)
def test_a_probe_that_is_refused_does_not_move_the_end(name: GateName) -> None:
    gate = closed(name)
    before = gate.standing(now=905.0)
    gate.close(permit(gate, 905.0), now=905.0, roll=0.9, wait=10 * MONTH)
    assert gate.standing(now=905.0) == before


@pytest.mark.parametrize("name", PROBED)
@pytest.mark.parametrize("outcome", [FAIL, NEUTRAL])
def test_a_probe_that_comes_to_nothing_gives_its_place_to_the_next(name: GateName, outcome: Outcome) -> None:
    gate = closed(name)
    gate.report(permit(gate, 900.0), outcome, now=910.0)
    assert not is_open(gate, 910.0)
    permit(gate, 910.0)
    refused(gate, 911.0)


@pytest.mark.parametrize("name", PROBED)
def test_a_lost_probe_costs_an_interval_and_no_more(name: GateName) -> None:
    gate = closed(name)
    permit(gate, 900.0)
    gate.report(permit(gate, 1800.0), OK, now=1801.0)
    assert is_open(gate, 1801.0)


@pytest.mark.parametrize("name", PROBED)
def test_only_the_latest_probe_is_listened_to(name: GateName) -> None:
    gate = gate_of(name, GateConfig(probe_interval=100.0))
    gate.close(permit(gate), now=0.0, roll=0.0, wait=MONTH)
    slow = permit(gate, 100.0)
    permit(gate, 200.0)
    gate.report(slow, OK, now=210.0)
    assert not is_open(gate, 210.0)


@pytest.mark.parametrize("name", PROBED)
def test_late_refusals_neither_move_the_end_nor_the_next_probe(name: GateName) -> None:
    gate = new(name)
    calls = [permit(gate) for _ in range(3)]
    gate.close(calls[0], now=0.0, roll=0.0, wait=MONTH)
    before = gate.standing(now=800.0)
    for call in calls[1:]:
        gate.close(call, now=800.0, roll=0.9, wait=2 * MONTH)
    assert gate.standing(now=800.0) == before
    permit(gate, 900.0)


@pytest.mark.parametrize("name", ALL)
def test_an_operator_opens_it(name: GateName) -> None:
    gate = closed(name, 50.0)
    gate.open(now=10.0)
    assert is_open(gate, 10.0)
    assert [move.reason for move in gate.take_moves()][1:] == ["operator"]


def test_an_operator_has_nothing_to_do_at_an_open_gate() -> None:
    gate = new("rate")
    gate.open(now=10.0)
    assert gate.take_moves() == ()


def test_moves_are_told_once_with_the_time_at_which_they_were_due() -> None:
    gate = closed("rate", 20.0)
    gate.tick(now=1000.0)
    assert gate.take_moves() == (
        GateMove(state="closed", at=0.0, reason="rate_limited", generation=1, retry_after=20.0),
        GateMove(state="open", at=20.0, reason="time_passed", generation=2),
    )
    assert gate.take_moves() == ()


def test_a_closing_that_waits_for_a_person_names_no_time() -> None:
    (move,) = closed("credential").take_moves()
    assert move.retry_after is None


def test_moves_that_nobody_asks_for_do_not_pile_up() -> None:
    gate = new("rate")
    for now in range(200):
        gate.close(permit(gate, float(now)), now=float(now), roll=0.0, wait=0.5)
    assert len(gate.take_moves()) == MOVES_MAX


def test_permits_that_never_come_back_do_not_pile_up() -> None:
    gate = new("rate")
    first = permit(gate)
    for _ in range(LIVE_MAX):
        permit(gate)
    gate.close(first, now=1.0, roll=0.0, wait=5.0)
    assert is_open(gate, 1.0)


def test_a_permit_is_forgotten_when_its_lease_is_over() -> None:
    gate = new("rate")
    late = permit(gate)
    gate.close(late, now=900.0, roll=0.0, wait=5.0)
    assert is_open(gate, 900.0)
    assert gate.is_idle


@pytest.mark.parametrize("name", ALL)
def test_a_gate_is_idle_when_nothing_is_lost_by_forgetting_it(name: GateName) -> None:
    gate = new(name)
    assert gate.is_idle
    call = permit(gate)
    assert not gate.is_idle
    gate.report(call, OK, now=1.0)
    assert gate.is_idle
    assert not closed(name).is_idle


@pytest.mark.parametrize(
    ("now", "seconds"),
    [
        (datetime(2026, 11, 30, 23, 59, 59, tzinfo=UTC), 1.0),
        (datetime(2026, 12, 31, 12, tzinfo=UTC), 12 * 3600.0),
        (datetime(2026, 2, 1, tzinfo=UTC), 28 * 86_400.0),
        (datetime(2028, 2, 1, tzinfo=UTC), 29 * 86_400.0),
        (datetime(2026, 12, 1, 1, tzinfo=timezone(timedelta(hours=9))), 8 * 3600.0),
    ],
)
def test_the_month_ends_at_midnight_utc_before_the_first(now: datetime, seconds: float) -> None:
    assert until_next_month(now) == seconds


@given(st.integers(0, 10**10))
def test_the_end_of_the_month_is_always_the_nearest_first_ahead(seconds: int) -> None:
    now = datetime.fromtimestamp(seconds, UTC)
    end = now + timedelta(seconds=until_next_month(now))
    assert (end.day, end.hour, end.minute) == (1, 0, 0)
    assert timedelta(0) < end - now <= timedelta(days=31)


@pytest.mark.parametrize(
    "key", ["wait_max", "ramp_wait", "probe_interval", "ramp_step", "permit_lease", "ramp_factor"]
)
@pytest.mark.parametrize("value", [0.0, -1.0, nan, inf])
def test_a_setting_that_makes_no_sense_is_named(key: str, value: float) -> None:
    with pytest.raises(ConfigError, match=key) as caught:
        GateConfig(**{key: value})
    assert caught.value.say("ko").startswith(key)


def test_a_ramp_factor_of_one_would_never_slow_down() -> None:
    with pytest.raises(ConfigError, match="ramp_factor"):
        GateConfig(ramp_factor=1.0)
