"""What every store must keep about attempts: what each has cost, and the sums of it."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

from holdfast.errors import StoreUnavailable
from holdfast.ports import AttemptRecord, Dimension, Payer, SpendQuery, Store, Swept, Totals
from holdfast.testing.conformance_records import (
    AT,
    DOLLAR,
    LEASE,
    DurableStoreContract,
    LeaseContract,
    PassTime,
    StoreContract,
    a_limit,
    a_record,
    an_attempt,
    held_by,
    states,
    together,
)
from holdfast.wire.usage import Usage

HUGE = 2**62
BEYOND_64_BITS = 2**64 + 1

GROUPINGS: tuple[tuple[Dimension, ...], ...] = (
    *((), ("model",), ("upstream",), ("key", "user"), ("run",)),
    *(("hour",), ("day", "run"), ("month",)),
)


async def sums_agree(store: Store) -> None:
    """The sum of the attempts on record is that of the totals, and that of every way to group."""
    over = [one for one in await store.attempts(limit=100_000) if one.state in ("settled", "expired")]
    sums = (
        sum(one.usage.prompt_tokens for one in over),
        sum(one.usage.output_tokens for one in over),
        sum(one.cost_pico or 0 for one in over),
        sum(one.cost_pico is None for one in over),
    )
    totals = await store.totals()
    assert (totals.input_tokens, totals.output_tokens, totals.cost_pico, totals.unpriced) == sums
    for by in GROUPINGS:
        groups = await store.spend(SpendQuery(by=by, timezone="Asia/Seoul"))
        assert sum(group.attempts for group in groups) == len(over), by
        assert sum(group.input_tokens for group in groups) == sums[0], by
        assert sum(group.output_tokens for group in groups) == sums[1], by
        assert sum(group.cost_pico for group in groups) == sums[2], by
        assert sum(group.unpriced for group in groups) == sums[3], by


async def an_attempt_without_a_hold_comes_back_as_it_was_given(store: Store) -> None:
    """Every field, in any script, also those that are empty."""
    full = replace(
        an_attempt("hfr_1", 2),
        state="settled",
        kind="abandoned",
        estimated=True,
        is_unbilled=True,
        usage=Usage.of(
            {
                "input_tokens": 3,
                "cache_creation_input_tokens": 9,
                "cache_creation": {"ephemeral_1h_input_tokens": 5, "ephemeral_5m_input_tokens": 4},
                "server_tool_use": {"web_search_requests": 1},
                "iterations": [{"type": "message", "input_tokens": 1, "output_tokens": 2, "model": "m'"}],
                "new": [None, "메모"],
            }
        ),
    )
    bare = AttemptRecord(
        request_id="hfr_1",
        number=1,
        at=AT.replace(microsecond=0),
        payer=Payer(user="", run="", agent=""),
        upstream="",
        model="",
        kind="",
        cost_pico=None,
    )
    assert await store.settle([full, bare]) == ()
    assert await store.attempts_of("hfr_1") == (bare, full)
    assert await store.attempts_of("hfr_2") == ()
    assert await store.used([]) == {}


async def an_attempt_is_taken_once(store: Store) -> None:
    """One after the other, in one list, and at once; what is released costs nothing."""
    first, second = an_attempt("hfr_1"), an_attempt("hfr_2")
    await store.settle([first, first, replace(first, cost_pico=1)])
    await together(*(store.settle([second]) for _ in range(20)))
    await store.settle([replace(an_attempt("hfr_3"), state="released")])
    assert states(await store.attempts(limit=10)) == ["settled", "settled", "released"]
    assert await store.totals() == Totals(
        calls=0, input_tokens=20, output_tokens=14, cost_pico=210_000_000, unpriced=0
    )
    await sums_agree(store)


async def nothing_to_settle_is_no_error(store: Store) -> None:
    """Nor nothing to extend, nor nothing to price anew."""
    assert await store.settle([]) == ()
    await store.extend([])
    assert await store.reprice({}) == 0
    assert await store.sweep() == Swept()


async def attempts_are_read_page_by_page(store: Store) -> None:
    """In the order of their ids as text, those of one call in the order of their numbers."""
    for number in (10, 2, 1):
        await store.settle(
            [an_attempt("hfr_b", number), an_attempt("hfr_ä", number), an_attempt("hfr_A", number)]
        )
    ids = sorted(f"hfr_{call}/{number}" for call in ("b", "ä", "A") for number in (1, 2, 10))
    seen: list[str] = []
    while page := await store.attempts(after=seen[-1] if seen else None, limit=4):
        assert len(page) <= 4
        seen += [attempt.id for attempt in page]
    assert seen == ids
    assert [attempt.number for attempt in await store.attempts_of("hfr_b")] == [1, 2, 10]
    assert await store.attempts(limit=0) == ()


async def totals_of_attempts_are_exact_beyond_64_bits(store: Store) -> None:
    """Where a database would begin to round; and so are the sums of groups."""
    await store.settle(
        [an_attempt(f"hfr_{n}", cost_pico=HUGE, model=f"m{n}", payer=Payer(run=f"r{n}")) for n in range(5)]
    )
    await store.settle([an_attempt("hfr_odd", cost_pico=1), an_attempt("hfr_none", cost_pico=None)])
    totals = await store.totals()
    assert (totals.cost_pico, totals.unpriced, totals.calls) == (5 * HUGE + 1, 1, 0)
    (spend,) = await store.spend(SpendQuery())
    assert spend.cost_pico == 5 * HUGE + 1
    await sums_agree(store)


async def an_amount_beyond_the_store_takes_no_other_with_it(store: Store) -> None:
    """It is kept exactly or refused, and its neighbours are kept in any case."""
    costs = (1, BEYOND_64_BITS, 2, BEYOND_64_BITS, 3)
    answers = await asyncio.gather(
        *(store.settle([an_attempt(f"hfr_{n}", cost_pico=cost)]) for n, cost in enumerate(costs)),
        return_exceptions=True,
    )
    taken = [cost for cost, answer in zip(costs, answers, strict=True) if answer == ()]
    assert {1, 2, 3} <= set(taken)
    assert all(answer == () or isinstance(answer, StoreUnavailable) for answer in answers)
    assert [one.cost_pico for one in await store.attempts(limit=10)] == taken
    await sums_agree(store)


async def a_call_and_its_attempts_are_counted_apart(store: Store) -> None:
    """The sums are those of the attempts, `calls` those of the records; in any order."""
    await store.settle([an_attempt("hfr_1", cost_pico=100)])
    await store.record(replace(a_record("hfr_1", cost_pico=100), attempts=1))
    await store.record(replace(a_record("hfr_2", cost_pico=200), attempts=1))
    await store.settle([an_attempt("hfr_2", cost_pico=200)])
    found = await store.find("hfr_2")
    assert found is not None
    assert found.cost_pico == 200
    assert await store.totals() == Totals(
        calls=2, input_tokens=20, output_tokens=14, cost_pico=300, unpriced=0
    )


async def a_call_with_attempts_unheard_of_keeps_the_cost_it_was_told(store: Store) -> None:
    """One attempt alone does not say what the call has cost."""
    await store.record(replace(a_record("hfr_1", cost_pico=300), attempts=2))
    await store.settle([an_attempt("hfr_1", cost_pico=100)])
    assert await store.reprice({"hfr_1/1": (1, "new")}) == 1
    assert await store.find("hfr_1") == replace(a_record("hfr_1", cost_pico=300), attempts=2)
    await store.settle([an_attempt("hfr_1", 2, cost_pico=200)])
    assert await store.reprice({"hfr_1/1": (2, "new")}) == 1
    call = await store.find("hfr_1")
    assert call is not None
    assert call.cost_pico == 202


async def a_new_price_changes_every_sum_but_no_counter(store: Store) -> None:
    """Of settled attempts only; the call follows, the limits do not."""
    await held_by(store, "hfr_1", a_limit())
    await held_by(store, "hfr_under_way", a_limit())
    await store.settle([an_attempt("hfr_1", cost_pico=DOLLAR), an_attempt("hfr_1", 2, cost_pico=None)])
    await store.settle([replace(an_attempt("hfr_free", cost_pico=0), state="released")])
    await store.record(replace(a_record("hfr_1", cost_pico=None), attempts=2))
    before = await store.used(["day"])
    costs = {
        "hfr_1/1": (DOLLAR * 2, "2026-12-01"),
        "hfr_1/2": (7, "2026-12-01"),
        "hfr_under_way/1": (5, "2026-12-01"),
        "hfr_free/1": (5, "2026-12-01"),
        "nobody/1": (5, "2026-12-01"),
    }
    assert await store.reprice(costs) == 2
    assert await store.reprice(costs) == 0
    assert await store.used(["day"]) == before
    one, other = await store.attempts_of("hfr_1")
    assert (one.cost_pico, one.price_version) == (DOLLAR * 2, "2026-12-01")
    assert (other.cost_pico, other.price_version) == (7, "2026-12-01")
    call = await store.find("hfr_1")
    assert call is not None
    assert (call.cost_pico, call.price_version) == (DOLLAR * 2 + 7, "2026-12-01")
    assert (await store.totals()).unpriced == 0
    await sums_agree(store)


async def what_is_pruned_stays_in_every_sum(store: Store) -> None:
    """Calls and attempts from before the moment go; what is under way stays, whatever its age."""
    old, new = AT - timedelta(days=40), AT
    await held_by(store, "hfr_0_held", a_limit())
    for name, at in (("hfr_1_old", old), ("hfr_2_new", new)):
        await store.record(replace(a_record(name), at=at))
        await store.settle([an_attempt(name, at=at), replace(an_attempt(name, 2, at=at), state="released")])
    totals = await store.totals()
    spend = await store.spend(SpendQuery(by=("day", "model", "run")))
    run = await store.run(an_attempt("hfr_1_old").payer.run or "")
    assert await store.prune(AT - timedelta(days=1)) == 3
    assert await store.prune(AT - timedelta(days=1)) == 0
    assert await store.find("hfr_1_old") is None
    assert await store.find("hfr_2_new") is not None
    assert [one.id for one in await store.attempts()] == ["hfr_0_held/1", "hfr_2_new/1", "hfr_2_new/2"]
    assert await store.prune(AT + timedelta(days=1)) == 3
    assert states(await store.attempts()) == ["held"]
    assert await store.totals() == totals
    assert await store.spend(SpendQuery(by=("day", "model", "run"))) == spend
    assert await store.run(an_attempt("hfr_1_old").payer.run or "") == run


async def many_at_once_are_summed_to_the_last_pico(store: Store) -> None:
    """Holds, settles, releases and top-ups of 300 calls, all together, some of them twice."""
    limit = a_limit(nano=None)

    async def go(number: int) -> None:
        request_id = f"hfr_{number}"
        await held_by(store, request_id, limit, a_limit(f"run {number % 7}"), amount=1_000_001)
        over = an_attempt(request_id, cost_pico=number * 7_919, model=f"m{number % 3}")
        if number % 5 == 0:
            over = replace(over, state="released", cost_pico=0)
        await asyncio.gather(store.settle([over]), store.settle([over, over]))

    await together(*(go(number) for number in range(300)))
    paid = [-(-number * 7_919 // 1_000) for number in range(300) if number % 5]
    assert await store.used(["day"]) == {"day": (sum(paid), 0)}
    runs = await store.used([f"run {number}" for number in range(7)])
    assert sum(settled for settled, _ in runs.values()) == sum(paid)
    assert (await store.totals()).cost_pico == sum(number * 7_919 for number in range(300) if number % 5)
    await sums_agree(store)


async def the_call_follows_an_attempt_that_is_settled_late(store: Store, pass_time: PassTime) -> None:
    """Its cost is the sum of its attempts, once the last of them is known."""
    await held_by(store, "hfr_1", a_limit())
    await pass_time(LEASE + 1)
    await store.sweep()
    await store.settle([an_attempt("hfr_1", 2, cost_pico=100)])
    await store.record(replace(a_record("hfr_1", cost_pico=100 + DOLLAR // 4), attempts=2))
    await sums_agree(store)
    await store.settle(
        [replace(an_attempt("hfr_1", cost_pico=250), served_model="another", at=AT + timedelta(hours=2))]
    )
    call = await store.find("hfr_1")
    assert call is not None
    assert call.cost_pico == 350
    assert (await store.totals()).cost_pico == 350
    (other,) = await store.spend(SpendQuery(where={"model": "another"}))
    assert (other.attempts, other.cost_pico) == (1, 250)
    await sums_agree(store)


async def a_lost_attempt_outlives_a_pruning(store: Store, pass_time: PassTime) -> None:
    """It may still be settled late, and is corrected then."""
    await held_by(store, "hfr_1", a_limit())
    await pass_time(LEASE + 1)
    await store.sweep()
    assert await store.prune(AT + timedelta(days=9)) == 0
    await store.settle([an_attempt("hfr_1", cost_pico=1_000)])
    assert await store.used(["day"]) == {"day": (1, 0)}
    await sums_agree(store)


async def money_is_there_when_the_store_is_opened_again(open_again: Callable[[], Store]) -> None:
    """Holds, counters, attempts, sums, runs and documents."""
    first = open_again()
    await held_by(first, "hfr_1", a_limit())
    await held_by(first, "hfr_2", a_limit())
    await first.settle([an_attempt("hfr_1", cost_pico=DOLLAR)])
    await first.enter("run", "agent", None, AT)
    await first.put("budget", "team", b"{}", actor="me")
    held, run, entries = await first.held(), await first.run("run"), await first.entries("budget")
    await first.aclose()
    second = open_again()
    try:
        assert await second.held() == held
        assert await second.used(["day"]) == {"day": (10**9, 10**9)}
        assert await second.run("run") == run
        assert await second.entries("budget") == entries
        await sums_agree(second)
    finally:
        await second.aclose()


async def two_that_have_it_open_share_one_limit(open_again: Callable[[], Store]) -> None:
    """Neither knows of the other, and together they admit what fits."""
    one, other = open_again(), open_again()
    limit = a_limit(nano=5 * 10**9)
    try:

        async def take(store: Store, number: int) -> None:
            await held_by(store, f"hfr_{number}", limit)

        stores = [one, other] * 20
        answers = await asyncio.gather(
            *(take(store, number) for number, store in enumerate(stores)), return_exceptions=True
        )
        assert sum(answer is None for answer in answers) == 5
        await one.settle([an_attempt(f"hfr_{number}", cost_pico=DOLLAR // 2) for number in range(40)])
        assert await other.held() == ()
        await sums_agree(other)
    finally:
        await one.aclose()
        await other.aclose()


ATTEMPT_CONTRACTS: tuple[StoreContract, ...] = (
    an_attempt_without_a_hold_comes_back_as_it_was_given,
    an_attempt_is_taken_once,
    nothing_to_settle_is_no_error,
    attempts_are_read_page_by_page,
    totals_of_attempts_are_exact_beyond_64_bits,
    an_amount_beyond_the_store_takes_no_other_with_it,
    a_call_and_its_attempts_are_counted_apart,
    a_call_with_attempts_unheard_of_keeps_the_cost_it_was_told,
    a_new_price_changes_every_sum_but_no_counter,
    what_is_pruned_stays_in_every_sum,
    many_at_once_are_summed_to_the_last_pico,
)
LATE_CONTRACTS: tuple[LeaseContract, ...] = (
    the_call_follows_an_attempt_that_is_settled_late,
    a_lost_attempt_outlives_a_pruning,
)
DURABLE_MONEY_CONTRACTS: tuple[DurableStoreContract, ...] = (
    money_is_there_when_the_store_is_opened_again,
    two_that_have_it_open_share_one_limit,
)
