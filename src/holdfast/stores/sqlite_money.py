"""Money in a file of SQLite: what one transaction reads of it, and what it writes back."""

import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import astuple, replace
from datetime import datetime

from holdfast.policy.holds import EMPTY, Counter, Crossing, Denied, Extend, Hold, Reserve, TopUp
from holdfast.ports import AttemptRecord, CallRecord, RunRecord, Swept
from holdfast.stores.draft import Draft, Group, Sums, mended_call, windows_of
from holdfast.stores.lineage import entered
from holdfast.stores.reports import SUMS
from holdfast.stores.rollups import added, of_any_run, of_day, of_everybody
from holdfast.stores.sqlite_rows import (
    INSERT_CALL,
    MEND_CALL,
    UPSERT_ATTEMPT,
    UPSERT_RUN,
    attempt_row,
    attempts,
    call_row,
    calls,
    comparable,
    filed_attempts,
    run_row,
    runs,
)

SWEEP = 500
"""Leases that are ended in one transaction at most."""

PRUNE = 2_000
"""Rows that are forgotten in one transaction at most."""

_ADD = ", ".join(f"{name} = {name} + excluded.{name}" for name in SUMS)
_ADD_SPEND = (
    f"INSERT INTO spend (hour, model, upstream, key, user, {', '.join(SUMS)})"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
    f" ON CONFLICT (hour, model, upstream, key, ifnull(user, ''), user IS NULL) DO UPDATE SET {_ADD}"
)
_ADD_SPEND_OF_RUN = (
    f"INSERT INTO spend_of_runs (hour, model, upstream, key, user, run, {', '.join(SUMS)})"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
    " ON CONFLICT (hour, model, upstream, key, ifnull(user, ''), user IS NULL, ifnull(run, ''), run IS NULL)"
    f" DO UPDATE SET {_ADD}"
)
_ADD_SPEND_OF_KEY = (
    f"INSERT INTO spend_of_keys (hour, model, upstream, key, {', '.join(SUMS)})"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
    f" ON CONFLICT (hour, model, upstream, key) DO UPDATE SET {_ADD}"
)
_ADD_SPEND_OF_DAY = _ADD_SPEND.replace("INTO spend ", "INTO spend_of_days ")
_ADD_TO_RUN = (
    "INSERT INTO runs (run, first_at, last_at, calls, cost_pico, agents, depth) VALUES (?, ?, ?, ?, ?, ?, ?)"
    " ON CONFLICT (run) DO UPDATE SET first_at = min(first_at, excluded.first_at),"
    " last_at = max(last_at, excluded.last_at), cost_pico = cost_pico + excluded.cost_pico"
)
_COARSER = ((_ADD_SPEND, of_any_run, 5), (_ADD_SPEND_OF_DAY, of_day, 5), (_ADD_SPEND_OF_KEY, of_everybody, 4))
"""How to add to each of the coarser sums, what they add together, and how many columns say what of."""
_UPSERT_COUNTER = (
    "INSERT INTO counters (key, settled, reserved, alerted) VALUES (?, ?, ?, ?) ON CONFLICT (key)"
    " DO UPDATE SET settled = excluded.settled, reserved = excluded.reserved, alerted = excluded.alerted"
)


class Sheet:
    """The open transaction: verbs on it take effect together, when `write` is followed by a commit.

    What a verb touches is read when it is touched, and once; `now` is the store's clock in seconds since the epoch.
    """

    def __init__(self, db: sqlite3.Connection, now: float) -> None:
        self.db = db
        self._now = now
        self._draft = Draft()
        self._missing: set[str] = set()
        self._calls = 0

    def record(self, entry: CallRecord) -> None:
        self._calls += self.db.execute(INSERT_CALL, call_row(entry)).rowcount

    def settle(self, records: Sequence[AttemptRecord]) -> tuple[Crossing, ...]:
        known = len(self._draft.crossings)
        self._read([record.id for record in records])
        for record in records:
            self._draft.settle(record, now=self._now)
        return self._draft.crossings[known:]

    def reserve(self, verb: Reserve, attempt: AttemptRecord) -> Hold | Denied:
        self._read([verb.id])
        self._count(windows_of(verb))
        return self._draft.reserve(verb, attempt, now=self._now)

    def extend(self, verbs: Sequence[Extend]) -> None:
        self._read([verb.id for verb in verbs])
        for verb in verbs:
            self._draft.extend(verb, now=self._now)

    def top_up(self, verb: TopUp) -> Hold | Denied | None:
        self._read([verb.id])
        return self._draft.top_up(verb, now=self._now)

    def sweep(self) -> Swept:
        """What came of leases that are over; none are left when none were ended."""
        known = len(self._draft.crossings)
        query = (
            "SELECT id FROM attempts WHERE state = 'held' AND lease_until <= ? ORDER BY lease_until LIMIT ?"
        )
        due = [str(name) for (name,) in self.db.execute(query, (self._now, SWEEP))]
        self._read(due)
        expired = sum(self._draft.expire(name, now=self._now) for name in due)
        return Swept(expired=expired, crossings=self._draft.crossings[known:])

    def reprice(self, costs: Sequence[tuple[str, tuple[int, str]]]) -> int:
        self._read([name for name, _ in costs])
        return sum(self._draft.reprice(name, cost, version) for name, (cost, version) in costs)

    def prune(self, before: str) -> int:
        """Forget some of what is older; 0 when there is nothing more to forget."""
        forgotten = 0
        for table, state in (("calls", "1"), ("attempts", "state IN ('settled', 'released')")):
            forgotten += self.db.execute(
                f"DELETE FROM {table} WHERE sequence IN"
                f" (SELECT sequence FROM {table} WHERE at < ? AND {state} LIMIT ?)",
                (before, PRUNE),
            ).rowcount
        return forgotten

    def enter(self, run: str, agent: str | None, parent: str | None, at: datetime) -> RunRecord:
        known = next(iter(runs(self.db, "WHERE run = ?", (run,))), None)
        record = entered(known, run=run, agent=agent, parent=parent, at=at)
        self.db.execute(UPSERT_RUN, run_row(record))
        more = self._draft.runs.get(run)
        return record if more is None else replace(record, cost_pico=record.cost_pico + more.cost_pico)

    def write(self) -> None:
        """Write back what the verbs have changed."""
        draft = self._draft
        self.db.executemany(UPSERT_ATTEMPT, [attempt_row(filed) for filed in draft.changed.values()])
        counters = draft.changed_counters().items()
        self.db.executemany(_UPSERT_COUNTER, [(key, *_amounts(counter)) for key, counter in counters])
        self._write_sums(draft.sums)
        self.db.executemany(_ADD_TO_RUN, [run_row(run) for run in draft.runs.values()])
        for request_id in draft.mended:
            self._mend(request_id)

    def _write_sums(self, sums: dict[Group, Sums]) -> None:
        by_run = [(astuple(group), astuple(more)) for group, more in sums.items()]
        self.db.executemany(_ADD_SPEND_OF_RUN, [(*group, *more) for group, more in by_run])
        for statement, coarser, columns in _COARSER:
            added_up = [(astuple(group), astuple(more)) for group, more in added(sums, coarser).items()]
            self.db.executemany(statement, [(*group[:columns], *more) for group, more in added_up])
        more = Sums()
        for one in sums.values():
            more = more.plus(one)
        self._add_to_totals(more)

    def _add_to_totals(self, sums: Sums) -> None:
        added = {
            "calls": self._calls,
            "input_tokens": sums.input_tokens,
            "output_tokens": sums.output_tokens,
            "cost_pico": sums.cost_pico,
            "unpriced": sums.unpriced,
        }
        if any(added.values()):
            known = totals(self.db)
            rows = [(str(known[name] + more), name) for name, more in added.items()]
            self.db.executemany("UPDATE totals SET value = ? WHERE name = ?", rows)

    def _mend(self, request_id: str) -> None:
        for call in calls(self.db, "WHERE request_id = ?", (request_id,)):
            of_call = attempts(self.db, "WHERE request_id = ? ORDER BY number", (request_id,))
            mended = mended_call(call, list(of_call))
            cost = None if mended.cost_pico is None else str(mended.cost_pico)
            self.db.execute(MEND_CALL, (cost, comparable(mended.cost_pico), mended.price_version, request_id))

    def _read(self, names: Iterable[str]) -> None:
        for name in names:
            if name in self._draft.filed or name in self._missing:
                continue
            filed = filed_attempts(self.db, "WHERE id = ?", (name,))
            self._draft.take_in(filed)
            if not filed:
                self._missing.add(name)
            for one in filed:
                self._count(windows_of(one.hold))

    def _count(self, keys: Iterable[str]) -> None:
        new = [key for key in keys if key not in self._draft.counters]
        self._draft.take_in(counters={key: counter_of(self.db, key) or EMPTY for key in new})


def counter_of(db: sqlite3.Connection, key: str) -> Counter | None:
    """A counter as it stands, `None` where it was never used."""
    row = db.execute("SELECT settled, reserved, alerted FROM counters WHERE key = ?", (key,)).fetchone()
    return None if row is None else Counter(settled=row[0], reserved=row[1], alerted=row[2])


def totals(db: sqlite3.Connection) -> dict[str, int]:
    """The sums over the whole ledger by name; text in the file, for they may outgrow its integers."""
    return {name: int(value) for name, value in db.execute("SELECT name, value FROM totals")}


def _amounts(counter: Counter) -> tuple[int, int, int]:
    return counter.settled, counter.reserved, counter.alerted
