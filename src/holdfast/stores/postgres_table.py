"""The tables of a PostgreSQL store: what is read under lock, and written back in one statement for many rows."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import reduce
from typing import Any

import msgspec

from holdfast.policy.holds import Counter
from holdfast.ports import AttemptRecord, CallRecord, RunRecord
from holdfast.stores.draft import NOTHING, Filed, Group, Sums
from holdfast.stores.postgres_link import Db, Row
from holdfast.stores.rollups import added, of_any_run, of_day, of_everybody
from holdfast.stores.rows import (
    ATTEMPT_COLUMNS,
    CALL_COLUMNS,
    KEPT_COLUMNS,
    Columns,
    attempt_columns,
    attempt_record,
    call_columns,
    call_record,
    decode_texts,
    encode_texts,
    filed_attempt,
)

TYPES: Mapping[str, str] = {
    **dict.fromkeys(("at", "first_at", "last_at"), "timestamptz"),
    **dict.fromkeys(("stream", "estimated", "unbilled"), "boolean"),
    **dict.fromkeys(("status", "attempts", "number", "fence", "hour", "calls", "depth", "tokens"), "bigint"),
    **dict.fromkeys(("settled", "reserved", "alerted"), "bigint"),
    **dict.fromkeys(("cost_pico", "hold_pico", "presumed_pico", "charged_pico", "estimated_pico"), "numeric"),
    **dict.fromkeys(("input_tokens", "output_tokens", "unpriced"), "numeric"),
    **dict.fromkeys(("duration_ms", "lease_until"), "double precision"),
}
"""The types of columns that are not text."""

SUMS = ("attempts", "input_tokens", "output_tokens", "cost_pico", "estimated_pico", "unpriced")
GROUP = ("hour", "model", "upstream", "key", "user", "run")
RUN_COLUMNS = ("run", "first_at", "last_at", "calls", "cost_pico", "agents", "depth")

_encode = msgspec.json.Encoder().encode


def names(columns: Iterable[str], prefix: str = "") -> str:
    """Columns as SQL names them."""
    return ", ".join(f'{prefix}"{column}"' for column in columns)


def given(columns: Sequence[str]) -> str:
    """A table of what a statement is given: one array for each column."""
    arrays = ", ".join(
        f"${number}::{TYPES.get(column, 'text')}[]" for number, column in enumerate(columns, start=1)
    )
    return f"unnest({arrays}) AS given({names(columns)})"


def update(table: str, columns: Sequence[str]) -> str:
    """A statement that writes many rows anew, found by the first of the columns."""
    key, *rest = columns
    return (
        f"UPDATE {table} SET ({names(rest)}) = ROW({names(rest, 'given.')}) FROM {given(columns)}"
        f' WHERE {table}."{key}" = given."{key}"'
    )


SELECT_CALLS = f"SELECT {names(CALL_COLUMNS)} FROM calls"
SELECT_STORY = f"SELECT {names(KEPT_COLUMNS)} FROM calls WHERE request_id = $1"
SELECT_ATTEMPTS = f"SELECT {names(ATTEMPT_COLUMNS)} FROM attempts"
LOCK_ATTEMPTS = f"{SELECT_ATTEMPTS} WHERE id = ANY($1::text[]) ORDER BY id FOR UPDATE"
INSERT_ATTEMPTS = f"INSERT INTO attempts ({names(ATTEMPT_COLUMNS)}) SELECT * FROM {given(ATTEMPT_COLUMNS)}"
UPDATE_ATTEMPTS = update("attempts", ATTEMPT_COLUMNS)

NOW = "extract(epoch FROM clock_timestamp())::double precision"
MAKE_COUNTERS = (
    "WITH made AS (INSERT INTO counters (key) SELECT * FROM unnest($1::text[]) ON CONFLICT DO NOTHING)"
    f" SELECT {NOW}"
)
COUNTER_COLUMNS = ("key", "settled", "reserved", "alerted")
LOCK_COUNTERS = (
    f"SELECT {names(COUNTER_COLUMNS)} FROM counters WHERE key = ANY($1::text[]) ORDER BY key FOR UPDATE"
)
UPDATE_COUNTERS = (
    "UPDATE counters SET settled = given.settled, reserved = given.reserved, alerted = given.alerted, touched = TRUE"
    f" FROM {given(COUNTER_COLUMNS)} WHERE counters.key = given.key"
)


def _add(table: str, group: Sequence[str]) -> str:
    columns = ("id", *group, *SUMS)
    sums = ", ".join(f"{name} = {table}.{name} + excluded.{name}" for name in SUMS)
    return (
        f"INSERT INTO {table} ({names(columns)}) SELECT * FROM {given(columns)} ORDER BY id"
        f" ON CONFLICT (id) DO UPDATE SET {sums}"
    )


def _add_coarser(table: str, group: Sequence[str], key: str) -> str:
    sums = ", ".join(f"{name} = {table}.{name} + excluded.{name}" for name in SUMS)
    columns = (*group, *SUMS)
    return (
        f"INSERT INTO {table} ({names(columns)}) SELECT * FROM {given(columns)} ORDER BY {names(group)}"
        f" ON CONFLICT ({key}) DO UPDATE SET {sums}"
    )


ADD_SPEND_OF_KEYS = _add_coarser("spend_of_keys", GROUP[:4], "hour, model, upstream, key")
ADD_SPEND_OF_DAYS = _add_coarser(
    "spend_of_days", GROUP[:5], 'hour, model, upstream, key, coalesce("user", \'\'), ("user" IS NULL)'
)
ADD_SPEND = _add("spend", GROUP[:-1])
ADD_SPEND_OF_RUNS = _add("spend_of_runs", GROUP)
ADD_TOTALS = (
    "UPDATE totals SET calls = calls + $1, input_tokens = input_tokens + $2, output_tokens = output_tokens + $3,"
    " cost_pico = cost_pico + $4, unpriced = unpriced + $5 WHERE part = pg_backend_pid() % 16"
)

INSERT_CALLS = (
    f"INSERT INTO calls ({names(KEPT_COLUMNS)}) SELECT * FROM {given(KEPT_COLUMNS)}"
    " ON CONFLICT (request_id) DO NOTHING RETURNING request_id"
)
MEND_CALL = "UPDATE calls SET cost_pico = $2, price_version = $3 WHERE request_id = $1"

MAKE_RUNS = "INSERT INTO runs (run) SELECT * FROM unnest($1::text[]) ON CONFLICT DO NOTHING"
SELECT_RUNS = f"SELECT {names(RUN_COLUMNS)} FROM runs"
LOCK_RUNS = (
    "SELECT run, first_at, last_at, calls, cost_pico, depth,"
    " CASE WHEN run = ANY($2::text[]) THEN agents ELSE '{}' END AS agents"
    " FROM runs WHERE run = ANY($1::text[]) ORDER BY run FOR UPDATE"
)
UPDATE_RUNS = update("runs", ("run", "first_at", "last_at", "calls", "cost_pico"))
UPDATE_AGENTS = update("runs", ("run", "agents", "depth"))


async def write(db: Db, statement: str, rows: Sequence[Sequence[Any]]) -> None:
    """Do a statement whose parameters are the columns of `rows`."""
    if rows:
        await db.execute(statement, *(list(column) for column in zip(*rows, strict=True)))


async def make_counters(db: Db, keys: Collection[str]) -> float:
    """See that counters are there to be locked; the clock of the database, in seconds since the epoch."""
    now: float = await db.fetchval(MAKE_COUNTERS, sorted(keys))
    return now


async def lock_counters(db: Db, keys: Collection[str]) -> dict[str, Counter]:
    """The counters, locked until the end of the transaction."""
    if not keys:
        return {}
    return {
        row["key"]: Counter(settled=row["settled"], reserved=row["reserved"], alerted=row["alerted"])
        for row in await db.fetch(LOCK_COUNTERS, sorted(keys))
    }


async def write_counters(db: Db, counters: Mapping[str, Counter]) -> None:
    """Write locked counters back."""
    rows = [(key, one.settled, one.reserved, one.alerted) for key, one in counters.items()]
    await write(db, UPDATE_COUNTERS, rows)


async def lock_attempts(db: Db, ids: Collection[str]) -> dict[str, Filed]:
    """The attempts that are on record, locked until the end of the transaction."""
    if not ids:
        return {}
    return {row["id"]: to_filed(row) for row in await db.fetch(LOCK_ATTEMPTS, sorted(ids))}


async def write_attempts(db: Db, changed: Mapping[str, Filed], known: Collection[str]) -> None:
    """Write attempts; those that are `known` have a row already."""
    rows = {name: _attempt_row(filed) for name, filed in changed.items()}
    await write(db, INSERT_ATTEMPTS, [row for name, row in rows.items() if name not in known])
    await write(db, UPDATE_ATTEMPTS, [row for name, row in rows.items() if name in known])


async def add_sums(db: Db, sums: Mapping[Group, Sums], *, calls: int) -> None:
    """Add to the sums by group and to the totals."""
    by_group = added(sums, of_any_run)
    await write(db, ADD_SPEND, [_spend_row(group, GROUP[:-1], one) for group, one in by_group.items()])
    await write(db, ADD_SPEND_OF_RUNS, [_spend_row(group, GROUP, one) for group, one in sums.items()])
    for statement, coarser, columns in (
        (ADD_SPEND_OF_KEYS, of_everybody, GROUP[:4]),
        (ADD_SPEND_OF_DAYS, of_day, GROUP[:5]),
    ):
        rows = [_spend_row(group, columns, one)[1:] for group, one in added(sums, coarser).items()]
        await write(db, statement, rows)
    if calls or sums:
        all_ = reduce(Sums.plus, sums.values(), NOTHING)
        more = (calls, all_.input_tokens, all_.output_tokens, all_.cost_pico, all_.unpriced)
        await db.execute(ADD_TOTALS, *more)


async def write_calls(db: Db, calls: Sequence[CallRecord]) -> int:
    """Write calls down, each once; how many were new."""
    if not calls:
        return 0
    columns = zip(*(_call_row(call) for call in calls), strict=True)
    return len(await db.fetch(INSERT_CALLS, *(list(column) for column in columns)))


async def lock_runs(db: Db, runs: Collection[str], *, with_agents: Collection[str]) -> dict[str, RunRecord]:
    """The runs that were heard of, locked until the end of the transaction; the others have a row to fill."""
    if not runs:
        return {}
    await db.execute(MAKE_RUNS, sorted(runs))
    rows = await db.fetch(LOCK_RUNS, sorted(runs), list(with_agents))
    return {row["run"]: to_run(row) for row in rows if row["first_at"] is not None}


async def write_runs(db: Db, runs: Collection[RunRecord], *, with_agents: Collection[str]) -> None:
    """Write locked runs back, their agents only where they may have changed."""
    rows = [(run.run, run.first_at, run.last_at, run.calls, run.cost_pico) for run in runs]
    await write(db, UPDATE_RUNS, rows)
    agents = [(run.run, encode_texts(run.agents), run.depth) for run in runs if run.run in with_agents]
    await write(db, UPDATE_AGENTS, agents)


def to_call(row: Row) -> CallRecord:
    """A call from its row."""
    return call_record(dict(row))


def to_attempt(row: Row) -> AttemptRecord:
    """An attempt from its row."""
    return attempt_record(_with_integers(row))


def to_filed(row: Row) -> Filed:
    """An attempt and its hold from their row."""
    return filed_attempt(_with_integers(row))


def to_run(row: Row) -> RunRecord:
    """A run from its row."""
    values = dict(row)
    values["cost_pico"] = int(values["cost_pico"])
    values["agents"] = decode_texts(values["agents"])
    return RunRecord(**values)


def _with_integers(row: Row) -> Columns:
    values = dict(row)
    for column in ("cost_pico", "hold_pico", "presumed_pico", "charged_pico"):
        values[column] = None if values[column] is None else int(values[column])
    return values


def _attempt_row(filed: Filed) -> list[Any]:
    values = attempt_columns(filed)
    values["at"] = filed.record.at
    return [values[column] for column in ATTEMPT_COLUMNS]


def _call_row(call: CallRecord) -> list[Any]:
    values = call_columns(call)
    values["at"] = call.at
    return [values[column] for column in KEPT_COLUMNS]


def _spend_row(group: Group, columns: Sequence[str], sums: Sums) -> list[Any]:
    parts = [getattr(group, column) for column in columns]
    return [_encode(parts).decode(), *parts, *(getattr(sums, name) for name in SUMS)]
