"""Trying again: how often, how long after, and when not."""

import asyncio
import inspect
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest

from holdfast.errors import CallNotPermitted, ConfigError, DeadlineExceeded
from holdfast.parts.breaker import CircuitBreaker
from holdfast.parts.retry import On, Retry, RetryBudget, RetryBudgetConfig
from holdfast.testing.clock import FakeClock


class Unavailable(Exception):
    status_code = 503

    def __init__(self, retry_after: float | None = None) -> None:
        super().__init__("unavailable")
        self.retry_after = retry_after


class Highest(random.Random):
    """Dice that always show just below 1."""

    def random(self) -> float:
        return 0.999999


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


class Service:
    """Fails as told, then answers; counts how often it was asked."""

    def __init__(self, *errors: BaseException) -> None:
        self.errors = list(errors)
        self.calls = 0

    def ask(self) -> str:
        self.calls += 1
        if self.errors:
            raise self.errors.pop(0)
        return "answer"

    async def ask_async(self) -> str:
        return self.ask()


Way = Callable[[Retry, Service], Awaitable[str]]


async def by_execute(retry: Retry, service: Service) -> str:
    return await retry.execute(service.ask_async)


async def by_execute_of_a_function(retry: Retry, service: Service) -> str:
    return await retry.execute(service.ask)


async def by_decorated_coroutine(retry: Retry, service: Service) -> str:
    @retry
    async def ask() -> str:
        return service.ask()

    assert inspect.iscoroutinefunction(ask)
    return await ask()


async def by_decorated_function(retry: Retry, service: Service) -> str:
    return retry(service.ask)()


every_way = pytest.mark.parametrize(
    "way", [by_execute, by_execute_of_a_function, by_decorated_coroutine, by_decorated_function]
)


@every_way
async def test_it_tries_three_times_in_all_by_default(way: Way, clock: FakeClock) -> None:
    service = Service(Unavailable(), Unavailable())
    assert await way(Retry(clock=clock), service) == "answer"
    assert service.calls == 3


@every_way
async def test_the_last_error_comes_out(way: Way, clock: FakeClock) -> None:
    errors = [Unavailable(), Unavailable(), Unavailable(), Unavailable()]
    with pytest.raises(Unavailable) as caught:
        await way(Retry(clock=clock), Service(*errors))
    assert caught.value is errors[2]


@every_way
async def test_one_attempt_never_tries_again(way: Way, clock: FakeClock) -> None:
    service = Service(Unavailable())
    with pytest.raises(Unavailable):
        await way(Retry(1, clock=clock), service)
    assert (service.calls, clock.sleeps) == (1, [])


@every_way
async def test_what_cannot_pass_is_not_tried_again(way: Way, clock: FakeClock) -> None:
    service = Service(ValueError("wrong"))
    with pytest.raises(ValueError, match="wrong"):
        await way(Retry(clock=clock), service)
    assert service.calls == 1


@every_way
@pytest.mark.parametrize("end", [asyncio.CancelledError(), KeyboardInterrupt(), GeneratorExit()])
async def test_cancellation_always_propagates(way: Way, end: BaseException, clock: FakeClock) -> None:
    service = Service(end)
    with pytest.raises(type(end)):
        await way(Retry(clock=clock, on=BaseException), service)
    assert service.calls == 1


@every_way
async def test_waits_double_up_to_their_maximum(way: Way, clock: FakeClock) -> None:
    retry = Retry(6, wait_initial=1, wait_max=6, clock=clock, dice=Highest())
    await way(retry, Service(*(Unavailable() for _ in range(5))))
    assert clock.sleeps == pytest.approx([1, 2, 4, 6, 6], rel=1e-3)


async def test_waits_are_spread_over_the_whole_range(clock: FakeClock) -> None:
    retry = Retry(2, wait_initial=1, clock=clock, dice=random.Random(1))
    for _ in range(200):
        await by_execute(retry, Service(Unavailable()))
    assert min(clock.sleeps) < 0.05
    assert max(clock.sleeps) > 0.95
    assert 0.4 < sum(clock.sleeps) / 200 < 0.6


@every_way
async def test_the_services_retry_after_is_honoured(way: Way, clock: FakeClock) -> None:
    await way(Retry(clock=clock), Service(Unavailable(retry_after=30)))
    assert 30 <= clock.sleeps[0] <= 33


async def test_a_service_that_asks_for_more_than_ten_minutes_is_not_waited_for(clock: FakeClock) -> None:
    service = Service(Unavailable(retry_after=601))
    with pytest.raises(Unavailable):
        await by_execute(Retry(clock=clock), service)
    assert (service.calls, clock.sleeps) == (1, [])


@every_way
async def test_a_wait_that_would_pass_the_deadline_is_not_begun(way: Way, clock: FakeClock) -> None:
    service = Service(Unavailable(retry_after=10))
    with pytest.raises(Unavailable):
        await way(Retry(timeout=10, clock=clock), service)
    assert (service.calls, clock.monotonic()) == (1, 0)


@every_way
async def test_one_deadline_covers_all_attempts(way: Way, clock: FakeClock) -> None:
    service = Service(*(Unavailable(retry_after=4) for _ in range(9)))
    with pytest.raises(Unavailable):
        await way(Retry(10, timeout=timedelta(seconds=10), clock=clock), service)
    assert service.calls == 3


@every_way
async def test_no_attempt_begins_after_the_deadline(way: Way) -> None:
    class Sluggish(FakeClock):
        async def sleep(self, seconds: float) -> None:
            await super().sleep(seconds + 100)

        def block(self, seconds: float) -> None:
            super().block(seconds + 100)

    service = Service(Unavailable())
    with pytest.raises(DeadlineExceeded) as caught:
        await way(Retry(timeout=10, clock=Sluggish()), service)
    assert isinstance(caught.value.__cause__, Unavailable)
    assert service.calls == 1


async def test_an_attempt_that_runs_past_the_deadline_is_cancelled() -> None:
    was_cancelled = False

    async def hang() -> None:
        nonlocal was_cancelled
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            was_cancelled = True
            raise

    with pytest.raises(DeadlineExceeded, match="attempt 1 of 3") as caught:
        await Retry(timeout=0.02).execute(hang)
    assert was_cancelled
    assert "3회 중 1번째" in caught.value.say("ko")


async def test_the_deadline_is_raised_from_the_last_error(clock: FakeClock) -> None:
    first = Unavailable()

    async def ask() -> None:
        if clock.monotonic() == 0:
            clock.advance(1)
            raise first
        await clock.sleep(60)

    with pytest.raises(DeadlineExceeded, match="attempt 2") as caught:
        await Retry(timeout=10, clock=clock).execute(ask)
    assert caught.value.__cause__ is first


async def test_a_timeout_of_the_attempt_itself_is_tried_again(clock: FakeClock) -> None:
    service = Service(TimeoutError())
    assert await by_execute(Retry(timeout=100, clock=clock), service) == "answer"


async def test_being_cancelled_while_waiting_ends_it_at_once() -> None:
    service = Service(Unavailable(retry_after=60))
    task = asyncio.create_task(Retry().execute(service.ask_async))
    await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert service.calls == 1


async def test_an_open_circuit_is_not_hammered_at(clock: FakeClock) -> None:
    breaker, calls = CircuitBreaker(failure_threshold=1, clock=clock), 0

    @Retry(5, clock=clock)
    async def stock() -> None:
        nonlocal calls
        calls += 1
        async with breaker:
            raise Unavailable

    with pytest.raises(CallNotPermitted):
        await stock()
    assert calls == 2


def is_key_error(error: BaseException) -> bool:
    return isinstance(error, KeyError)


@pytest.mark.parametrize("on", [KeyError, (IndexError, KeyError), is_key_error])
async def test_what_to_try_again_after_can_be_said(on: On, clock: FakeClock) -> None:
    assert await by_execute(Retry(on=on, clock=clock), Service(KeyError())) == "answer"
    with pytest.raises(Unavailable):
        await by_execute(Retry(on=on, clock=clock), Service(Unavailable()))


async def test_a_shared_budget_ends_retrying_in_an_outage(clock: FakeClock) -> None:
    budget = RetryBudget()
    service = Service(*(Unavailable() for _ in range(1000)))
    for _ in range(100):
        with pytest.raises(Unavailable):
            await by_execute(Retry(clock=clock, budget=budget), service)
    assert service.calls == 100 + 35


async def test_a_success_pays_the_budget_back(clock: FakeClock) -> None:
    budget = RetryBudget(RetryBudgetConfig(capacity=20))
    retry = Retry(clock=clock, budget=budget)
    await by_execute(retry, Service(Unavailable()))
    assert budget.tokens == 20
    budget.spend("throttle")
    await by_execute(retry, Service())
    assert budget.tokens == 16


async def test_arguments_are_handed_on(clock: FakeClock) -> None:
    async def join(*words: str, by: str) -> str:
        return by.join(words)

    assert await Retry(clock=clock).execute(join, "a", "b", by="-") == "a-b"
    assert Retry(clock=clock).execute_sync("-".join, ["a", "b"]) == "a-b"


def test_one_retry_serves_many_event_loops(clock: FakeClock) -> None:
    retry = Retry(timeout=100, clock=clock)
    answers = [asyncio.run(by_execute(retry, Service(Unavailable()))) for _ in range(3)]
    assert answers == ["answer"] * 3


def test_a_generator_is_refused_for_it_cannot_be_tried_again() -> None:
    def numbers() -> Iterator[int]:
        yield 1

    async def events() -> AsyncIterator[int]:
        yield 1

    for generator in (numbers, events):
        with pytest.raises(ConfigError, match=generator.__name__):
            Retry()(generator)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("attempts", 0),
        ("attempts", -1),
        ("timeout", 0),
        ("timeout", timedelta(0)),
        ("wait_initial", -1),
        ("wait_max", float("nan")),
        ("on", int),
        ("on", (KeyError, "IndexError")),
        ("on", 503),
    ],
)
def test_a_setting_that_makes_no_sense_is_refused_by_its_name(key: str, value: object) -> None:
    settings: dict[str, Any] = {key: value}
    with pytest.raises(ConfigError, match=f"^{key}: ") as caught:
        Retry(**settings)
    assert caught.value.say("ko").startswith(f"{key}: ")
