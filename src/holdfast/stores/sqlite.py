"""The store of one machine: SQLite in WAL mode, every commit synced to disk before it counts."""

import asyncio
import queue
import sqlite3
import threading
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import Future, InvalidStateError
from dataclasses import dataclass, field
from datetime import datetime
from importlib.resources import files
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from holdfast.clock import SYSTEM_CLOCK
from holdfast.errors import StoreUnavailable
from holdfast.language import Sentence
from holdfast.ports import CallRecord, Totals
from holdfast.wire.usage import Usage

BATCH = 256
"""Records that share one commit at most."""

QUEUE = 10_000
"""Records that may wait for the disk; one more is refused."""

BUSY_TIMEOUT = 5.0
"""Seconds to wait for another process that holds the file."""

PATIENCE = 10.0
"""Seconds after which a caller is told that the store does not answer: one wait for the file, and one before it."""

MIGRATIONS = ("sqlite_0001.sql",)
COLUMNS = (
    *(
        "request_id",
        "at",
        "door",
        "key",
        "user",
        "run",
        "agent",
        "model",
        "served_model",
        "upstream",
        "stream",
    ),
    *("end", "status", "error_code", "attempts", "stop_reason", "usage", "estimated", "cost_pico"),
    *("price_version", "duration_ms"),
)
_NAMES = ", ".join(f'"{column}"' for column in COLUMNS)
_INSERT = f"INSERT INTO calls ({_NAMES}) VALUES ({', '.join('?' * len(COLUMNS))}) ON CONFLICT DO NOTHING"
_SELECT = f"SELECT {_NAMES} FROM calls"

T = TypeVar("T")
Work = Callable[[sqlite3.Connection], T]
Row = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class _Write:
    """A call to write down; without one, only to find out whether a commit goes through."""

    entry: CallRecord | None
    row: Row = ()
    done: Future[None] = field(default_factory=Future[None])


class SqliteLedger:
    """The book of calls in one file; verbs as `holdfast.ports.Ledger`.

    One thread writes and groups what waits into one commit; reads have a connection of their own. A record
    that was refused for time may be written all the same, once the file is free again. Raises
    `StoreUnavailable` when the file cannot be opened.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._writes: queue.Queue[_Write | None] = queue.Queue(QUEUE)
        self._gate = threading.Lock()
        self._closed = False
        self._reading = threading.Lock()
        self._reader = _open(path)
        try:
            writer = _open(path)
        except StoreUnavailable:
            self._reader.close()
            raise
        self._thread = threading.Thread(
            target=self._write_all, args=(writer,), name="holdfast-ledger", daemon=True
        )
        self._thread.start()

    async def record(self, entry: CallRecord) -> None:
        await self._submit(_Write(entry, _row(entry)))

    async def find(self, request_id: str) -> CallRecord | None:
        rows = await self._read(lambda db: _rows(db, f"{_SELECT} WHERE request_id = ?", (request_id,)))
        return rows[0] if rows else None

    async def newest(self, limit: int) -> tuple[CallRecord, ...]:
        query = f"{_SELECT} ORDER BY sequence DESC LIMIT ?"
        return await self._read(lambda db: _rows(db, query, (max(0, limit),)))

    async def totals(self) -> Totals:
        return Totals(**await self._read(_sums))

    async def check(self) -> None:
        await self._submit(_Write(None))

    async def aclose(self) -> None:
        await asyncio.to_thread(self._stop)

    async def _submit(self, write: _Write) -> None:
        with self._gate:
            if self._closed:
                raise _unavailable(self._path, CLOSED)
            try:
                self._writes.put_nowait(write)
            except queue.Full:
                raise _unavailable(self._path, CROWDED) from None
        await self._in_time(asyncio.wrap_future(write.done))

    async def _in_time(self, work: Awaitable[T]) -> T:
        try:
            async with asyncio.timeout(PATIENCE):
                return await work
        except TimeoutError:
            raise _unavailable(self._path, SLOW) from None

    def _stop(self) -> None:
        with self._gate:
            is_first, self._closed = not self._closed, True
        if is_first:
            self._writes.put(None)
        self._thread.join()
        with self._reading:
            self._reader.close()

    async def _read(self, work: Work[T]) -> T:
        return await self._in_time(asyncio.to_thread(self._read_now, work))

    def _read_now(self, work: Work[T]) -> T:
        try:
            with self._reading:
                return work(self._reader)
        except sqlite3.Error as error:
            raise _unavailable(self._path, str(error)) from error

    def _write_all(self, db: sqlite3.Connection) -> None:
        open_for_more = True
        while open_for_more:
            batch, open_for_more = self._next_batch()
            if batch:
                self._commit(db, batch)
        db.close()

    def _next_batch(self) -> tuple[list[_Write], bool]:
        batch: list[_Write] = []
        item = self._writes.get()
        while item is not None:
            batch.append(item)
            if len(batch) == BATCH or self._writes.empty():
                return batch, True
            item = self._writes.get_nowait()
        return batch, False

    def _commit(self, db: sqlite3.Connection, batch: Sequence[_Write]) -> None:
        try:
            _write(db, batch)
        except (sqlite3.Error, OverflowError, ValueError) as error:
            if len(batch) == 1 or isinstance(error, sqlite3.OperationalError):
                self._answer(batch, error)
                return
            # One of them cannot be stored: it must not take the others with it.
            for write in batch:
                self._commit(db, [write])
        else:
            self._answer(batch, None)

    def _answer(self, batch: Sequence[_Write], error: Exception | None) -> None:
        for write in batch:
            try:
                if error is None:
                    write.done.set_result(None)
                else:
                    failure = _unavailable(self._path, str(error))
                    failure.__cause__ = error
                    write.done.set_exception(failure)
            except InvalidStateError:
                continue  # nobody waits any more; what could be written is written all the same


def _open(path: Path) -> sqlite3.Connection:
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.touch(mode=0o600)
        db = sqlite3.connect(path, timeout=BUSY_TIMEOUT, isolation_level=None, check_same_thread=False)
    except (OSError, sqlite3.Error) as error:
        raise _unavailable(path, str(error)) from error
    try:
        _write_ahead(db)
        db.execute("PRAGMA synchronous = FULL")
        _migrate(db, path)
    except sqlite3.Error as error:
        db.close()
        raise _unavailable(path, str(error)) from error
    except StoreUnavailable:
        db.close()
        raise
    return db


def _write_ahead(db: sqlite3.Connection) -> None:
    """Switch to WAL mode; while others switch too, SQLite answers "locked" without waiting for its turn."""
    until = SYSTEM_CLOCK.monotonic() + BUSY_TIMEOUT
    while True:
        try:
            db.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or SYSTEM_CLOCK.monotonic() > until:
                raise
        SYSTEM_CLOCK.block(0.01)


def _migrate(db: sqlite3.Connection, path: Path) -> None:
    version = _version(db)
    if version == len(MIGRATIONS):
        return
    if version > len(MIGRATIONS):
        raise _from_the_future(path)
    db.execute("BEGIN IMMEDIATE")
    try:
        for number, name in enumerate(MIGRATIONS[_version(db) :], start=_version(db) + 1):
            for statement in files("holdfast.stores").joinpath("sql", name).read_text("utf-8").split(";\n"):
                db.execute(statement)
            db.execute(f"PRAGMA user_version = {number}")
        db.execute("COMMIT")
    except BaseException:
        db.execute("ROLLBACK")
        raise


def _version(db: sqlite3.Connection) -> int:
    return int(db.execute("PRAGMA user_version").fetchone()[0])


def _write(db: sqlite3.Connection, batch: Sequence[_Write]) -> None:
    db.execute("BEGIN IMMEDIATE")
    try:
        sums = _sums(db)
        for write in batch:
            if write.entry is not None and db.execute(_INSERT, write.row).rowcount == 1:
                _add(sums, write.entry)
        db.executemany("UPDATE totals SET value = ? WHERE name = ?", [(str(v), k) for k, v in sums.items()])
        db.execute("COMMIT")
    except BaseException:
        db.rollback()
        raise


def _sums(db: sqlite3.Connection) -> dict[str, int]:
    return {name: int(value) for name, value in db.execute("SELECT name, value FROM totals")}


def _add(sums: dict[str, int], entry: CallRecord) -> None:
    sums["calls"] += 1
    sums["input_tokens"] += entry.usage.prompt_tokens
    sums["output_tokens"] += entry.usage.output_tokens
    sums["cost_pico"] += entry.cost_pico or 0
    sums["unpriced"] += entry.cost_pico is None


def _row(entry: CallRecord) -> Row:
    values = {column: getattr(entry, column) for column in COLUMNS}
    values["at"] = entry.at.isoformat()
    values["usage"] = msgspec.json.encode(entry.usage.as_mapping()).decode()
    values["cost_pico"] = None if entry.cost_pico is None else str(entry.cost_pico)
    return tuple(values.values())


def _rows(db: sqlite3.Connection, query: str, arguments: Row) -> tuple[CallRecord, ...]:
    return tuple(_record(dict(zip(COLUMNS, row, strict=True))) for row in db.execute(query, arguments))


def _record(values: dict[str, Any]) -> CallRecord:
    values["at"] = datetime.fromisoformat(values["at"])
    values["usage"] = Usage.of(msgspec.json.decode(values["usage"]))
    values["cost_pico"] = None if values["cost_pico"] is None else int(values["cost_pico"])
    values["stream"] = bool(values["stream"])
    values["estimated"] = bool(values["estimated"])
    return CallRecord(**values)


CLOSED = Sentence("it has been closed", ko="이미 닫혔습니다")
CROWDED = Sentence(f"{QUEUE} records wait for the disk", ko=f"기록 {QUEUE}건이 디스크를 기다리고 있습니다")
SLOW = Sentence(f"it did not answer within {PATIENCE:g} s", ko=f"{PATIENCE:g}초 안에 응답하지 않았습니다")


def _unavailable(path: Path, reason: Sentence | str) -> StoreUnavailable:
    why = reason if isinstance(reason, Sentence) else Sentence(reason, ko=reason)
    return StoreUnavailable(
        Sentence(
            f"The ledger {path.name} cannot be used: {why.en}. Check the disk and who else holds the file.",
            ko=f"원장 {path.name}을(를) 쓸 수 없습니다: {why.ko}. 디스크와 파일을 잡고 있는 다른 프로세스를 확인하세요.",
        )
    )


def _from_the_future(path: Path) -> StoreUnavailable:
    return StoreUnavailable(
        Sentence(
            f"The ledger {path.name} was written by a newer holdfast. Upgrade this one, or use another file.",
            ko=f"원장 {path.name}은(는) 더 새로운 버전의 holdfast가 기록한 파일입니다. 업그레이드하거나 다른 파일을 쓰세요.",
        )
    )
