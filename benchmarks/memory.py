"""How long it takes to search what is remembered: 50,000 facts, of one user and of many, in every store."""

import asyncio
import random
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import asyncpg

from benchmarks.holds import empty_schema
from holdfast.policy.recall import impacts, wanted
from holdfast.recollection import Fact, Indexed, Owner, Recollections
from holdfast.stores.recollections_memory import MemoryRecollections
from holdfast.stores.recollections_postgres import PostgresRecollections
from holdfast.stores.recollections_sqlite import SqliteRecollections
from holdfast.stores.rows import moment
from tests.servers.postgres import PostgresServer

FACTS = 50_000
GOAL = 0.030
"""Seconds."""
ROUNDS = 9
PATIENCE = 30.0
"""Seconds: what takes longer than a store waits for is to be seen, and not to end everything."""
NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
ALONE = Owner(tenant="local", user="alice")
MANY = [Owner(tenant="local", user=f"user {n}") for n in range(50)]

NAMES = tuple(
    f"{first}{last}"
    for first in ("Glob", "Init", "Umbr", "Acme", "Hool")
    for last in ("ex", "ech", "ella", "io")
)
WORDS = tuple(
    f"{start}{end}"
    for start in "bcdfghklmnprstvw"
    for end in ("alor", "enta", "imur", "osel", "uvam", "irock")
)
KOREAN = (
    "결제",
    "서버",
    "서킷",
    "회의",
    "주간",
    "예산",
    "부산",
    "점검",
    "보고",
    "고객",
    "배포",
    "장애",
    "담당",
    "일정",
)
QUESTIONS = (
    "When is the invoice of Globex due?",
    "서킷은 언제 점검해?",
    "What did the customer of Umbrella say about belor and cosel in the last meeting, and who is in charge?",
    "customer",
    "nothing of this is known: zyzzyva",
)


@dataclass(frozen=True, slots=True)
class Row:
    """A fact and its owner."""

    owner: Owner
    entry: Indexed


def rows(owners: Sequence[Owner]) -> Iterator[Row]:
    """Facts of about twelve words, in English and Korean; every second one speaks of a customer."""
    dice = random.Random(7)
    for number in range(FACTS):
        if number % 3:
            words = [
                *dice.choices(WORDS, k=7),
                dice.choice(NAMES),
                dice.choice(("customer", "invoice", "meeting")),
            ]
            text = f"The {' '.join(words)} of order {number}"
        else:
            text = (
                " ".join(f"{word}{dice.choice('은는이가을를')}" for word in dice.choices(KOREAN, k=6))
                + f" {number}"
            )
        fact = Fact(
            id=f"m_{number:06}",
            text=text,
            trust="user",
            source="user",
            conversation="conv_1",
            at=NOW,
            used=NOW,
        )
        yield Row(owners[number % len(owners)], Indexed(fact=fact, impacts=impacts(text)))


def fill_sqlite(path: Path, owners: Sequence[Owner]) -> None:
    """Write all facts in one transaction, as `remember` would one by one."""
    numbers = {owner: number for number, owner in enumerate(owners, start=1)}
    with closing(sqlite3.connect(path)) as db, db:
        db.executemany(
            "INSERT INTO owners VALUES (?, ?, ?)", [(n, o.tenant, o.user) for o, n in numbers.items()]
        )
        at = moment(NOW)
        for number, row in enumerate(rows(owners), start=1):
            fact, owner = row.entry.fact, numbers[row.owner]
            values = (number, owner, fact.id, fact.text, "user", "user", "conv_1", at, at, 0, None, 0, None)
            db.execute("INSERT INTO facts VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", values)
            terms = [(owner, term, number, impact) for term, impact in row.entry.impacts.items()]
            db.executemany("INSERT INTO terms VALUES (?, ?, ?, ?)", terms)


async def fill_postgres(url: str, owners: Sequence[Owner]) -> None:
    """The same by COPY."""
    db = await asyncpg.connect(url)
    try:
        await db.executemany(
            'INSERT INTO memory_owners (tenant, "user") VALUES ($1, $2)', [(o.tenant, o.user) for o in owners]
        )
        numbers = {
            Owner(tenant=row["tenant"], user=row["user"]): row["number"]
            for row in await db.fetch("SELECT * FROM memory_owners")
        }
        facts: list[tuple[object, ...]] = []
        terms: list[tuple[object, ...]] = []
        for number, row in enumerate(rows(owners), start=1):
            fact, owner = row.entry.fact, numbers[row.owner]
            facts.append(
                (number, owner, fact.id, fact.text, "user", "user", "conv_1", NOW, NOW, 0, None, False, None)
            )
            terms += [(owner, term, number, impact) for term, impact in row.entry.impacts.items()]
        await db.copy_records_to_table("memory_facts", records=facts)
        await db.copy_records_to_table("memory_terms", records=terms)
        await db.execute("VACUUM ANALYZE memory_facts, memory_terms")
    finally:
        await db.close()


async def figures(name: str, store: Recollections, owner: Owner) -> float:
    """Print how long each question takes, by the wall clock; the longest median."""
    longest = 0.0
    for question in QUESTIONS:
        times: list[float] = []
        found: Sequence[object] = ()
        for _ in range(ROUNDS):
            started = time.perf_counter()
            found = await store.search(owner, wanted(question), limit=20, now=NOW)
            times.append(time.perf_counter() - started)
        median = statistics.median(times)
        longest = max(longest, median)
        spread = f"{min(times) * 1e3:6.2f}-{max(times) * 1e3:6.2f}"
        print(f"{name:<28} {median * 1e3:7.2f} ms [{spread}] {len(found):>3} found  {question[:40]}")
    return longest


async def in_sqlite(name: str, owners: Sequence[Owner]) -> float:
    """SQLite in a file."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "memories.db"
        store = SqliteRecollections(path)
        await store.facts(ALONE, now=NOW)
        fill_sqlite(path, owners)
        found = await figures(f"SQLite, {name}", store, owners[0])
        store.close()
        return found


async def in_memory(name: str, owners: Sequence[Owner]) -> float:
    """The reference, which has no index."""
    store = MemoryRecollections()
    for row in rows(owners):
        await store.remember(row.owner, row.entry, most=FACTS, now=NOW)
    return await figures(f"memory, {name}", store, owners[0])


async def in_postgres(server: str, name: str, owners: Sequence[Owner]) -> float:
    """A PostgreSQL on the same machine."""
    async with empty_schema(server) as url:
        store = PostgresRecollections(url, patience=PATIENCE)
        await store.facts(ALONE, now=NOW)
        await fill_postgres(url, owners)
        found = await figures(f"PostgreSQL, {name}", store, owners[0])
        store.close()
        return found


async def main() -> int:
    """Measure every store; 1 when SQLite or PostgreSQL are slower than they should be."""
    longest: list[float] = []
    with PostgresServer() as server:
        for name, owners in (("50 users", MANY), ("one user", [ALONE])):
            longest.append(await in_sqlite(name, owners))
            longest.append(await in_postgres(server.url, name, owners))
    await in_memory("50 users", MANY)
    print(f"longest median: {max(longest) * 1e3:.1f} ms, goal: {GOAL * 1e3:.0f} ms")
    return int(max(longest) > GOAL)


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
