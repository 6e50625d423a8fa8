"""Lists of calls from a file of SQLite."""

import sqlite3
from datetime import datetime

from holdfast.policy.filter_fields import Op
from holdfast.ports import CallCursor
from holdfast.stores.listing import COUNTED, Condition, Dialect, Found, Plan, edge, listing, whole
from holdfast.stores.rows import moment
from holdfast.stores.sqlite_rows import SELECT_CALLS, comparable, found_calls


def _amount(op: Op, pico: int) -> Condition | None:
    """A comparison of floats, wide enough for those that are told apart by the exact amounts only."""
    if op == "!=":
        return None
    return Condition(sql=f'"cost" {op[0] if op == "=" else f"{op[0]}="} ?', values=(comparable(pico),))


SQLITE = Dialect(
    begins="substr({}, 1, length(?)) = ?",
    holds="instr({}, ?) > 0",
    hashed=frozenset(),
    amount=_amount,
    moment=moment,
    # Here it would cost looking through all of them: the order of a subquery is not known to be kept, though it is.
    resort="",
)


def found(db: sqlite3.Connection, plan: Plan, size: int) -> Found:
    """So many calls of a plan."""
    if (db.execute(COUNTED).fetchone()[0] or 0) <= plan.scan:
        # Twice as fast as with a bound.
        return Found(calls=found_calls(db, whole(plan, size, select=SELECT_CALLS, key="sequence")))
    calls = found_calls(db, listing(plan, size, select=SELECT_CALLS, key="sequence", resort=SQLITE.resort))
    if len(calls) == size or not plan.meant:
        return Found(calls=calls)
    row = db.execute(*edge(plan)).fetchone()
    return Found(calls=calls, edge=None if row is None else _cursor(*row))


def _cursor(at: str, request_id: str) -> CallCursor:
    return CallCursor(at=datetime.fromisoformat(at), request_id=request_id)
