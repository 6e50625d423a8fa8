"""The store of one machine: SQLite in WAL mode, every commit synced to disk before it counts."""

import asyncio
import queue
import sqlite3
import threading
from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import Future, InvalidStateError
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from holdfast.clock import SYSTEM_CLOCK, Clock
from holdfast.language import Sentence
from holdfast.policy.holds import Crossing, Denied, Extend, Hold, Reserve, TopUp
from holdfast.ports import (
    AttemptRecord,
    AuditEntry,
    CallPage,
    CallQuery,
    CallRecord,
    Entry,
    RunRecord,
    Spend,
    SpendQuery,
    Swept,
    Totals,
)
from holdfast.stores import sqlite_register as register
from holdfast.stores import sqlite_reports as reports
from holdfast.stores import sqlite_rows as rows
from holdfast.stores.listing import Found, Plan, page
from holdfast.stores.rows import moment
from holdfast.stores.sqlite_file import open_file, unavailable
from holdfast.stores.sqlite_listing import SQLITE, found
from holdfast.stores.sqlite_money import Sheet, counter_of, totals
from holdfast.stores.sqlite_sessions import SqliteSessions

BATCH = 256
"""Works that share one commit at most."""

QUEUE = 10_000
"""Works that may wait for the disk; one more is refused."""

PATIENCE = 10.0
"""Seconds after which a caller is told that the store does not answer: one wait for the file, and one before it."""

REPRICE = 500
"""Attempts that are priced anew in one transaction at most."""

BROKEN = (sqlite3.Error, msgspec.MsgspecError, ArithmeticError, LookupError, TypeError, ValueError)
"""What comes of a file that is broken, or of a record that cannot be stored."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _Work:
    """Something to do inside a transaction, and whoever waits for what comes of it.

    One that `lapses` is not done any more when nobody waits for it.
    """

    do: Callable[[Sheet], Any]
    lapses: bool = False
    done: Future[Any] = field(default_factory=Future[Any])

    def __call__(self, sheet: Sheet) -> Any:
        # A hold for a caller who has gone would be charged as lost, though nothing was ever sent for it.
        return None if self.lapses and self.done.cancelled() else self.do(sheet)


class _Worker:
    """One thread that writes, and groups what waits into one commit; reads have a connection of their own.

    A work that was refused for time may be done all the same, once the file is free again. Raises
    `StoreUnavailable` when the file cannot be opened.
    """

    def __init__(self, path: Path, clock: Clock) -> None:
        self._path = path
        self._clock = clock
        self._works: queue.Queue[_Work | None] = queue.Queue(QUEUE)
        self._gate = threading.Lock()
        self._closed = False
        self._reading = threading.Lock()
        self._reader = open_file(path)
        try:
            writer = open_file(path)
        except BaseException:
            self._reader.close()
            raise
        self._thread = threading.Thread(
            target=self._work_all, args=(writer,), name="holdfast-store", daemon=True
        )
        self._thread.start()

    async def write(self, do: Callable[[Sheet], T], *, lapses: bool = False) -> T:
        """What `do` returns, once it is on disk."""
        work = _Work(do, lapses)
        with self._gate:
            if self._closed:
                raise unavailable(self._path, CLOSED)
            try:
                self._works.put_nowait(work)
            except queue.Full:
                raise unavailable(self._path, CROWDED) from None
        return await self._in_time(asyncio.wrap_future(work.done))

    async def read(self, look: Callable[[sqlite3.Connection], T]) -> T:
        """What `look` finds."""
        return await self._in_time(asyncio.to_thread(self._read_now, look))

    def stop(self) -> None:
        """Do what waits, then let go."""
        with self._gate:
            is_first, self._closed = not self._closed, True
        if is_first:
            self._works.put(None)
        self._thread.join()
        with self._reading:
            self._reader.close()

    async def _in_time(self, work: Awaitable[T]) -> T:
        try:
            async with asyncio.timeout(PATIENCE):
                return await work
        except TimeoutError:
            raise unavailable(self._path, SLOW) from None

    def _read_now(self, look: Callable[[sqlite3.Connection], T]) -> T:
        try:
            with self._reading:
                self._reader.execute("BEGIN")
                try:
                    return look(self._reader)
                finally:
                    self._reader.rollback()
        except BROKEN as error:
            raise unavailable(self._path, str(error)) from error

    def _work_all(self, db: sqlite3.Connection) -> None:
        open_for_more = True
        while open_for_more:
            batch, open_for_more = self._next_batch()
            if batch:
                self._commit(db, batch)
        db.close()

    def _next_batch(self) -> tuple[list[_Work], bool]:
        batch: list[_Work] = []
        item = self._works.get()
        while item is not None:
            batch.append(item)
            if len(batch) == BATCH or self._works.empty():
                return batch, True
            item = self._works.get_nowait()
        return batch, False

    def _commit(self, db: sqlite3.Connection, batch: Sequence[_Work]) -> None:
        try:
            results = self._transact(db, batch)
        except BROKEN as error:
            if len(batch) == 1 or isinstance(error, sqlite3.OperationalError):
                self._refuse(batch, error)
                return
            # One of them cannot be stored: it must not take the others with it.
            middle = len(batch) // 2
            self._commit(db, batch[:middle])
            self._commit(db, batch[middle:])
        else:
            for work, result in zip(batch, results, strict=True):
                _answer(partial(work.done.set_result, result))

    def _transact(self, db: sqlite3.Connection, batch: Sequence[_Work]) -> list[Any]:
        db.execute("BEGIN IMMEDIATE")
        try:
            sheet = Sheet(db, self._clock.now().timestamp())
            results = [work(sheet) for work in batch]
            sheet.write()
            db.execute("COMMIT")
        except BaseException:
            db.rollback()
            raise
        return results

    def _refuse(self, batch: Sequence[_Work], error: Exception) -> None:
        for work in batch:
            failure = unavailable(self._path, str(error))
            failure.__cause__ = error
            _answer(partial(work.done.set_exception, failure))


def _answer(answer: Callable[[], None]) -> None:
    try:
        answer()
    except InvalidStateError:
        return  # nobody waits any more; what could be written is written all the same


class SqliteStore:
    """Everything in one file, which several processes may share; verbs as `holdfast.ports.Store`.

    Leases are kept by `clock.now()`, so the processes of one file must agree on the time of day.
    """

    def __init__(self, path: Path, *, clock: Clock = SYSTEM_CLOCK) -> None:
        self._clock = clock
        self._worker = _Worker(path, clock)
        self._write = self._worker.write
        self._read = self._worker.read
        self.sessions = SqliteSessions(self._write, self._read, clock)

    async def record(self, entry: CallRecord) -> None:
        await self._write(lambda sheet: sheet.record(entry))

    async def settle(self, attempts: Sequence[AttemptRecord]) -> tuple[Crossing, ...]:
        return await self._write(lambda sheet: sheet.settle(attempts))

    async def find(self, request_id: str) -> CallRecord | None:
        return await self._read(lambda db: rows.told_call(db, request_id))

    async def calls(self, query: CallQuery) -> CallPage:
        async def look(plan: Plan, size: int) -> Found:
            return await self._read(lambda db: found(db, plan, size))

        return await page(query, SQLITE, look)

    async def newest(self, limit: int) -> tuple[CallRecord, ...]:
        return await self._read(lambda db: rows.calls(db, "ORDER BY sequence DESC LIMIT ?", (max(0, limit),)))

    async def attempts_of(self, request_id: str) -> tuple[AttemptRecord, ...]:
        where = "WHERE request_id = ? ORDER BY number"
        return await self._read(lambda db: rows.attempts(db, where, (request_id,)))

    async def attempts(self, *, after: str | None = None, limit: int = 1000) -> tuple[AttemptRecord, ...]:
        where = "WHERE id > ? ORDER BY id LIMIT ?"
        return await self._read(lambda db: rows.attempts(db, where, (after or "", max(0, limit))))

    async def reprice(self, costs: Mapping[str, tuple[int, str]]) -> int:
        items, changed = list(costs.items()), 0
        for start in range(0, len(items), REPRICE):
            some = items[start : start + REPRICE]
            changed += await self._write(partial(Sheet.reprice, costs=some))
        return changed

    async def totals(self) -> Totals:
        return Totals(**await self._read(totals))

    async def spend(self, query: SpendQuery) -> tuple[Spend, ...]:
        return await self._read(lambda db: reports.spend(db, query))

    async def prune(self, before: datetime) -> int:
        total = 0
        while forgotten := await self._write(lambda sheet: sheet.prune(moment(before))):
            total += forgotten
        return total + await self.sessions.prune(before)

    async def check(self) -> None:
        await self._write(lambda sheet: None)

    async def aclose(self) -> None:
        await asyncio.to_thread(self._worker.stop)

    async def reserve(self, verb: Reserve, attempt: AttemptRecord) -> Hold | Denied:
        return await self._write(lambda sheet: sheet.reserve(verb, attempt), lapses=True)

    async def extend(self, verbs: Sequence[Extend]) -> None:
        await self._write(lambda sheet: sheet.extend(verbs))

    async def top_up(self, verb: TopUp) -> Hold | Denied | None:
        return await self._write(lambda sheet: sheet.top_up(verb))

    async def sweep(self) -> Swept:
        swept = Swept()
        while (more := await self._write(Sheet.sweep)).expired:
            swept = Swept(expired=swept.expired + more.expired, crossings=swept.crossings + more.crossings)
        return swept

    async def used(self, windows: Sequence[str]) -> Mapping[str, tuple[int, int]]:
        return await self._read(lambda db: _used(db, windows))

    async def held(self) -> tuple[Hold, ...]:
        # By lease and not by id, for that index has no more rows than there are holds.
        where = "WHERE state = 'held' ORDER BY lease_until"
        filed = await self._read(lambda db: rows.filed_attempts(db, where, ()))
        return tuple(sorted((one.hold for one in filed), key=lambda hold: hold.id))

    async def enter(self, run: str, agent: str | None, parent: str | None, at: datetime) -> RunRecord:
        return await self._write(lambda sheet: sheet.enter(run, agent, parent, at))

    async def run(self, run: str) -> RunRecord | None:
        found = await self._read(lambda db: rows.runs(db, "WHERE run = ?", (run,)))
        return found[0] if found else None

    async def runs(self, limit: int) -> tuple[RunRecord, ...]:
        return await self._read(lambda db: rows.runs(db, "ORDER BY last_at DESC LIMIT ?", (max(0, limit),)))

    async def put(self, kind: str, name: str, body: bytes, *, actor: str, note: str = "") -> int:
        at = self._clock.now()
        line = AuditEntry(at=at, actor=actor, action="put", kind=kind, name=name, note=note)
        return await self._write(lambda sheet: register.put(sheet.db, body, line))

    async def drop(self, kind: str, name: str, *, actor: str, note: str = "") -> bool:
        at = self._clock.now()
        line = AuditEntry(at=at, actor=actor, action="drop", kind=kind, name=name, note=note)
        return await self._write(lambda sheet: register.drop(sheet.db, line))

    async def entries(self, kind: str) -> tuple[Entry, ...]:
        return await self._read(lambda db: register.entries(db, kind))

    async def revision(self) -> int:
        return await self._read(register.revision)

    async def audit(self, limit: int) -> tuple[AuditEntry, ...]:
        return await self._read(lambda db: register.audit(db, limit))


def _used(db: sqlite3.Connection, windows: Sequence[str]) -> dict[str, tuple[int, int]]:
    counters = {key: counter_of(db, key) for key in windows}
    return {key: (one.settled, one.reserved) for key, one in counters.items() if one is not None}


CLOSED = Sentence("it has been closed", ko="이미 닫혔습니다")
CROWDED = Sentence(f"{QUEUE} writes wait for the disk", ko=f"쓰기 {QUEUE}건이 디스크를 기다리고 있습니다")
SLOW = Sentence(f"it did not answer within {PATIENCE:g} s", ko=f"{PATIENCE:g}초 안에 응답하지 않았습니다")
