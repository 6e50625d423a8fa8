import threading
from datetime import timedelta

import pytest

from holdfast import ConfigError, Quota, RateLimited
from holdfast.errors import OversizedCall
from holdfast.testing import FakeClock


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


def test_so_many_requests_are_let_through_and_the_next_is_told_when_to_come_back(clock: FakeClock) -> None:
    quota = Quota(20, per=60, clock=clock)
    assert [quota.try_acquire() for _ in range(20)] == [True] * 20
    with pytest.raises(RateLimited) as caught:
        quota.acquire()
    assert caught.value.retry_after == 3.0
    clock.advance(3.0)
    quota.acquire()


def test_every_subject_has_a_quota_of_its_own(clock: FakeClock) -> None:
    quota = Quota(1, clock=clock)
    quota.acquire("alice")
    quota.acquire(subject="bob")
    assert not quota.try_acquire("alice")


def test_the_time_may_be_a_timedelta(clock: FakeClock) -> None:
    quota = Quota(1, per=timedelta(hours=1), clock=clock)
    quota.acquire()
    with pytest.raises(RateLimited) as caught:
        quota.acquire()
    assert caught.value.retry_after == 3600.0


def test_fewer_may_come_at_once_than_in_a_window(clock: FakeClock) -> None:
    quota = Quota(60, per=60, burst=2, clock=clock)
    assert [quota.try_acquire() for _ in range(3)] == [True, True, False]
    clock.advance(1)
    assert [quota.try_acquire() for _ in range(2)] == [True, False]


def test_tokens_count_beside_requests_and_all_is_taken_or_nothing(clock: FakeClock) -> None:
    quota = Quota(10, per=60, input_tokens=1_000, output_tokens=100, clock=clock)
    assert not quota.try_acquire("alice", input_tokens=900, output_tokens=101)
    assert quota.try_acquire("alice", input_tokens=900, output_tokens=100)
    with pytest.raises(RateLimited) as caught:
        quota.acquire("alice", input_tokens=150)
    assert caught.value.retry_after == 3.0
    assert [quota.try_acquire("alice", input_tokens=100) for _ in range(1)] == [True]


def test_what_was_reckoned_is_corrected_by_what_was_used(clock: FakeClock) -> None:
    quota = Quota(input_tokens=1_000, clock=clock)
    held = quota.acquire(input_tokens=1_000)
    held.correct(input_tokens=200)
    quota.acquire(input_tokens=800)
    assert not quota.try_acquire(input_tokens=1)


def test_who_used_more_than_there_is_waits_until_the_debt_is_paid(clock: FakeClock) -> None:
    quota = Quota(output_tokens=600, per=60, clock=clock)
    quota.acquire().correct(output_tokens=900)
    with pytest.raises(RateLimited) as caught:
        quota.acquire()
    assert caught.value.retry_after == 30.0


def test_a_call_that_never_fits_is_told_so_at_once(clock: FakeClock) -> None:
    quota = Quota(input_tokens=1_000, clock=clock)
    with pytest.raises(OversizedCall, match="1,001 input tokens") as caught:
        quota.acquire("alice", input_tokens=1_001)
    assert caught.value.retry_after is None
    assert caught.value.should_retry is False
    assert "입력 토큰" in caught.value.say("ko")


@pytest.mark.parametrize(
    ("quota", "words", "korean"),
    [
        (Quota(1), "allows 1 requests in 60 s", "60초에 요청 1"),
        (Quota(input_tokens=1, per=5), "allows 1 input tokens in 5 s", "5초에 입력 토큰 1"),
        (Quota(output_tokens=1), "allows 1 output tokens", "출력 토큰 1"),
        (Quota(concurrency=1), "allows 1 calls at once", "동시 호출을 1개"),
    ],
)
def test_a_refusal_names_whose_limit_of_what_and_when_to_come_back(
    quota: Quota, words: str, korean: str
) -> None:
    quota.acquire("alice", input_tokens=1, output_tokens=1)
    with pytest.raises(RateLimited) as caught:
        quota.acquire("alice", input_tokens=1, output_tokens=1)
    assert words in str(caught.value)
    assert "of alice" in str(caught.value)
    assert korean in caught.value.say("ko")
    assert caught.value.retry_after is not None
    assert f"{caught.value.retry_after:.0f} s" in str(caught.value)
    assert caught.value.details["limit"] == 1


def test_without_a_subject_the_quota_is_everybodys() -> None:
    quota = Quota(1)
    quota.acquire()
    with pytest.raises(RateLimited, match="of everybody"):
        quota.acquire()


def test_a_place_is_held_while_the_block_runs(clock: FakeClock) -> None:
    quota = Quota(concurrency=1, clock=clock)
    with quota:
        assert not quota.try_acquire()
    with quota.acquire("alice"), quota.acquire("bob"), pytest.raises(RateLimited):
        quota.acquire("alice")
    assert quota.try_acquire("alice")


async def test_a_place_is_held_while_an_asynchronous_block_runs(clock: FakeClock) -> None:
    quota = Quota(concurrency=1, clock=clock)
    async with quota:
        assert not quota.try_acquire()
    async with quota.acquire("alice"):
        assert not quota.try_acquire("alice")
    assert quota.try_acquire("alice")


def test_a_place_can_be_given_back_by_hand_and_twice_does_no_harm(clock: FakeClock) -> None:
    quota = Quota(concurrency=2, clock=clock)
    held = quota.acquire("alice")
    assert quota.try_acquire("alice")
    held.release()
    held.release()
    assert [quota.try_acquire("alice") for _ in range(2)] == [True, False]
    quota.release("alice")
    quota.release("nobody")
    assert [quota.try_acquire("alice") for _ in range(2)] == [True, False]


def test_a_place_that_nobody_gives_back_is_free_after_a_quarter_of_an_hour(clock: FakeClock) -> None:
    quota = Quota(concurrency=1, clock=clock)
    lost = quota.acquire()
    clock.advance(899)
    assert not quota.try_acquire()
    clock.advance(1)
    assert quota.try_acquire()
    lost.release()
    assert not quota.try_acquire()


def test_threads_that_ask_at_once_get_exactly_the_limit() -> None:
    quota = Quota(100, per=3600, concurrency=80)
    answers: list[bool] = []

    def ask() -> None:
        answers.extend([quota.try_acquire("alice") for _ in range(25)])

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers.count(True) == 80


@pytest.mark.parametrize(
    "make",
    [
        lambda: Quota(0),
        lambda: Quota(-1),
        lambda: Quota(True),
        lambda: Quota(1.5),  # type: ignore[arg-type]
        lambda: Quota(1, per=0),
        lambda: Quota(1, input_tokens=0),
        lambda: Quota(1, output_tokens=0),
        lambda: Quota(1, concurrency=0),
        lambda: Quota(1, burst=0),
        lambda: Quota(1, scope="planet"),
    ],
)
def test_a_limit_that_makes_no_sense_is_a_config_error(make: "type[Quota]") -> None:
    with pytest.raises(ConfigError):
        make()


@pytest.mark.parametrize("tokens", [-1, True, 1.5])
def test_a_number_of_tokens_that_is_none_is_a_programming_error(tokens: object) -> None:
    with pytest.raises(ValueError, match="input_tokens"):
        Quota(1).acquire(input_tokens=tokens)  # type: ignore[arg-type]


def test_no_limit_at_all_lets_everything_through() -> None:
    quota = Quota()
    assert all(quota.try_acquire(input_tokens=10**9) for _ in range(100))


def test_a_quota_shows_its_limits() -> None:
    assert repr(Quota(20, concurrency=2)) == "Quota(requests=20, per=60.0, concurrency=2, scope='user')"
