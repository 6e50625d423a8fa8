"""Reports from coarser sums are those that the finest would have given, in every store and every timezone."""

import asyncio
import contextlib
import sqlite3
import tempfile
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.ports import AttemptRecord, Dimension, Payer, SpendQuery, Store
from holdfast.stores.memory import MemoryStore
from holdfast.stores.postgres import PostgresStore
from holdfast.stores.rollups import stretches_of
from holdfast.stores.sqlite import SqliteStore
from holdfast.testing.conformance_records import an_attempt
from tests.servers.fixtures import connected

BEGIN = datetime(2026, 11, 20, tzinfo=UTC)
HOURS = 24 * 4
BY: tuple[tuple[Dimension, ...], ...] = (
    (),
    ("user",),
    ("user", "day"),
    ("user", "hour"),
    ("key",),
    ("key", "day"),
    ("model", "month"),
    ("run", "user"),
)
WHERE: tuple[Mapping[Dimension, str], ...] = (
    {},
    {"user": "a"},
    {"key": "k1"},
    {"day": "2026-11-21"},
    {"run": "r"},
)


@st.composite
def an_attempt_of(draw: st.DrawFn, number: int) -> AttemptRecord:
    payer = Payer(
        key=draw(st.sampled_from(("k1", "k2"))),
        user=draw(st.sampled_from((None, "", "a"))),
        run=draw(st.sampled_from((None, "r"))),
    )
    at = BEGIN + timedelta(hours=draw(st.integers(0, HOURS - 1)), minutes=draw(st.sampled_from((0, 59))))
    cost = draw(st.sampled_from((None, 0, 2**number)))
    model = draw(st.sampled_from(("m", "n")))
    return an_attempt(f"hfr_{number}", cost_pico=cost, at=at, payer=payer, model=model)


@st.composite
def attempts(draw: st.DrawFn) -> list[AttemptRecord]:
    return [draw(an_attempt_of(number)) for number in range(draw(st.integers(0, 12)))]


@st.composite
def a_query(draw: st.DrawFn) -> SpendQuery:
    ends = st.one_of(st.none(), st.integers(-2, HOURS + 2).map(lambda hour: BEGIN + timedelta(hours=hour)))
    return SpendQuery(
        since=draw(ends),
        until=draw(ends),
        by=draw(st.sampled_from(BY)),
        where=draw(st.sampled_from(WHERE)),
        timezone=draw(st.sampled_from(("UTC", "Asia/Seoul", "America/New_York"))),
    )


async def agree(
    plain: Store, other: Store, kept: Sequence[AttemptRecord], asked: Sequence[SpendQuery]
) -> None:
    for store in (plain, other):
        await store.settle(kept)
        # Another price, so that sums also shrink.
        await store.reprice({one.id: (1, "v2") for one in kept[::2]})
    for query in asked:
        assert await other.spend(query) == await plain.spend(query), query


@given(attempts(), st.lists(a_query(), min_size=1, max_size=12))
@settings(max_examples=40, deadline=None)
def test_every_report_is_that_of_the_finest_sums(kept: list[AttemptRecord], asked: list[SpendQuery]) -> None:
    async def tell() -> None:
        with tempfile.TemporaryDirectory() as folder:
            sqlite = SqliteStore(Path(folder) / "h.db")
            try:
                await agree(MemoryStore(), sqlite, kept, asked)
            finally:
                await sqlite.aclose()

    asyncio.run(tell())


@pytest.fixture
async def postgres(postgres_schema: str) -> AsyncIterator[PostgresStore]:
    store = PostgresStore(postgres_schema, patience=20.0)
    yield store
    await store.aclose()


def some_attempts() -> list[AttemptRecord]:
    users = (None, "", "a", "b")
    return [
        an_attempt(
            f"hfr_{number}",
            cost_pico=2**number,
            at=BEGIN + timedelta(hours=number * 5),
            payer=Payer(key=f"k{number % 2}", user=users[number % 4], run="r"),
        )
        for number in range(18)
    ]


def some_queries() -> list[SpendQuery]:
    spans = ((None, None), (BEGIN + timedelta(hours=7), BEGIN + timedelta(hours=77)), (BEGIN, BEGIN))
    return [
        SpendQuery(since=since, until=until, by=by, where=where, timezone=timezone)
        for since, until in spans
        for by in BY
        for where in WHERE
        for timezone in ("UTC", "Asia/Seoul")
    ]


async def test_every_report_of_postgresql_is_that_of_the_finest_sums(postgres: PostgresStore) -> None:
    await agree(MemoryStore(), postgres, some_attempts(), some_queries())


async def test_a_month_by_user_reads_days_and_only_the_ends_by_the_hour() -> None:
    query = SpendQuery(by=("user",))
    assert [*stretches_of(query, 30, 100, by_day=True)] == [
        ("spend", 30, 48),
        ("spend_of_days", 48, 96),
        ("spend", 96, 100),
    ]
    assert [*stretches_of(query, 24, 48, by_day=True)] == [("spend_of_days", 24, 48)]
    assert [*stretches_of(query, 30, 50, by_day=True)] == [("spend", 30, 50)]
    assert [*stretches_of(query, 24, 48, by_day=False)] == [("spend", 24, 48)]
    assert [*stretches_of(SpendQuery(by=("key",)), 24, 48, by_day=True)] == [("spend_of_keys", 24, 48)]
    assert [*stretches_of(SpendQuery(where={"run": "r"}), 24, 48, by_day=True)] == [("spend_of_runs", 24, 48)]


SPENT = """
INSERT INTO spend (id, hour, model, upstream, key, "user", attempts, input_tokens, output_tokens, cost_pico,
    estimated_pico, unpriced)
VALUES ('{0}', {1}, 'm', 'u', 'k', {2}, 1, 10, 7, {3}, 0, 0)
"""
ROWS = ((48, "NULL", 1), (49, "''", 2), (71, "'a'", 4), (72, "'a'", 8))


async def is_rolled_up(store: Store) -> None:
    by_user = {one.group["user"]: one.cost_pico for one in await store.spend(SpendQuery(by=("user",)))}
    assert by_user == {None: 1, "": 2, "a": 12}
    (whole,) = await store.spend(SpendQuery(by=("key",)))
    assert (whole.attempts, whole.cost_pico) == (4, 15)
    attempt = replace(an_attempt("hfr_1", cost_pico=16), payer=Payer(key="k"), model="m", upstream="u")
    await store.settle([replace(attempt, at=datetime.fromtimestamp(48 * 3600, UTC))])
    by_user = {one.group["user"]: one.cost_pico for one in await store.spend(SpendQuery(by=("user",)))}
    assert by_user == {None: 17, "": 2, "a": 12}


async def test_the_sums_of_a_file_from_before_are_rolled_up(tmp_path: Path) -> None:
    path = tmp_path / "h.db"
    with contextlib.closing(sqlite3.connect(path)) as db:
        for number in range(1, 5):
            script = files("holdfast.stores").joinpath("sql", f"sqlite_000{number}.sql").read_text("utf-8")
            db.executescript(script)
        for hour, user, cost in ROWS:
            db.execute(SPENT.format("", hour, user, cost).replace("(id, ", "(").replace("('', ", "("))
        db.execute("PRAGMA user_version = 4")
        db.commit()
    store = SqliteStore(path)
    await is_rolled_up(store)
    await store.aclose()


async def test_the_sums_of_a_database_from_before_are_rolled_up(
    postgres: PostgresStore, postgres_schema: str
) -> None:
    async with connected(postgres_schema) as db:
        await db.execute("CREATE TABLE holdfast_migrations (number BIGINT PRIMARY KEY)")
        for number in range(1, 6):
            script = files("holdfast.stores").joinpath("sql", f"postgres_000{number}.sql").read_text("utf-8")
            await db.execute(script)
            await db.execute("INSERT INTO holdfast_migrations VALUES ($1)", number)
        for hour, user, cost in ROWS:
            await db.execute(SPENT.format(f"{hour}", hour, user, cost))
    await is_rolled_up(postgres)
