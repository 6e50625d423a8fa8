"""Connections to one PostgreSQL, none of which is waited for longer than it is worth."""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager, suppress
from importlib.resources import files
from typing import TypeAlias

import asyncpg

from holdfast.errors import StoreUnavailable
from holdfast.language import Sentence

PATIENCE = 1.0
"""Seconds from asking for a connection to the end of what is done on it; then the connection is ended.

Waiting for a connection that others have is part of it: the verbs of a call in flight never do, they share one.
"""

MIGRATING = 600.0
"""Seconds for bringing the tables up to date; those who wait for it have less patience."""

MIGRATIONS = (
    "postgres_0001.sql",
    "postgres_0002.sql",
    "postgres_0003.sql",
    "postgres_0004.sql",
    "postgres_0005.sql",
    "postgres_0006.sql",
)

MIGRATION_LOCK = 4_180_001
"""The key of the advisory lock of whoever makes the tables."""

KEEPALIVE: Mapping[str, str] = {
    "tcp_keepalives_idle": "5",
    "tcp_keepalives_interval": "2",
    "tcp_keepalives_count": "3",
    "tcp_user_timeout": "5000",
}
"""When the server notices that a machine has vanished; not every platform knows them."""

BROKEN = (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError)

Db: TypeAlias = "asyncpg.Connection[asyncpg.Record]"
Row: TypeAlias = "asyncpg.Record"

CLOSED = Sentence("it has been closed", ko="이미 닫혔습니다")
SLOW = Sentence("it did not answer in time", ko="제때 응답하지 않았습니다")
CROWDED = Sentence("too many are waiting for it", ko="기다리는 요청이 너무 많습니다")
NEWER = Sentence(
    "its tables were made by a newer holdfast; upgrade this one",
    ko="더 새로운 버전의 holdfast가 만든 테이블입니다. 이 holdfast를 업그레이드하세요",
)


class Link:
    """A few connections to one server and the tables there; for one event loop.

    A connection on which anything went wrong is ended, never mended: so nothing is left open that holds locks.
    """

    def __init__(self, url: str, *, connections: int, patience: float = PATIENCE) -> None:
        self.patience = patience
        self._url = url
        self._idle: list[Db] = []
        self._room = asyncio.Semaphore(connections)
        self._made: asyncio.Task[None] | None = None

    @asynccontextmanager
    async def transaction(self, end: float | None = None) -> AsyncGenerator[Db]:
        """A transaction that is committed at the end, all within its patience. Raises as `connection` does."""
        async with self.connection(end) as db:
            await db.execute("BEGIN")
            yield db
            await db.execute("COMMIT")

    @asynccontextmanager
    async def connection(self, end: float | None = None) -> AsyncGenerator[Db]:
        """A connection until `end` by the clock of the loop, or as long as patience lasts. Raises `StoreUnavailable`.

        What the server says against a statement is raised as it is said, for whoever can tell what it means.
        """
        loop = asyncio.get_running_loop()
        end = loop.time() + self.patience if end is None else end
        await self._enter(end)
        try:
            db = await self._connected(end)
            # Ending the connection instead of cancelling the statement: a frozen server cannot be asked to cancel.
            watchdog = loop.call_at(end, db.terminate)
            try:
                yield db
            except BaseException as error:
                self._drop(db, error)
                if loop.time() >= end and isinstance(error, BROKEN):
                    raise unavailable(SLOW) from error
                raise
            else:
                self._idle.append(db)
            finally:
                watchdog.cancel()
        finally:
            self._room.release()

    def close(self) -> None:
        """End every connection that nobody uses."""
        while self._idle:
            self._idle.pop().terminate()

    async def _enter(self, end: float) -> None:
        try:
            async with asyncio.timeout_at(end):
                await self._room.acquire()
        except TimeoutError:
            raise unavailable(CROWDED) from None

    def _drop(self, db: Db, error: BaseException) -> None:
        db.terminate()
        if isinstance(error, OSError | asyncpg.PostgresConnectionError | asyncpg.OperatorInterventionError):
            self.close()  # what ended this one has ended the others
        if isinstance(error, asyncpg.UndefinedTableError):
            self._made = None  # another database answers at the address now

    async def _connected(self, end: float) -> Db:
        while self._idle:
            db = self._idle.pop()
            if not db.is_closed():
                return db
        try:
            async with asyncio.timeout_at(end):
                await self._tables()
                return await _connect(self._url, session(self.patience))
        except TimeoutError as error:
            raise unavailable(SLOW) from error
        except (*BROKEN, ValueError) as error:  # an address may be no address
            raise unavailable(reason_of(error)) from error

    async def _tables(self) -> None:
        """Wait until the tables are there; who is first makes them, and goes on when nobody waits any more."""
        if self._made is None:
            self._made = asyncio.create_task(_migrate(self._url, self.patience))
        task = self._made
        await asyncio.wait({task})
        try:
            task.result()
        except BaseException:
            self._made = None
            raise


def session(patience: float) -> dict[str, str]:
    """What the server itself ends when nobody is there any more to end it; in milliseconds."""
    return {
        "application_name": "holdfast",
        "statement_timeout": f"{patience * 1000:.0f}",
        "lock_timeout": f"{patience * 900:.0f}",
        "idle_in_transaction_session_timeout": f"{patience * 2000:.0f}",
        "default_transaction_isolation": "read committed",
    }


async def _connect(url: str, settings: Mapping[str, str]) -> Db:
    db: Db = await asyncpg.connect(url, server_settings=dict(settings))
    for name, value in KEEPALIVE.items():
        with suppress(asyncpg.PostgresError):
            await db.execute("SELECT set_config($1, $2, false)", name, value)
    return db


async def _migrate(url: str, patience: float) -> None:
    """Make or change the tables, one worker after the other."""
    settings = {**session(patience), "statement_timeout": "0", "lock_timeout": "0"}
    async with asyncio.timeout(patience):
        db = await _connect(url, settings)
    try:
        async with asyncio.timeout(MIGRATING):
            await db.execute("BEGIN")
            await db.execute("SELECT pg_advisory_xact_lock($1)", MIGRATION_LOCK)
            await db.execute("CREATE TABLE IF NOT EXISTS holdfast_migrations (number BIGINT PRIMARY KEY)")
            done: int = await db.fetchval("SELECT count(*) FROM holdfast_migrations")
            if done > len(MIGRATIONS):
                raise unavailable(NEWER)
            for number, name in enumerate(MIGRATIONS[done:], start=done + 1):
                await db.execute(files("holdfast.stores").joinpath("sql", name).read_text(encoding="utf-8"))
                await db.execute("INSERT INTO holdfast_migrations VALUES ($1)", number)
            await db.execute("COMMIT")
    finally:
        db.terminate()


def reason_of(error: BaseException) -> str:
    """What went wrong, without the rows that the server may add to it."""
    return (str(error).splitlines() or [type(error).__name__])[0]


def unavailable(reason: Sentence | str) -> StoreUnavailable:
    """That the database cannot be used, why, and what to do."""
    why = reason if isinstance(reason, Sentence) else Sentence(reason, ko=reason)
    return StoreUnavailable(
        Sentence(
            f"The PostgreSQL database cannot be used: {why.en}. Check that it runs and that its address is right.",
            ko=f"PostgreSQL 데이터베이스를 쓸 수 없습니다: {why.ko}. 실행 중인지, 주소가 맞는지 확인하세요.",
        )
    )
