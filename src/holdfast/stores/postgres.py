"""The store of a fleet: PostgreSQL, asked by every worker in transactions that many callers share."""

import asyncio
import weakref
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from typing import Any, TypeVar

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
from holdfast.stores import postgres_reading as reading
from holdfast.stores.listing import Found, Plan, page
from holdfast.stores.postgres_link import BROKEN, CLOSED, CROWDED, PATIENCE, Db, Link, reason_of, unavailable
from holdfast.stores.postgres_listing import POSTGRES, found
from holdfast.stores.postgres_loop import BackgroundLoop
from holdfast.stores.postgres_queue import Queue
from holdfast.stores.postgres_sessions import PostgresSessions
from holdfast.stores.postgres_work import (
    SWEPT,
    Entering,
    Extending,
    Filing,
    Job,
    Recording,
    Reserving,
    Settling,
    ToppingUp,
    Work,
    expire,
    reprice,
)

READERS = 4
"""Connections of one worker beside the one that writes for everybody."""

PRUNED = 2_000
"""Rows that one transaction deletes at most, so that nobody waits long for it."""

QUEUEING = 5.0
"""How many times its patience a caller with a call in hand waits behind others while the database does work.

One that does not answer is given up sooner (`PATIENCE`); what is already paid for waits as long as it goes on.
"""

T = TypeVar("T")


class PostgresStore:
    """Everything that must survive the process, in one PostgreSQL; verbs as `holdfast.ports.Store`.

    Verbs may come from any thread and any event loop: an own thread has the connections. It connects when first
    asked and makes its tables; a database that is away is asked again by every verb. Leases go by the clock of
    the database. A verb that was refused for time may have been done all the same. `patience` is how many seconds
    a database may be silent before every verb that waits for it raises `StoreUnavailable`.
    """

    def __init__(self, url: str, *, patience: float = PATIENCE) -> None:
        self._url = url
        self._patience = patience
        self._loop = BackgroundLoop("holdfast-postgres")
        self._parts: tuple[Link, Queue] | None = None
        self._closed = False
        self._links: list[Link] = []
        weakref.finalize(self, _abandon, self._loop, self._links)

    @property
    def sessions(self) -> PostgresSessions:
        return PostgresSessions(self._write, self._read)

    async def record(self, entry: CallRecord) -> None:
        await self._ask(Recording(entry))

    async def settle(self, attempts: Sequence[AttemptRecord]) -> tuple[Crossing, ...]:
        crossings: tuple[Crossing, ...] = await self._ask(Settling(tuple(attempts)))
        return crossings

    async def reserve(self, verb: Reserve, attempt: AttemptRecord) -> Hold | Denied:
        answer: Hold | Denied = await self._ask(Reserving(verb, attempt))
        return answer

    async def extend(self, verbs: Sequence[Extend]) -> None:
        await self._ask(Extending(tuple(verbs)))

    async def top_up(self, verb: TopUp) -> Hold | Denied | None:
        answer: Hold | Denied | None = await self._ask(ToppingUp(verb))
        return answer

    async def enter(self, run: str, agent: str | None, parent: str | None, at: datetime) -> RunRecord:
        record: RunRecord = await self._ask(Entering(run=run, agent=agent, parent=parent, at=at))
        return record

    async def check(self) -> None:
        await self._ask(Recording(None))

    async def sweep(self) -> Swept:
        swept = Swept()
        while True:
            more = await self._write(expire)
            swept = Swept(expired=swept.expired + more.expired, crossings=swept.crossings + more.crossings)
            if more.expired < SWEPT:
                return swept

    async def reprice(self, costs: Mapping[str, tuple[int, str]]) -> int:
        return await self._write(lambda db: reprice(db, costs))

    async def prune(self, before: datetime) -> int:
        count = 0
        for table, key, condition in (
            ("calls", "request_id", "at < $1"),
            ("attempts", "id", "at < $1 AND state IN ('settled', 'released')"),
        ):
            chosen = f"SELECT {key} FROM {table} WHERE {condition} LIMIT {PRUNED} FOR UPDATE SKIP LOCKED"
            count += await self._delete(f"DELETE FROM {table} WHERE {key} IN ({chosen})", before)
        return count + await self.sessions.prune(before)

    async def put(self, kind: str, name: str, body: bytes, *, actor: str, note: str = "") -> int:
        revision: int = await self._ask(Filing(kind=kind, name=name, body=body, actor=actor, note=note))
        return revision

    async def drop(self, kind: str, name: str, *, actor: str, note: str = "") -> bool:
        was_there: bool = await self._ask(Filing(kind=kind, name=name, body=None, actor=actor, note=note))
        return was_there

    async def find(self, request_id: str) -> CallRecord | None:
        return await self._read(lambda db: reading.find(db, request_id))

    async def calls(self, query: CallQuery) -> CallPage:
        async def look(plan: Plan, size: int) -> Found:
            return await self._read(lambda db: found(db, plan, size))

        return await page(query, POSTGRES, look)

    async def newest(self, limit: int) -> tuple[CallRecord, ...]:
        return await self._read(lambda db: reading.newest(db, limit))

    async def attempts_of(self, request_id: str) -> tuple[AttemptRecord, ...]:
        return await self._read(lambda db: reading.attempts_of(db, request_id))

    async def attempts(self, *, after: str | None = None, limit: int = 1000) -> tuple[AttemptRecord, ...]:
        return await self._read(lambda db: reading.attempts(db, after, limit))

    async def totals(self) -> Totals:
        return await self._read(reading.totals)

    async def spend(self, query: SpendQuery) -> tuple[Spend, ...]:
        return await self._read(lambda db: reading.spend(db, query))

    async def used(self, windows: Sequence[str]) -> Mapping[str, tuple[int, int]]:
        return await self._read(lambda db: reading.used(db, windows))

    async def held(self) -> tuple[Hold, ...]:
        return await self._read(reading.held)

    async def run(self, run: str) -> RunRecord | None:
        return await self._read(lambda db: reading.run(db, run))

    async def runs(self, limit: int) -> tuple[RunRecord, ...]:
        return await self._read(lambda db: reading.runs(db, limit))

    async def entries(self, kind: str) -> tuple[Entry, ...]:
        return await self._read(lambda db: reading.entries(db, kind))

    async def revision(self) -> int:
        return await self._read(reading.revision)

    async def audit(self, limit: int) -> tuple[AuditEntry, ...]:
        return await self._read(lambda db: reading.audit(db, limit))

    async def aclose(self) -> None:
        if not self._closed:
            self._closed = True
            await self._loop.do(self._close())
            await asyncio.to_thread(self._loop.stop)

    async def _close(self) -> None:
        link, queue = self._opened()
        await queue.close()
        link.close()

    async def _ask(self, work: Work) -> Any:
        if self._closed:
            raise unavailable(CLOSED)
        job = Job(work)
        self._loop.running().call_soon_threadsafe(self._put, job)
        try:
            async with asyncio.timeout(self._queueing(work)):
                return await asyncio.wrap_future(job.done)
        except TimeoutError:
            raise unavailable(CROWDED) from None

    def _queueing(self, work: Work) -> float | None:
        return None if isinstance(work, Recording | Settling) else QUEUEING * self._patience

    def _put(self, job: Job) -> None:
        self._opened()[1].put(job)

    async def _read(self, work: Callable[[Db], Awaitable[T]]) -> T:
        return await self._do(self._on(lambda link: link.connection(), work))

    async def _write(self, work: Callable[[Db], Awaitable[T]]) -> T:
        return await self._do(self._on(lambda link: link.transaction(), work))

    async def _delete(self, statement: str, before: datetime) -> int:
        count = 0
        while deleted := int((await self._write(lambda db: db.execute(statement, before))).split()[-1]):
            count += deleted
        return count

    async def _do(self, work: Coroutine[Any, Any, T]) -> T:
        if self._closed:
            work.close()
            raise unavailable(CLOSED)
        return await self._loop.do(work)

    async def _on(
        self, opened: Callable[[Link], AbstractAsyncContextManager[Db]], work: Callable[[Db], Awaitable[T]]
    ) -> T:
        try:
            async with opened(self._opened()[0]) as db:
                return await work(db)
        except BROKEN as error:
            raise unavailable(reason_of(error)) from error

    def _opened(self) -> tuple[Link, Queue]:
        """The link and the queue; made in the loop that they belong to."""
        if self._parts is None:
            self._links += [
                Link(self._url, connections=connections, patience=self._patience)
                for connections in (READERS, 1)
            ]
            self._parts = self._links[0], Queue(self._links[1])
        return self._parts


def _abandon(loop: BackgroundLoop, links: Sequence[Link]) -> None:
    """End what nobody closed."""
    loop.stop(*(link.close for link in links))
