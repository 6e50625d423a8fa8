"""What taking and settling a hold costs in each store, alone and with 256 callers at once."""

import asyncio
import os
import statistics
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any, Protocol

import asyncpg

import dev_servers
from holdfast.errors import StoreUnavailable
from holdfast.policy.holds import Denied, Hold, Limit, Reserve
from holdfast.ports import AttemptRecord, Payer
from holdfast.stores.postgres import PostgresStore
from holdfast.stores.postgres_link import Link
from holdfast.stores.postgres_work import Reserving, Settling, Work, perform
from holdfast.stores.sqlite import SqliteStore
from holdfast.wire.usage import Usage
from tests.servers.postgres import PostgresServer

CLIENTS = (1, 256)
SECONDS = 5.0
CONNECTIONS = 16
"""Of the variant that gives each verb a transaction of its own."""

AT = datetime(2026, 11, 22, 12, tzinfo=UTC)
numbers = count()


class Keeper(Protocol):
    """The two verbs that are timed."""

    async def reserve(self, verb: Reserve, attempt: AttemptRecord) -> Hold | Denied: ...

    async def settle(self, attempts: Sequence[AttemptRecord]) -> object: ...


class OneByOne:
    """The same work as `PostgresStore`, a transaction and a commit for each verb."""

    def __init__(self, url: str) -> None:
        self._link = Link(url, connections=CONNECTIONS)
        self._room = asyncio.Semaphore(CONNECTIONS)

    async def reserve(self, verb: Reserve, attempt: AttemptRecord) -> Hold | Denied:
        answer: Hold | Denied = await self._do(Reserving(verb, attempt))
        return answer

    async def settle(self, attempts: Sequence[AttemptRecord]) -> object:
        return await self._do(Settling(tuple(attempts)))

    async def _do(self, work: Work) -> Any:
        async with self._room, self._link.transaction() as db:
            return (await perform(db, [work]))[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """Verbs in a second, milliseconds of one verb, and how many were given up after a second."""

    name: str
    clients: int
    rate: float
    median: float
    p99: float
    refused: int

    def line(self, base: "Figure") -> str:
        """One row of the table, with the ratio of the rates."""
        return (
            f"{self.name:<34} {self.clients:>7} {self.rate:>9.0f} {self.median:>9.2f} {self.p99:>9.2f}"
            f" {self.refused:>8} {self.rate / base.rate:>7.2f} x"
        )


def limits(number: int) -> tuple[Limit, ...]:
    """One that everybody shares, one of a team, one of a user."""
    keys = ("org", f"team {number % 10}", f"user {number % 200}")
    return tuple(Limit(budget=key, window=key, counted=(key,), nano=10**15) for key in keys)


async def one_call(store: Keeper, taken: list[float]) -> None:
    """Take a hold and settle it, each timed."""
    number = next(numbers)
    attempt = AttemptRecord(
        request_id=f"hfr_{os.getpid()}_{number}",
        number=1,
        at=AT,
        payer=Payer(user=f"user {number % 200}"),
        upstream="anthropic",
        model="claude-sonnet-5-5",
        usage=Usage(input_tokens=10, output_tokens=7),
        cost_pico=105_000_000,
    )
    verb = Reserve(id=attempt.id, limits=limits(number), amount=10**9, presumed=10**8, lease=60)
    started = time.perf_counter()
    await store.reserve(verb, attempt)
    held = time.perf_counter()
    await store.settle([attempt])
    taken += (held - started, time.perf_counter() - held)


async def measure(name: str, store: Keeper, clients: int) -> Figure:
    """Let as many callers as that go on for some seconds."""
    taken: list[float] = []
    await one_call(store, [])
    started = time.perf_counter()

    async def client() -> None:
        while time.perf_counter() - started < SECONDS:
            try:
                await one_call(store, taken)
            except StoreUnavailable:
                refused.append(1)

    refused: list[int] = []
    await asyncio.gather(*(client() for _ in range(clients)))
    rate = len(taken) / (time.perf_counter() - started)
    quantiles = statistics.quantiles(taken, n=100)
    return Figure(
        name=name,
        clients=clients,
        rate=rate,
        median=statistics.median(taken) * 1e3,
        p99=quantiles[98] * 1e3,
        refused=len(refused),
    )


@asynccontextmanager
async def empty_schema(url: str) -> AsyncIterator[str]:
    """A place of its own for each variant."""
    schema = f"bench_{os.getpid()}_{next(numbers)}"
    db = await asyncpg.connect(url)
    await db.execute(f"CREATE SCHEMA {schema}")
    yield f"{url}?search_path={schema}"
    await db.execute(f"DROP SCHEMA {schema} CASCADE")
    await db.close()


async def run(url: str, folder: Path) -> list[Figure]:
    """Every store with every number of callers."""
    figures: list[Figure] = []
    for clients in CLIENTS:
        sqlite = SqliteStore(folder / f"{clients}.db")
        figures.append(await measure("SQLite, WAL, synchronous=FULL", sqlite, clients))
        await sqlite.aclose()
        async with empty_schema(url) as schema:
            postgres = PostgresStore(schema)
            figures.append(await measure("PostgreSQL, group commit", postgres, clients))
            await postgres.aclose()
        async with empty_schema(url) as schema:
            figures.append(await measure("PostgreSQL, a transaction per verb", OneByOne(schema), clients))
    return figures


def main() -> None:
    """Print the table; ratios are to SQLite with as many callers."""
    with tempfile.TemporaryDirectory() as folder:
        if url := os.environ.get(dev_servers.URLS["postgres"]):
            figures = asyncio.run(run(url, Path(folder)))
        else:
            with PostgresServer() as server:
                figures = asyncio.run(run(server.url, Path(folder)))
    print(
        f"{'reserve + settle, three limits':<34} {'clients':>7} {'verbs/s':>9} {'p50 ms':>9} {'p99 ms':>9} {'given up':>8}"
    )
    for number, figure in enumerate(figures):
        print(figure.line(figures[number - number % 3]))


if __name__ == "__main__":
    main()
