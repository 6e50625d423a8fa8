"""What a PostgreSQL store is asked without changing anything."""

from collections.abc import Sequence

from holdfast.policy.holds import Hold
from holdfast.ports import AttemptRecord, AuditEntry, CallRecord, Entry, RunRecord, Spend, SpendQuery, Totals
from holdfast.stores.postgres_link import Db, Row
from holdfast.stores.postgres_table import (
    SELECT_ATTEMPTS,
    SELECT_CALLS,
    SELECT_RUNS,
    to_attempt,
    to_call,
    to_filed,
    to_run,
)
from holdfast.stores.reports import PLAIN, SUMS, bounds, fold, needs_hours, needs_runs
from holdfast.stores.reports import Row as SummedRow


async def find(db: Db, request_id: str) -> CallRecord | None:
    """`Ledger.find`."""
    row = await db.fetchrow(f"{SELECT_CALLS} WHERE request_id = $1", request_id)
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
    """`Ledger.spend`: summed by the database as far as it can, then by what only we know, such as days."""
    table = "spend_of_runs" if needs_runs(query) else "spend"
    groups = [f'"{name}"' for name in PLAIN if name in query.by or name in query.where]
    groups += ["hour"] if needs_hours(query) else []
    asked = {name: value for name, value in query.where.items() if name in PLAIN}
    conditions = [f' AND "{name}" = ${number}' for number, name in enumerate(asked, start=3)]
    sums = [f"sum({name}) AS {name}" for name in SUMS]
    # Summed over nothing there is still one row, and its sums are null.
    statement = (
        f"SELECT {', '.join([*groups, *sums])} FROM {table} WHERE hour >= $1 AND hour < $2{''.join(conditions)}"
        f"{' GROUP BY ' + ', '.join(groups) if groups else ''}"
    )
    rows = await db.fetch(statement, *bounds(query), *asked.values())
    return fold([_summed(row) for row in rows if row["attempts"] is not None], query)


def _summed(row: Row) -> SummedRow:
    sums = tuple(int(row[name]) for name in SUMS)
    return row.get("hour", 0), tuple(row.get(name) for name in PLAIN), sums


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
