"""Lists of calls: what of a filter a database can decide, and pages filled with what it found.

A database may find more than was meant, never less: what it found is looked at once more by the filter itself.
"""

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from holdfast.policy.filter_fields import Field, Op
from holdfast.policy.money import pico
from holdfast.policy.request_filter import Prefix, RequestFilter, Term, Value, alternatives, matches
from holdfast.ports import CallCursor, CallPage, CallQuery, CallRecord
from holdfast.stores.troubled import TROUBLED, is_of_troubled

SCAN = 1_000_000
"""Calls that are looked through at once, in an index that holds all that is asked for."""
SLOW_SCAN = 100_000
"""The same where the calls themselves must be read."""
CHUNK = 1_000
"""Calls that are read at once where only we can tell which of them are meant."""
ROUNDS = 20
"""How often that is done for one page."""

OWNERS = ("run", "user")
"""Fields that have an index of their own."""
NAMED = re.compile(r'"(\w+)"')
"""A column in a condition."""
NEWEST_FIRST = 'ORDER BY "at" DESC, "request_id" DESC'

TEXTS: Mapping[Field, str] = {
    "outcome": "outcome",
    "model": "model",
    "served": "served_model",
    "upstream": "upstream",
    "key": "key",
    "user": "user",
    "run": "run",
    "agent": "agent",
    "door": "door",
    "blame": "blame",
    "code": "error_code",
    "guard": "decided_by",
    "id": "request_id",
}
NUMBERS: Mapping[Field, str] = {
    "status": '"status"',
    "ms": '"duration_ms"',
    "attempts": '"attempts"',
    "stream": '"stream"',
    "tokens": '"tokens"',
}
END = "CASE WHEN \"outcome\" IN ('cached', 'fallback') THEN 'answered' ELSE \"outcome\" END"


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """A condition of SQL with a `?` for each of its values; `slow` if the call itself must be read for it."""

    sql: str
    values: tuple[Any, ...] = ()
    slow: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """How one database says it.

    Attributes:
        begins, holds: whether a text begins so, or holds that: templates with a column.
        hashed: columns that its index only has a hash of, as `NAME_hash`.
        amount: a comparison of a call's cost with pico-dollars.
        moment: a moment as its columns have it.
        resort: said again of what is sorted already, where that costs nothing.
    """

    begins: str
    holds: str
    hashed: frozenset[str]
    amount: Callable[[Op, int], Condition | None]
    moment: Callable[[datetime], Any]
    resort: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a database is asked for: calls `near` by time, of which it keeps those that are `meant`."""

    near: tuple[Condition, ...]
    meant: tuple[Condition, ...]
    is_complete: bool

    @property
    def scan(self) -> int:
        """How many calls are looked through at most."""
        return SLOW_SCAN if any(one.slow for one in self.meant) else SCAN


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What a database found, and where it stopped looking; `None` when it has seen every call there is."""

    calls: tuple[CallRecord, ...]
    edge: CallCursor | None = None


Statement = tuple[str, tuple[Any, ...]]
Look = Callable[[Plan, int], Awaitable[Found]]
"""Looks for so many calls."""


async def page(query: CallQuery, dialect: Dialect, look: Look) -> CallPage:
    """The page that is asked for."""
    if query.limit <= 0:
        return CallPage()
    wanted, after = query.filter or RequestFilter(), query.after
    found: list[CallRecord] = []
    for _ in range(ROUNDS):
        plan = planned(wanted, after, dialect)
        size = query.limit + 1 if plan.is_complete else max(query.limit + 1, CHUNK)
        seen = await look(plan, size)
        found += [call for call in seen.calls if matches(wanted, call)]
        if len(found) > query.limit:
            return CallPage(calls=tuple(found[: query.limit]), following=cursor(found[query.limit - 1]))
        if len(seen.calls) < size:
            return CallPage(calls=tuple(found), following=seen.edge)
        after = cursor(seen.calls[-1])
    return CallPage(calls=tuple(found), following=after)


def planned(wanted: RequestFilter, after: CallCursor | None, dialect: Dialect) -> Plan:
    """What a database can do of a query."""
    near: list[Condition] = []
    if after is not None:
        place = (dialect.moment(after.at), after.request_id)
        near.append(Condition(sql='("at", "request_id") < (?, ?)', values=place))
    groups = alternatives(wanted)
    if any(map(is_of_troubled, groups)):
        near.append(Condition(sql=TROUBLED))
    said = [_either([_said(term, dialect) for term in terms]) for terms in groups]
    meant: list[Condition] = []
    for terms, one in zip(groups, said, strict=True):
        if one is not None:
            (near if _is_near(terms) else meant).append(one)
    # The index of a run or a user knows nothing else of its calls: with another condition that of all is faster.
    owned = [one for terms in groups if not _is_near(terms) for one in (_owned(terms),)]
    if len(owned) == 1 and owned[0] is not None:
        near, meant = [*near, owned[0]], []
    return Plan(near=tuple(near), meant=tuple(meant), is_complete=None not in said)


def _is_near(terms: Sequence[Term]) -> bool:
    return terms[0].field in ("since", "until") or (terms[0].field == "id" and terms[0].op == "=")


def _owned(terms: Sequence[Term]) -> Condition | None:
    """The calls of one run, or of one user."""
    first, *others = terms
    is_one = first.field in OWNERS and first.op == "=" and isinstance(first.value, str) and not others
    if not is_one or not first.value or not _is_sayable(str(first.value)):
        return None
    return Condition(sql=f'"{first.field}" = ?', values=(first.value,))


def listing(plan: Plan, size: int, *, select: str, key: str, resort: str) -> Statement:
    """The statement that looks for calls; `key` is the column that a call is found by."""
    where, values = _where(plan.near)
    if not plan.meant:
        return f"{select}{where} {NEWEST_FIRST} LIMIT ?", (*values, size)
    columns = ", ".join(f'"{name}"' for name in dict.fromkeys(("at", "request_id", key)))
    meant, more = _where(plan.meant)
    named = ", ".join(f'"{name}"' for name in dict.fromkeys(("at", "request_id", key, *NAMED.findall(meant))))
    near = f"SELECT {named} FROM calls{where} {NEWEST_FIRST} LIMIT ?"
    chosen = f"SELECT {columns} FROM ({near}) AS near{meant} {resort} LIMIT ?"
    statement = f'{select} WHERE "{key}" IN (SELECT "{key}" FROM ({chosen}) AS chosen) {NEWEST_FIRST}'
    return statement, (*values, plan.scan, *more, size)


def whole(plan: Plan, size: int, *, select: str, key: str) -> Statement:
    """The statement that looks through all calls, for where there are no more than may be looked through at once."""
    where, values = _where((*plan.near, *plan.meant))
    chosen = f'SELECT "{key}" FROM calls{where} {NEWEST_FIRST} LIMIT ?'
    return f'{select} WHERE "{key}" IN ({chosen}) {NEWEST_FIRST}', (*values, size)


COUNTED = "SELECT (SELECT max(sequence) FROM calls) - (SELECT min(sequence) FROM calls) + 1"
"""At least as many calls as there are; asked in two, for SQLite reads them all for both ends at once."""


def edge(plan: Plan) -> Statement:
    """The statement that finds the last call that was looked at, if there are more behind it."""
    where, values = _where(plan.near)
    return (
        f'SELECT "at", "request_id" FROM calls{where} {NEWEST_FIRST} LIMIT 1 OFFSET ?',
        (*values, plan.scan - 1),
    )


def cursor(call: CallRecord) -> CallCursor:
    """The place of a call."""
    return CallCursor(at=call.at, request_id=call.request_id)


def in_memory(calls: Sequence[CallRecord], query: CallQuery) -> CallPage:
    """The page that is asked for, of calls in any order."""
    if query.limit <= 0:
        return CallPage()
    wanted, after = query.filter or RequestFilter(), query.after
    behind = None if after is None else (after.at, after.request_id)
    found = [call for call in calls if (behind is None or _place(call) < behind) and matches(wanted, call)]
    found.sort(key=_place, reverse=True)
    has_more = len(found) > query.limit
    shown = tuple(found[: query.limit])
    return CallPage(calls=shown, following=cursor(shown[-1]) if has_more else None)


def _place(call: CallRecord) -> tuple[datetime, str]:
    return call.at, call.request_id


def _where(conditions: Sequence[Condition]) -> Statement:
    if not conditions:
        return "", ()
    said = " AND ".join(f"({one.sql})" for one in conditions)
    return f" WHERE {said}", tuple(value for one in conditions for value in one.values)


def _either(said: Sequence[Condition | None]) -> Condition | None:
    """One of them; `None` if one of them cannot be said, for then all that it might mean must be found."""
    known = [one for one in said if one is not None]
    if len(known) < len(said):
        return None
    return Condition(
        sql=" OR ".join(one.sql for one in known),
        values=tuple(value for one in known for value in one.values),
        slow=any(one.slow for one in known),
    )


def _said(term: Term, dialect: Dialect) -> Condition | None:
    match term.field:
        case "since" | "until":
            return Condition(sql=f'"at" {term.op} ?', values=(dialect.moment(_moment(term.value)),))
        case "cost":
            return dialect.amount(term.op, pico(term.value, name="cost"))
        case "end":
            said = str(term.value)
            return (
                Condition(sql=f"{END} {_compared(term.op)} ?", values=(said,)) if _is_sayable(said) else None
            )
        case "status" | "ms" | "attempts" | "stream" | "tokens":
            return _number(NUMBERS[term.field], term.op, term.value)
        case _:
            return _text(TEXTS[term.field], term.op, term.value, dialect)


def _number(column: str, op: Op, value: Value) -> Condition:
    # A call from before there were sums of its tokens may have any number of them.
    unknown = f"{column} IS NULL OR " if column == NUMBERS["tokens"] else ""
    return Condition(sql=f"{unknown}{column} {_compared(op)} ?", values=(value,))


def _text(column: str, op: Op, value: Value, dialect: Dialect) -> Condition | None:
    said = value.start if isinstance(value, Prefix) else str(value)
    if not _is_sayable(said):
        return None
    is_no = "NOT " if op in ("!=", "!~") else ""
    # The id is never missing, and has an index that knows it as it stands.
    text = '"request_id"' if column == "request_id" else f"coalesce(\"{column}\", '')"
    slow = column in dialect.hashed
    if isinstance(value, Prefix):
        return _filled(f"{is_no}{dialect.begins}", text, said, slow)
    if op in ("~", "!~"):
        return _filled(f"{is_no}{dialect.holds}", text, said, slow)
    if slow and op == "=":
        return Condition(sql=f'"{column}_hash" = hashtext(?)', values=(said,))
    return Condition(sql=f"{text} {_compared(op)} ?", values=(said,), slow=slow)


def _filled(template: str, text: str, said: str, slow: bool) -> Condition:
    sql = template.format(text)
    return Condition(sql=sql, values=(said,) * sql.count("?"), slow=slow)


def _compared(op: Op) -> str:
    return "<>" if op == "!=" else op


def _is_sayable(text: str) -> bool:
    """Whether a database can be asked for a text: none takes half a letter, and not every one takes a NUL."""
    return "\0" not in text and not any("\ud800" <= letter <= "\udfff" for letter in text)


def _moment(value: Value) -> datetime:
    assert isinstance(value, datetime)
    return value
