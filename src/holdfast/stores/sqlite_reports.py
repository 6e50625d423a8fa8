"""Sums by group from a file of SQLite."""

import sqlite3
from collections.abc import Iterator
from typing import Any

from holdfast.ports import Spend, SpendQuery
from holdfast.stores.reports import PLAIN, SUMS, Row, bounds, finest, fold, stretches
from holdfast.stores.rollups import Stretch, finest_table, stretches_of

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
            yield from _summed(db, query, "hour", (finest_table(query), *bounds(query)))
        case "day":
            for since, until, distance in stretches(*_known(db, query), query.timezone):
                for part in stretches_of(query, since, until, by_day=not distance):
                    yield from _summed(db, query, f"(hour * 3600 + {distance}) / 86400", part)
        case None:
            for part in stretches_of(query, *bounds(query), by_day=True):
                yield from _summed(db, query, "NULL", part)


def _known(db: sqlite3.Connection, query: SpendQuery) -> tuple[int, int]:
    """The hours of the query in which anything was spent at all."""
    statement = f"SELECT min(hour), max(hour) + 1 FROM {finest_table(query)} WHERE hour >= ? AND hour < ?"
    since, until = db.execute(statement, bounds(query)).fetchone()
    return since or 0, until or 0


def _summed(db: sqlite3.Connection, query: SpendQuery, unit: str, part: Stretch) -> Iterator[Row]:
    columns = [name for name in PLAIN if name in query.by or name in query.where]
    filters = [(name, value) for name, value in query.where.items() if name in PLAIN]
    selected = ["min(hour)", *(name if name in columns else "NULL" for name in PLAIN), _SUMS]
    conditions = ["hour >= ?", "hour < ?", *(f"{name} = ?" for name, _ in filters)]
    table, *hours = part
    statement = (
        f"SELECT {', '.join(selected)} FROM {table} WHERE {' AND '.join(conditions)}"
        f" GROUP BY {', '.join([unit, *columns])}"
    )
    return map(_row, db.execute(statement, (*hours, *(value for _, value in filters))))


def _row(row: tuple[Any, ...]) -> Row:
    hour, *values = row[: 1 + len(PLAIN)]
    attempts, tokens_in, tokens_out, cost, cost_rest, estimated, estimated_rest, unpriced = row[
        1 + len(PLAIN) :
    ]
    cost, estimated = cost * HALF + cost_rest, estimated * HALF + estimated_rest
    return hour, tuple(values), (attempts, tokens_in, tokens_out, cost, estimated, unpriced)
