"""Recorded bodies in a file of SQLite, apart from the ledger, made when the first body is recorded."""

import asyncio
import sqlite3
import threading
from collections.abc import Callable, Mapping
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from holdfast.ports import RecordedCall, Whose
from holdfast.stores.rows import moment
from holdfast.stores.sqlite_file import open_file, unavailable

T = TypeVar("T")

MIGRATIONS = ("bodies_sqlite_0001.sql",)
COLUMNS = "request_id, at, recording, key, user, run, headers, request, answer, is_cut"
INSERT = (
    f"INSERT INTO bodies ({COLUMNS}, size) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING"
)
FIND = f"SELECT {COLUMNS} FROM bodies WHERE request_id = ?"
# The newest first, until there is no room left: what lies behind goes.
FIT = (
    "DELETE FROM bodies WHERE sequence <= (SELECT max(sequence) FROM (SELECT sequence, sum(size) OVER"
    " (ORDER BY sequence DESC) AS taken FROM bodies) WHERE taken > ?)"
)


class SqliteBodies:
    """Bodies in one file that several processes share; verbs as `holdfast.ports.Bodies`.

    Opened for each verb, since few are ever recorded. What is deleted is overwritten, and the log that SQLite
    writes ahead is emptied whenever the file is closed.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()

    async def keep(self, entry: RecordedCall, room: int) -> None:
        def work(db: sqlite3.Connection) -> None:
            db.execute(INSERT, _row(entry))
            db.execute(FIT, (room,))

        await asyncio.to_thread(self._do, work)

    async def find(self, request_id: str) -> RecordedCall | None:
        row = await self._if_there(lambda db: db.execute(FIND, (request_id,)).fetchone(), None)
        return None if row is None else _entry(row)

    async def forget(self, whose: Whose) -> int:
        where, values = _where(whose)
        return await self._delete(f"DELETE FROM bodies WHERE {where}", *values)

    async def prune(self, before: datetime) -> int:
        return await self._delete("DELETE FROM bodies WHERE at < ?", moment(before))

    async def aclose(self) -> None:
        """Nothing is open."""

    async def _delete(self, statement: str, *values: str) -> int:
        gone = await self._if_there(lambda db: db.execute(statement, values).rowcount, 0)
        if gone:
            await asyncio.to_thread(self._vacuum)
        return gone

    async def _if_there(self, work: Callable[[sqlite3.Connection], T], nothing: T) -> T:
        """What a file tells that need not be there; asking makes none."""
        return await asyncio.to_thread(self._do, work) if self._path.exists() else nothing

    def _do(self, work: Callable[[sqlite3.Connection], T]) -> T:
        with self._lock, closing(open_file(self._path, MIGRATIONS)) as db:
            try:
                db.execute("PRAGMA secure_delete = ON")
                db.execute("BEGIN IMMEDIATE")
                found = work(db)
                db.execute("COMMIT")
                db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            except sqlite3.Error as error:
                raise unavailable(self._path, str(error)) from error
        return found

    def _vacuum(self) -> None:
        with self._lock, closing(open_file(self._path, MIGRATIONS)) as db:
            try:
                db.execute("VACUUM")
                db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            except sqlite3.Error as error:
                raise unavailable(self._path, str(error)) from error


def _where(whose: Whose) -> tuple[str, tuple[str, ...]]:
    said: Mapping[str, str | None] = {
        "request_id": whose.request_id,
        "key": whose.key,
        "user": whose.user,
        "run": whose.run,
    }
    meant = {name: value for name, value in said.items() if value is not None}
    return " AND ".join(f'"{name}" = ?' for name in meant) or "TRUE", tuple(meant.values())


def _row(entry: RecordedCall) -> tuple[Any, ...]:
    headers = msgspec.json.encode(dict(entry.headers)).decode()
    who = (entry.request_id, moment(entry.at), entry.recording, entry.key, entry.user, entry.run)
    return (*who, headers, entry.request, entry.answer, entry.is_cut, entry.size)


def _entry(row: Any) -> RecordedCall:
    request_id, at, recording, key, user, run, headers, request, answer, is_cut = row
    return RecordedCall(
        request_id=request_id,
        at=datetime.fromisoformat(at),
        recording=recording,
        key=key,
        user=user,
        run=run,
        headers=msgspec.json.decode(headers, type=dict[str, str]),
        request=request,
        answer=answer,
        is_cut=bool(is_cut),
    )
