"""What lists of calls must be, whatever the store: whole, in order, and of those that the filter means."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

from holdfast.policy.coverage import Coverage, Skipped
from holdfast.policy.filter_fields import Field, Op
from holdfast.policy.request_filter import Prefix, RequestFilter, Term, Value, matches
from holdfast.policy.story import AttemptStep, GuardStep, Story
from holdfast.ports import CallCursor, CallPage, CallQuery, CallRecord, Ledger, Store
from holdfast.testing.conformance_records import (
    AT,
    DOLLAR,
    LEASE,
    LeaseContract,
    PassTime,
    a_limit,
    a_record,
    an_attempt,
    held_by,
)
from holdfast.wire.usage import Usage

A_STORY = Story(
    guards=(
        GuardStep(guard="stop", did="passed", ms=0.01),
        GuardStep(
            guard="budget", did="refused", ms=1.5, code="holdfast_budget_exhausted", detail="budget 팀's"
        ),
    ),
    attempts=(
        AttemptStep(number=1, upstream="앤트로픽's", model="claude-sonnet-5-5", began_ms=1.5, blame="claude"),
        AttemptStep(number=2, upstream="b", model="m", began_ms=2.0, held_pico=2**70, settled_pico=2**69),
    ),
    coverage=(
        Coverage(
            side="input",
            guard="screen",
            version="1",
            examined=("messages.0.content",),
            skipped=(Skipped(path="messages.1", reason="channel"),),
        ),
    ),
    degraded=("model", "max-tokens=500"),
    notices=1,
    trace_id="4bf92f3577b34da6a3ce929d0e0e4736",
)


def term(field: Field, op: Op, value: Value) -> RequestFilter:
    """A filter of one term."""
    return RequestFilter(terms=(Term(field=field, op=op, value=value),))


async def walked(ledger: Ledger, wanted: RequestFilter | None, limit: int) -> list[CallRecord]:
    """Every call that is meant, page by page; no page is longer than was asked for."""
    found: list[CallRecord] = []
    page = CallPage(following=None)
    after: CallCursor | None = None
    while True:
        page = await ledger.calls(CallQuery(filter=wanted, after=after, limit=limit))
        assert len(page.calls) <= limit
        found += page.calls
        if page.following is None:
            return found
        after = page.following


def expected(records: Sequence[CallRecord], wanted: RequestFilter | None) -> list[CallRecord]:
    """What a list must be: the records that are meant, newest first, without their stories."""
    meant = [record for record in records if wanted is None or matches(wanted, record)]
    meant.sort(key=lambda record: (record.at, record.request_id), reverse=True)
    return [replace(record, story=None) for record in meant]


def assorted() -> list[CallRecord]:
    """Calls that differ in everything that a filter names."""
    base = a_record("hfr_1")
    blank = replace(base, user=None, run=None, agent=None, served_model=None, upstream=None, stream=False)
    refused = replace(blank, end="refused", status=429, error_code="holdfast_budget_exhausted", attempts=0)
    return [
        replace(base, outcome="fallback", blame="claude", decided_by="circuit", story=A_STORY),
        replace(base, request_id="hfr_2", at=AT + timedelta(microseconds=1), outcome="cached"),
        replace(base, request_id="hfr_0", decided_by="upstream", agent="a%b_c'\"\\", duration_ms=0.1),
        replace(refused, request_id="hfr_3", at=AT - timedelta(days=400), decided_by="budget", blame="us"),
        replace(
            blank, request_id="hfr_4", at=AT + timedelta(days=1), end="failed", status=529, blame="network"
        ),
        replace(base, request_id="hfr_5", at=AT + timedelta(days=1), end="abandoned", cost_pico=None),
        replace(base, request_id="hfr_6", model="클로드", key="Key", usage=Usage(input_tokens=10**6)),
        replace(base, request_id="hfr_7", cost_pico=2**70, user="김철수", door="library"),
        replace(base, request_id="hfr_8", cost_pico=DOLLAR, user="", model="claude-haiku-5-5"),
    ]


TEXTS: tuple[Field, ...] = (
    *(
        "outcome",
        "end",
        "model",
        "served",
        "upstream",
        "key",
        "user",
        "run",
        "agent",
        "door",
        "blame",
        "code",
    ),
    *("guard", "id"),
)
ODD = (
    "",
    "%",
    "_",
    "'",
    '"',
    "\\",
    "?",
    "$1",
    "{}",
    "\0",
    "\ud800",
    "김철수",
    "claude",
    "CLAUDE",
    "hfr_1",
    "a%b_c'\"\\",
)
NUMBERS: tuple[tuple[Field, Sequence[int | float | Decimal]], ...] = (
    ("status", (0, 200, 429)),
    ("tokens", (0, 17, 10**6, 10**15)),
    ("attempts", (0, 2)),
    ("ms", (0.1, 12.5, 1e12)),
    ("cost", (Decimal(0), Decimal("0.000105"), Decimal(1), Decimal(2**70).scaleb(-12), Decimal(10**6))),
)
OPS: tuple[Op, ...] = ("=", "!=", ">", ">=", "<", "<=")


def every_term() -> list[Term]:
    """Each field with each operator and values that are there, are not, or that no database likes."""
    texts = [
        Term(field=field, op=op, value=value)
        for field in TEXTS
        for value in (*ODD, "answered", "refused", "us", "gateway", "budget")
        for op in ("=", "!=")
    ]
    parts = [
        Term(field=field, op=op, value=value)
        for field in ("model", "agent")
        for value in ODD[1:]
        for op in ("~", "!~")
    ]
    begun = [
        Term(field=field, op=op, value=Prefix(start=value))
        for field in ("user", "id")
        for value in ODD
        for op in ("=", "!=")
    ]
    numbers = [
        Term(field=name, op=op, value=value) for name, values in NUMBERS for value in values for op in OPS
    ]
    flags = [Term(field="stream", op=op, value=value) for value in (True, False) for op in ("=", "!=")]
    moments = [AT, AT + timedelta(microseconds=1), AT - timedelta(days=1), AT + timedelta(days=9)]
    since = [Term(field="since", op=">=", value=at) for at in moments]
    until = [Term(field="until", op="<", value=at) for at in moments]
    return [*texts, *parts, *begun, *numbers, *flags, *since, *until]


async def a_story_comes_back_with_its_call_and_in_no_list(store: Store) -> None:
    """Every part of it."""
    told = replace(a_record("hfr_1"), story=A_STORY, outcome="fallback", decided_by="budget", blame="us")
    await store.record(told)
    assert await store.find("hfr_1") == told
    untold = replace(told, story=None)
    assert await store.newest(9) == (untold,)
    assert (await store.calls(CallQuery())).calls == (untold,)


async def every_filter_finds_what_it_means(store: Store) -> None:
    """One term at a time, in pages of two."""
    records = assorted()
    for record in records:
        await store.record(record)
    for one in every_term():
        wanted = RequestFilter(terms=(one,))
        assert await walked(store, wanted, 2) == expected(records, wanted), one


async def terms_hold_together_and_those_of_one_field_are_alternatives(store: Store) -> None:
    """Also where a database can be asked for only some of them."""
    records = assorted()
    for record in records:
        await store.record(record)
    either = (Term(field="id", op="=", value="hfr_1"), Term(field="id", op="=", value="hfr_4"))
    odd = Term(field="id", op="=", value="\0")
    dear = Term(field="cost", op=">", value=Decimal("0.0001"))
    some = (
        Term(field="model", op="=", value="클로드"),
        Term(field="model", op="=", value="claude-haiku-5-5"),
    )
    for terms in ((*either, dear), (*either, odd), (*some, dear), (dear, odd), (*some, *either), ()):
        wanted = RequestFilter(terms=terms)
        assert await walked(store, wanted, 3) == expected(records, wanted), terms


async def pages_hold_every_call_once(store: Store) -> None:
    """In the order of their arrival, whatever the order of recording, and by id where they came at once."""
    records = [a_record(f"hfr_{number}") for number in range(10)]
    records += [replace(a_record(f"hfr_late_{day}"), at=AT - timedelta(days=day)) for day in range(5)]
    for record in records:
        await store.record(record)
    for limit in (1, 4, 15, 100):
        assert await walked(store, None, limit) == expected(records, None)
    assert await store.calls(CallQuery(limit=0)) == await store.calls(CallQuery(limit=-1)) == CallPage()


async def a_page_stays_where_it_was_when_calls_come(store: Store) -> None:
    """Newer ones do not shift it, and the call before it may be forgotten."""
    for number in range(6):
        await store.record(replace(a_record(f"hfr_{number}"), at=AT + timedelta(seconds=number)))
    first = await store.calls(CallQuery(limit=2))
    assert _ids(first) == ["hfr_5", "hfr_4"]
    await store.record(replace(a_record("hfr_new"), at=AT + timedelta(days=1)))
    second = await store.calls(CallQuery(limit=2, after=first.following))
    assert _ids(second) == ["hfr_3", "hfr_2"]
    await store.prune(AT + timedelta(seconds=3))
    third = await store.calls(CallQuery(limit=2, after=second.following))
    assert (_ids(third), third.following) == ([], None)
    assert _ids(await store.calls(CallQuery())) == ["hfr_new", "hfr_5", "hfr_4", "hfr_3"]


async def a_call_whose_cost_is_mended_is_found_by_its_new_cost(store: Store, pass_time: PassTime) -> None:
    """Also by whoever filters by cost."""
    await held_by(store, "hfr_1", a_limit())
    await pass_time(2 * LEASE)
    await store.sweep()
    await store.record(replace(a_record("hfr_1", cost_pico=0), attempts=1))
    await store.settle([an_attempt("hfr_1", cost_pico=3 * DOLLAR)])
    page = await store.calls(CallQuery(filter=term("cost", ">", Decimal(2))))
    assert [call.cost for call in page.calls] == [Decimal(3)]
    assert (await store.calls(CallQuery(filter=term("cost", "<", Decimal(2))))).calls == ()


def _ids(page: CallPage) -> list[str]:
    return [call.request_id for call in page.calls]


LISTING_CONTRACTS: tuple[Callable[[Store], Awaitable[None]], ...] = (
    a_story_comes_back_with_its_call_and_in_no_list,
    every_filter_finds_what_it_means,
    terms_hold_together_and_those_of_one_field_are_alternatives,
    pages_hold_every_call_once,
    a_page_stays_where_it_was_when_calls_come,
)
LISTING_LEASE_CONTRACTS: tuple[LeaseContract, ...] = (a_call_whose_cost_is_mended_is_found_by_its_new_cost,)
