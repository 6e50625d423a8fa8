import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import replace
from typing import Any, TypeVar

import pytest

from holdfast.call import Call, Outcome, Principal, Spent
from holdfast.clock import Clock
from holdfast.errors import OversizedCall, RateLimited
from holdfast.guards.quota import LEASE, LONGEST, QuotaGuard
from holdfast.parts.fairness import WaitingRoom
from holdfast.pipeline import Settle
from holdfast.policy.counters import Ask, Granted, Limited
from holdfast.policy.expectation import ENOUGH
from holdfast.policy.fairness import FairnessConfig
from holdfast.policy.quota import QuotaConfig
from holdfast.stores.quota_memory import MemoryQuotas
from holdfast.testing import FakeClock
from holdfast.testing.virtual import VirtualClock, run
from holdfast.wire.headers import Headers
from holdfast.wire.usage import Usage
from tests.upstream.scripted import a_call

T = TypeVar("T")
ANSWERED = Outcome(end="answered", status=200, attempts=1)


def a_guard(clock: Clock, **quotas: QuotaConfig) -> QuotaGuard:
    return QuotaGuard(
        quotas=quotas,
        store=MemoryQuotas(clock=clock),
        room=WaitingRoom(FairnessConfig(), clock=clock),
        clock=clock,
    )


def impatient(clock: Clock, **quotas: QuotaConfig) -> QuotaGuard:
    """One that lets nobody wait."""
    return replace(a_guard(clock, **quotas), room=WaitingRoom(FairnessConfig(max_wait=1e-6), clock=clock))


async def settle_of(guard: QuotaGuard, call: Call) -> Settle:
    step = await guard(call)
    assert step.call is call
    assert step.settle is not None
    return step.settle


async def refused(guard: QuotaGuard, call: Call) -> RateLimited:
    with pytest.raises(RateLimited) as caught:
        await guard(call)
    return caught.value


def virtually(story: Callable[[VirtualClock], Coroutine[Any, Any, T]]) -> T:
    async def main() -> T:
        return await story(VirtualClock())

    return run(main(), seed=3)


def used(input_tokens: int, output_tokens: int) -> Outcome:
    return replace(ANSWERED, usage=Usage(input_tokens=input_tokens, output_tokens=output_tokens))


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


async def test_without_quotas_every_call_goes_and_nothing_is_settled(clock: FakeClock) -> None:
    step = await a_guard(clock)(a_call(clock=clock))
    assert step.settle is None


async def test_a_caller_above_the_rate_is_refused_and_told_whose_limit_and_when(clock: FakeClock) -> None:
    guard = impatient(clock, per_user=QuotaConfig(requests=2, per=60.0))
    for _ in range(2):
        await guard(a_call(clock=clock))
    error = await refused(guard, a_call(clock=clock))
    assert (error.status, error.retry_after, error.should_retry) == (429, 30.0, True)
    assert "`per_user` of user alice allows 2 requests in 60 s" in str(error)
    assert "할당량 `per_user`(user alice)" in error.say("ko")
    assert error.request_id == "hfr_test"
    assert error.details == {"quota": "per_user", "dimension": "requests", "limit": 2}


async def test_another_caller_has_a_quota_of_its_own_but_not_within_one_organisation(
    clock: FakeClock,
) -> None:
    everybody = QuotaConfig(requests=2, scope="organisation")
    guard = impatient(clock, per_user=QuotaConfig(requests=1), everybody=everybody)
    bob, carol = (replace(a_call(clock=clock), principal=principal(user)) for user in ("bob", "carol"))
    await guard(a_call(clock=clock))
    await guard(bob)
    assert "`everybody` of everybody" in str(await refused(guard, carol))
    assert "`per_user`" in str(await refused(guard, replace(bob, request_id="again")))


def principal(user: str, *, run: str | None = None, agent: str | None = None) -> Principal:
    return Principal(door="gateway", user=user, run=run, agent=agent)


async def test_a_call_is_debited_at_the_estimate_and_corrected_by_what_it_used(clock: FakeClock) -> None:
    guard = impatient(clock, q=QuotaConfig(input_tokens=200, output_tokens=2_000))
    settle = await settle_of(guard, a_call("x" * 100, clock=clock))
    second = a_call("x" * 100, clock=clock)
    assert (await refused(guard, second)).details["dimension"] in ("input_tokens", "output_tokens")
    await settle(used(10, 20))
    await guard(second)


async def test_what_is_read_from_the_prompt_cache_counts_for_nothing(clock: FakeClock) -> None:
    guard = impatient(clock, q=QuotaConfig(input_tokens=300))
    settle = await settle_of(guard, a_call(clock=clock))
    cached = Usage(input_tokens=10, cache_read_input_tokens=100_000, cache_creation_input_tokens=390)
    await settle(replace(ANSWERED, usage=cached))
    error = await refused(guard, a_call(clock=clock))
    assert error.retry_after is not None
    assert error.retry_after > 20


async def test_attempts_in_vain_count_too(clock: FakeClock) -> None:
    guard = impatient(clock, q=QuotaConfig(output_tokens=1_024))
    settle = await settle_of(guard, a_call(clock=clock))
    lost = Spent(upstream="u", model="m", usage=Usage(output_tokens=1_000), estimated=True)
    await settle(replace(used(0, 24), spent=(lost,)))
    await refused(guard, a_call(clock=clock))


async def test_a_call_that_never_reached_the_upstream_gets_its_tokens_back(clock: FakeClock) -> None:
    guard = impatient(clock, q=QuotaConfig(output_tokens=1_024))
    for _ in range(3):
        settle = await settle_of(guard, a_call(clock=clock))
        await settle(Outcome(end="refused", status=429, usage=Usage(output_tokens=900)))


async def test_after_some_answers_a_call_is_debited_with_what_answers_usually_need(clock: FakeClock) -> None:
    guard = impatient(clock, q=QuotaConfig(output_tokens=100_000))
    for _ in range(ENOUGH):
        settle = await settle_of(guard, a_call(clock=clock))
        await settle(used(1, 50))
    clock.advance(60)
    asked: list[Ask] = []
    for _ in range(3):
        step = guard._ask(a_call(clock=clock))  # pyright: ignore[reportPrivateUsage] - the estimate itself
        asked.append(step)
    assert {take.cost for ask in asked for take in ask.takes} == {50}


async def test_a_call_that_can_never_fit_is_told_so_at_once(clock: FakeClock) -> None:
    guard = a_guard(clock, q=QuotaConfig(input_tokens=100))
    with pytest.raises(OversizedCall, match="waiting does not help") as caught:
        await guard(a_call("x" * 2_000, clock=clock))
    assert caught.value.should_retry is False


async def test_a_call_that_may_fit_is_let_in_although_its_size_could_mean_more(clock: FakeClock) -> None:
    guard = a_guard(clock, q=QuotaConfig(input_tokens=300, output_tokens=100))
    assert (await guard(a_call("x" * 1_000, clock=clock))).settle is not None


async def test_on_a_clock_that_stands_still_nobody_waits_for_ever(clock: FakeClock) -> None:
    guard = a_guard(clock, rate=QuotaConfig(requests=1, per=2.0), places=QuotaConfig(concurrency=1))
    await guard(replace(a_call(clock=clock), request_id="first"))
    await refused(guard, replace(a_call(clock=clock), request_id="second"))
    assert 2.0 <= clock.monotonic() <= 5.1


def test_a_short_wait_is_waited_here() -> None:
    async def story(clock: VirtualClock) -> float:
        guard = a_guard(clock, q=QuotaConfig(requests=1, per=2.0))
        await guard(a_call(clock=clock))
        await guard(a_call(clock=clock))
        return clock.monotonic()

    assert virtually(story) == pytest.approx(2.0)


def test_nobody_waits_past_the_deadline_of_the_call() -> None:
    async def story(clock: VirtualClock) -> float:
        guard = a_guard(clock, q=QuotaConfig(requests=1, per=2.0))
        await guard(a_call(clock=clock))
        await refused(guard, a_call(clock=clock, seconds=1.5))
        return clock.monotonic()

    assert virtually(story) == 0.0


def test_a_call_that_ends_gives_its_place_to_the_next_at_once() -> None:
    async def story(clock: VirtualClock) -> float:
        guard = a_guard(clock, q=QuotaConfig(concurrency=1))
        settle = await settle_of(guard, replace(a_call(clock=clock), request_id="first"))
        waiting = asyncio.create_task(guard(replace(a_call(clock=clock), request_id="second")))
        await clock.sleep(1.1)
        await settle(ANSWERED)
        second = await waiting
        assert second.settle is not None
        await second.settle(ANSWERED)
        return clock.monotonic()

    assert virtually(story) == pytest.approx(1.1)


def test_a_long_call_keeps_its_place() -> None:
    async def story(clock: VirtualClock) -> None:
        guard = impatient(clock, q=QuotaConfig(concurrency=1))
        settle = await settle_of(guard, replace(a_call(clock=clock), request_id="first"))
        second = replace(a_call(clock=clock, seconds=1e6), request_id="second")
        for _ in range(5):
            await clock.sleep(LEASE)
            await refused(guard, second)
        await settle(ANSWERED)
        await settle_of(guard, second)

    virtually(story)


def test_a_call_that_is_never_settled_loses_its_place_in_the_end() -> None:
    async def story(clock: VirtualClock) -> None:
        guard = impatient(clock, q=QuotaConfig(concurrency=1))
        await guard(replace(a_call(clock=clock), request_id="lost"))
        await clock.sleep(LONGEST - LEASE)
        await refused(guard, a_call(clock=clock))
        await clock.sleep(3 * LEASE)
        await guard(replace(a_call(clock=clock), request_id="next"))

    virtually(story)


class Slow(MemoryQuotas):
    """Takes a while, as a store that is asked over the network."""

    async def acquire(self, ask: Ask) -> Granted | Limited:
        await asyncio.sleep(0.05)
        answer = await super().acquire(ask)
        await asyncio.sleep(0.05)
        return answer


@pytest.mark.parametrize("after", [0.02, 0.07])
def test_a_caller_who_is_cancelled_while_asking_holds_nothing(after: float) -> None:
    async def story(clock: VirtualClock) -> None:
        config = QuotaConfig(concurrency=1, output_tokens=1_024, per=3600.0)
        guard = replace(a_guard(clock, q=config), store=Slow(clock=clock))
        call = asyncio.create_task(guard(replace(a_call(clock=clock), request_id="gone")))
        await clock.sleep(after)
        call.cancel()
        await asyncio.wait([call])
        assert call.cancelled()
        await guard(replace(a_call(clock=clock), request_id="next"))

    virtually(story)


def test_a_caller_who_is_cancelled_without_a_place_takes_nothing() -> None:
    async def story(clock: VirtualClock) -> None:
        guard = a_guard(clock, q=QuotaConfig(concurrency=1))
        settle = await settle_of(guard, replace(a_call(clock=clock), request_id="first"))
        store = Slow(clock=clock)
        slow = replace(guard, store=store)
        held = await settle_of(slow, replace(a_call(clock=clock), request_id="other"))
        call = asyncio.create_task(slow(replace(a_call(clock=clock), request_id="gone")))
        await clock.sleep(0.07)
        call.cancel()
        await asyncio.wait([call])
        await settle(ANSWERED)
        await held(ANSWERED)

    virtually(story)


def test_a_call_may_be_settled_in_another_loop_than_it_began_in(clock: FakeClock) -> None:
    guard = impatient(clock, q=QuotaConfig(concurrency=1))
    settle = asyncio.run(settle_of(guard, a_call(clock=clock)))

    async def end() -> None:
        await settle(ANSWERED)
        await settle_of(guard, a_call(clock=clock))

    asyncio.run(end())


async def test_a_call_may_be_settled_while_its_loop_runs_in_another_thread(clock: FakeClock) -> None:
    guard = impatient(clock, q=QuotaConfig(concurrency=1))
    settle = await settle_of(guard, a_call(clock=clock))

    def end() -> None:
        async def both() -> None:
            await settle(ANSWERED)

        asyncio.run(both())

    await asyncio.to_thread(end)
    await (await settle_of(guard, a_call(clock=clock)))(ANSWERED)


@pytest.mark.parametrize(
    ("headers", "who", "first"),
    [
        ((("x-holdfast-priority", "batch"),), principal("this"), "agent"),
        ((("x-holdfast-priority", " Interactive "),), principal("this", run="r"), "this"),
        ((("x-holdfast-priority", "nonsense"),), principal("this"), "this"),
        ((), principal("this"), "this"),
        ((), principal("this", agent="a"), "agent"),
    ],
)
def test_the_header_or_else_the_door_says_who_goes_first(
    headers: Headers, who: Principal, first: str
) -> None:
    async def story(clock: VirtualClock) -> str:
        guard = a_guard(clock, q=QuotaConfig(requests=1, per=1.0, scope="organisation"))
        order: list[str] = []

        async def come(name: str, call: Call) -> None:
            await guard(replace(call, request_id=name))
            order.append(name)

        await guard(a_call(clock=clock))
        agent = replace(a_call(clock=clock), principal=principal("agent", run="r"))
        this = replace(a_call(clock=clock, headers=headers), principal=who)
        async with asyncio.TaskGroup() as group:
            group.create_task(come("agent", agent))
            await clock.sleep(0.01)
            group.create_task(come("this", this))
        return order[0]

    assert virtually(story) == first
