from collections.abc import Sequence
from datetime import datetime

import pytest

from holdfast.bookkeeping import Bookkeeper
from holdfast.call import Call, Outcome, Spent
from holdfast.errors import StoreUnavailable
from holdfast.events import BudgetAlerted, CallEnded, Event
from holdfast.guards.record import RecordGuard
from holdfast.pipeline import Settle
from holdfast.policy.holds import Crossing
from holdfast.ports import AttemptRecord, CallRecord
from holdfast.stores.memory import MemoryStore
from holdfast.testing import FakeClock
from holdfast.wire.usage import Usage
from tests.upstream.scripted import MODEL, a_call

SPENT = Usage.of({"input_tokens": 10, "output_tokens": 7})


class Full(MemoryStore):
    """A ledger that takes nothing."""

    async def record(self, entry: CallRecord) -> None:
        raise StoreUnavailable("the disk is full")


def price(model: str, usage: Usage, at: datetime) -> int | None:
    return None if model == "mystery" else 1_000 * usage.prompt_tokens + 5_000 * usage.output_tokens


BOOKS = Bookkeeper(price=price, price_version="v1")


def guard(ledger: MemoryStore, clock: FakeClock, events: list[Event]) -> RecordGuard:
    return RecordGuard(ledger=ledger, books=BOOKS, clock=clock, observe=events.append)


async def settle_of(guard: RecordGuard, call: Call) -> Settle:
    step = await guard(call)
    assert step.call is call
    assert step.settle is not None
    return step.settle


async def recorded(outcome: Outcome, *, seconds: float = 0.0) -> tuple[CallRecord, list[Event]]:
    ledger, clock, events = MemoryStore(), FakeClock(), list[Event]()
    settle = await settle_of(guard(ledger, clock, events), a_call(stream=True, clock=clock))
    clock.advance(seconds)
    await settle(outcome)
    (entry,) = await ledger.newest(10)
    return entry, events


async def test_a_call_is_written_down_when_it_is_over_and_not_before() -> None:
    ledger, clock = MemoryStore(), FakeClock()
    settle = await settle_of(guard(ledger, clock, []), a_call(clock=clock))
    assert (await ledger.totals()).calls == 0
    await settle(Outcome(end="answered", status=200, usage=SPENT))
    assert (await ledger.totals()).calls == 1


async def test_the_record_says_who_asked_for_what_and_how_it_ended() -> None:
    outcome = Outcome(
        end="answered",
        status=200,
        usage=SPENT,
        served_model="claude-sonnet-5-5",
        stop_reason="end_turn",
        attempts=2,
        upstream="main",
    )
    entry, _ = await recorded(outcome, seconds=1.2345)
    assert (entry.request_id, entry.door, entry.key, entry.user) == ("hfr_test", "library", "local", "alice")
    assert (entry.model, entry.served_model, entry.upstream) == (MODEL, MODEL, "main")
    assert (entry.stream, entry.attempts, entry.stop_reason) == (True, 2, "end_turn")
    assert (entry.usage, entry.cost_pico, entry.price_version) == (SPENT, 45_000, "v1")
    assert entry.duration_ms == 1234.5


@pytest.mark.parametrize("end", ["answered", "refused", "failed", "abandoned"])
async def test_every_ending_leaves_a_row_and_an_event(end: str) -> None:
    outcome = Outcome(end=end, status=499, error_code="why")  # type: ignore[arg-type]  # the four of `End`
    entry, events = await recorded(outcome)
    assert (entry.end, entry.status, entry.error_code) == (end, 499, "why")
    (event,) = events
    assert isinstance(event, CallEnded)
    assert (event.end, event.error_code, event.cost) == (end, "why", "0.00")


async def test_a_call_that_used_nothing_costs_nothing_whatever_its_model() -> None:
    entry, _ = await recorded(Outcome(end="refused", status=400, served_model="mystery"))
    assert entry.cost_pico == 0


async def test_a_model_without_a_price_is_marked_and_not_free() -> None:
    entry, events = await recorded(Outcome(end="answered", status=200, usage=SPENT, served_model="mystery"))
    assert (entry.cost_pico, entry.cost) == (None, None)
    assert isinstance(events[0], CallEnded)
    assert events[0].cost is None


async def test_an_estimate_is_marked_and_charged() -> None:
    entry, _ = await recorded(Outcome(end="abandoned", status=200, usage=SPENT, estimated=True))
    assert (entry.estimated, entry.cost_pico) == (True, 45_000)


async def test_a_full_store_hides_the_end_of_the_call_from_nobody() -> None:
    events: list[Event] = []
    clock = FakeClock()
    settle = await settle_of(guard(Full(), clock, events), a_call(clock=clock))
    with pytest.raises(StoreUnavailable):
        await settle(Outcome(end="answered", status=200, usage=SPENT))
    assert [type(event) for event in events] == [CallEnded]


async def test_an_observer_that_raises_costs_no_row() -> None:
    ledger, clock = MemoryStore(), FakeClock()

    def observe(event: Event) -> None:
        raise ZeroDivisionError

    station = RecordGuard(ledger=ledger, books=BOOKS, clock=clock, observe=observe)
    settle = await settle_of(station, a_call(clock=clock))
    with pytest.raises(ZeroDivisionError):
        await settle(Outcome(end="answered", status=200, usage=SPENT))
    assert (await ledger.totals()).calls == 1


async def test_a_refusal_before_any_output_costs_nothing_though_it_shows_tokens() -> None:
    entry, _ = await recorded(Outcome(end="answered", status=200, usage=SPENT, is_unbilled=True))
    assert (entry.usage, entry.cost_pico) == (SPENT, 0)


async def test_attempts_in_vain_are_paid_for_beside_the_answer() -> None:
    lost = Spent(upstream="a", model=MODEL, usage=Usage(input_tokens=3), estimated=True)
    entry, _ = await recorded(Outcome(end="answered", status=200, usage=SPENT, spent=(lost, lost)))
    assert (entry.cost_pico, entry.estimated) == (45_000 + 2 * 3_000, True)


async def test_one_attempt_without_a_price_leaves_the_whole_call_unpriced() -> None:
    lost = Spent(upstream="a", model="mystery", usage=Usage(input_tokens=3), estimated=True)
    entry, _ = await recorded(Outcome(end="answered", status=200, usage=SPENT, spent=(lost,)))
    assert entry.cost_pico is None


async def test_an_alert_is_heard_though_the_call_itself_could_not_be_written_down() -> None:
    clock, events = FakeClock(), list[Event]()

    class Alerting(Full):
        async def settle(self, attempts: Sequence[AttemptRecord]) -> tuple[Crossing, ...]:
            return (
                Crossing(budget="b", subject="", window="w", threshold=1, limit=2, settled=1, resets_at=None),
            )

    settle = await settle_of(guard(Alerting(), clock, events), a_call(clock=clock))
    with pytest.raises(StoreUnavailable):
        await settle(Outcome(end="answered", status=200, usage=SPENT))
    assert [type(event) for event in events] == [BudgetAlerted, CallEnded]


async def test_a_settlement_that_was_not_taken_is_a_failure_though_the_call_was_written_down() -> None:
    class Closed(MemoryStore):
        async def settle(self, attempts: Sequence[AttemptRecord]) -> tuple[Crossing, ...]:
            raise StoreUnavailable("gone")

    ledger, events = Closed(), list[Event]()
    settle = await settle_of(guard(ledger, FakeClock(), events), a_call())
    with pytest.raises(StoreUnavailable):
        await settle(Outcome(end="answered", status=200, usage=SPENT))
    assert (await ledger.totals()).calls == 1
