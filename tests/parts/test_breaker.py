"""The breaker in the hand: what its users see, and the faults of the article that must not come back."""

import asyncio
import inspect
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from typing import Any

import pytest

from holdfast.errors import BudgetExhausted, CallNotPermitted, ConfigError, InputRejected
from holdfast.parts.breaker import CircuitBreaker
from holdfast.policy.breaker import NotPermitted, Outcome, Permitted, Transition
from holdfast.testing.clock import FakeClock


class Status(Exception):
    def __init__(self, status: int, retry_after: float | None = None) -> None:
        super().__init__(f"status {status}")
        self.status_code = status
        self.retry_after = retry_after


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def breaker(clock: FakeClock) -> CircuitBreaker:
    return CircuitBreaker("inventory", failure_threshold=3, clock=clock)


def fail(breaker: CircuitBreaker, times: int = 3) -> None:
    for _ in range(times):
        breaker.record_failure()


def recover(breaker: CircuitBreaker, clock: FakeClock) -> None:
    fail(breaker)
    clock.advance(36)


async def raises(error: BaseException) -> None:
    raise error


# The article's way, and its repairs.


def test_five_failures_open_the_default_breaker() -> None:
    breaker = CircuitBreaker(clock=FakeClock())
    fail(breaker, 4)
    assert breaker.state == "closed"
    fail(breaker, 1)
    assert (breaker.state, breaker.can_execute()) == ("open", False)


def test_a_success_in_closed_resets_the_failures_in_a_row(breaker: CircuitBreaker) -> None:
    fail(breaker, 2)
    breaker.record_success()
    fail(breaker, 2)
    assert breaker.state == "closed"


def test_successes_count_towards_closing_only_in_half_open(breaker: CircuitBreaker, clock: FakeClock) -> None:
    for _ in range(10):
        breaker.record_success()
    recover(breaker, clock)
    assert breaker.can_execute()
    breaker.record_success()
    assert breaker.state == "half_open"


def test_half_open_admits_no_more_than_the_permitted_calls(breaker: CircuitBreaker, clock: FakeClock) -> None:
    recover(breaker, clock)
    assert [breaker.can_execute() for _ in range(5)] == [True, True, False, False, False]


def test_two_good_probes_close_it(breaker: CircuitBreaker, clock: FakeClock) -> None:
    recover(breaker, clock)
    for _ in range(2):
        assert breaker.can_execute()
        breaker.record_success()
    assert breaker.state == "closed"


def test_a_failed_probe_opens_it_again_for_longer(breaker: CircuitBreaker, clock: FakeClock) -> None:
    recover(breaker, clock)
    assert breaker.can_execute()
    breaker.record_failure()
    clock.advance(59)
    assert not breaker.can_execute()
    clock.advance(13.1)
    assert breaker.state == "half_open"


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 413, 422, 429])
async def test_the_callers_faults_and_rate_limits_never_open_it(breaker: CircuitBreaker, status: int) -> None:
    for _ in range(20):
        with pytest.raises(Status):
            await breaker.execute(raises, Status(status))
    assert (breaker.state, breaker.snapshot().failures) == ("closed", 0)


@pytest.mark.parametrize("status", [408, 500, 502, 503, 504, 529])
async def test_the_services_faults_open_it(breaker: CircuitBreaker, status: int) -> None:
    for _ in range(3):
        with pytest.raises(Status):
            await breaker.execute(raises, Status(status))
    assert breaker.state == "open"


async def test_cancelled_calls_never_open_it(breaker: CircuitBreaker) -> None:
    for _ in range(10):
        task = asyncio.create_task(breaker.execute(asyncio.sleep, 3600))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert (breaker.state, breaker.snapshot().live) == ("closed", 0)


async def test_a_cancelled_probe_gives_its_place_back(breaker: CircuitBreaker, clock: FakeClock) -> None:
    recover(breaker, clock)
    for _ in range(5):
        with pytest.raises(asyncio.CancelledError):
            await breaker.execute(raises, asyncio.CancelledError())
    assert (breaker.state, breaker.can_execute()) == ("half_open", True)


@pytest.mark.parametrize("refusal", [InputRejected("no"), BudgetExhausted("no"), CallNotPermitted("no")])
async def test_our_own_refusals_say_nothing_about_the_service(
    breaker: CircuitBreaker, refusal: Exception
) -> None:
    for _ in range(5):
        with pytest.raises(type(refusal)):
            await breaker.execute(raises, refusal)
    assert breaker.state == "closed"


async def test_a_late_outcome_of_an_older_generation_is_dropped(
    breaker: CircuitBreaker, clock: FakeClock
) -> None:
    async def slow_call(may_end: asyncio.Event) -> None:
        assert breaker.can_execute()
        await may_end.wait()
        breaker.record_success()

    may_end = asyncio.Event()
    slow_calls = [asyncio.create_task(slow_call(may_end)) for _ in range(5)]
    await asyncio.sleep(0)
    recover(breaker, clock)
    assert breaker.state == "half_open"
    may_end.set()
    await asyncio.gather(*slow_calls)
    assert (breaker.state, breaker.snapshot().stale_outcomes_total) == ("half_open", 5)


def test_probes_whose_callers_never_report_cannot_wedge_it(breaker: CircuitBreaker, clock: FakeClock) -> None:
    recover(breaker, clock)
    while breaker.can_execute():
        pass
    clock.advance(60)
    assert breaker.state == "open"
    clock.advance(72.1)
    assert breaker.can_execute()


def test_a_failure_without_asking_first_counts_for_the_present_generation(breaker: CircuitBreaker) -> None:
    fail(breaker)
    assert breaker.state == "open"


def test_successes_without_asking_first_close_a_half_open_one(
    breaker: CircuitBreaker, clock: FakeClock
) -> None:
    recover(breaker, clock)
    assert breaker.retry_after == 0
    breaker.record_success()
    breaker.record_success()
    assert breaker.state == "closed"


async def test_tasks_that_inherit_a_permit_count_each_for_itself(breaker: CircuitBreaker) -> None:
    assert breaker.can_execute()

    async def one_call() -> None:
        breaker.record_failure()

    await asyncio.gather(*(one_call() for _ in range(3)))
    assert breaker.state == "open"


def test_two_breakers_in_one_task_keep_their_permits_apart(clock: FakeClock) -> None:
    one, other = (CircuitBreaker(name, failure_threshold=1, clock=clock) for name in ("one", "other"))
    assert one.can_execute()
    assert other.can_execute()
    one.record_failure()
    assert (one.state, other.state, other.snapshot().live) == ("open", "closed", 1)


def test_asking_without_ever_reporting_does_not_pile_up(breaker: CircuitBreaker) -> None:
    for _ in range(1000):
        assert breaker.can_execute()
    for _ in range(1000):
        breaker.record_neutral()
    assert (breaker.state, breaker.snapshot().live) == ("closed", 1000 - 32)


# The other ways to hold it.


async def test_execute_takes_sync_and_async_functions(breaker: CircuitBreaker) -> None:
    async def double(n: int) -> int:
        return 2 * n

    assert await breaker.execute(double, 4) == 8
    assert await breaker.execute(len, "four") == 4


async def test_as_a_decorator_it_guards_coroutine_functions(breaker: CircuitBreaker) -> None:
    @breaker
    async def broken() -> None:
        raise OSError

    for error in (OSError, OSError, OSError, CallNotPermitted):
        with pytest.raises(error):
            await broken()
    assert inspect.iscoroutinefunction(broken)
    assert broken.__name__ == "broken"


def test_as_a_decorator_it_guards_functions(breaker: CircuitBreaker) -> None:
    @breaker
    def divide(dividend: float, *, by: float) -> float:
        return dividend / by

    assert divide(1, by=2) == 0.5
    for _ in range(3):
        with pytest.raises(ZeroDivisionError):
            divide(1, by=0)
    with pytest.raises(CallNotPermitted):
        divide(1, by=2)


def test_a_generator_is_refused_for_it_outlives_its_call(breaker: CircuitBreaker) -> None:
    def numbers() -> Iterator[int]:
        yield 1

    async def events() -> AsyncIterator[int]:
        yield 1

    for generator in (numbers, events):
        with pytest.raises(ConfigError, match=generator.__name__):
            breaker(generator)


def test_with_counts_what_happens_inside(breaker: CircuitBreaker) -> None:
    for _ in range(3):
        with pytest.raises(ValueError, match="broken"), breaker:
            raise ValueError("broken")
    with pytest.raises(CallNotPermitted), breaker:
        pytest.fail("the body must not run")


async def test_async_with_counts_what_happens_inside(breaker: CircuitBreaker, clock: FakeClock) -> None:
    recover(breaker, clock)
    for _ in range(2):
        async with breaker as held:
            assert held is breaker
    assert breaker.state == "closed"


def test_a_permit_in_the_hand_is_settled_by_report(breaker: CircuitBreaker, clock: FakeClock) -> None:
    recover(breaker, clock)
    first, second = breaker.acquire(), breaker.acquire()
    breaker.begin(first)
    breaker.report(second, Outcome.OK)
    assert breaker.state == "closed"


def test_asking_for_leave_never_raises(breaker: CircuitBreaker) -> None:
    assert isinstance(breaker.try_acquire(), Permitted)
    breaker.force_open()
    assert breaker.try_acquire() == NotPermitted(retry_after=None)


# What it says.


def test_the_refusal_names_the_breaker_and_the_time_in_both_languages(breaker: CircuitBreaker) -> None:
    fail(breaker)
    with pytest.raises(CallNotPermitted, match=r"'inventory'.* in 3\d\.\d s") as caught:
        breaker.acquire()
    assert "'inventory'" in caught.value.say("ko")
    assert "초 뒤에" in caught.value.say("ko")
    assert caught.value.details == {"circuit": "inventory"}
    assert caught.value.retry_after == pytest.approx(breaker.retry_after)


def test_coming_back_after_retry_after_is_early_enough_and_not_too_early(
    breaker: CircuitBreaker, clock: FakeClock
) -> None:
    fail(breaker)
    wait = breaker.retry_after
    assert wait is not None
    assert 30 <= wait <= 36
    clock.advance(wait - 0.01)
    assert not breaker.can_execute()
    clock.advance(0.01)
    assert (breaker.retry_after, breaker.can_execute()) == (0.0, True)


async def test_the_services_own_retry_after_keeps_it_open_longer(breaker: CircuitBreaker) -> None:
    for _ in range(3):
        with pytest.raises(Status):
            await breaker.execute(raises, Status(503, retry_after=90))
    assert breaker.retry_after == pytest.approx(90)


def test_an_operator_can_force_it_open_disable_it_watch_only_and_reset_it(breaker: CircuitBreaker) -> None:
    breaker.force_open()
    with pytest.raises(CallNotPermitted, match="operator") as caught:
        breaker.acquire()
    assert caught.value.retry_after is None
    states = [breaker.state]
    for order in (breaker.disable, breaker.observe_only, breaker.reset):
        order()
        states.append(breaker.state)
        assert breaker.can_execute()
    assert states == ["forced_open", "disabled", "metrics_only", "closed"]


def test_a_peers_news_are_followed(breaker: CircuitBreaker) -> None:
    breaker.adopt("open", retry_after=5)
    assert breaker.retry_after == pytest.approx(5)


def test_every_change_of_state_is_told(clock: FakeClock) -> None:
    told: list[Transition] = []
    breaker = CircuitBreaker(failure_threshold=3, clock=clock, on_transition=told.append)
    recover(breaker, clock)
    assert breaker.can_execute()
    breaker.record_failure()
    assert [(change.after, change.reason) for change in told] == [
        ("open", "failure_threshold"),
        ("half_open", "recovery_timeout"),
        ("open", "probe_failed"),
    ]


def test_it_shows_its_name_and_state(breaker: CircuitBreaker) -> None:
    assert repr(breaker) == "CircuitBreaker('inventory', state='closed')"


def test_times_may_be_timedeltas() -> None:
    clock = FakeClock()
    breaker = CircuitBreaker(failure_threshold=1, recovery_timeout=timedelta(minutes=2), clock=clock)
    breaker.record_failure()
    assert breaker.retry_after is not None
    assert 120 <= breaker.retry_after <= 144


def test_the_longest_recovery_time_can_be_set() -> None:
    clock = FakeClock()
    breaker = CircuitBreaker(failure_threshold=1, recovery_timeout_max=30, clock=clock)
    for _ in range(5):
        breaker.record_failure()
        clock.advance(36)
        assert breaker.state == "half_open"


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("failure_threshold", 0),
        ("recovery_timeout", 0),
        ("recovery_timeout", timedelta(0)),
        ("window", float("nan")),
        ("permit_lease", -1),
        ("slow_call_rate_threshold", 2),
    ],
)
def test_a_setting_that_makes_no_sense_is_refused_by_its_name(key: str, value: object) -> None:
    settings: dict[str, Any] = {key: value}
    with pytest.raises(ConfigError, match=f"^{key}: "):
        CircuitBreaker(**settings)
