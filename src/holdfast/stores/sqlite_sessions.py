"""Conversations in a file of SQLite."""

import sqlite3
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Any, Protocol, TypeVar

from holdfast.clock import Clock
from holdfast.ports.sessions import Full, Moved, Owner, Session, SessionHead
from holdfast.stores.memory_sessions import fits
from holdfast.stores.rows import moment, owner_text

PRUNE = 50
"""Sessions that are forgotten in one transaction at most: each may have many messages."""

T = TypeVar("T")


class OpenSheet(Protocol):
    """An open transaction, as far as sessions are concerned."""

    @property
    def db(self) -> sqlite3.Connection: ...


class Write(Protocol):
    """Does something inside a transaction; what came of it, once it is on disk."""

    def __call__(self, do: Callable[[OpenSheet], T]) -> Awaitable[T]: ...


class Read(Protocol):
    """Looks something up."""

    def __call__(self, look: Callable[[sqlite3.Connection], T]) -> Awaitable[T]: ...


class SqliteSessions:
    """Sessions in the file of a store, through its connections; verbs as `holdfast.ports.Sessions`."""

    def __init__(self, write: Write, read: Read, clock: Clock) -> None:
        self._write = write
        self._read = read
        self._clock = clock

    async def load(self, id: str, owner: Owner) -> Session | None:
        return await self._read(lambda db: _session(db, id, owner))

    async def append(
        self, id: str, owner: Owner, messages: Sequence[bytes], *, expected: int
    ) -> int | Moved | Full:
        now = moment(self._clock.now())
        return await self._write(lambda sheet: _append(sheet.db, id, owner, messages, expected, now))

    async def branch(self, id: str, owner: Owner, *, to: str, at: int | None = None) -> bool:
        return await self._write(lambda sheet: _branch(sheet.db, id, owner, to, at))

    async def list(
        self, owner: Owner, *, limit: int = 100, after: str | None = None
    ) -> tuple[SessionHead, ...]:
        where = "owner = ? AND id > ? ORDER BY id LIMIT ?"
        if after is None:
            where = where.replace(">", ">=")
        arguments = (owner_text(owner), after or "", max(0, limit))
        return await self._read(lambda db: tuple(_head(row) for row in _heads(db, where, arguments)))

    async def forget(self, id: str, owner: Owner) -> bool:
        return await self._write(
            lambda sheet: _forget(sheet.db, "owner = ? AND id = ?", _place(id, owner)) > 0
        )

    async def forget_owner(self, owner: Owner) -> int:
        return await self._write(lambda sheet: _forget(sheet.db, "owner = ?", (owner_text(owner),)))

    async def prune(self, before: datetime) -> int:
        """Forget sessions whose last message is from before a moment; how many there were."""
        where = "number IN (SELECT number FROM sessions WHERE last_at < ? LIMIT ?)"
        total = 0
        while gone := await self._write(lambda sheet: _forget(sheet.db, where, (moment(before), PRUNE))):
            total += gone
        return total


def _place(id: str, owner: Owner) -> tuple[str, str]:
    return owner_text(owner), id


def _heads(db: sqlite3.Connection, where: str, arguments: Sequence[Any]) -> list[Any]:
    statement = f"SELECT number, id, length, first_at, last_at, parent, size FROM sessions WHERE {where}"
    return db.execute(statement, arguments).fetchall()


def _head(row: Any) -> SessionHead:
    _, id, length, first_at, last_at, parent, _ = row
    return SessionHead(
        id=id,
        length=length,
        first_at=datetime.fromisoformat(first_at),
        last_at=datetime.fromisoformat(last_at),
        parent=parent,
    )


def _found(db: sqlite3.Connection, id: str, owner: Owner) -> Any:
    rows = _heads(db, "owner = ? AND id = ?", _place(id, owner))
    return rows[0] if rows else None


def _session(db: sqlite3.Connection, id: str, owner: Owner) -> Session | None:
    row = _found(db, id, owner)
    if row is None:
        return None
    head = _head(row)
    bodies = db.execute("SELECT body FROM messages WHERE session = ? ORDER BY position", (row[0],))
    return Session(
        id=id,
        messages=tuple(body for (body,) in bodies),
        first_at=head.first_at,
        last_at=head.last_at,
        parent=head.parent,
    )


def _append(
    db: sqlite3.Connection, id: str, owner: Owner, messages: Sequence[bytes], expected: int, now: str
) -> int | Moved | Full:
    row = _found(db, id, owner)
    length, size = (0, 0) if row is None else (int(row[2]), int(row[6]))
    if length != expected:
        return Moved(length=length)
    longer, larger = length + len(messages), size + sum(map(len, messages))
    if not fits(longer, larger):
        return Full(length=length)
    if messages:
        number = _made(db, id, owner, None, now) if row is None else int(row[0])
        rows = [(number, position, body) for position, body in enumerate(messages, start=length)]
        db.executemany("INSERT INTO messages (session, position, body) VALUES (?, ?, ?)", rows)
        change = "UPDATE sessions SET length = ?, size = ?, last_at = max(last_at, ?) WHERE number = ?"
        db.execute(change, (longer, larger, now, number))
    return longer


def _branch(db: sqlite3.Connection, id: str, owner: Owner, to: str, at: int | None) -> bool:
    row = _found(db, id, owner)
    if row is None or _found(db, to, owner) is not None:
        return False
    number, _, length, first_at, last_at, _, _ = row
    kept = length if at is None else min(max(0, at), length)
    made = _made(db, to, owner, id, first_at)
    copy = (
        "INSERT INTO messages (session, position, body)"
        " SELECT ?, position, body FROM messages WHERE session = ? AND position < ?"
    )
    db.execute(copy, (made, number, kept))
    size = "(SELECT coalesce(sum(length(body)), 0) FROM messages WHERE session = ?)"
    change = f"UPDATE sessions SET length = ?, size = {size}, last_at = ? WHERE number = ?"
    db.execute(change, (kept, made, last_at, made))
    return True


def _made(db: sqlite3.Connection, id: str, owner: Owner, parent: str | None, now: str) -> int:
    insert = "INSERT INTO sessions (owner, id, parent, first_at, last_at, length, size) VALUES (?, ?, ?, ?, ?, 0, 0)"
    number = db.execute(insert, (*_place(id, owner), parent, now, now)).lastrowid
    assert number is not None
    return number


def _forget(db: sqlite3.Connection, where: str, arguments: Sequence[Any]) -> int:
    db.execute(
        f"DELETE FROM messages WHERE session IN (SELECT number FROM sessions WHERE {where})", arguments
    )
    return db.execute(f"DELETE FROM sessions WHERE {where}", arguments).rowcount
