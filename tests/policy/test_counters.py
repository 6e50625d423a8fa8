from dataclasses import replace
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.policy.counters import (
    EXACT,
    LOOKED_AT,
    SECOND,
    Ask,
    Counters,
    Granted,
    Limited,
    Rate,
    Slot,
    Take,
    TooLarge,
    micros,
    rate_of,
    shared,
    too_large,
)

T0 = 1_000 * SECOND


def take(cost: int = 1, *, key: str = "q/requests/alice", rate: Rate | None = None) -> Take:
    return Take(key=key, dimension="requests", rate=rate or rate_of(20, 60.0, 20), cost=cost)


def ask(*takes: Take, id: str = "a", slots: tuple[Slot, ...] = (), lease: float = 60.0) -> Ask:
    return Ask(id=id, takes=takes, slots=slots, lease=lease)


def granted(counters: Counters, asked: Ask, now: int = T0) -> bool:
    return isinstance(counters.take(asked, now=now), Granted)


def wait_of(counters: Counters, asked: Ask, now: int = T0) -> float:
    answer = counters.take(asked, now=now)
    assert isinstance(answer, Limited)
    return answer.retry_after


def test_a_whole_window_may_come_at_once_and_not_one_more() -> None:
    counters = Counters()
    assert [granted(counters, ask(take())) for _ in range(21)] == [True] * 20 + [False]


def test_what_was_taken_comes_back_steadily() -> None:
    counters = Counters()
    assert granted(counters, ask(take(20)))
    assert wait_of(counters, ask(take())) == 3.0
    assert wait_of(counters, ask(take(5)), T0 + SECOND) == 14.0
    assert granted(counters, ask(take()), T0 + 3 * SECOND)


def test_seven_a_second_are_seven_although_a_microsecond_does_not_divide() -> None:
    counters, rate = Counters(), rate_of(7, 1.0, 7)
    assert [granted(counters, ask(take(rate=rate))) for _ in range(8)] == [True] * 7 + [False]
    assert granted(counters, ask(take(7, rate=rate)), T0 + SECOND)


@given(
    limit=st.integers(1, 50),
    per=st.sampled_from([0.001, 1.0, 7.0, 60.0]),
    burst=st.integers(1, 60),
    steps=st.lists(st.tuples(st.integers(0, 5_000_000), st.integers(1, 60)), max_size=30),
)
def test_no_stretch_ever_admits_more_than_the_burst_and_its_share_and_nothing_is_refused_without_need(
    limit: int, per: float, burst: int, steps: list[tuple[int, int]]
) -> None:
    counters, rate, now = Counters(), rate_of(limit, per, burst), T0
    speed = Fraction(limit, micros(per))
    admitted: list[tuple[int, int]] = []
    for pause, wish in steps:
        now += pause
        cost = min(wish, burst)
        stretches = [
            (at, cost + sum(n for _, n in admitted[start:])) for start, (at, _) in enumerate(admitted)
        ]
        fits = all(total <= burst + (now - at) * speed for at, total in stretches)
        assert granted(counters, ask(take(cost, rate=rate)), now) is fits
        if fits:
            admitted.append((now, cost))


@given(
    limit=st.integers(1, 10**9),
    per=st.sampled_from([1.0, 60.0, 3600.0, 86_400.0, 0.37]),
    costs=st.lists(st.integers(1, 10**9), min_size=1, max_size=8),
)
def test_who_comes_back_after_exactly_the_wait_is_let_in_and_a_microsecond_earlier_is_not(
    limit: int, per: float, costs: list[int]
) -> None:
    counters, rate, now = Counters(), rate_of(limit, per, limit), T0
    for cost in (min(cost, limit) for cost in costs):
        answer = counters.take(ask(take(cost, rate=rate)), now=now)
        if isinstance(answer, Limited):
            wait = micros(answer.retry_after)
            assert wait > 0
            assert not granted(counters, ask(take(cost, rate=rate)), now + wait - 1)
            assert granted(counters, ask(take(cost, rate=rate)), now + wait)
            now += wait


@given(
    limit=st.integers(1, 10**12),
    per=st.floats(0.001, 86_400.0 * 31),
    burst=st.integers(1, 10**12),
)
def test_a_rate_is_what_was_asked_for_and_small_enough_for_every_store(
    limit: int, per: float, burst: int
) -> None:
    if burst * per > limit * 86_400.0 * 366:
        burst = limit
    rate = rate_of(limit, per, burst)
    wanted = Fraction(limit, micros(per))
    assert abs(Fraction(rate.drain, rate.unit) - wanted) <= wanted / 10_000
    assert rate.capacity <= EXACT


def test_all_buckets_give_or_none_does_and_the_longest_wait_is_named() -> None:
    counters = Counters()
    small = take(key="q/requests/bob", rate=rate_of(1, 60.0, 1))
    slow = take(key="q/requests/all", rate=rate_of(1, 600.0, 1))
    assert granted(counters, ask(small, slow))
    answer = counters.take(ask(take(), small, slow), now=T0)
    assert answer == Limited(key="q/requests/all", retry_after=600.0)
    assert granted(counters, ask(take(20)))


def test_a_correction_gives_back_and_takes_beyond_the_burst() -> None:
    counters = Counters()
    assert granted(counters, ask(take(20)))
    counters.correct([take(-15)], now=T0)
    assert granted(counters, ask(take(15)))
    counters.correct([take(20)], now=T0)
    assert wait_of(counters, ask(take(1))) == 63.0
    assert wait_of(counters, ask(take(0))) == 60.0


def test_more_than_was_taken_is_never_given_back() -> None:
    counters = Counters()
    counters.correct([take(-1000)], now=T0)
    assert [granted(counters, ask(take(20))), granted(counters, ask(take(1)))] == [True, False]


def test_a_clock_that_goes_back_neither_forgives_nor_locks_out() -> None:
    counters = Counters()
    assert granted(counters, ask(take(20)))
    assert wait_of(counters, ask(take(1)), T0 - 500 * SECOND) == 3.0
    counters.correct([take(0)], now=T0 - 500 * SECOND)
    assert granted(counters, ask(take(1)), T0 - 497 * SECOND)


def test_a_limit_that_is_changed_keeps_what_was_taken() -> None:
    counters = Counters()
    assert granted(counters, ask(take(20)))
    assert granted(counters, ask(take(20, rate=rate_of(40, 60.0, 40))))
    assert not granted(counters, ask(take(1, rate=rate_of(40, 60.0, 40))))


PLACES = (Slot(key="q/concurrency/alice", limit=2),)


def test_places_are_held_until_they_are_given_back_once() -> None:
    counters = Counters()
    assert [granted(counters, ask(id=id, slots=PLACES)) for id in "abc"] == [True, True, False]
    counters.release(ask(id="a", slots=PLACES))
    counters.release(ask(id="a", slots=PLACES))
    assert [granted(counters, ask(id=id, slots=PLACES)) for id in "cd"] == [True, False]


def test_who_holds_a_place_may_ask_for_it_again() -> None:
    counters = Counters()
    assert [granted(counters, ask(id=id, slots=PLACES)) for id in "abab"] == [True] * 4


def test_a_place_that_nobody_renews_is_free_after_its_lease() -> None:
    counters = Counters()
    assert [granted(counters, ask(id=id, slots=PLACES, lease=30.0)) for id in "ab"] == [True, True]
    counters.renew(ask(id="b", slots=PLACES, lease=60.0), now=T0 + 10 * SECOND)
    later = T0 + 30 * SECOND
    assert [granted(counters, ask(id=id, slots=PLACES), later) for id in "cd"] == [True, False]
    counters.renew(ask(id="a", slots=PLACES), now=later)
    counters.release(ask(id="c", slots=PLACES))
    assert granted(counters, ask(id="d", slots=PLACES), later)


def test_a_lease_that_is_over_cannot_be_renewed() -> None:
    counters, one = Counters(), (Slot(key="k", limit=1),)
    assert granted(counters, ask(id="a", slots=one, lease=1.0))
    counters.renew(ask(id="a", slots=one), now=T0 + SECOND)
    counters.renew(ask(id="b", slots=one), now=T0)
    assert granted(counters, ask(id="c", slots=one), T0 + SECOND)


def test_a_full_house_is_asked_again_in_a_second_or_when_the_first_lease_ends() -> None:
    counters, one = Counters(), (Slot(key="k", limit=1),)
    assert granted(counters, ask(id="a", slots=one, lease=30.0))
    assert wait_of(counters, ask(id="b", slots=one)) == 1.0
    assert wait_of(counters, ask(id="b", slots=one), T0 + 30 * SECOND - 250_000) == 0.25


def test_a_refused_call_holds_no_place() -> None:
    counters = Counters()
    assert granted(counters, ask(take(20)))
    assert not granted(counters, ask(take(1), id="a", slots=PLACES))
    assert [granted(counters, ask(id=id, slots=PLACES)) for id in "bc"] == [True, True]


def test_buckets_that_are_empty_again_are_forgotten() -> None:
    counters = Counters()
    for user in range(LOOKED_AT):
        assert granted(
            counters, ask(take(key=f"u{user}"), id=f"{user}", slots=(Slot(key=f"s{user}", limit=1),))
        )
    assert len(counters) == 2 * LOOKED_AT
    assert granted(counters, ask(take(key="late"), id="late"), T0 + 61 * SECOND)
    assert len(counters) == 1


def test_however_many_names_callers_make_up_no_more_than_so_many_are_kept() -> None:
    counters = Counters(keep=10)
    for user in range(100):
        assert granted(
            counters, ask(take(key=f"u{user}"), id=f"{user}", slots=(Slot(key=f"s{user}", limit=1),))
        )
    assert len(counters) == 20


def test_the_one_in_use_is_not_the_one_forgotten() -> None:
    counters = Counters(keep=10)
    busy = rate_of(1_000, 3600.0, 1_000)
    for user in range(100):
        assert granted(counters, ask(take(5, key="busy", rate=busy)))
        assert granted(counters, ask(take(key=f"u{user}")))
    assert granted(counters, ask(take(500, key="busy", rate=busy)))
    assert not granted(counters, ask(take(1, key="busy", rate=busy)))


def test_what_can_never_be_granted_is_known_beforehand() -> None:
    assert too_large(ask(take(20), take(21, key="k"))) == TooLarge(key="k", cost=21, burst=20)
    assert too_large(ask(take(20))) is None


@pytest.mark.parametrize("workers", [1, 2, 3, 7, 100])
def test_the_shares_of_all_workers_together_are_no_more_than_the_limit(workers: int) -> None:
    whole = ask(take(20, rate=rate_of(1_000, 60.0, 200)), slots=(Slot(key="s", limit=200),))
    part = shared(whole, workers)
    rate = part.takes[0].rate
    assert rate.burst * workers <= 200
    assert part.slots[0].limit * workers <= 200
    exact = Fraction(1_000, 60 * SECOND * workers)
    assert abs(Fraction(rate.drain, rate.unit) - exact) <= exact / 10_000
    assert too_large(part) is None


def test_a_share_lets_at_least_one_through_at_a_time() -> None:
    part = shared(replace(ask(take(5), slots=(Slot(key="s", limit=1),))), 50)
    assert (part.takes[0].cost, part.takes[0].rate.burst, part.slots[0].limit) == (1, 1, 1)
    assert granted(Counters(), part)


def test_seconds_are_whole_microseconds() -> None:
    assert [micros(1.0), micros(0.1 + 0.2), micros(2e-7)] == [SECOND, 300_000, 0]
