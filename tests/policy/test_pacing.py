from math import inf, nan

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.policy.pacing import BELIEVED, Mirror, Size
from holdfast.wire.limits import NAMES, LimitName, RateLimit

T0 = 500.0
SMALL = Size(input_tokens=1_000, output_tokens=500)


def a_mirror(
    remaining: int, *, limit: int = 10_000, reset_after: float = 30.0, name: LimitName = "input-tokens"
) -> Mirror:
    mirror = Mirror()
    found = RateLimit(name=name, limit=limit, remaining=remaining, reset_after=reset_after)
    mirror.observe([found], now=T0)
    return mirror


def test_where_nothing_is_known_nothing_waits() -> None:
    assert Mirror().wait(SMALL, now=T0) == 0.0
    assert Mirror().is_blank


def test_what_fits_goes_at_once() -> None:
    assert a_mirror(1_000).wait(SMALL, now=T0) == 0.0


def test_what_does_not_fit_waits_until_so_much_has_come_back() -> None:
    mirror = a_mirror(0)
    assert mirror.wait(SMALL, now=T0) == 3.0
    assert mirror.wait(SMALL, now=T0 + 1) == 2.0
    assert mirror.wait(SMALL, now=T0 + 3) == 0.0


@pytest.mark.parametrize(
    ("name", "wait"), [("requests", 0.003), ("input-tokens", 3.0), ("output-tokens", 1.5), ("tokens", 4.5)]
)
def test_each_limit_counts_what_it_is_a_limit_of(name: LimitName, wait: float) -> None:
    assert a_mirror(0, name=name).wait(SMALL, now=T0) == pytest.approx(wait)


def test_the_limit_that_lacks_most_decides() -> None:
    mirror = a_mirror(0)
    mirror.observe([RateLimit(name="requests", limit=10, remaining=0, reset_after=60.0)], now=T0)
    assert mirror.wait(SMALL, now=T0) == 6.0


def test_calls_that_went_since_count_until_the_next_answer() -> None:
    mirror = a_mirror(2_000)
    mirror.sent(SMALL, now=T0)
    assert mirror.wait(SMALL, now=T0) == 0.0
    mirror.sent(SMALL, now=T0)
    assert mirror.wait(SMALL, now=T0) == 3.75
    found = RateLimit(name="input-tokens", limit=10_000, remaining=5_000, reset_after=30.0)
    mirror.observe([found], now=T0 + 1)
    assert mirror.wait(SMALL, now=T0 + 1) == 0.0


def test_a_call_larger_than_the_limit_waits_for_all_of_it_and_then_goes() -> None:
    mirror, huge = a_mirror(4_000), Size(input_tokens=10**9)
    assert mirror.wait(huge, now=T0) == 30.0
    assert mirror.wait(huge, now=T0 + 30) == 0.0


def test_a_limit_that_is_whole_again_is_forgotten() -> None:
    mirror = a_mirror(0)
    mirror.sent(SMALL, now=T0 + 30)
    assert mirror.is_blank


def test_an_absurd_reset_is_believed_for_a_minute_at_most() -> None:
    mirror = a_mirror(0, limit=1_000, reset_after=86_400.0)
    assert mirror.wait(SMALL, now=T0) == BELIEVED
    assert mirror.wait(SMALL, now=T0 + BELIEVED) == 0.0


def test_a_full_limit_can_be_used_up_by_what_was_sent() -> None:
    mirror = a_mirror(1_000, limit=1_000)
    mirror.sent(SMALL, now=T0)
    assert mirror.wait(SMALL, now=T0) == 30.0


def test_a_clock_that_goes_back_waits_for_nothing() -> None:
    assert a_mirror(0).wait(SMALL, now=T0 - 1) == 0.0


@given(
    st.lists(
        st.tuples(
            st.sampled_from(NAMES),
            st.integers(1, 10**9),
            st.floats(0, 1),
            st.floats(min_value=0.001, allow_nan=False) | st.just(inf),
            st.floats(0, 100),
            st.integers(0, 10**9),
        ),
        max_size=12,
    )
)
def test_no_wait_is_ever_longer_than_a_minute_or_the_reset_nor_repeats_itself(
    said: list[tuple[LimitName, int, float, float, float, int]],
) -> None:
    mirror, now = Mirror(), T0
    for name, limit, share, reset_after, pause, need in said:
        now += pause
        found = RateLimit(name=name, limit=limit, remaining=int(limit * share), reset_after=reset_after)
        mirror.observe([found], now=now)
        size = Size(input_tokens=need, output_tokens=need)
        wait = mirror.wait(size, now=now)
        assert 0 <= wait <= BELIEVED + 1e-6
        assert wait is not nan
        assert mirror.wait(size, now=now + wait + 1e-6) <= 1e-6
        mirror.sent(size, now=now)


def test_what_is_left_is_told_less_what_was_sent_while_it_is_believed() -> None:
    mirror = a_mirror(5_000)
    mirror.sent(SMALL, now=T0 + 1)
    (left,) = mirror.left(now=T0 + 2)
    assert (left.remaining, left.limit, left.reset_after) == (4_000, 10_000, 28.0)
    assert mirror.left(now=T0 + 31) == ()
