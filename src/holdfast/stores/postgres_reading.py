"""What a PostgreSQL store is asked without changing anything."""

from collections.abc import Sequence

from holdfast.policy.holds import Hold
from holdfast.ports import AttemptRecord, AuditEntry, CallRecord, Entry, RunRecord, Spend, SpendQuery, Totals
from holdfast.stores.postgres_link import Db, Row
from holdfast.stores.postgres_table import (
    SELECT_ATTEMPTS,
    SELECT_CALLS,
    SELECT_RUNS,
    SELECT_STORY,
    to_attempt,
    to_call,
    to_filed,
    to_run,
)
from holdfast.stores.reports import PLAIN, SUMS, bounds, finest, fold, stretches
from holdfast.stores.reports import Row as SummedRow
from holdfast.stores.rollups import Stretch, finest_table, stretches_of


async def find(db: Db, request_id: str) -> CallRecord | None:
    """`Ledger.find`."""
    row = await db.fetchrow(SELECT_STORY, request_id)
    return None if row is None else to_call(row)


async def newest(db: Db, limit: int) -> tuple[CallRecord, ...]:
    """`Ledger.newest`."""
    rows = await db.fetch(f"{SELECT_CALLS} ORDER BY sequence DESC LIMIT $1", max(0, limit))
    return tuple(to_call(row) for row in rows)


async def attempts_of(db: Db, request_id: str) -> tuple[AttemptRecord, ...]:
    """`Ledger.attempts_of`."""
    rows = await db.fetch(f"{SELECT_ATTEMPTS} WHERE request_id = $1 ORDER BY number", request_id)
    return tuple(to_attempt(row) for row in rows)


async def attempts(db: Db, after: str | None, limit: int) -> tuple[AttemptRecord, ...]:
    """`Ledger.attempts`."""
    rows = await db.fetch(f"{SELECT_ATTEMPTS} WHERE id > $1 ORDER BY id LIMIT $2", after or "", max(0, limit))
    return tuple(to_attempt(row) for row in rows)


async def totals(db: Db) -> Totals:
    """`Ledger.totals`."""
    names = ("calls", "input_tokens", "output_tokens", "cost_pico", "unpriced")
    row = await db.fetchrow(f"SELECT {', '.join(f'sum({name}) AS {name}' for name in names)} FROM totals")
    assert row is not None
    return Totals(**{name: int(row[name]) for name in names})


async def spend(db: Db, query: SpendQuery) -> tuple[Spend, ...]:
    """`Ledger.spend`: summed by the database as far as it can, then by what only we know, such as names of days."""
    rows: list[SummedRow] = []
    match finest(query):
        case "hour":
            rows += await _summed(db, query, "hour", (finest_table(query), *bounds(query)))
        case "day":
            for since, until, distance in stretches(*await _known(db, query), query.timezone):
                for part in stretches_of(query, since, until, by_day=not distance):
                    rows += await _summed(db, query, f"(hour * 3600 + {distance}) / 86400", part)
        case None:
            for part in stretches_of(query, *bounds(query), by_day=True):
                rows += await _summed(db, query, None, part)
    return fold(rows, query)


async def _known(db: Db, query: SpendQuery) -> tuple[int, int]:
    """The hours of the query in which anything was spent at all."""
    statement = f"SELECT min(hour), max(hour) + 1 FROM {finest_table(query)} WHERE hour >= $1 AND hour < $2"
    since, until = await db.fetchrow(statement, *bounds(query)) or (0, 0)
    return since or 0, until or 0


async def _summed(db: Db, query: SpendQuery, unit: str | None, part: Stretch) -> list[SummedRow]:
    columns = [f'"{name}"' for name in PLAIN if name in query.by or name in query.where]
    asked = {name: value for name, value in query.where.items() if name in PLAIN}
    conditions = [f' AND "{name}" = ${number}' for number, name in enumerate(asked, start=3)]
    sums = [f"sum({name}) AS {name}" for name in SUMS]
    groups = [*columns, *([] if unit is None else [unit])]
    table, *hours = part
    statement = (
        f"SELECT {', '.join(['min(hour) AS hour', *columns, *sums])} FROM {table}"
        f" WHERE hour >= $1 AND hour < $2{''.join(conditions)}{' GROUP BY ' + ', '.join(groups) if groups else ''}"
    )
    # Summed over nothing there is still one row, and its sums are null.
    rows = await db.fetch(statement, *hours, *asked.values())
    return [_summed_row(row) for row in rows if row["attempts"] is not None]


def _summed_row(row: Row) -> SummedRow:
    sums = tuple(int(row[name]) for name in SUMS)
    return row["hour"], tuple(row.get(name) for name in PLAIN), sums


async def used(db: Db, windows: Sequence[str]) -> dict[str, tuple[int, int]]:
    """`Holds.used`."""
    statement = "SELECT key, settled, reserved FROM counters WHERE key = ANY($1::text[]) AND touched"
    return {row["key"]: (row["settled"], row["reserved"]) for row in await db.fetch(statement, list(windows))}


async def held(db: Db) -> tuple[Hold, ...]:
    """`Holds.held`."""
    rows = await db.fetch(f"{SELECT_ATTEMPTS} WHERE state = 'held' ORDER BY id")
    return tuple(to_filed(row).hold for row in rows)


async def run(db: Db, name: str) -> RunRecord | None:
    """`Runs.run`."""
    row = await db.fetchrow(f"{SELECT_RUNS} WHERE run = $1", name)
    return None if row is None else to_run(row)


async def runs(db: Db, limit: int) -> tuple[RunRecord, ...]:
    """`Runs.runs`."""
    rows = await db.fetch(f"{SELECT_RUNS} ORDER BY last_at DESC LIMIT $1", max(0, limit))
    return tuple(to_run(row) for row in rows)


async def entries(db: Db, kind: str) -> tuple[Entry, ...]:
    """`Register.entries`."""
    statement = "SELECT kind, name, body, revision, at FROM register WHERE kind = $1 ORDER BY name"
    return tuple(Entry(**dict(row)) for row in await db.fetch(statement, kind))


async def revision(db: Db) -> int:
    """`Register.revision`."""
    value: int = await db.fetchval("SELECT value FROM revision")
    return value


async def audit(db: Db, limit: int) -> tuple[AuditEntry, ...]:
    """`Register.audit`."""
    statement = "SELECT at, actor, action, kind, name, note FROM audit ORDER BY sequence DESC LIMIT $1"
    return tuple(AuditEntry(**dict(row)) for row in await db.fetch(statement, max(0, limit)))
