"""Conversations in PostgreSQL."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Protocol, TypeVar

from holdfast.ports.sessions import Full, Moved, Owner, Session, SessionHead
from holdfast.stores.memory_sessions import fits
from holdfast.stores.postgres_link import Db, Row
from holdfast.stores.rows import owner_text

PRUNE = 50
"""Sessions that one transaction forgets at most: each may have many messages."""

T = TypeVar("T")

_HEADS = "SELECT number, id, length, first_at, last_at, parent, size FROM sessions"
_BODIES = "SELECT body FROM messages WHERE session = $1 ORDER BY position"
_MAKE = (
    "INSERT INTO sessions (owner, id, parent, first_at, last_at, length, size)"
    " VALUES ($1, $2, NULL, clock_timestamp(), clock_timestamp(), 0, 0) ON CONFLICT DO NOTHING"
)
_ADD = (
    "INSERT INTO messages (session, position, body)"
    " SELECT $1, $2 + row - 1, body FROM unnest($3::bytea[]) WITH ORDINALITY AS given(body, row)"
)
_GROW = "UPDATE sessions SET length = $2, size = $3, last_at = clock_timestamp() WHERE number = $1"
_BRANCH = (
    "INSERT INTO sessions (owner, id, parent, first_at, last_at, length, size)"
    " SELECT owner, $2, id, first_at, last_at, $3,"
    " (SELECT coalesce(sum(length(body)), 0) FROM messages WHERE session = $1 AND position < $3)"
    " FROM sessions WHERE number = $1 ON CONFLICT DO NOTHING RETURNING number"
)
_COPY = (
    "INSERT INTO messages (session, position, body)"
    " SELECT $2, position, body FROM messages WHERE session = $1 AND position < $3"
)
_PRUNE = (
    "DELETE FROM sessions WHERE number IN"
    " (SELECT number FROM sessions WHERE last_at < $1 LIMIT $2 FOR UPDATE SKIP LOCKED)"
)


class Ask(Protocol):
    """Does something on a connection, or in a transaction, of the store."""

    def __call__(self, work: Callable[[Db], Awaitable[T]]) -> Awaitable[T]: ...


class PostgresSessions:
    """Sessions in the database of a store, through its connections; verbs as `holdfast.ports.Sessions`."""

    def __init__(self, write: Ask, read: Ask) -> None:
        self._write = write
        self._read = read

    async def load(self, id: str, owner: Owner) -> Session | None:
        return await self._write(lambda db: _session(db, id, owner))

    async def append(
        self, id: str, owner: Owner, messages: Sequence[bytes], *, expected: int
    ) -> int | Moved | Full:
        return await self._write(lambda db: _append(db, id, owner, messages, expected))

    async def branch(self, id: str, owner: Owner, *, to: str, at: int | None = None) -> bool:
        return await self._write(lambda db: _branch(db, id, owner, to, at))

    async def list(
        self, owner: Owner, *, limit: int = 100, after: str | None = None
    ) -> tuple[SessionHead, ...]:
        statement = f"{_HEADS} WHERE owner = $1 AND ($2::text IS NULL OR id > $2) ORDER BY id LIMIT $3"
        rows = await self._read(lambda db: db.fetch(statement, owner_text(owner), after, max(0, limit)))
        return tuple(_head(row) for row in rows)

    async def forget(self, id: str, owner: Owner) -> bool:
        statement = "DELETE FROM sessions WHERE owner = $1 AND id = $2"
        return _count(await self._write(lambda db: db.execute(statement, owner_text(owner), id))) > 0

    async def forget_owner(self, owner: Owner) -> int:
        statement = "DELETE FROM sessions WHERE owner = $1"
        return _count(await self._write(lambda db: db.execute(statement, owner_text(owner))))

    async def prune(self, before: datetime) -> int:
        """Forget sessions whose last message is from before a moment; how many there were."""
        total = 0
        while gone := _count(await self._write(lambda db: db.execute(_PRUNE, before, PRUNE))):
            total += gone
        return total


def _count(status: str) -> int:
    return int(status.split()[-1])


async def _found(db: Db, id: str, owner: Owner, *, lock: str = "") -> "Row | None":
    """The row of a session; locked, nobody else changes it before the transaction is over."""
    return await db.fetchrow(f"{_HEADS} WHERE owner = $1 AND id = $2 {lock}", owner_text(owner), id)


async def _session(db: Db, id: str, owner: Owner) -> Session | None:
    row = await _found(db, id, owner, lock="FOR SHARE")
    if row is None:
        return None
    bodies = await db.fetch(_BODIES, row["number"])
    return Session(
        id=id,
        messages=tuple(body["body"] for body in bodies),
        first_at=row["first_at"],
        last_at=row["last_at"],
        parent=row["parent"],
    )


async def _append(
    db: Db, id: str, owner: Owner, messages: Sequence[bytes], expected: int
) -> int | Moved | Full:
    row = await _found(db, id, owner, lock="FOR UPDATE")
    if row is None and expected == 0 and messages and fits(len(messages), sum(map(len, messages))):
        await db.execute(_MAKE, owner_text(owner), id)
        row = await _found(db, id, owner, lock="FOR UPDATE")
    length, size = (0, 0) if row is None else (int(row["length"]), int(row["size"]))
    if length != expected:
        return Moved(length=length)
    longer, larger = length + len(messages), size + sum(map(len, messages))
    if not fits(longer, larger):
        return Full(length=length)
    if row is not None and messages:
        await db.execute(_ADD, row["number"], length, list(messages))
        await db.execute(_GROW, row["number"], longer, larger)
    return longer


async def _branch(db: Db, id: str, owner: Owner, to: str, at: int | None) -> bool:
    row = await _found(db, id, owner, lock="FOR SHARE")
    if row is None:
        return False
    kept = row["length"] if at is None else min(max(0, at), row["length"])
    made = await db.fetchval(_BRANCH, row["number"], to, kept)
    if made is None:
        return False
    await db.execute(_COPY, row["number"], made, kept)
    return True


def _head(row: Row) -> SessionHead:
    return SessionHead(
        id=row["id"],
        length=row["length"],
        first_at=row["first_at"],
        last_at=row["last_at"],
        parent=row["parent"],
    )
