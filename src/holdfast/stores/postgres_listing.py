"""Lists of calls from a PostgreSQL."""

from decimal import Decimal
from itertools import count

from holdfast.policy.filter_fields import Op
from holdfast.ports import CallCursor
from holdfast.stores.listing import (
    COUNTED,
    NEWEST_FIRST,
    Condition,
    Dialect,
    Found,
    Plan,
    Statement,
    edge,
    listing,
)
from holdfast.stores.postgres_link import Db, Row
from holdfast.stores.postgres_table import SELECT_CALLS, to_call


def _amount(op: Op, pico: int) -> Condition:
    if op == "!=":
        return Condition(sql='"cost_pico" IS DISTINCT FROM ?', values=(Decimal(pico),))
    return Condition(sql=f'"cost_pico" {op} ?', values=(Decimal(pico),))


POSTGRES = Dialect(
    begins="starts_with({}, ?)",
    holds="position(? in {}) > 0",
    hashed=frozenset({"model", "served_model", "upstream", "key", "user", "run", "agent", "error_code"}),
    amount=_amount,
    moment=lambda at: at,
    resort=NEWEST_FIRST,
)


async def found(db: Db, plan: Plan, size: int) -> Found:
    """So many calls of a plan."""
    rows = await _fetched(
        db, listing(plan, size, select=SELECT_CALLS, key="request_id", resort=POSTGRES.resort)
    )
    calls = tuple(to_call(row) for row in rows)
    if len(calls) == size or not plan.meant or (await db.fetchval(COUNTED) or 0) <= plan.scan:
        return Found(calls=calls)
    last = [CallCursor(at=row["at"], request_id=row["request_id"]) for row in await _fetched(db, edge(plan))]
    return Found(calls=calls, edge=last[0] if last else None)


async def _fetched(db: Db, statement: Statement) -> list[Row]:
    """The rows of a statement, whose values are numbered here."""
    sql, values = statement
    first, *parts = sql.split("?")
    numbered = (f"${number}{part}" for number, part in zip(count(1), parts))
    return await db.fetch("".join((first, *numbered)), *values)
