"""The purse of one call, where several things happen to it at once."""

import asyncio
import threading
from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from holdfast.call import Call, Outcome, Spent
from holdfast.errors import BudgetExhausted, BudgetUnavailable, StoreUnavailable
from holdfast.events import BudgetAlerted
from holdfast.parts.allowance import Allowance
from holdfast.policy.budget import BudgetConfig, Rung
from holdfast.policy.holds import Denied, Hold, TopUp
from holdfast.testing.virtual import VirtualClock, run
from holdfast.wire.messages import read_request
from holdfast.wire.usage import Usage
from tests.guards.test_budget import TOKEN, Away, Desk, answered, climbed, dollars, learned, metered
from tests.upstream.scripted import BLOCK, MODEL, START, text

DEAR = "claude-opus-5-5"


class Slow(Away):
    """A store that takes its time over a top-up, even for who is cancelled meanwhile."""

    async def top_up(self, verb: TopUp) -> Hold | Denied | None:
        try:
            await asyncio.sleep(2)
        except asyncio.CancelledError as error:
            raise StoreUnavailable("gone") from error
        return await super().top_up(verb)


class Stuck(Away):
    """A store that settles slowly."""

    async def settle(self, attempts: Any) -> Any:
        await asyncio.sleep(1)
        return await super().settle(attempts)


def with_store(desk: Desk, store: Away) -> Desk:
    desk.store = store
    desk.guard = replace(desk.guard, holds=store, ledger=store)
    desk.record = replace(desk.record, ledger=store)
    return desk


def test_an_answer_that_was_clamped_is_not_cut_off_for_growing_as_long_as_it_may() -> None:
    async def main() -> Call:
        desk = Desk(VirtualClock(), b=dollars("0.5", mode="clamp"))
        trip = await desk.begin(stream=True)
        sent = await trip.attempt()
        assert sent.request.max_tokens == 500
        meter = metered(START, BLOCK, text("word " * 260))
        meter.output_bound = sent.request.max_tokens
        trip.purse.watch(1, meter)
        await asyncio.sleep(35)
        await trip.end(answered(480))
        return trip.call

    assert run(main()).leash.error is None


def test_what_a_substitute_may_cost_is_asked_of_the_model_that_was_sent_to() -> None:
    asked: list[str] = []

    async def main() -> None:
        desk = Desk(VirtualClock(), b=dollars("2", mode="expected"))
        prices = desk.guard.prices

        class Listening:
            affordable_max_tokens = prices.affordable_max_tokens

            def ceiling(self, model: str, *args: Any, **options: Any) -> Any:
                asked.append(model)
                return prices.ceiling(model, *args, **options)

        desk.guard = replace(desk.guard, prices=Listening())
        for _ in range(20):
            desk.guard.learn(DEAR, 10)
        trip = await desk.begin(stream=True)
        await trip.purse.hold(1, "main", replace(trip.call, request=replace(trip.call.request, model=DEAR)))
        trip.purse.watch(1, metered(START, BLOCK, text("word " * 20)))
        await asyncio.sleep(0.3)
        await trip.end(answered(40))

    run(main())
    assert set(asked) == {DEAR}


def test_after_the_end_of_a_call_nothing_of_it_goes_on_whatever_was_under_way() -> None:
    async def main() -> tuple[int, int]:
        store = Slow()
        desk = with_store(Desk(VirtualClock(), b=dollars("2", mode="expected")), store)
        learned(desk, 10)
        trip = await desk.begin(stream=True)
        await trip.attempt()
        trip.purse.watch(1, metered(START, BLOCK, text("word " * 20)))
        await asyncio.sleep(1)
        await trip.purse.hold(2, "main", trip.call)  # while the store is at the top-up of the first
        trip.purse.watch(2, metered(START, BLOCK, text("word " * 20)))
        await asyncio.sleep(0.5)
        await trip.end(answered(40, attempts=2))
        beats = len(store.beats)
        await asyncio.sleep(100)
        return len(store.beats) - beats, len(asyncio.all_tasks())

    assert run(main()) == (0, 1)


def test_an_attempt_that_was_lost_during_its_top_up_does_not_cut_the_next_one_off() -> None:
    async def main() -> Call:
        desk = with_store(Desk(VirtualClock(), b=dollars("0.011", mode="expected")), Slow())
        learned(desk, 10)
        trip = await desk.begin(stream=True)
        await trip.attempt()
        trip.purse.watch(1, metered(START, BLOCK, text("word " * 20)))
        await asyncio.sleep(1)
        await trip.purse.lost(Spent(upstream="main", model=MODEL, usage=Usage(), estimated=False))
        await trip.attempt(2)
        await asyncio.sleep(3)
        await trip.end(answered(3, attempts=2))
        return trip.call

    assert run(main()).leash.error is None


def test_a_watched_answer_writes_a_sign_of_life_every_beat_and_not_every_look() -> None:
    async def main() -> list[float]:
        desk = Desk(VirtualClock(), b=dollars("2", mode="expected"))
        learned(desk, 900)
        trip = await desk.begin(stream=True)
        await trip.attempt()
        trip.purse.watch(1, metered(START, BLOCK, text("word")))
        await asyncio.sleep(31)
        await trip.end(answered(5))
        return desk.store.beats

    assert run(main()) == pytest.approx([10, 20, 30], abs=0.6)


def test_an_alert_is_heard_though_the_caller_leaves_while_it_is_set_off() -> None:
    async def main() -> list[type]:
        desk = with_store(Desk(VirtualClock(), b=dollars("1.1", alert_at=(Decimal("0.5"),))), Stuck())
        trip = await desk.begin()
        await trip.attempt()
        spent = Spent(upstream="main", model=MODEL, usage=Usage(output_tokens=600), estimated=True)
        losing = asyncio.ensure_future(trip.purse.lost(spent))
        await asyncio.sleep(0.5)
        losing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await losing
        await trip.end(Outcome(end="abandoned", status=499, attempts=1, spent=(spent,)))
        return [type(event) for event in desk.events]

    assert run(main()) == [BudgetAlerted]


async def test_experience_goes_by_the_name_that_is_asked_for() -> None:
    desk = Desk(b=dollars("100"))
    for number in range(20):
        trip = await desk.begin(number)
        await trip.attempt()
        await trip.end(answered(30, served_model=f"{MODEL}-20260915", asked_model=MODEL))
    assert desk.guard.expected(MODEL) == 30


async def test_what_stands_in_for_an_answer_teaches_nothing() -> None:
    desk = Desk(b=dollars("100"))
    lost = Spent(upstream="main", model=MODEL, usage=Usage(), estimated=False)
    for number in range(40):
        trip = await desk.begin(number)
        await trip.attempt()
        await trip.end(answered(0, attempts=number % 2, spent=(lost,) * (number % 2)))
    assert desk.guard.expected(MODEL) is None


async def test_a_call_that_clamp_could_not_help_leaves_no_row() -> None:
    desk = Desk(b=dollars("0.2", mode="clamp"))
    trip = await desk.begin()
    with pytest.raises(BudgetExhausted):
        await trip.attempt()
    await trip.end(Outcome(end="refused", status=429))
    assert await desk.store.attempts_of("r1") == ()


THINKING = b"""{"model": "claude-sonnet-5-5", "max_tokens": 1024, "messages": [],
"thinking": {"type": "enabled", "budget_tokens": 512}}"""


async def test_a_rung_leaves_thinking_the_room_that_it_was_promised() -> None:
    desk = Desk(b=dollars("1.1", ladder=(Rung(at=Decimal("0.2"), do="degrade", max_tokens=100),)))
    await climbed(300, desk)
    call = replace(desk.call(3), request=read_request(THINKING), body=THINKING)
    step = await desk.guard(call)
    assert step.call.request.max_tokens == 513
    assert read_request(step.call.body).max_tokens == 513


async def test_two_ladders_mark_a_call_once() -> None:
    first = (Rung(at=Decimal("0.2"), do="degrade", model="claude-haiku-5-5", max_tokens=200),)
    second = (Rung(at=Decimal("0.2"), do="degrade", model="claude-haiku-5", max_tokens=100),)
    desk = Desk(a=dollars("1.1", ladder=first), b=dollars("1.1", ladder=second))
    call = await climbed(300, desk)
    assert call.degraded == ("model", "max-tokens=100")
    assert (call.request.model, call.request.max_tokens) == ("claude-haiku-5", 100)


async def test_a_gentler_rung_leaves_a_shorter_answer_as_it_is() -> None:
    ladder = (Rung(at=Decimal("0.2"), do="degrade", max_tokens=5000),)
    assert (await climbed(300, Desk(b=dollars("1.1", ladder=ladder)))).degraded == ()


def test_an_allowance_is_spent_once_by_however_many_threads() -> None:
    allowance, taken = Allowance(1000), list[bool]()

    def take() -> None:
        taken.extend([allowance.take(1) for _ in range(1000)])

    threads = [threading.Thread(target=take) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(taken) == 1000


def test_experience_is_gathered_and_asked_for_in_several_threads_at_once() -> None:
    desk, wrong = Desk(b=dollars("2")), list[BaseException]()

    def work() -> None:
        try:
            for number in range(3000):
                desk.guard.learn(MODEL, number)
                desk.guard.expected(MODEL)
        except RuntimeError as error:
            wrong.append(error)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


async def test_budgets_that_nobody_has_read_yet_let_nothing_go() -> None:
    desk = Desk()

    def unread() -> Mapping[str, BudgetConfig]:
        raise StoreUnavailable("not read yet")

    desk.guard = replace(desk.guard, budgets=unread)
    with pytest.raises(BudgetUnavailable):
        await desk.begin()


def test_a_hold_that_the_store_has_forgotten_is_not_raised_and_an_attempt_without_one_is_let_be() -> None:
    class Forgetful(Away):
        async def top_up(self, verb: TopUp) -> Hold | Denied | None:
            return None

    async def main() -> Call:
        desk = with_store(Desk(VirtualClock(), b=dollars("2", mode="expected", hard=False)), Forgetful())
        desk.guard = replace(desk.guard, emergency=Allowance(2 * 1024 * TOKEN))
        learned(desk, 10)
        trip = await desk.begin(stream=True)
        desk.store.away = True
        await trip.attempt(1)
        desk.store.away = False
        await trip.attempt(2)
        for number in (1, 2):
            trip.purse.watch(number, metered(START, BLOCK, text("word " * 20)))
        await asyncio.sleep(15)
        await trip.end(answered(40, attempts=2))
        return trip.call

    assert run(main()).leash.error is None
