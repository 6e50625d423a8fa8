"""Memories in the PostgreSQL of a fleet, in tables of their own."""

import weakref
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime
from typing import TypeVar

from holdfast.policy.recall import weights
from holdfast.recollection import Digest, Fact, Indexed, Owner
from holdfast.stores.postgres_link import BROKEN, PATIENCE, Db, Link, Row, reason_of, unavailable
from holdfast.stores.postgres_loop import BackgroundLoop

T = TypeVar("T")

CONNECTIONS = 2
COLUMNS = "id, text, trust, source, conversation, at, used, uses, expires, quarantined"
OWNER = '(SELECT number FROM memory_owners WHERE tenant = $1 AND "user" = $2)'
"""Every query begins with it: what follows its two parameters is one owner's."""
ALIVE = "(expires IS NULL OR expires > $3)"
EXPIRED = "DELETE FROM memory_facts WHERE expires <= $1"
ENTER = 'INSERT INTO memory_owners (tenant, "user") VALUES ($1, $2) ON CONFLICT DO NOTHING'
# Who writes for one owner waits for others who do, so that the bound holds.
LOCK = 'SELECT FROM memory_owners WHERE tenant = $1 AND "user" = $2 FOR UPDATE'
REPLACED = f"DELETE FROM memory_facts WHERE owner = {OWNER} AND id = $3"
INSERT = (
    f"INSERT INTO memory_facts (owner, {COLUMNS}, vector)"
    f" VALUES ({OWNER}, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13) RETURNING number"
)
INDEX = f"INSERT INTO memory_terms SELECT {OWNER}, term, $3, impact FROM unnest($4::text[], $5::bigint[]) AS t (term, impact)"
UNUSED = (
    f"DELETE FROM memory_facts WHERE owner = {OWNER} AND number IN (SELECT number FROM memory_facts"
    f' WHERE owner = {OWNER} AND id <> $3 ORDER BY used, at, id COLLATE "C"'
    f" LIMIT greatest(0, (SELECT count(*) FROM memory_facts WHERE owner = {OWNER}) - $4))"
)
FACTS = f'SELECT {COLUMNS} FROM memory_facts WHERE owner = {OWNER} AND {ALIVE} ORDER BY at, id COLLATE "C"'
OFTEN = (
    f"SELECT term, count(*) FROM memory_terms WHERE owner = {OWNER} AND term = ANY($3::text[]) GROUP BY term"
)
TOTAL = f"SELECT count(*) FROM memory_facts WHERE owner = {OWNER} AND NOT quarantined"
# Only the first are looked up, and as many more as may have expired: thousands may have a term in common.
SCORED = (
    "WITH asked AS (SELECT * FROM unnest($4::text[], $5::bigint[]) AS a (term, weight)),"
    " scored AS (SELECT fact, sum(impact * weight)::bigint AS points FROM asked JOIN memory_terms USING (term)"
    f" WHERE memory_terms.owner = {OWNER} GROUP BY fact ORDER BY points DESC, fact DESC LIMIT $6::bigint +"
    f" (SELECT count(*) FROM memory_facts WHERE owner = {OWNER} AND expires <= $3))"
    " SELECT id, points FROM scored JOIN memory_facts ON number = fact"
    f" WHERE memory_facts.owner = {OWNER} AND {ALIVE} AND points > 0 ORDER BY points DESC, fact DESC LIMIT $6"
)
VECTORS = f"SELECT id, vector FROM memory_facts WHERE owner = {OWNER} AND {ALIVE} AND vector IS NOT NULL AND NOT quarantined"
RECALL = (
    f"UPDATE memory_facts SET used = $3, uses = uses + 1 WHERE owner = {OWNER} AND id = ANY($4::text[])"
    f" RETURNING {COLUMNS}"
)
KEEP = (
    f"INSERT INTO memory_digests VALUES ({OWNER}, $3, $4, $5, $6, $7) ON CONFLICT (owner, conversation)"
    " DO UPDATE SET text = excluded.text, made_by = excluded.made_by, covers = excluded.covers,"
    " at = excluded.at"
)
OLD = (
    f"DELETE FROM memory_digests WHERE owner = {OWNER} AND conversation IN (SELECT conversation FROM memory_digests"
    f' WHERE owner = {OWNER} AND conversation <> $3 ORDER BY at, conversation COLLATE "C"'
    f" LIMIT greatest(0, (SELECT count(*) FROM memory_digests WHERE owner = {OWNER}) - $4))"
)
DIGESTS = f"SELECT conversation, text, made_by, covers, at FROM memory_digests WHERE owner = {OWNER}"
FORGET_ALL = 'DELETE FROM memory_owners WHERE tenant = $1 AND "user" = $2'
COUNT = f"SELECT count(*) FROM memory_facts WHERE owner = {OWNER}"


class PostgresRecollections:
    """Memories of a fleet; verbs as `holdfast.recollection.Recollections`, from any thread and any event loop.

    What is deleted is deleted for every query at once. The server overwrites the rows when it next vacuums their
    tables, and knows nothing of backups and of logs that are shipped elsewhere. Raises `StoreUnavailable`.
    """

    def __init__(self, url: str, *, patience: float = PATIENCE) -> None:
        self._url = url
        self._patience = patience
        self._loop = BackgroundLoop("holdfast-memories")
        self._links: list[Link] = []
        weakref.finalize(self, _abandon, self._loop, self._links)

    async def remember(self, owner: Owner, entry: Indexed, *, most: int, now: datetime) -> None:
        await self._write(lambda db: _remember(db, owner, entry, most, now))

    async def facts(self, owner: Owner, *, now: datetime) -> tuple[Fact, ...]:
        rows = await self._read(lambda db: db.fetch(FACTS, *_named(owner), now))
        return tuple(map(_fact, rows))

    async def search(
        self, owner: Owner, terms: Sequence[str], *, limit: int, now: datetime
    ) -> tuple[tuple[str, int], ...]:
        return await self._read(lambda db: _search(db, owner, terms, limit, now))

    async def vectors(self, owner: Owner, *, now: datetime) -> Mapping[str, bytes]:
        rows = await self._read(lambda db: db.fetch(VECTORS, *_named(owner), now))
        return {row["id"]: row["vector"] for row in rows}

    async def recall(self, owner: Owner, ids: Sequence[str], *, now: datetime) -> tuple[Fact, ...]:
        async def work(db: Db) -> list[Row]:
            await db.execute(EXPIRED, now)
            return await db.fetch(RECALL, *_named(owner), now, list(ids))

        found = {fact.id: fact for fact in map(_fact, await self._write(work))}
        return tuple(found[name] for name in ids if name in found)

    async def forget(self, owner: Owner, id: str) -> bool:
        return await self._write(lambda db: db.execute(REPLACED, *_named(owner), id)) != "DELETE 0"

    async def forget_all(self, owner: Owner) -> int:
        async def work(db: Db) -> int:
            await db.execute(LOCK, *_named(owner))
            count: int = await db.fetchval(COUNT, *_named(owner))
            await db.execute(FORGET_ALL, *_named(owner))
            return count

        return await self._write(work)

    async def keep(self, owner: Owner, digest: Digest, *, most: int) -> None:
        values = (digest.conversation, digest.text, digest.made_by, digest.covers, digest.at)

        async def work(db: Db) -> None:
            await _enter(db, owner)
            await db.execute(KEEP, *_named(owner), *values)
            await db.execute(OLD, *_named(owner), digest.conversation, most)

        await self._write(work)

    async def digest(self, owner: Owner, conversation: str) -> Digest | None:
        query = f"{DIGESTS} AND conversation = $3"
        row = await self._read(lambda db: db.fetchrow(query, *_named(owner), conversation))
        return None if row is None else _digest(row)

    async def digests(self, owner: Owner) -> tuple[Digest, ...]:
        query = f'{DIGESTS} ORDER BY at, conversation COLLATE "C"'
        return tuple(map(_digest, await self._read(lambda db: db.fetch(query, *_named(owner)))))

    def close(self) -> None:
        _abandon(self._loop, self._links)
        self._links.clear()

    async def _read(self, work: Callable[[Db], Awaitable[T]]) -> T:
        return await self._loop.do(self._on(lambda link: link.connection(), work))

    async def _write(self, work: Callable[[Db], Awaitable[T]]) -> T:
        return await self._loop.do(self._on(lambda link: link.transaction(), work))

    async def _on(
        self, opened: Callable[[Link], AbstractAsyncContextManager[Db]], work: Callable[[Db], Awaitable[T]]
    ) -> T:
        try:
            async with opened(self._link()) as db:
                return await work(db)
        except (*BROKEN, ValueError, OverflowError) as error:
            raise unavailable(reason_of(error)) from error

    def _link(self) -> Link:
        """The connections; made in the loop that they belong to."""
        if not self._links:
            self._links.append(Link(self._url, connections=CONNECTIONS, patience=self._patience))
        return self._links[0]


def _abandon(loop: BackgroundLoop, links: Sequence[Link]) -> None:
    loop.stop(*(link.close for link in links))


def _named(owner: Owner) -> tuple[str, str]:
    return owner.tenant, owner.user


async def _enter(db: Db, owner: Owner) -> None:
    await db.execute(ENTER, *_named(owner))
    await db.execute(LOCK, *_named(owner))


async def _remember(db: Db, owner: Owner, entry: Indexed, most: int, now: datetime) -> None:
    fact, named = entry.fact, _named(owner)
    await db.execute(EXPIRED, now)
    await _enter(db, owner)
    await db.execute(REPLACED, *named, fact.id)
    row = (fact.id, fact.text, fact.trust, fact.source, fact.conversation, fact.at, fact.used, fact.uses)
    number = await db.fetchval(INSERT, *named, *row, fact.expires, fact.quarantined, entry.vector)
    if not fact.quarantined:
        await db.execute(INDEX, *named, number, [*entry.impacts.keys()], [*entry.impacts.values()])
    await db.execute(UNUSED, *named, fact.id, most)


async def _search(
    db: Db, owner: Owner, terms: Sequence[str], limit: int, now: datetime
) -> tuple[tuple[str, int], ...]:
    named = _named(owner)
    often: dict[str, int] = {
        row["term"]: row["count"] for row in await db.fetch(OFTEN, *named, list(dict.fromkeys(terms)))
    }
    weighed = weights(often, await db.fetchval(TOTAL, *named))
    rows = await db.fetch(SCORED, *named, now, [*weighed.keys()], [*weighed.values()], max(0, limit))
    return tuple((row["id"], row["points"]) for row in rows)


def _fact(row: Row) -> Fact:
    values = dict(row)
    for name in ("at", "used", "expires"):
        values[name] = None if values[name] is None else values[name].astimezone(UTC)
    return Fact(**values)


def _digest(row: Row) -> Digest:
    return Digest(**{**dict(row), "at": row["at"].astimezone(UTC)})
