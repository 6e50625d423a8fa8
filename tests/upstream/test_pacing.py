from datetime import timedelta

import pytest

from holdfast.policy.pacing import Size
from holdfast.policy.routing import Account, Target
from holdfast.testing import FakeClock
from holdfast.upstream.pacing import KEPT, Pacing
from holdfast.wire.headers import Headers

SIZE = Size(input_tokens=100)


def a_target(model: str = "haiku", *, credential: str = "k1", upstream: str = "main") -> Target:
    return Target(upstream=upstream, model=model, account=Account(credential=credential))


def told(clock: FakeClock, remaining: int = 0, seconds: float = 10.0) -> Headers:
    start = "anthropic-ratelimit-requests"
    reset = (clock.now() + timedelta(seconds=seconds)).isoformat()
    return ((f"{start}-limit", "10"), (f"{start}-remaining", f"{remaining}"), (f"{start}-reset", reset))


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


def test_a_call_waits_where_the_last_answer_said_that_nothing_is_left(clock: FakeClock) -> None:
    pacing = Pacing(clock=clock)
    pacing.observe(a_target(), told(clock))
    assert pacing.wait(a_target(), SIZE) == 1.0
    clock.advance(1)
    assert pacing.wait(a_target(), SIZE) == 0.0


@pytest.mark.parametrize("other", [a_target("opus"), a_target(credential="k2"), a_target(upstream="spare")])
def test_each_account_and_model_of_each_upstream_has_limits_of_its_own(
    other: Target, clock: FakeClock
) -> None:
    pacing = Pacing(clock=clock)
    pacing.observe(a_target(), told(clock))
    assert pacing.wait(other, SIZE) == 0.0


def test_calls_that_set_out_are_reckoned_with(clock: FakeClock) -> None:
    pacing = Pacing(clock=clock)
    pacing.sent(a_target(), SIZE)
    pacing.observe(a_target(), told(clock, remaining=2))
    for _ in range(2):
        assert pacing.wait(a_target(), SIZE) == 0.0
        pacing.sent(a_target(), SIZE)
    assert pacing.wait(a_target(), SIZE) > 0.0


def test_limits_that_are_whole_again_are_forgotten(clock: FakeClock) -> None:
    pacing = Pacing(clock=clock)
    pacing.observe(a_target(), told(clock))
    pacing.observe(a_target("opus"), ())
    assert len(pacing) == 1
    clock.advance(10)
    pacing.sent(a_target(), SIZE)
    assert len(pacing) == 0


def test_however_many_models_callers_name_only_so_many_are_kept(clock: FakeClock) -> None:
    pacing = Pacing(clock=clock)
    for number in range(KEPT + 50):
        pacing.observe(a_target(f"m{number}"), told(clock))
    assert len(pacing) == KEPT
    assert pacing.wait(a_target("m0"), SIZE) == 0.0
    assert pacing.wait(a_target(f"m{KEPT}"), SIZE) == 1.0


def test_what_is_left_is_told_for_each_place(clock: FakeClock) -> None:
    pacing = Pacing(clock=clock)
    pacing.observe(a_target(), told(clock, remaining=4))
    ((place, limits),) = pacing.left().items()
    assert place == ("main", "k1", "haiku")
    assert [(one.name, one.remaining, one.limit) for one in limits] == [("requests", 4, 10)]
