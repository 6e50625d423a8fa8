"""Records as rows of SQLite, and back."""

import sqlite3
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from holdfast.ports import AttemptRecord, CallRecord, RunRecord
from holdfast.stores.draft import Filed
from holdfast.stores.rows import (
    ATTEMPT_COLUMNS,
    CALL_COLUMNS,
    KEPT_COLUMNS,
    attempt_columns,
    attempt_record,
    call_columns,
    call_record,
    decode_texts,
    encode_texts,
    filed_attempt,
    moment,
)

Arguments = Sequence[Any]

RUN_COLUMNS = ("run", "first_at", "last_at", "calls", "cost_pico", "agents", "depth")


def _names(columns: Sequence[str]) -> str:
    return ", ".join(f'"{column}"' for column in columns)


def _insert(table: str, columns: Sequence[str]) -> str:
    return f"INSERT INTO {table} ({_names(columns)}) VALUES ({', '.join('?' * len(columns))})"


def _upsert(table: str, columns: Sequence[str], key: str) -> str:
    changes = ", ".join(f'"{column}" = excluded."{column}"' for column in columns if column != key)
    return f"{_insert(table, columns)} ON CONFLICT ({key}) DO UPDATE SET {changes}"


INSERT_CALL = f"{_insert('calls', (*KEPT_COLUMNS, 'cost'))} ON CONFLICT DO NOTHING"
SELECT_CALLS = f"SELECT {_names(CALL_COLUMNS)} FROM calls"
SELECT_STORY = f"SELECT {_names(KEPT_COLUMNS)} FROM calls WHERE request_id = ?"
MEND_CALL = "UPDATE calls SET cost_pico = ?, cost = ?, price_version = ? WHERE request_id = ?"
UPSERT_ATTEMPT = _upsert("attempts", ATTEMPT_COLUMNS, "id")
SELECT_ATTEMPTS = f"SELECT {_names(ATTEMPT_COLUMNS)} FROM attempts"
UPSERT_RUN = _upsert("runs", RUN_COLUMNS, "run")
SELECT_RUNS = f"SELECT {_names(RUN_COLUMNS)} FROM runs"


def calls(db: sqlite3.Connection, where: str, arguments: Arguments) -> tuple[CallRecord, ...]:
    """The calls that `where` describes."""
    return found_calls(db, (f"{SELECT_CALLS} {where}", arguments))


def found_calls(db: sqlite3.Connection, statement: tuple[str, Arguments]) -> tuple[CallRecord, ...]:
    """The calls that a statement on `SELECT_CALLS` finds."""
    rows = db.execute(*statement)
    return tuple(call_record(dict(zip(CALL_COLUMNS, row, strict=True))) for row in rows)


def told_call(db: sqlite3.Connection, request_id: str) -> CallRecord | None:
    """The call of that id with its story."""
    row = db.execute(SELECT_STORY, (request_id,)).fetchone()
    return None if row is None else call_record(dict(zip(KEPT_COLUMNS, row, strict=True)))


def attempts(db: sqlite3.Connection, where: str, arguments: Arguments) -> tuple[AttemptRecord, ...]:
    """The attempts that `where` describes."""
    rows = db.execute(f"{SELECT_ATTEMPTS} {where}", arguments)
    return tuple(attempt_record(dict(zip(ATTEMPT_COLUMNS, row, strict=True))) for row in rows)


def filed_attempts(db: sqlite3.Connection, where: str, arguments: Arguments) -> tuple[Filed, ...]:
    """The attempts that `where` describes, with their holds."""
    rows = db.execute(f"{SELECT_ATTEMPTS} {where}", arguments)
    return tuple(filed_attempt(dict(zip(ATTEMPT_COLUMNS, row, strict=True))) for row in rows)


def runs(db: sqlite3.Connection, where: str, arguments: Arguments) -> tuple[RunRecord, ...]:
    """The runs that `where` describes."""
    return tuple(_run_record(row) for row in db.execute(f"{SELECT_RUNS} {where}", arguments))


def call_row(entry: CallRecord) -> Arguments:
    """A call as a row for `INSERT_CALL`."""
    columns = call_columns(entry)
    return (*(columns[name] for name in KEPT_COLUMNS), comparable(entry.cost_pico))


def comparable(cost_pico: int | None) -> float | None:
    """A cost as it is compared by: two that differ by less than a float can tell stand for each other."""
    return None if cost_pico is None else float(cost_pico)


def attempt_row(filed: Filed) -> Arguments:
    """An attempt as a row for `UPSERT_ATTEMPT`."""
    columns = attempt_columns(filed)
    return tuple(columns[name] for name in ATTEMPT_COLUMNS)


def run_row(run: RunRecord) -> Arguments:
    """A run as a row for `UPSERT_RUN`."""
    agents = encode_texts(run.agents)
    return (run.run, moment(run.first_at), moment(run.last_at), run.calls, run.cost_pico, agents, run.depth)


def _run_record(row: Any) -> RunRecord:
    run, first_at, last_at, calls, cost_pico, agents, depth = row
    return RunRecord(
        run=run,
        first_at=datetime.fromisoformat(first_at),
        last_at=datetime.fromisoformat(last_at),
        calls=calls,
        cost_pico=cost_pico,
        agents=decode_texts(agents),
        depth=depth,
    )
