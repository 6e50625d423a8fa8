import asyncio
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import Any

import pytest

from holdfast.bookkeeping import Bookkeeper
from holdfast.call import Call, Outcome, Principal, Spent
from holdfast.errors import BudgetExhausted, BudgetUnavailable, StoreUnavailable
from holdfast.events import BudgetAlerted, BudgetLadder, Event
from holdfast.guards.budget import BudgetGuard, LeasedPurse
from holdfast.guards.record import RecordGuard
from holdfast.parts.allowance import Allowance
from holdfast.policy.budget import BudgetConfig, Rung
from holdfast.policy.ceiling import Ceiling
from holdfast.policy.holds import Denied, Extend, Hold, Reserve
from holdfast.ports import AttemptRecord
from holdfast.stores.memory import MemoryStore
from holdfast.testing import FakeClock
from holdfast.testing.virtual import VirtualClock, run
from holdfast.wire.messages import MessagesRequest
from holdfast.wire.meter import Meter
from holdfast.wire.sse import Splitter
from holdfast.wire.usage import Usage
from tests.upstream.scripted import BLOCK, ENOUGH, MODEL, START, a_call, text

DOLLAR = 10**12
TOKEN = DOLLAR // 1000
"""A thousandth of a dollar for every output token: 1,024 of them, as the scripted call wants, are 1.024 dollars."""


class Prices:
    """A price list by which only output costs."""

    def ceiling(
        self,
        model: str,
        request: MessagesRequest,
        *,
        at: datetime | None = None,
        max_tokens: int | None = None,
    ) -> Ceiling:
        tokens = request.max_tokens if max_tokens is None else max_tokens
        return Ceiling(pico=TOKEN * (tokens or 0), presumed_pico=TOKEN)

    def affordable_max_tokens(
        self, model: str, request: MessagesRequest, pico: int, *, at: datetime | None = None
    ) -> int | None:
        return min(request.max_tokens or 0, pico // TOKEN) or None


class Away(MemoryStore):
    """A store that can be taken away, and that counts signs of life."""

    away = False

    def __init__(self) -> None:
        super().__init__()
        self.beats: list[float] = []
        self.presumed: list[int] = []

    async def reserve(self, verb: Reserve, attempt: AttemptRecord) -> Hold | Denied:
        if self.away:
            raise StoreUnavailable("gone")
        return await super().reserve(verb, attempt)

    async def settle(self, attempts: Any) -> Any:
        if self.away:
            raise StoreUnavailable("gone")
        return await super().settle(attempts)

    async def used(self, windows: Any) -> Any:
        if self.away:
            raise StoreUnavailable("gone")
        return await super().used(windows)

    async def extend(self, verbs: Any) -> None:
        self.beats.append(asyncio.get_running_loop().time())
        self.presumed += [verb.presumed for verb in verbs if isinstance(verb, Extend)]
        if self.away:
            raise StoreUnavailable("gone")
        await super().extend(verbs)


class Desk:
    """A guard over budgets, and its books."""

    def __init__(self, clock: FakeClock | VirtualClock | None = None, **budgets: BudgetConfig) -> None:
        self.clock = clock or FakeClock()
        self.store = Away()
        self.events: list[Event] = []
        self.approvals: set[tuple[str, str]] = set()
        books = Bookkeeper(price=lambda model, usage, at: TOKEN * usage.output_tokens, price_version="v1")
        self.guard = BudgetGuard(
            budgets=lambda: budgets,
            approved=lambda name, window: (name, window) in self.approvals or (name, "*") in self.approvals,
            holds=self.store,
            ledger=self.store,
            prices=Prices(),
            books=books,
            clock=self.clock,
            owner="me",
            observe=self.events.append,
        )
        self.record = RecordGuard(ledger=self.store, books=books, clock=self.clock)

    def call(self, number: int = 1, *, stream: bool = False, thinking: bool = False, **who: Any) -> Call:
        call = a_call(clock=self.clock, stream=stream)
        return replace(
            call,
            request_id=f"r{number}",
            principal=Principal(door="gateway", **who),
            request=replace(call.request, has_thinking=thinking),
        )

    async def begin(self, number: int = 1, **options: Any) -> "Trip":
        call = self.call(number, **options)
        outer = await self.record(call)
        inner = await self.guard(outer.call)
        return Trip(self, inner.call, [step.settle for step in (outer, inner) if step.settle])

    async def standing(self) -> tuple[Decimal, Decimal]:
        """Dollars settled and held over all counters."""
        held = sum(hold.amount for hold in await self.store.held())
        return (await self.store.totals()).cost, Decimal(held) / DOLLAR


class Trip:
    """One call under way."""

    def __init__(self, desk: Desk, call: Call, settles: list[Any]) -> None:
        self.desk, self.call, self.settles = desk, call, settles

    @property
    def purse(self) -> LeasedPurse:
        assert isinstance(self.call.purse, LeasedPurse)
        return self.call.purse

    async def attempt(self, number: int = 1) -> Call:
        return await self.purse.hold(number, "main", self.call)

    async def end(self, outcome: Outcome) -> None:
        for settle in reversed(self.settles):
            await settle(outcome)


def answered(tokens: int, attempts: int = 1, **more: Any) -> Outcome:
    return Outcome(end="answered", status=200, usage=Usage(output_tokens=tokens), attempts=attempts, **more)


def dollars(amount: str, **more: Any) -> BudgetConfig:
    return BudgetConfig(usd=Decimal(amount), per="day", **more)


async def test_without_budgets_a_call_goes_its_way_untouched() -> None:
    desk = Desk()
    call = desk.call()
    step = await desk.guard(call)
    assert step.call is call
    assert step.settle is None


async def test_money_is_held_before_an_attempt_and_settled_after_the_call() -> None:
    desk = Desk(b=dollars("2"))
    trip = await desk.begin()
    await trip.attempt()
    assert await desk.standing() == (Decimal(0), Decimal("1.024"))
    await trip.end(answered(100))
    assert await desk.standing() == (Decimal("0.10"), Decimal(0))
    (row,) = await desk.store.attempts_of("r1")
    assert (row.state, row.hold_pico, row.cost) == ("settled", 1024 * TOKEN, Decimal("0.10"))


async def test_a_call_that_could_cost_more_than_is_left_is_refused_before_it_is_sent() -> None:
    desk = Desk(b=dollars("2"))
    first, second = await desk.begin(1), await desk.begin(2)
    await first.attempt()
    with pytest.raises(BudgetExhausted, match="`b`") as caught:
        await second.attempt()
    assert caught.value.details["held"] == "1.024"
    await second.end(Outcome(end="refused", status=429))
    assert await desk.store.attempts_of("r2") == ()
    await first.end(answered(10))


async def test_of_twenty_calls_at_once_only_those_that_fit_get_a_hold() -> None:
    desk = Desk(b=dollars("3.2"))
    trips = [await desk.begin(number) for number in range(20)]
    found = await asyncio.gather(*(trip.attempt() for trip in trips), return_exceptions=True)
    assert sum(isinstance(one, Call) for one in found) == 3
    assert sum(isinstance(one, BudgetExhausted) for one in found) == 17


async def test_a_failed_attempt_gives_its_money_back_at_once() -> None:
    desk = Desk(b=dollars("1.1"))
    trip = await desk.begin()
    await trip.attempt(1)
    spent = Spent(upstream="main", model=MODEL, usage=Usage(), estimated=False, number=1, status=529)
    await trip.purse.lost(spent)
    assert await desk.standing() == (Decimal(0), Decimal(0))
    await trip.attempt(2)
    await trip.end(answered(7, attempts=2, spent=(spent,)))
    assert await desk.standing() == (Decimal("0.007"), Decimal(0))
    assert [row.state for row in await desk.store.attempts_of("r1")] == ["released", "settled"]


async def test_an_attempt_in_vain_that_cost_something_is_charged_and_alerts() -> None:
    desk = Desk(b=dollars("1.1", alert_at=(Decimal("0.5"),)))
    trip = await desk.begin()
    await trip.attempt(1)
    spent = Spent(
        upstream="main", model=MODEL, usage=Usage(output_tokens=600), estimated=True, number=1, kind="reset"
    )
    await trip.purse.lost(spent)
    assert [type(event) for event in desk.events] == [BudgetAlerted]
    with pytest.raises(BudgetExhausted):
        await trip.attempt(2)


async def test_an_attempt_that_nothing_is_held_for_is_no_news_to_the_purse() -> None:
    desk = Desk(b=dollars("2", where={"user": "bob"}))
    trip = await desk.begin()
    assert await trip.attempt() is trip.call
    trip.purse.watch(1, Meter())
    await trip.purse.lost(Spent(upstream="main", model=MODEL, usage=Usage(), estimated=False))
    await trip.end(answered(5))
    assert (await desk.store.totals()).cost == Decimal("0.005")


async def test_what_was_held_and_never_sent_is_given_back() -> None:
    desk = Desk(b=dollars("2"))
    trip = await desk.begin()
    await trip.attempt()
    await trip.end(Outcome(end="abandoned", status=499))
    assert await desk.standing() == (Decimal(0), Decimal(0))
    assert [row.kind for row in await desk.store.attempts_of("r1")] == ["unsent"]


async def test_a_settlement_the_store_did_not_take_comes_again_with_the_end_of_the_call() -> None:
    desk = Desk(b=dollars("2"))
    trip = await desk.begin()
    await trip.attempt()
    spent = Spent(upstream="main", model=MODEL, usage=Usage(output_tokens=3), estimated=True, number=1)
    desk.store.away = True
    await trip.purse.lost(spent)
    desk.store.away = False
    await trip.end(Outcome(end="failed", status=502, attempts=1, spent=(spent,)))
    assert await desk.standing() == (Decimal("0.003"), Decimal(0))


async def test_while_the_store_is_away_a_hard_budget_lets_nothing_go() -> None:
    desk = Desk(b=dollars("2"))
    trip = await desk.begin()
    desk.store.away = True
    with pytest.raises(BudgetUnavailable) as caught:
        await trip.attempt()
    assert (caught.value.status, caught.value.retry_after) == (503, 1.0)
    assert caught.value.error_code == "holdfast_budget_unavailable"


async def test_while_the_store_is_away_a_soft_budget_lets_its_allowance_go() -> None:
    desk = Desk(b=dollars("2", hard=False))
    desk.guard = replace(desk.guard, emergency=Allowance(2 * 1024 * TOKEN))
    trip = await desk.begin()
    desk.store.away = True
    assert await trip.attempt(1) is trip.call
    assert await trip.attempt(2) is trip.call
    with pytest.raises(BudgetUnavailable):
        await trip.attempt(3)
    desk.store.away = False
    await trip.attempt(4)
    desk.store.away = True
    assert await trip.attempt(5) is trip.call


async def test_clamp_shortens_the_answer_to_what_fits_and_says_so() -> None:
    desk = Desk(b=dollars("0.5", mode="clamp"))
    sent = await (await desk.begin()).attempt()
    assert sent.request.max_tokens == 500
    assert b'"max_tokens": 500' in sent.body
    assert sent.degraded == ("max-tokens=500",)


async def test_clamp_refuses_what_would_become_too_short() -> None:
    desk = Desk(b=dollars("0.2", mode="clamp"))
    with pytest.raises(BudgetExhausted):
        await (await desk.begin()).attempt()


async def test_clamp_does_not_help_where_another_budget_has_no_room() -> None:
    desk = Desk(b=dollars("0.5", mode="clamp"), c=dollars("0.3"))
    with pytest.raises(BudgetExhausted, match="`c`"):
        await (await desk.begin()).attempt()


LADDER = (
    Rung(at=Decimal("0.1"), do="alert"),
    Rung(at=Decimal("0.2"), do="degrade", model="claude-haiku-5-5", max_tokens=100),
    Rung(at=Decimal("0.5"), do="ask"),
    Rung(at=Decimal("0.9"), do="refuse"),
)


async def climbed(tokens: int, desk: Desk, **options: Any) -> Call:
    """The call as it goes on after so many tokens have been paid."""
    first = await desk.begin(1)
    await first.attempt()
    await first.end(answered(tokens))
    return (await desk.begin(2, **options)).call


@pytest.mark.parametrize("tokens", [0, 150])
async def test_below_the_first_rung_that_acts_nothing_changes(tokens: int) -> None:
    desk = Desk(b=dollars("1.1", ladder=LADDER))
    call = await climbed(tokens, desk)
    assert (call.request.model, call.request.max_tokens, call.degraded) == (MODEL, 1024, ())


async def test_a_rung_degrades_to_a_cheaper_model_and_a_shorter_answer() -> None:
    desk = Desk(b=dollars("1.1", ladder=LADDER))
    call = await climbed(300, desk)
    assert (call.request.model, call.request.max_tokens) == ("claude-haiku-5-5", 100)
    assert b"claude-haiku-5-5" in call.body
    assert call.degraded == ("model", "max-tokens=100")
    (event,) = [event for event in desk.events if isinstance(event, BudgetLadder)]
    assert (event.act, event.budget) == ("degrade", "b")


async def test_a_conversation_with_thinking_keeps_its_model() -> None:
    desk = Desk(b=dollars("1.1", ladder=LADDER))
    call = await climbed(300, desk, thinking=True)
    assert (call.request.model, call.degraded) == (MODEL, ("max-tokens=100",))


async def test_a_rung_that_asks_waits_for_an_approval() -> None:
    desk = Desk(b=dollars("1.1", ladder=LADDER))
    with pytest.raises(BudgetExhausted, match="holdfast budgets approve b"):
        await climbed(600, desk)
    desk.approvals.add(("b", "*"))
    assert (await desk.begin(3)).call.request.max_tokens == 1024


async def test_the_last_rung_refuses_whoever_approves() -> None:
    desk = Desk(b=dollars("1.1", ladder=LADDER))
    desk.approvals.add(("b", "*"))
    with pytest.raises(BudgetExhausted):
        await climbed(1000, desk)


async def test_a_ladder_that_cannot_be_read_refuses_where_it_is_hard_and_passes_where_it_is_soft() -> None:
    hard = Desk(b=dollars("1.1", ladder=LADDER))
    hard.store.away = True
    with pytest.raises(BudgetUnavailable):
        await hard.begin()
    gentle = (Rung(at=Decimal("0.2"), do="degrade", max_tokens=10),)
    soft = Desk(b=dollars("1.1", ladder=gentle, hard=False))
    soft.store.away = True
    assert (await soft.begin()).call.request.max_tokens == 1024


async def test_what_is_asked_of_a_budget_of_a_tag_is_who_bears_it() -> None:
    desk = Desk(b=BudgetConfig(usd=Decimal("1.5"), per="day", scope="tag:team"))
    one, other = await desk.begin(1, tags={"team": "a"}), await desk.begin(2, tags={"team": "b"})
    await one.attempt()
    await other.attempt()
    with pytest.raises(BudgetExhausted):
        await (await desk.begin(3, tags={"team": "a"})).attempt()


def metered(*events: bytes) -> Meter:
    meter = Meter()
    for event in Splitter().feed(b"".join(events)):
        meter.observe(event)
    return meter


def test_an_attempt_under_way_gives_signs_of_life_until_its_call_is_over() -> None:
    async def main() -> list[float]:
        desk = Desk(VirtualClock(), b=dollars("2"))
        trip = await desk.begin()
        await trip.attempt()
        await asyncio.sleep(35)
        desk.store.away = True
        await asyncio.sleep(10)
        desk.store.away = False
        await trip.end(answered(5))
        await asyncio.sleep(60)
        return desk.store.beats

    assert run(main()) == pytest.approx([10, 20, 30, 40])


def test_a_sign_of_life_says_what_has_been_used_up_so_far() -> None:
    async def main() -> list[int]:
        desk = Desk(VirtualClock(), b=dollars("2", presumption="observed"))
        trip = await desk.begin(stream=True)
        await trip.attempt()
        trip.purse.watch(1, metered(START, BLOCK, text("Good day"), ENOUGH))
        await asyncio.sleep(15)
        await trip.end(answered(7))
        return desk.store.presumed

    assert run(main()) == [7 * TOKEN]


def learned(desk: Desk, tokens: int) -> None:
    for _ in range(20):
        desk.guard.expectation.learn(MODEL, tokens)


def test_a_budget_that_expects_holds_the_usual_and_asks_for_more_under_way() -> None:
    async def main() -> list[Decimal]:
        desk = Desk(VirtualClock(), b=dollars("2", mode="expected"))
        learned(desk, 10)
        trip = await desk.begin(stream=True)
        await trip.attempt()
        held = [(await desk.standing())[1]]
        meter = metered(START, BLOCK, text("word " * 6))
        trip.purse.watch(1, meter)
        await asyncio.sleep(0.3)
        held.append((await desk.standing())[1])
        await trip.end(answered(9))
        return held

    before, after = run(main())
    assert before == Decimal("0.01")
    assert after == Decimal("0.02")


def test_an_answer_that_outgrows_its_budget_is_cut_off() -> None:
    async def main() -> Call:
        desk = Desk(VirtualClock(), b=dollars("0.011", mode="expected"))
        learned(desk, 10)
        trip = await desk.begin(stream=True)
        await trip.attempt()
        trip.purse.watch(1, metered(START, BLOCK, text("word " * 20)))
        await asyncio.sleep(0.3)
        await trip.end(answered(40))
        return trip.call

    assert isinstance(run(main()).leash.error, BudgetExhausted)


def test_a_budget_without_experience_expects_the_worst() -> None:
    async def main() -> Decimal:
        desk = Desk(VirtualClock(), b=dollars("2", mode="expected"))
        trip = await desk.begin()
        await trip.attempt()
        return (await desk.standing())[1]

    assert run(main()) == Decimal("1.024")


def test_a_hold_that_is_far_from_used_up_stays_as_it_is() -> None:
    async def main() -> Decimal:
        desk = Desk(VirtualClock(), b=dollars("2", mode="expected"))
        learned(desk, 900)
        trip = await desk.begin(stream=True)
        await trip.attempt()
        trip.purse.watch(1, metered(START, BLOCK, text("word")))
        await asyncio.sleep(1)
        return (await desk.standing())[1]

    assert run(main()) == Decimal("0.90")


async def test_experience_is_gathered_from_whole_answers_only() -> None:
    desk = Desk(b=dollars("100"))
    outcomes: Mapping[int, Outcome] = {
        number: replace(answered(number), estimated=number > 20) for number in range(1, 41)
    }
    for number, outcome in outcomes.items():
        trip = await desk.begin(number)
        await trip.attempt()
        await trip.end(outcome)
    assert desk.guard.expectation.output_tokens(MODEL) == 19
