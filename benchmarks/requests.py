"""How long lists of requests take with a million of them: SQLite in a file and PostgreSQL, every field of a filter."""

import asyncio
import os
import random
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import asyncpg

import dev_servers
from benchmarks.holds import empty_schema
from holdfast.policy.request_filter import parse
from holdfast.policy.story import AttemptStep, GuardStep, Story
from holdfast.ports import CallCursor, CallQuery, CallRecord, SpendQuery, Store
from holdfast.stores.postgres import PostgresStore
from holdfast.stores.rows import KEPT_COLUMNS, call_columns
from holdfast.stores.sqlite import SqliteStore
from holdfast.wire.usage import Usage
from tests.servers.postgres import PostgresServer

RECORDS = 1_000_000
DAYS = 30
NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
ROUNDS = 5
BATCH = 10_000
GOAL = 0.3
"""Seconds."""
PATIENCE = 30.0
"""Seconds: what takes longer than a store waits for is to be seen, and not to end everything."""

MODELS = ("claude-sonnet-5-5",) * 7 + ("claude-haiku-5-5",) * 2 + ("claude-opus-5-5",)
GUARDS = ("stop", "screen", "pins", "fence", "run", "quota", "budget")
STORY = Story(
    guards=tuple(GuardStep(guard=name, did="passed", ms=0.012) for name in GUARDS),
    attempts=(
        AttemptStep(
            number=1,
            upstream="anthropic",
            model=MODELS[0],
            began_ms=1.204,
            first_ms=420.113,
            ended_ms=1204.9,
            status=200,
            served_model=MODELS[0],
            held_pico=61_000_000_000,
            settled_pico=12_300_000_000,
        ),
    ),
)
FILTERS = (
    "",
    "outcome:answered",
    "outcome:fallback",
    "outcome:cached",
    "end:refused",
    "model:claude-sonnet-5-5",
    "model:claude-nobody-1",
    "served:claude-opus-5-5",
    "upstream:anthropic",
    "upstream:nobody",
    "key:key-7",
    "user:user-77",
    "user:nobody",
    "run:run-1234",
    "agent:agent-3",
    "door:gateway",
    "blame:network",
    "code:overloaded_error",
    "status:504",
    "cost>0.05",
    "cost>1",
    "tokens>200000",
    "ms>100000",
    "attempts>5",
    "stream:false",
    "guard:budget",
    "id:hfr_nobody",
    "since:1h",
    "until:7d",
    "cost>0.05 since:1h",
    "-outcome:answered",
    "model~opus",
    "model~nobody",
    "user:user-77 outcome:failed",
    "outcome:cached model:claude-nobody-1",
)
SPEND = {
    "spend of this month by model": SpendQuery(since=NOW - timedelta(days=DAYS), by=("model",)),
    "spend of this month by day and key": SpendQuery(
        since=NOW - timedelta(days=DAYS), by=("day", "key"), timezone="Asia/Seoul"
    ),
    "spend of this month by user": SpendQuery(since=NOW - timedelta(days=DAYS), by=("user",)),
    "spend of today by user": SpendQuery(since=NOW - timedelta(days=1), by=("user",)),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """Seconds until the answer was there, median and least, those of CPU in this process, and what was found."""

    name: str
    median: float
    least: float
    cpu: float
    found: int

    def line(self) -> str:
        """One row of the table."""
        mark = "" if self.median <= GOAL else "  !"
        return f"{self.name:<40} {self.median * 1000:9.1f} {self.least * 1000:9.1f} {self.cpu * 1000:9.1f} {self.found:7d}{mark}"


def records(count: int) -> Iterator[CallRecord]:
    """Calls of 30 days: 97 of 100 answered, 20 keys, 200 users, runs of 40 calls."""
    dice = random.Random(1)
    step = timedelta(days=DAYS) / count
    for number in range(count):
        yield _record(number, NOW - timedelta(days=DAYS) + number * step, dice)


def _record(number: int, at: datetime, dice: random.Random) -> CallRecord:
    model, roll, user = dice.choice(MODELS), dice.random(), dice.randrange(200)
    tokens = dice.randrange(20_000), dice.randrange(2_000)
    trouble: dict[str, Any] = {}
    if roll < 0.01:
        trouble = {"end": "refused", "status": 429, "error_code": "holdfast_budget_exhausted", "attempts": 0}
        trouble |= {"decided_by": "budget", "blame": "us"}
    elif roll < 0.02:
        trouble = {"end": "failed", "status": 529, "error_code": "overloaded_error", "blame": "claude"}
        trouble |= {"attempts": 3}
    elif roll < 0.03:
        trouble = {"outcome": "fallback", "blame": "claude"}
    calm: dict[str, Any] = {"end": "answered", "status": 200, "error_code": None, "attempts": 1}
    ended: dict[str, Any] = {**calm, "decided_by": "upstream", **trouble}
    return CallRecord(
        **ended,
        request_id=f"hfr_{dice.getrandbits(96):024x}",
        at=at,
        door="gateway",
        key=f"key-{user % 20}",
        user=f"user-{user}",
        run=f"run-{number // 40}",
        agent=None,
        model=model,
        served_model=model,
        upstream="anthropic",
        stream=dice.random() < 0.8,
        stop_reason="end_turn",
        usage=Usage(input_tokens=tokens[0], output_tokens=tokens[1]),
        estimated=False,
        cost_pico=3_000_000 * tokens[0] + 15_000_000 * tokens[1],
        price_version="2026-11-01",
        duration_ms=round(dice.expovariate(1 / 4_000), 3),
        story=STORY,
    )


def batches(count: int) -> Iterator[list[list[Any]]]:
    """The same as rows of a table."""
    rows: list[list[Any]] = []
    for record in records(count):
        columns = call_columns(record)
        rows.append([columns[name] for name in KEPT_COLUMNS])
        if len(rows) == BATCH:
            yield rows
            rows = []
    yield rows


SPENT = (
    'model, upstream, key, "user"{run}, count(*), sum(tokens) - sum(tokens) / 11, sum(tokens) / 11,'
    ' {cost}, 0, 0 FROM calls GROUP BY 1, model, upstream, key, "user"{run}'
)


ROLLED = (
    "sum(attempts), sum(input_tokens), sum(output_tokens), sum(cost_pico), sum(estimated_pico), sum(unpriced)"
)
ROLLUPS = (
    f"INSERT INTO spend_of_keys SELECT hour, model, upstream, key, {ROLLED} FROM spend"
    " GROUP BY hour, model, upstream, key",
    f'INSERT INTO spend_of_days SELECT hour - hour % 24, model, upstream, key, "user", {ROLLED} FROM spend'
    ' GROUP BY hour - hour % 24, model, upstream, key, "user"',
)


def fill_sqlite(path: Path, count: int) -> None:
    """A file with so many calls."""
    names = ", ".join(f'"{name}"' for name in (*KEPT_COLUMNS, "cost"))
    marks = ", ".join("?" * (len(KEPT_COLUMNS) + 1))
    cost_at = KEPT_COLUMNS.index("cost_pico")
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("PRAGMA synchronous = OFF")
        for rows in batches(count):
            db.execute("BEGIN")
            priced = ([*row, float(row[cost_at])] for row in rows)
            db.executemany(f"INSERT INTO calls ({names}) VALUES ({marks})", priced)
            db.execute("COMMIT")
        hour = "CAST(strftime('%s', at) AS INTEGER) / 3600"
        cost = "sum(CAST(cost_pico AS INTEGER))"
        db.execute(f"INSERT INTO spend SELECT {hour}, {SPENT.format(run='', cost=cost)}")
        db.execute(f"INSERT INTO spend_of_runs SELECT {hour}, {SPENT.format(run=', run', cost=cost)}")
        for rollup in ROLLUPS:
            db.execute(rollup)


async def fill_postgres(url: str, count: int) -> None:
    """Tables with so many calls."""
    db = await asyncpg.connect(url)
    at, cost = KEPT_COLUMNS.index("at"), KEPT_COLUMNS.index("cost_pico")
    for rows in batches(count):
        for row in rows:
            row[at] = datetime.fromisoformat(row[at])
            row[cost] = int(row[cost])
        await db.copy_records_to_table("calls", records=rows, columns=KEPT_COLUMNS)
    hour = "(extract(epoch FROM at) / 3600)::bigint"
    for table, run in (("spend", ""), ("spend_of_runs", ", run")):
        spent = SPENT.format(run=run, cost="sum(cost_pico)")
        await db.execute(
            f"INSERT INTO {table} SELECT row_number() OVER ()::text, one.* FROM (SELECT {hour}, {spent}) AS one"
        )
    for rollup in ROLLUPS:
        await db.execute(rollup)
    await db.execute("VACUUM ANALYZE")  # as autovacuum does it, only now
    await db.close()


async def timed(name: str, ask: Callable[[], Awaitable[Sequence[object]]]) -> Figure:
    """One question, asked a few times after it was asked once."""
    found = len(await ask())
    taken: list[float] = []
    worked: list[float] = []
    for _ in range(ROUNDS):
        started, busy = time.perf_counter(), time.process_time()
        await ask()
        taken.append(time.perf_counter() - started)
        worked.append(time.process_time() - busy)
    return Figure(name=name, median=statistics.median(taken), least=min(taken), cpu=min(worked), found=found)


async def measure(store: Store) -> list[Figure]:
    """Every question to one store."""
    figures: list[Figure] = []
    for text in FILTERS:
        query = CallQuery(filter=parse(text, now=NOW), limit=50)
        figures.append(await timed(text or "the newest", partial(_list, store, query)))
    deep = CallQuery(after=CallCursor(at=NOW - timedelta(days=DAYS - 1), request_id=""), limit=50)
    figures.append(await timed("the page behind 966,000 others", partial(_list, store, deep)))
    for name, spend in SPEND.items():
        figures.append(await timed(name, partial(store.spend, spend)))
    return figures


async def _list(store: Store, query: CallQuery) -> Sequence[object]:
    return (await store.calls(query)).calls


async def run(url: str, folder: Path, count: int) -> None:
    """Fill both, ask both, and print the tables."""
    path = folder / "requests.db"
    sqlite = SqliteStore(path)
    await asyncio.to_thread(fill_sqlite, path, count)
    _print(f"SQLite, {count:,} requests, {path.stat().st_size / 1e6:,.0f} MB", await measure(sqlite))
    await sqlite.aclose()
    async with empty_schema(url) as schema:
        postgres = PostgresStore(schema, patience=PATIENCE)
        await postgres.check()
        await fill_postgres(schema, count)
        _print(f"PostgreSQL, {count:,} requests", await measure(postgres))
        await postgres.aclose()


def _print(title: str, figures: Sequence[Figure]) -> None:
    print(f"{title:<40} {'ms median':>9} {'ms least':>9} {'ms CPU':>9} {'found':>7}")
    print("\n".join(figure.line() for figure in figures), flush=True)


def main() -> None:
    """Print the tables; an argument is how many requests there are."""
    print(datetime.now(UTC).date())
    count = int(sys.argv[1]) if len(sys.argv) > 1 else RECORDS
    with tempfile.TemporaryDirectory() as folder:
        if url := os.environ.get(dev_servers.URLS["postgres"]):
            asyncio.run(run(url, Path(folder), count))
        else:
            with PostgresServer() as server:
                asyncio.run(run(server.url, Path(folder), count))


if __name__ == "__main__":
    main()
