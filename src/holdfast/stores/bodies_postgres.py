"""Recorded bodies in the PostgreSQL of a fleet, in a table of their own."""

import asyncio
import weakref
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime
from typing import Any, TypeVar

import msgspec

from holdfast.ports import RecordedCall, Whose
from holdfast.stores.postgres_link import BROKEN, CLOSED, Db, Link, reason_of, unavailable
from holdfast.stores.postgres_loop import BackgroundLoop

T = TypeVar("T")

PATIENCE = 5.0
"""Seconds for one verb: nobody who calls waits for it, and a body may be long."""
COLUMNS = 'request_id, at, recording, key, "user", run, headers, request, answer, is_cut'
INSERT = (
    f"INSERT INTO bodies ({COLUMNS}, size) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)"
    " ON CONFLICT DO NOTHING"
)
FIND = f"SELECT {COLUMNS} FROM bodies WHERE request_id = $1"
FIT = (
    "DELETE FROM bodies WHERE sequence <= (SELECT max(sequence) FROM (SELECT sequence, sum(size) OVER"
    " (ORDER BY sequence DESC) AS taken FROM bodies) AS newest WHERE taken > $1)"
)
FORGET = (
    "DELETE FROM bodies WHERE ($1::text IS NULL OR request_id = $1) AND ($2::text IS NULL OR key = $2)"
    ' AND ($3::text IS NULL OR "user" = $3) AND ($4::text IS NULL OR run = $4)'
)
PRUNE = "DELETE FROM bodies WHERE at < $1"


class PostgresBodies:
    """Bodies of a fleet; verbs as `holdfast.ports.Bodies`, from any thread and any event loop.

    The server overwrites what is deleted when it next vacuums the table, and knows nothing of backups.
    """

    def __init__(self, url: str, *, patience: float = PATIENCE) -> None:
        self._url = url
        self._patience = patience
        self._loop = BackgroundLoop("holdfast-bodies")
        self._links: list[Link] = []
        self._closed = False
        weakref.finalize(self, _abandon, self._loop, self._links)

    async def keep(self, entry: RecordedCall, room: int) -> None:
        who = (entry.request_id, entry.at, entry.recording, entry.key, entry.user, entry.run)
        headers = msgspec.json.encode(dict(entry.headers)).decode()
        row = (*who, headers, entry.request, entry.answer, entry.is_cut, entry.size)

        async def work(db: Db) -> None:
            await db.execute(INSERT, *row)
            await db.execute(FIT, room)

        await self._do(self._on(lambda link: link.transaction(), work))

    async def find(self, request_id: str) -> RecordedCall | None:
        row = await self._do(
            self._on(lambda link: link.connection(), lambda db: db.fetchrow(FIND, request_id))
        )
        if row is None:
            return None
        found: dict[str, Any] = dict(row)
        found["at"] = row["at"].astimezone(UTC)
        found["headers"] = msgspec.json.decode(row["headers"], type=dict[str, str])
        return RecordedCall(**found)

    async def forget(self, whose: Whose) -> int:
        return await self._delete(FORGET, whose.request_id, whose.key, whose.user, whose.run)

    async def prune(self, before: datetime) -> int:
        return await self._delete(PRUNE, before)

    async def aclose(self) -> None:
        if not self._closed:
            self._closed = True
            await asyncio.to_thread(_abandon, self._loop, self._links)

    async def _delete(self, statement: str, *values: object) -> int:
        done = await self._do(
            self._on(lambda link: link.transaction(), lambda db: db.execute(statement, *values))
        )
        return int(done.split()[-1])

    async def _do(self, work: Coroutine[Any, Any, T]) -> T:
        if self._closed:
            work.close()
            raise unavailable(CLOSED)
        return await self._loop.do(work)

    async def _on(
        self, opened: Callable[[Link], AbstractAsyncContextManager[Db]], work: Callable[[Db], Awaitable[T]]
    ) -> T:
        try:
            async with opened(self._link()) as db:
                return await work(db)
        except (*BROKEN, ValueError, OverflowError) as error:
            raise unavailable(reason_of(error)) from error

    def _link(self) -> Link:
        """The connection; made in the loop that it belongs to."""
        if not self._links:
            self._links.append(Link(self._url, connections=1, patience=self._patience))
        return self._links[0]


def _abandon(loop: BackgroundLoop, links: Sequence[Link]) -> None:
    loop.stop(*(link.close for link in links))
