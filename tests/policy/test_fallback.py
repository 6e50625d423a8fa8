"""What a fallback stands in for, and which answers it remembers."""

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.errors import (
    BudgetExhausted,
    CallNotPermitted,
    ConfigError,
    DeadlineExceeded,
    HoldfastError,
    InputRejected,
    MalformedRequest,
    RateLimited,
    UnknownModel,
    UpstreamError,
    UpstreamUnavailable,
)
from holdfast.policy.fallback import FallbackConfig, Kept, KeptAnswers, stands_in, stands_in_for


def an_answer(body: bytes = b"{}") -> Kept:
    return Kept(body=body, headers=(), model="claude-sonnet-5-5", stop_reason="end_turn")


def test_nothing_is_said_unless_it_is_configured() -> None:
    assert not FallbackConfig().is_on
    assert FallbackConfig(text="Sorry.").is_on
    assert FallbackConfig(cached=True).is_on


@pytest.mark.parametrize("text", ["", " \n"])
def test_an_empty_text_is_rejected_in_both_languages(text: str) -> None:
    with pytest.raises(ConfigError, match="text: must not be empty") as caught:
        FallbackConfig(text=text)
    assert "비워 둘 수 없습니다" in caught.value.say("ko")


@pytest.mark.parametrize(
    ("settings", "words"),
    [({"keep": 0}, "keep: must be 1"), ({"max_age": 0.0}, "max_age"), ({"max_age": float("inf")}, "max_age")],
)
def test_bounds_that_bound_nothing_are_rejected(settings: dict[str, float], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        FallbackConfig(**settings)  # type: ignore[arg-type]  # a test passes the fields by name


@pytest.mark.parametrize(
    "error",
    [
        CallNotPermitted("open"),
        RateLimited("later"),
        BudgetExhausted("spent"),
        DeadlineExceeded("late"),
        UpstreamUnavailable("down"),
        UpstreamError("odd", status=429),
    ],
)
def test_it_stands_in_for_what_the_caller_cannot_help(error: HoldfastError) -> None:
    assert stands_in(error)


@pytest.mark.parametrize(
    "error",
    [
        InputRejected("no"),
        MalformedRequest("what"),
        UnknownModel("which", status=404),
        UpstreamError("bad", status=400),
        BudgetExhausted("spent", details={"budget": "daily"}),
    ],
)
def test_it_never_hides_a_fault_of_the_request_or_a_budget_of_ours(error: HoldfastError) -> None:
    assert not stands_in(error)


@given(st.integers(100, 599))
def test_of_answers_only_server_errors_and_rate_limits_are_replaced(status: int) -> None:
    assert stands_in_for(status) is (status // 100 == 5 or status == 429)


def test_an_answer_is_forgotten_when_it_is_too_old() -> None:
    kept = KeptAnswers(FallbackConfig(cached=True, max_age=10.0))
    kept.keep(b"a", an_answer(), now=100.0)
    assert kept.find(b"a", now=110.0) == an_answer()
    assert kept.find(b"a", now=110.1) is None
    assert (len(kept), kept.size) == (0, 0)


def test_what_was_used_least_recently_makes_room() -> None:
    kept = KeptAnswers(FallbackConfig(cached=True, keep=2))
    kept.keep(b"a", an_answer(), now=0.0)
    kept.keep(b"b", an_answer(), now=0.0)
    assert kept.find(b"a", now=0.0) is not None
    kept.keep(b"c", an_answer(), now=0.0)
    assert [key for key in (b"a", b"b", b"c") if kept.find(key, now=0.0)] == [b"a", b"c"]


@dataclass(frozen=True, slots=True)
class Keeping:
    """One answer to keep: its key and how long it is."""

    key: int
    length: int


@given(
    st.lists(st.builds(Keeping, st.integers(0, 5), st.integers(0, 12)), max_size=30),
    st.integers(1, 4),
    st.integers(1, 20),
)
def test_count_and_bytes_stay_within_their_bounds_and_the_last_one_wins(
    keepings: list[Keeping], most: int, most_bytes: int
) -> None:
    kept = KeptAnswers(FallbackConfig(cached=True, keep=most), most_bytes=most_bytes)
    for now, keeping in enumerate(keepings):
        key, answer = bytes([keeping.key]), an_answer(bytes(keeping.length))
        kept.keep(key, answer, now=float(now))
        found = kept.find(key, now=float(now))
        assert found == (answer if keeping.length <= most_bytes else None)
        assert len(kept) <= most
        alive = [kept.find(bytes([key]), now=float(now)) for key in range(6)]
        assert kept.size == sum(len(one.body) for one in alive if one is not None) <= most_bytes
