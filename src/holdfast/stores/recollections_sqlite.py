"""Memories in a file of SQLite, apart from the ledger, since what is forgotten there must leave no trace."""

import asyncio
import sqlite3
import threading
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar, cast

from holdfast.language import Sentence
from holdfast.policy.recall import weights
from holdfast.recollection import Digest, Fact, Indexed, Maker, Owner, Trust
from holdfast.stores.rows import moment
from holdfast.stores.sqlite_file import open_file, unavailable

T = TypeVar("T")

MIGRATIONS = ("recollections_sqlite_0001.sql",)

COLUMNS = "id, text, trust, source, conversation, at, used, uses, expires, quarantined"
OWNER = "(SELECT number FROM owners WHERE tenant = ? AND user = ?)"
ALIVE = "(expires IS NULL OR expires > ?)"
INSERT = f"INSERT INTO facts (owner, {COLUMNS}, vector) VALUES ({OWNER}, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
REPLACED = f"DELETE FROM facts WHERE owner = {OWNER} AND id = ?"
EXPIRED = "DELETE FROM facts WHERE expires <= ?"
# The newest is no longer there for others to go by; its owner has asked for it just now.
UNUSED = (
    f"DELETE FROM facts WHERE owner = {OWNER} AND number IN (SELECT number FROM facts WHERE owner = {OWNER}"
    f" AND id <> ? ORDER BY used, at, id LIMIT max(0, (SELECT count(*) FROM facts WHERE owner = {OWNER}) - ?))"
)
OLD = (
    f"DELETE FROM digests WHERE owner = {OWNER} AND conversation IN (SELECT conversation FROM digests"
    f" WHERE owner = {OWNER} AND conversation <> ? ORDER BY at, conversation"
    f" LIMIT max(0, (SELECT count(*) FROM digests WHERE owner = {OWNER}) - ?))"
)
DIGESTS = f"SELECT conversation, text, made_by, covers, at FROM digests WHERE owner = {OWNER}"
KEEP = f"INSERT OR REPLACE INTO digests VALUES ({OWNER}, ?, ?, ?, ?, ?)"

LEFT = Sentence(
    "what was deleted is gone for every query, but another process still reads an older state of the file, so that "
    "traces are left; delete it once more",
    ko="삭제한 내용은 더 이상 조회되지 않지만 다른 프로세스가 파일의 이전 상태를 읽고 있어 흔적이 남아 있습니다. 한 번 더 "
    "삭제하세요",
)


class SqliteRecollections:
    """Memories in one file, which several processes may share; verbs as `holdfast.recollection.Recollections`.

    The file is opened when first needed. What is deleted is overwritten. After a `forget`, the file is written anew
    besides, and the log that SQLite writes ahead is emptied, so that no older copy is left in either. Raises
    `StoreUnavailable`.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._db: sqlite3.Connection | None = None

    async def remember(self, owner: Owner, entry: Indexed, *, most: int, now: datetime) -> None:
        def work(db: sqlite3.Connection) -> None:
            db.execute(EXPIRED, (moment(now),))
            _enter(db, owner)
            _insert(db, owner, entry)
            named = _named(owner)
            db.execute(UNUSED, (*named, *named, entry.fact.id, *named, most))

        await self._write(work)

    async def facts(self, owner: Owner, *, now: datetime) -> tuple[Fact, ...]:
        query = f"SELECT {COLUMNS} FROM facts WHERE owner = {OWNER} AND {ALIVE} ORDER BY at, id"
        rows = await self._read(lambda db: db.execute(query, (*_named(owner), moment(now))).fetchall())
        return tuple(map(_fact, rows))

    async def search(
        self, owner: Owner, terms: Sequence[str], *, limit: int, now: datetime
    ) -> tuple[tuple[str, int], ...]:
        return await self._read(lambda db: _search(db, owner, terms, limit, moment(now)))

    async def vectors(self, owner: Owner, *, now: datetime) -> Mapping[str, bytes]:
        query = (
            f"SELECT id, vector FROM facts WHERE owner = {OWNER} AND vector IS NOT NULL AND quarantined = 0"
            f" AND {ALIVE}"
        )
        return dict(await self._read(lambda db: db.execute(query, (*_named(owner), moment(now))).fetchall()))

    async def recall(self, owner: Owner, ids: Sequence[str], *, now: datetime) -> tuple[Fact, ...]:
        marks = ", ".join("?" * len(ids))
        which = f"WHERE owner = {OWNER} AND id IN ({marks})"

        def work(db: sqlite3.Connection) -> list[Any]:
            db.execute(EXPIRED, (moment(now),))
            db.execute(
                f"UPDATE facts SET used = ?, uses = uses + 1 {which}", (moment(now), *_named(owner), *ids)
            )
            return db.execute(f"SELECT {COLUMNS} FROM facts {which}", (*_named(owner), *ids)).fetchall()

        found = {fact.id: fact for fact in map(_fact, await self._write(work))}
        return tuple(found[name] for name in ids if name in found)

    async def forget(self, owner: Owner, id: str) -> bool:
        gone = await self._write(lambda db: db.execute(REPLACED, (*_named(owner), id)).rowcount)
        await self._leave_no_trace()
        return bool(gone)

    async def forget_all(self, owner: Owner) -> int:
        named = _named(owner)

        def work(db: sqlite3.Connection) -> int:
            gone = db.execute(f"DELETE FROM facts WHERE owner = {OWNER}", named).rowcount
            db.execute(f"DELETE FROM digests WHERE owner = {OWNER}", named)
            db.execute("DELETE FROM owners WHERE tenant = ? AND user = ?", named)
            return gone

        gone = await self._write(work)
        await self._leave_no_trace()
        return gone

    async def keep(self, owner: Owner, digest: Digest, *, most: int) -> None:
        values = (digest.conversation, digest.text, digest.made_by, digest.covers)
        named = _named(owner)

        def work(db: sqlite3.Connection) -> None:
            _enter(db, owner)
            db.execute(KEEP, (*named, *values, moment(digest.at)))
            db.execute(OLD, (*named, *named, digest.conversation, *named, most))

        await self._write(work)

    async def digest(self, owner: Owner, conversation: str) -> Digest | None:
        query = f"{DIGESTS} AND conversation = ?"
        row = await self._read(lambda db: db.execute(query, (*_named(owner), conversation)).fetchone())
        return None if row is None else _digest(row)

    async def digests(self, owner: Owner) -> tuple[Digest, ...]:
        query = f"{DIGESTS} ORDER BY at, conversation"
        return tuple(map(_digest, await self._read(lambda db: db.execute(query, _named(owner)).fetchall())))

    def close(self) -> None:
        with self._lock:
            if self._db is not None:
                self._db.close()
            self._db = None

    async def _leave_no_trace(self) -> None:
        def work() -> None:
            with self._using() as db:
                db.execute("VACUUM")
                if db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]:
                    raise unavailable(self._path, LEFT)

        await asyncio.to_thread(work)

    async def _read(self, look: Callable[[sqlite3.Connection], T]) -> T:
        return await asyncio.to_thread(self._transact, "BEGIN", look)

    async def _write(self, work: Callable[[sqlite3.Connection], T]) -> T:
        return await asyncio.to_thread(self._transact, "BEGIN IMMEDIATE", work)

    def _transact(self, begin: str, work: Callable[[sqlite3.Connection], T]) -> T:
        with self._using() as db:
            db.execute(begin)
            try:
                answer = work(db)
                db.execute("COMMIT")
            except BaseException:
                db.rollback()
                raise
            return answer

    @contextmanager
    def _using(self) -> Generator[sqlite3.Connection]:
        try:
            with self._lock:
                if self._db is None:
                    self._db = open_file(self._path, MIGRATIONS)
                    self._db.execute("PRAGMA secure_delete = ON")
                yield self._db
        except (sqlite3.Error, ValueError, OverflowError) as error:
            raise unavailable(self._path, str(error)) from error


def _named(owner: Owner) -> tuple[str, str]:
    return owner.tenant, owner.user


def _enter(db: sqlite3.Connection, owner: Owner) -> None:
    db.execute("INSERT OR IGNORE INTO owners (tenant, user) VALUES (?, ?)", _named(owner))


def _insert(db: sqlite3.Connection, owner: Owner, entry: Indexed) -> None:
    fact = entry.fact
    db.execute(REPLACED, (*_named(owner), fact.id))
    row = (fact.id, fact.text, fact.trust, fact.source, fact.conversation, moment(fact.at), moment(fact.used))
    rest = (fact.uses, None if fact.expires is None else moment(fact.expires), fact.quarantined, entry.vector)
    number = db.execute(INSERT, (*_named(owner), *row, *rest)).lastrowid
    if not fact.quarantined:
        db.executemany(
            f"INSERT INTO terms VALUES ({OWNER}, ?, ?, ?)",
            [(*_named(owner), term, number, impact) for term, impact in entry.impacts.items()],
        )


def _search(
    db: sqlite3.Connection, owner: Owner, terms: Sequence[str], limit: int, now: str
) -> tuple[tuple[str, int], ...]:
    named = _named(owner)
    asked = list(dict.fromkeys(terms))
    marks = ", ".join("?" * len(asked))
    often = db.execute(
        f"SELECT term, count(*) FROM terms WHERE owner = {OWNER} AND term IN ({marks}) GROUP BY term",
        (*named, *asked),
    )
    total = f"SELECT count(*) FROM facts WHERE owner = {OWNER} AND quarantined = 0"
    weighed = weights(dict(often.fetchall()), db.execute(total, named).fetchone()[0])
    if not weighed:
        return ()
    values = ", ".join("(?, ?)" for _ in weighed)
    scored = db.execute(
        f"WITH asked (term, weight) AS (VALUES {values})"
        " SELECT fact, sum(impact * weight) AS points FROM asked CROSS JOIN terms"
        f" ON terms.owner = {OWNER} AND terms.term = asked.term GROUP BY fact ORDER BY points DESC, fact DESC",
        (*(part for one in weighed.items() for part in one), *named),
    )
    return tuple(_first(db, owner, scored, limit, now))


def _first(
    db: sqlite3.Connection, owner: Owner, scored: sqlite3.Cursor, limit: int, now: str
) -> Iterator[tuple[str, int]]:
    """The first that are alive; looked up one by one, since of thousands only the first few are wanted."""
    query = f"SELECT id FROM facts WHERE owner = {OWNER} AND number = ? AND {ALIVE}"
    for fact, points in scored:
        if limit <= 0:
            return
        row = db.execute(query, (*_named(owner), fact, now)).fetchone()
        if row is not None and points > 0:
            limit -= 1
            yield row[0], points


def _fact(row: Sequence[Any]) -> Fact:
    id_, text, trust, source, conversation, at, used, uses, expires, quarantined = row
    return Fact(
        id=id_,
        text=text,
        trust=cast("Trust", trust),
        source=source,
        conversation=conversation,
        at=datetime.fromisoformat(at),
        used=datetime.fromisoformat(used),
        uses=uses,
        expires=None if expires is None else datetime.fromisoformat(expires),
        quarantined=bool(quarantined),
    )


def _digest(row: Sequence[Any]) -> Digest:
    conversation, text, made_by, covers, at = row
    return Digest(
        conversation=conversation,
        text=text,
        made_by=cast("Maker", made_by),
        covers=covers,
        at=datetime.fromisoformat(at),
    )
