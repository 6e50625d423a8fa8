"""Lists of calls held against the plainest model there is: sort everything, keep what is meant, cut it into pages."""

import asyncio
import contextlib
import sqlite3
import tempfile
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from importlib.resources import files
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.policy.filter_fields import Field, Op
from holdfast.policy.request_filter import RequestFilter, Term
from holdfast.ports import CallQuery, CallRecord, Store
from holdfast.stores import listing
from holdfast.stores.memory import MemoryStore
from holdfast.stores.postgres import PostgresStore
from holdfast.stores.sqlite import SqliteStore
from holdfast.testing.conformance_listing import A_STORY, every_term, expected, term, walked
from holdfast.testing.conformance_records import AT, DOLLAR, a_record
from holdfast.wire.usage import Usage
from tests.servers.fixtures import connected

TERMS = st.lists(st.sampled_from(every_term()), max_size=3).map(
    lambda terms: RequestFilter(terms=tuple(terms))
)
NAMES = st.sampled_from((None, "", "claude", "김철수", "%", "a%b_c'\"\\"))


@st.composite
def calls(draw: st.DrawFn) -> list[CallRecord]:
    ids = draw(st.lists(st.sampled_from([f"hfr_{n}" for n in range(12)]), max_size=8, unique=True))
    return [draw(a_call(name)) for name in ids]


@st.composite
def a_call(draw: st.DrawFn, name: str) -> CallRecord:
    return replace(
        a_record(name, cost_pico=draw(st.sampled_from((None, 0, 105_000_000, DOLLAR, 2**70, 2**70 + 1)))),
        at=AT + timedelta(microseconds=draw(st.integers(-2, 2))),
        user=draw(NAMES),
        agent=draw(NAMES),
        model=draw(NAMES) or "",
        end=draw(st.sampled_from(("answered", "refused", "failed", "abandoned"))),
        outcome=draw(st.sampled_from(("answered", "cached", "fallback"))),
        blame=draw(st.sampled_from((None, "us", "claude"))),
        stream=draw(st.booleans()),
        status=draw(st.sampled_from((200, 429))),
        attempts=draw(st.integers(0, 2)),
        duration_ms=draw(st.sampled_from((0.1, 12.5))),
        usage=Usage(input_tokens=draw(st.sampled_from((0, 17, 10**6)))),
        story=draw(st.sampled_from((None, A_STORY))),
    )


def run(tell: Callable[[Sequence[Store]], Coroutine[object, object, None]]) -> None:
    async def main() -> None:
        with tempfile.TemporaryDirectory() as folder:
            sqlite = SqliteStore(Path(folder) / "h.db")
            try:
                await tell((MemoryStore(), sqlite))
            finally:
                await sqlite.aclose()

    asyncio.run(main())


@given(calls(), st.lists(TERMS, min_size=1, max_size=6), st.integers(1, 5))
@settings(max_examples=40, deadline=None)
def test_every_list_is_what_the_plainest_model_says(
    records: list[CallRecord], filters: list[RequestFilter], limit: int
) -> None:
    async def tell(stores: Sequence[Store]) -> None:
        for store in stores:
            for record in records:
                await store.record(record)
            for wanted in filters:
                assert await walked(store, wanted, limit) == expected(records, wanted), wanted

    run(tell)


@pytest.fixture
async def postgres(postgres_schema: str) -> AsyncIterator[PostgresStore]:
    store = PostgresStore(postgres_schema, patience=20.0)
    yield store
    await store.aclose()


async def both(store: PostgresStore, folder: Path) -> tuple[Store, ...]:
    return (store, SqliteStore(folder / "h.db"))


async def filled(stores: Sequence[Store], count: int = 25) -> list[CallRecord]:
    records = [
        replace(a_record(f"hfr_{number}"), at=AT + timedelta(seconds=number), status=500 + number % 5)
        for number in range(count)
    ]
    for store in stores:
        for record in records:
            await store.record(record)
    return records


async def test_a_store_looks_through_so_many_calls_at_once_and_says_where_to_go_on(
    postgres: PostgresStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listing, "SCAN", 4)
    monkeypatch.setattr(listing, "SLOW_SCAN", 3)
    stores = await both(postgres, tmp_path)
    records = await filled(stores)
    for store in stores:
        rare = term("status", "=", 500)
        first = await store.calls(CallQuery(filter=rare, limit=10))
        assert [call.request_id for call in first.calls] == []
        assert first.following is not None
        for wanted in (rare, term("model", "~", "nobody"), term("status", "!=", 500)):
            assert await walked(store, wanted, 2) == expected(records, wanted)
    await stores[1].aclose()


async def test_what_no_database_can_be_asked_for_is_looked_for_in_rounds(
    postgres: PostgresStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listing, "CHUNK", 3)
    monkeypatch.setattr(listing, "ROUNDS", 2)
    stores = await both(postgres, tmp_path)
    records = await filled(stores)
    dear = RequestFilter(
        terms=(Term(field="user", op="!=", value="\0"), Term(field="status", op="=", value=500))
    )
    for store in stores:
        for wanted in (dear, term("user", "=", "\ud800"), term("cost", "!=", Decimal("0.000105"))):
            assert await walked(store, wanted, 1) == expected(records, wanted)
    await stores[1].aclose()


async def test_the_exact_cost_tells_apart_what_is_one_to_a_float(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "h.db")
    for number in range(3):
        await store.record(a_record(f"hfr_{number}", cost_pico=2**70 + number))
    exact = Decimal(2**70 + 1).scaleb(-12)
    told: dict[Op, list[str]] = {">": ["hfr_2"], "=": ["hfr_1"], "<": ["hfr_0"], ">=": ["hfr_2", "hfr_1"]}
    for op, names in told.items():
        page = await store.calls(CallQuery(filter=term("cost", op, exact)))
        assert [call.request_id for call in page.calls] == names
    await store.aclose()


OLD_CALL = """
INSERT INTO calls (request_id, at, door, key, "user", run, agent, model, served_model, upstream, stream, "end",
    status, error_code, attempts, stop_reason, usage, estimated, cost_pico, price_version, duration_ms)
VALUES ('hfr_{0}', '2026-11-0{0} 12:00:00+00:00', 'gateway', 'local', NULL, 'run', NULL, 'claude-sonnet-5-5', NULL,
    NULL, {1}, '{2}', 200, NULL, 1, NULL, '{{"input_tokens":10,"output_tokens":7}}', {1}, '{3}', 'v1', 12.5)
"""
OLD_CALLS = ((1, "answered", 10**12), (2, "refused", 0), (3, "failed", 2 * 10**12))


async def is_as_it_was(store: Store) -> None:
    """The calls of a ledger from before there were stories are found by everything that is known of them."""
    found = await store.calls(CallQuery())
    assert [(call.request_id, call.outcome, call.end) for call in found.calls] == [
        ("hfr_3", "failed", "failed"),
        ("hfr_2", "refused", "refused"),
        ("hfr_1", "answered", "answered"),
    ]
    old = await store.find("hfr_1")
    assert old is not None
    assert (old.decided_by, old.blame, old.story, old.cost) == (None, None, None, Decimal(1))
    for wanted, names in (
        (term("outcome", "=", "failed"), ["hfr_3"]),
        (term("end", "=", "answered"), ["hfr_1"]),
        (term("cost", ">", Decimal("0.5")), ["hfr_3", "hfr_1"]),
        (term("tokens", "=", 17), ["hfr_3", "hfr_2", "hfr_1"]),
        (term("tokens", ">", 17), []),
        (term("run", "=", "run"), ["hfr_3", "hfr_2", "hfr_1"]),
    ):
        page = await store.calls(CallQuery(filter=wanted))
        assert [call.request_id for call in page.calls] == names
    new = replace(a_record("hfr_4"), story=A_STORY)
    await store.record(new)
    assert await store.find("hfr_4") == new
    assert await store.prune(AT) == 3


async def test_a_file_of_the_holdfast_before_goes_on_working(tmp_path: Path) -> None:
    path = tmp_path / "h.db"
    with contextlib.closing(sqlite3.connect(path)) as db:
        for name in ("sqlite_0001.sql", "sqlite_0002.sql"):
            db.executescript(files("holdfast.stores").joinpath("sql", name).read_text("utf-8"))
        for number, end, cost in OLD_CALLS:
            moment = f"2026-11-0{number}T12:00:00.000000+00:00"
            db.execute(OLD_CALL.format(number, 1, end, cost))
            db.execute("UPDATE calls SET at = ? WHERE request_id = ?", (moment, f"hfr_{number}"))
        db.execute("PRAGMA user_version = 2")
        db.commit()
    store = SqliteStore(path)
    await is_as_it_was(store)
    await store.aclose()


async def test_a_database_of_the_holdfast_before_goes_on_working(
    postgres: PostgresStore, postgres_schema: str
) -> None:
    script = files("holdfast.stores").joinpath("sql", "postgres_0001.sql").read_text("utf-8")
    async with connected(postgres_schema) as db:
        await db.execute(script)
        await db.execute("CREATE TABLE holdfast_migrations (number BIGINT PRIMARY KEY)")
        await db.execute("INSERT INTO holdfast_migrations VALUES (1)")
        for number, end, cost in OLD_CALLS:
            await db.execute(OLD_CALL.format(number, "true", end, cost))
    await is_as_it_was(postgres)


async def test_names_as_long_as_a_caller_likes_are_written_down_and_found(postgres: PostgresStore) -> None:
    long = "".join(chr(0x4E00 + number * 7 % 20_000) for number in range(5_000))
    record = replace(a_record("hfr_1"), model=long, error_code=long, agent=long)
    await postgres.record(record)
    fields: tuple[Field, ...] = ("model", "code", "agent")
    for field in fields:
        page = await postgres.calls(CallQuery(filter=term(field, "=", long)))
        assert page.calls == (record,)
