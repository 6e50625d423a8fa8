"""The circuit's rules, one by one."""

import math
from dataclasses import replace
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.errors import ConfigError
from holdfast.policy.breaker import (
    LIVE_MAX,
    BreakerConfig,
    Circuit,
    NotPermitted,
    Order,
    Outcome,
    Permit,
    Permitted,
    State,
    Word,
)
from holdfast.policy.window import Window

OK, FAIL, NEUTRAL = Outcome.OK, Outcome.FAIL, Outcome.NEUTRAL


def permit(circuit: Circuit, now: float = 0.0) -> Permit:
    answer = circuit.acquire(now=now, roll=0.0)
    assert isinstance(answer, Permitted)
    return answer.permit


def refusal(circuit: Circuit, now: float = 0.0) -> NotPermitted:
    answer = circuit.acquire(now=now, roll=0.0)
    assert isinstance(answer, NotPermitted)
    return answer


def call(circuit: Circuit, outcome: Outcome, now: float = 0.0, *, roll: float = 0.0) -> None:
    circuit.report(permit(circuit, now), outcome, now=now, roll=roll)


def state(circuit: Circuit, now: float) -> State:
    return circuit.snapshot(now=now, roll=0.0).state


TEN = BreakerConfig(failure_threshold=1, recovery_timeout=10.0)


def opened(config: BreakerConfig = TEN, *, roll: float = 0.0) -> Circuit:
    circuit = Circuit(config)
    call(circuit, FAIL, roll=roll)
    return circuit


def half_open(config: BreakerConfig = TEN) -> Circuit:
    circuit = opened(config)
    circuit.tick(now=10.0, roll=0.0)
    return circuit


def test_a_new_circuit_lets_calls_through() -> None:
    assert permit(Circuit(BreakerConfig())) == Permit(generation=0, number=1, granted_at=0.0)


def test_failures_in_a_row_open_it() -> None:
    circuit = Circuit(BreakerConfig(failure_threshold=3, failure_rate_threshold=None))
    for _ in range(3):
        call(circuit, FAIL)
    assert state(circuit, 0.0) == "open"


def test_a_success_ends_the_row() -> None:
    circuit = Circuit(BreakerConfig(failure_threshold=3, failure_rate_threshold=None))
    for outcome in (FAIL, FAIL, OK, FAIL, FAIL):
        call(circuit, outcome)
    assert state(circuit, 0.0) == "closed"


def test_half_of_ten_calls_failing_opens_it() -> None:
    circuit = Circuit(BreakerConfig(failure_threshold=None))
    for outcome in (FAIL, OK) * 4 + (OK, FAIL):
        call(circuit, outcome)
    assert state(circuit, 0.0) == "open"


def test_nine_calls_are_too_few_for_a_rate() -> None:
    circuit = Circuit(BreakerConfig(failure_threshold=None))
    for _ in range(9):
        call(circuit, FAIL)
    assert state(circuit, 0.0) == "closed"


def test_failures_that_left_the_window_do_not_count() -> None:
    circuit = Circuit(BreakerConfig(failure_threshold=None))
    for now in (0.0, 40.0):
        for _ in range(9):
            call(circuit, FAIL, now)
    assert state(circuit, 40.0) == "closed"


def test_without_any_threshold_it_never_opens() -> None:
    circuit = Circuit(BreakerConfig(failure_threshold=None, failure_rate_threshold=None))
    for _ in range(1000):
        call(circuit, FAIL)
    assert state(circuit, 0.0) == "closed"


def test_slow_successes_open_it_where_that_is_asked_for() -> None:
    circuit = Circuit(
        BreakerConfig(slow_call_rate_threshold=1.0, slow_call_duration_threshold=2.0, minimum_calls=3)
    )
    for _ in range(3):
        circuit.report(permit(circuit), OK, now=2.5, roll=0.0)
    assert [change.reason for change in circuit.take_changes()] == ["slow_call_rate_threshold"]


def test_open_refuses_and_says_when_to_come_back() -> None:
    assert refusal(opened(), now=4.0).retry_after == pytest.approx(6.0)


@pytest.mark.parametrize(("roll", "wait"), [(0.0, 10.0), (0.5, 11.0), (0.999, 11.998)])
def test_jitter_lengthens_the_wait_by_up_to_a_fifth(roll: float, wait: float) -> None:
    assert refusal(opened(roll=roll)).retry_after == pytest.approx(wait)


@given(opening=st.integers(1, 5000), roll=st.floats(0, 1, exclude_max=True), base=st.floats(0.01, 1e4))
def test_the_wait_is_never_shorter_than_its_base_nor_longer_than_four_fifths_more_than_its_cap(
    opening: int, roll: float, base: float
) -> None:
    wait = BreakerConfig(recovery_timeout=base).wait(opening, roll=roll)
    assert base <= wait <= 4 * base * 1.2


def test_the_wait_doubles_with_every_failed_probe_up_to_its_maximum() -> None:
    circuit, now, waits = opened(replace(TEN, recovery_timeout_max=50.0)), 10.0, [10.0]
    for _ in range(4):
        circuit.report(permit(circuit, now), FAIL, now=now, roll=0.0)
        waits.append(refusal(circuit, now).retry_after or 0.0)
        now += waits[-1]
    assert waits == pytest.approx([10.0, 20.0, 40.0, 50.0, 50.0])


def test_after_a_recovery_the_wait_is_short_again() -> None:
    circuit = half_open(replace(TEN, success_threshold=1))
    circuit.report(permit(circuit, 10.0), FAIL, now=10.0, roll=0.0)
    circuit.report(permit(circuit, 30.0), OK, now=30.0, roll=0.0)
    call(circuit, FAIL, 30.0)
    assert refusal(circuit, 30.0).retry_after == pytest.approx(10.0)


@pytest.mark.parametrize(
    ("wish", "wait"),
    [(25.0, 25.0), (3.0, 10.0), (1e9, 40.0), (math.inf, 40.0), (math.nan, 10.0), (-5.0, 10.0)],
)
def test_the_upstreams_wish_can_lengthen_the_wait_up_to_the_maximum(wish: float, wait: float) -> None:
    circuit = Circuit(BreakerConfig(failure_threshold=1, recovery_timeout=10.0))
    circuit.report(permit(circuit), FAIL, now=0.0, roll=0.0, retry_after=wish)
    assert refusal(circuit).retry_after == pytest.approx(wait)


def test_half_open_admits_exactly_as_many_probes_as_permitted() -> None:
    circuit = half_open(replace(TEN, permitted_calls_in_half_open=3))
    answers = [circuit.acquire(now=10.0, roll=0.0) for _ in range(10)]
    assert [isinstance(answer, Permitted) for answer in answers] == [True] * 3 + [False] * 7
    assert answers[-1] == NotPermitted(retry_after=1.0)


def test_good_probes_close_it() -> None:
    circuit = half_open()
    for _ in range(2):
        call(circuit, OK, 10.0)
    assert state(circuit, 10.0) == "closed"


def test_successes_before_the_opening_do_not_help_to_close() -> None:
    circuit = Circuit(BreakerConfig(failure_threshold=1, recovery_timeout=10.0))
    for outcome in (OK, OK, OK, FAIL):
        call(circuit, outcome)
    call(circuit, OK, 10.0)
    assert state(circuit, 10.0) == "half_open"


def test_a_neutral_probe_gives_its_place_back_once() -> None:
    circuit = half_open(replace(TEN, permitted_calls_in_half_open=1))
    probe = permit(circuit, 10.0)
    for _ in range(3):
        circuit.report(probe, NEUTRAL, now=10.0, roll=0.0)
    permit(circuit, 10.0)
    assert refusal(circuit, 10.0).retry_after == 1.0


def test_a_probe_that_never_comes_back_reopens_it_instead_of_wedging_it() -> None:
    circuit = half_open(replace(TEN, permitted_calls_in_half_open=1))
    permit(circuit, 10.0)
    assert state(circuit, 69.9) == "half_open"
    assert state(circuit, 70.0) == "open"
    assert [change.reason for change in circuit.take_changes()][-1] == "probe_lost"
    permit(circuit, 90.0)


def test_a_lost_probe_is_dated_to_the_end_of_its_lease_however_late_it_is_noticed() -> None:
    circuit = half_open(replace(TEN, permitted_calls_in_half_open=1))
    permit(circuit, 10.0)
    permit(circuit, 5000.0)
    moves = [(change.after, change.at) for change in circuit.take_changes()]
    assert moves[-2:] == [("open", 70.0), ("half_open", 90.0)]


def test_an_outcome_of_an_older_generation_is_dropped_and_counted() -> None:
    circuit = Circuit(BreakerConfig(failure_threshold=1, recovery_timeout=10.0, success_threshold=1))
    late = permit(circuit)
    call(circuit, FAIL)
    circuit.report(late, OK, now=10.0, roll=0.0)
    seen = circuit.snapshot(now=10.0, roll=0.0)
    assert (seen.state, seen.stale_outcomes_total) == ("half_open", 1)


def test_a_second_outcome_of_one_permit_is_ignored_and_counted() -> None:
    circuit = Circuit(BreakerConfig(failure_threshold=2))
    only = permit(circuit)
    for _ in range(5):
        circuit.report(only, FAIL, now=0.0, roll=0.0)
    seen = circuit.snapshot(now=0.0, roll=0.0)
    assert (seen.state, seen.failures, seen.repeated_outcomes_total) == ("closed", 1, 4)


def test_the_first_content_of_a_long_stream_is_enough_to_close() -> None:
    circuit = half_open(replace(TEN, success_threshold=1))
    circuit.begin(permit(circuit, 10.0), now=11.0, roll=0.0)
    assert state(circuit, 11.0) == "closed"


def test_a_stream_that_breaks_after_its_first_content_adds_one_failure() -> None:
    circuit = Circuit(BreakerConfig(failure_threshold=1))
    stream = permit(circuit)
    circuit.begin(stream, now=0.0, roll=0.0)
    circuit.report(stream, FAIL, now=1.0, roll=0.0)
    assert state(circuit, 1.0) == "open"


def test_a_stream_that_ends_well_is_one_success_and_not_two() -> None:
    circuit = Circuit(BreakerConfig())
    stream = permit(circuit)
    circuit.begin(stream, now=0.0, roll=0.0)
    circuit.report(stream, OK, now=1.0, roll=0.0)
    seen = circuit.snapshot(now=1.0, roll=0.0)
    assert (seen.calls, seen.repeated_outcomes_total) == (1, 0)


@pytest.mark.parametrize(
    ("order", "admits", "calls_counted"),
    [("forced_open", False, 0), ("disabled", True, 0), ("metrics_only", True, 1)],
)
def test_an_operators_order_holds_until_the_reset(order: Order, admits: bool, calls_counted: int) -> None:
    circuit = Circuit(BreakerConfig(failure_threshold=1))
    circuit.order(order, now=0.0)
    answer = circuit.acquire(now=1.0, roll=0.0)
    if isinstance(answer, Permitted):
        circuit.report(answer.permit, FAIL, now=1.0, roll=0.0)
    seen = circuit.snapshot(now=2.0, roll=0.0)
    assert (isinstance(answer, Permitted), seen.state, seen.calls) == (admits, order, calls_counted)
    circuit.order("closed", now=3.0)
    assert state(circuit, 3.0) == "closed"


def test_only_an_operator_can_tell_when_a_forced_circuit_opens() -> None:
    circuit = Circuit(BreakerConfig())
    circuit.order("forced_open", now=0.0)
    circuit.record(OK, now=1.0, roll=0.0)
    assert refusal(circuit, 1e9).retry_after is None


def test_giving_the_same_order_twice_is_one_move() -> None:
    circuit = Circuit(BreakerConfig())
    for _ in range(2):
        circuit.order("disabled", now=0.0)
    assert len(circuit.take_changes()) == 1


def test_it_follows_a_peer_that_saw_the_service_fail_and_recover() -> None:
    circuit = Circuit(BreakerConfig())
    circuit.adopt(Word(state="open", at=0.0, retry_after=3.0), now=0.0, roll=0.0)
    assert refusal(circuit).retry_after == pytest.approx(3.0)
    circuit.adopt(Word(state="closed", at=1.0), now=1.0, roll=0.0)
    permit(circuit, 1.0)


def said(state: Literal["open", "closed"], at: float, left: float = 3.0, openings: int = 1) -> Word:
    return Word(state=state, at=at, retry_after=left, openings=openings)


def test_a_peers_opening_counts_as_one_in_a_row() -> None:
    circuit = Circuit(replace(TEN, recovery_timeout=1.0))
    circuit.adopt(said("open", 0.0, openings=3), now=0.0, roll=0.0)
    seen = circuit.snapshot(now=0.0, roll=0.0)
    assert (seen.consecutive_openings, seen.adopted_total, seen.generation) == (3, 1, 1)
    assert circuit.take_changes()[-1].openings == 3


def test_a_peer_cannot_open_it_for_longer_than_it_would_itself() -> None:
    circuit = Circuit(BreakerConfig(recovery_timeout=5.0, recovery_timeout_max=20.0))
    circuit.adopt(said("open", 0.0, left=1e9), now=0.0, roll=0.0)
    assert refusal(circuit).retry_after == pytest.approx(24.0)


def test_what_a_peer_saw_before_it_recovered_here_changes_nothing() -> None:
    circuit = half_open(replace(TEN, success_threshold=1))
    call(circuit, OK, 10.0)
    circuit.adopt(said("open", 9.9), now=10.5, roll=0.0)
    assert state(circuit, 10.5) == "closed"
    circuit.adopt(said("open", 10.1), now=10.6, roll=0.0)
    assert state(circuit, 10.6) == "open"


def test_a_peers_recovery_does_not_end_a_time_in_open_that_began_here() -> None:
    circuit = Circuit(replace(TEN, failure_threshold=1))
    circuit.record(FAIL, now=0.0, roll=0.0)
    circuit.adopt(said("closed", 5.0), now=5.0, roll=0.0)
    assert state(circuit, 5.0) == "open"
    circuit.adopt(said("closed", 5.0), now=10.0, roll=0.0)
    assert state(circuit, 10.0) == "closed"


def test_a_peer_that_alone_has_a_problem_is_not_followed() -> None:
    circuit = Circuit(BreakerConfig())
    call(circuit, OK, 5.1)
    circuit.adopt(said("open", 5.0), now=5.3, roll=0.0)
    assert state(circuit, 5.3) == "closed"
    call(circuit, FAIL, 5.4)
    circuit.adopt(said("open", 5.2), now=5.5, roll=0.0)
    assert state(circuit, 5.5) == "open"


def test_a_call_from_before_a_peers_opening_says_nothing_after_it() -> None:
    circuit = Circuit(BreakerConfig(failure_threshold=1))
    before = permit(circuit)
    circuit.adopt(said("open", 1.0), now=1.0, roll=0.0)
    circuit.report(before, FAIL, now=2.0, roll=0.0)
    circuit.adopt(said("closed", 2.0), now=2.0, roll=0.0)
    circuit.report(before, FAIL, now=2.0, roll=0.0)
    assert (state(circuit, 2.0), circuit.snapshot(now=2.0, roll=0.0).stale_outcomes_total) == ("closed", 2)


@pytest.mark.parametrize("peer", ["open", "closed"])
def test_an_operators_order_stands_above_a_peer(peer: str) -> None:
    circuit = Circuit(BreakerConfig())
    circuit.order("forced_open", now=0.0)
    circuit.adopt(
        Word(state="open" if peer == "open" else "closed", at=1.0, retry_after=3.0), now=1.0, roll=0.0
    )
    assert state(circuit, 100.0) == "forced_open"


def test_every_move_is_told_once_with_its_reason() -> None:
    circuit = half_open(replace(TEN, success_threshold=1))
    call(circuit, OK, 10.0)
    assert [(c.before, c.after, c.reason, c.at) for c in circuit.take_changes()] == [
        ("closed", "open", "failure_threshold", 0.0),
        ("open", "half_open", "recovery_timeout", 10.0),
        ("half_open", "closed", "success_threshold", 10.0),
    ]
    assert circuit.take_changes() == ()


@pytest.mark.parametrize("are_streams", [False, True])
def test_callers_that_never_report_cannot_fill_the_memory(are_streams: bool) -> None:
    circuit = Circuit(BreakerConfig())
    for _ in range(LIVE_MAX + 1000):
        taken = permit(circuit)
        if are_streams:
            circuit.begin(taken, now=0.0, roll=0.0)
    seen = circuit.snapshot(now=0.0, roll=0.0)
    assert seen.live <= LIVE_MAX
    assert seen.forgotten_permits_total == LIVE_MAX // 2


def test_unread_moves_cannot_fill_the_memory() -> None:
    circuit = Circuit(BreakerConfig())
    for now in range(1000):
        circuit.order("closed", now=float(now))
    moves = circuit.take_changes()
    assert (len(moves), moves[-1].at) == (64, 999.0)


def test_the_failure_rate_of_an_idle_circuit_is_zero() -> None:
    circuit = Circuit(BreakerConfig())
    assert circuit.snapshot(now=0.0, roll=0.0).failure_rate == 0.0
    call(circuit, FAIL)
    call(circuit, OK)
    assert circuit.snapshot(now=0.0, roll=0.0).failure_rate == 0.5


def test_a_window_takes_a_late_reader_of_the_clock_into_its_newest_bucket() -> None:
    window = Window(30.0)
    window.add(100.0, failed=True, slow=False)
    window.add(96.0, failed=False, slow=True)
    assert (window.calls, window.failures, window.slow) == (2, 1, 1)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("failure_threshold", 0),
        ("failure_threshold", True),
        ("failure_threshold", 2.5),
        ("minimum_calls", 0),
        ("minimum_calls", None),
        ("success_threshold", -1),
        ("permitted_calls_in_half_open", 10_001),
        ("failure_rate_threshold", 0.0),
        ("failure_rate_threshold", 1.01),
        ("failure_rate_threshold", math.nan),
        ("slow_call_rate_threshold", -0.5),
        ("slow_call_duration_threshold", 0.0),
        ("window", 0.0),
        ("window", math.inf),
        ("recovery_timeout", -5.0),
        ("recovery_timeout", math.nan),
        ("recovery_timeout_max", 4.9),
        ("recovery_timeout_max", math.nan),
        ("recovery_timeout_max", math.inf),
        ("permit_lease", 0.0),
    ],
)
def test_a_setting_that_makes_no_sense_is_refused_by_its_name(key: str, value: object) -> None:
    settings: dict[str, Any] = {key: value}
    with pytest.raises(ConfigError, match=f"^{key}: ") as caught:
        BreakerConfig(**settings)
    assert caught.value.say("ko").startswith(f"{key}: ")
