"""What every store must keep, as contracts that any adapter of a port can be held to."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta, timezone

from holdfast.ports import Ledger, Totals
from holdfast.testing.conformance_attempts import (
    ATTEMPT_CONTRACTS,
    DURABLE_MONEY_CONTRACTS,
    LATE_CONTRACTS,
)
from holdfast.testing.conformance_crash import (
    no_limit_is_passed_while_workers_are_killed,
    what_was_acknowledged_survives_kill_9,
)
from holdfast.testing.conformance_holds import HOLD_CONTRACTS, LEASE_CONTRACTS
from holdfast.testing.conformance_listing import LISTING_CONTRACTS, LISTING_LEASE_CONTRACTS
from holdfast.testing.conformance_records import (
    DurableStoreContract,
    LeaseContract,
    PassTime,
    StoreContract,
    a_record,
    an_attempt,
)
from holdfast.testing.conformance_register import REGISTER_CONTRACTS
from holdfast.testing.conformance_runs import LOST_RUN_CONTRACTS, RUN_CONTRACTS
from holdfast.testing.conformance_sessions import DURABLE_SESSION_CONTRACTS, SESSION_CONTRACTS
from holdfast.testing.conformance_spend import SPEND_CONTRACTS
from holdfast.wire.usage import Usage

__all__ = [
    "DURABLE_LEDGER_CONTRACTS",
    "DURABLE_STORE_CONTRACTS",
    "LEDGER_CONTRACTS",
    "STORE_CONTRACTS",
    "STORE_LEASE_CONTRACTS",
    "DurableLedgerContract",
    "DurableStoreContract",
    "LeaseContract",
    "LedgerContract",
    "PassTime",
    "StoreContract",
    "a_record",
    "an_attempt",
    "no_limit_is_passed_while_workers_are_killed",
    "what_was_acknowledged_survives_kill_9",
]

BEYOND_64_BITS = 2**63 + 1
MANY = 5_000

LedgerContract = Callable[[Ledger], Awaitable[None]]
"""Given a new, empty ledger; raises `AssertionError` where it is broken. Whoever opened the ledger closes it."""

DurableLedgerContract = Callable[[Callable[[], Ledger]], Awaitable[None]]
"""Given a function that opens the same store again and again, empty the first time; closes what it opens."""


async def an_empty_ledger_knows_nothing(ledger: Ledger) -> None:
    """No call, no sum."""
    assert await ledger.find("hfr_0") is None
    assert await ledger.newest(10) == ()
    assert await ledger.totals() == Totals(calls=0, input_tokens=0, output_tokens=0, cost_pico=0, unpriced=0)


async def a_record_comes_back_as_it_was_given(ledger: Ledger) -> None:
    """Every field, in any script, and a moment of any time zone."""
    entry = a_record("hfr_1")
    far = replace(entry, request_id="hfr_2", at=entry.at.astimezone(timezone(timedelta(hours=9))))
    bare = replace(
        entry,
        request_id="hfr_3",
        user=None,
        run="",
        served_model=None,
        upstream=None,
        stream=False,
        end="refused",
        status=400,
        error_code="holdfast_input_rejected",
        attempts=0,
        stop_reason=None,
        usage=Usage.of(None),
        estimated=True,
        cost_pico=None,
        price_version=None,
        duration_ms=0.0,
    )
    for given in (entry, far, bare):
        await ledger.record(given)
        assert await ledger.find(given.request_id) == given


async def a_record_is_taken_once(ledger: Ledger) -> None:
    """The second record of an id changes neither the first nor any sum."""
    await ledger.record(a_record("hfr_1"))
    before = await ledger.totals()
    await ledger.record(a_record("hfr_1", cost_pico=1, input_tokens=999))
    assert await ledger.totals() == before
    assert await ledger.newest(10) == (a_record("hfr_1"),)


async def a_record_given_twice_at_once_is_taken_once(ledger: Ledger) -> None:
    """Also when both are on their way together."""
    await asyncio.gather(*(ledger.record(a_record("hfr_1")) for _ in range(20)))
    assert (await ledger.totals()).calls == 1


async def the_newest_come_first(ledger: Ledger) -> None:
    """In the order of recording, at most as many as asked for."""
    for number in range(5):
        await ledger.record(a_record(f"hfr_{number}"))
    assert [entry.request_id for entry in await ledger.newest(3)] == ["hfr_4", "hfr_3", "hfr_2"]
    assert len(await ledger.newest(100)) == 5
    assert await ledger.newest(0) == ()
    assert await ledger.newest(-1) == ()


async def the_cost_of_a_call_is_exact_beyond_64_bits(ledger: Ledger) -> None:
    """Where a database would begin to round."""
    costs = (BEYOND_64_BITS, BEYOND_64_BITS + 1, 1, 0, None)
    for number, cost in enumerate(costs):
        await ledger.record(a_record(f"hfr_{number}", cost_pico=cost))
    assert tuple(row.cost_pico for row in reversed(await ledger.newest(len(costs)))) == costs
    assert (await ledger.totals()).calls == len(costs)


async def many_records_at_once_are_all_taken(ledger: Ledger) -> None:
    """5,000 callers, none of them waits for another, none of them is lost."""
    await asyncio.gather(*(ledger.record(a_record(f"hfr_{number}", cost_pico=3)) for number in range(MANY)))
    assert (await ledger.totals()).calls == MANY
    assert {row.request_id for row in await ledger.newest(MANY)} == {f"hfr_{n}" for n in range(MANY)}


async def a_cancelled_record_breaks_nothing(ledger: Ledger) -> None:
    """Whoever is cancelled while recording leaves a ledger that goes on."""
    task = asyncio.ensure_future(ledger.record(a_record("hfr_1")))
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait({task})
    await ledger.record(a_record("hfr_2"))
    assert await ledger.find("hfr_2") is not None


async def a_check_of_a_healthy_ledger_leaves_no_trace(ledger: Ledger) -> None:
    """It passes, and nothing is recorded by it."""
    await ledger.check()
    assert (await ledger.totals()).calls == 0


async def closing_twice_is_closing_once(ledger: Ledger) -> None:
    """Closing never raises."""
    await ledger.record(a_record("hfr_1"))
    await ledger.aclose()
    await ledger.aclose()


async def what_was_recorded_is_there_when_the_store_is_opened_again(open_again: Callable[[], Ledger]) -> None:
    """Rows and sums."""
    first = open_again()
    await first.record(a_record("hfr_1"))
    totals = await first.totals()
    await first.aclose()
    second = open_again()
    try:
        assert await second.find("hfr_1") == a_record("hfr_1")
        assert await second.totals() == totals
    finally:
        await second.aclose()


async def what_waits_is_written_before_the_store_is_closed(open_again: Callable[[], Ledger]) -> None:
    """`aclose` loses nothing that `record` had been asked for."""
    first = open_again()
    waiting = [asyncio.ensure_future(first.record(a_record(f"hfr_{number}"))) for number in range(300)]
    await asyncio.sleep(0)
    await first.aclose()
    await asyncio.gather(*waiting)
    second = open_again()
    try:
        assert (await second.totals()).calls == 300
    finally:
        await second.aclose()


async def two_that_have_it_open_see_one_book(open_again: Callable[[], Ledger]) -> None:
    """What one records the other finds, and the sums are of both."""
    one, other = open_again(), open_again()
    try:
        await asyncio.gather(
            *(book.record(a_record(f"hfr_{n}")) for n in range(100) for book in (one, other)),
        )
        assert (await one.totals()).calls == (await other.totals()).calls == 100
    finally:
        await one.aclose()
        await other.aclose()


LEDGER_CONTRACTS: tuple[LedgerContract, ...] = (
    an_empty_ledger_knows_nothing,
    a_record_comes_back_as_it_was_given,
    a_record_is_taken_once,
    a_record_given_twice_at_once_is_taken_once,
    the_newest_come_first,
    the_cost_of_a_call_is_exact_beyond_64_bits,
    many_records_at_once_are_all_taken,
    a_cancelled_record_breaks_nothing,
    a_check_of_a_healthy_ledger_leaves_no_trace,
    closing_twice_is_closing_once,
)
DURABLE_LEDGER_CONTRACTS: tuple[DurableLedgerContract, ...] = (
    what_was_recorded_is_there_when_the_store_is_opened_again,
    what_waits_is_written_before_the_store_is_closed,
    two_that_have_it_open_see_one_book,
)

STORE_CONTRACTS: tuple[StoreContract, ...] = (
    *HOLD_CONTRACTS,
    *ATTEMPT_CONTRACTS,
    *SPEND_CONTRACTS,
    *RUN_CONTRACTS,
    *REGISTER_CONTRACTS,
    *LISTING_CONTRACTS,
    *SESSION_CONTRACTS,
)
STORE_LEASE_CONTRACTS: tuple[LeaseContract, ...] = (
    *LEASE_CONTRACTS,
    *LATE_CONTRACTS,
    *LOST_RUN_CONTRACTS,
    *LISTING_LEASE_CONTRACTS,
)
DURABLE_STORE_CONTRACTS: tuple[DurableStoreContract, ...] = (
    *DURABLE_MONEY_CONTRACTS,
    *DURABLE_SESSION_CONTRACTS,
)
