"""Sums by group from a file of SQLite."""

import sqlite3
from collections.abc import Iterator
from typing import Any

from holdfast.ports import Spend, SpendQuery
from holdfast.stores.reports import PLAIN, SUMS, Row, bounds, finest, fold, needs_runs, stretches

HALF = 2**31
"""Money is summed in two halves, for a sum of SQLite fails beyond 63 bits."""

_HALVED = ("cost_pico", "estimated_pico")
_SUMS = ", ".join(
    f"sum({name} / {HALF}), sum({name} % {HALF})" if name in _HALVED else f"sum({name})" for name in SUMS
)


def spend(db: sqlite3.Connection, query: SpendQuery) -> tuple[Spend, ...]:
    """The sums that a query asks for."""
    return fold(_rows(db, query), query)


def _rows(db: sqlite3.Connection, query: SpendQuery) -> Iterator[Row]:
    match finest(query):
        case "hour":
            yield from _summed(db, query, "hour", bounds(query))
        case "day":
            for since, until, distance in stretches(*_known(db, query), query.timezone):
                yield from _summed(db, query, f"(hour * 3600 + {distance}) / 86400", (since, until))
        case None:
            yield from _summed(db, query, "NULL", bounds(query))


def _known(db: sqlite3.Connection, query: SpendQuery) -> tuple[int, int]:
    """The hours of the query in which anything was spent at all."""
    statement = f"SELECT min(hour), max(hour) + 1 FROM {_table(query)} WHERE hour >= ? AND hour < ?"
    since, until = db.execute(statement, bounds(query)).fetchone()
    return since or 0, until or 0


def _summed(db: sqlite3.Connection, query: SpendQuery, unit: str, hours: tuple[int, int]) -> Iterator[Row]:
    columns = [name for name in PLAIN if name in query.by or name in query.where]
    filters = [(name, value) for name, value in query.where.items() if name in PLAIN]
    selected = ["min(hour)", *(name if name in columns else "NULL" for name in PLAIN), _SUMS]
    conditions = ["hour >= ?", "hour < ?", *(f"{name} = ?" for name, _ in filters)]
    statement = (
        f"SELECT {', '.join(selected)} FROM {_table(query)} WHERE {' AND '.join(conditions)}"
        f" GROUP BY {', '.join([unit, *columns])}"
    )
    return map(_row, db.execute(statement, (*hours, *(value for _, value in filters))))


def _table(query: SpendQuery) -> str:
    return "spend_of_runs" if needs_runs(query) else "spend"


def _row(row: tuple[Any, ...]) -> Row:
    hour, *values = row[: 1 + len(PLAIN)]
    attempts, tokens_in, tokens_out, cost, cost_rest, estimated, estimated_rest, unpriced = row[
        1 + len(PLAIN) :
    ]
    cost, estimated = cost * HALF + cost_rest, estimated * HALF + estimated_rest
    return hour, tuple(values), (attempts, tokens_in, tokens_out, cost, estimated, unpriced)
