import sqlite3
import sys
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from holdfast.errors import ConfigError, StoreUnavailable
from holdfast.recollection import Owner, Recollections
from holdfast.stores.recollections import open_recollections
from holdfast.stores.recollections_memory import MemoryRecollections
from holdfast.stores.recollections_postgres import PostgresRecollections
from holdfast.stores.recollections_sqlite import SqliteRecollections
from holdfast.testing.conformance_recollections import (
    ALICE,
    BOB,
    NOW,
    RECOLLECTION_CONTRACTS,
    RecollectionContract,
    a_fact,
    found,
    keep,
)


def name(contract: RecollectionContract) -> str:
    return str(getattr(contract, "__name__", contract))


@pytest.fixture(params=["memory", "sqlite"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Recollections]:
    memory = request.param == "memory"
    opened = open_recollections("memory:" if memory else f"sqlite:///{tmp_path / 'holdfast.db'}")
    yield opened
    opened.close()


@pytest.fixture
async def postgres(postgres_schema: str) -> AsyncIterator[Recollections]:
    opened = PostgresRecollections(postgres_schema, patience=20)
    yield opened
    opened.close()


@pytest.mark.parametrize("contract", RECOLLECTION_CONTRACTS, ids=name)
async def test_every_store_of_memories_keeps_the_contract(
    contract: RecollectionContract, store: Recollections
) -> None:
    await contract(store)


@pytest.mark.parametrize("contract", RECOLLECTION_CONTRACTS, ids=name)
async def test_memories_in_postgres_keep_the_contract(
    contract: RecollectionContract, postgres: Recollections
) -> None:
    await contract(postgres)


def modes(folder: Path) -> dict[str, int]:
    return {file.name: file.stat().st_mode & 0o777 for file in folder.iterdir()}


async def test_memories_have_a_file_beside_the_ledger_that_outlives_the_process(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'holdfast.db'}"
    first = open_recollections(url)
    await keep(first, ALICE, a_fact("m_1", "likes tea"))
    first.close()
    assert modes(tmp_path) == {"holdfast.memories.db": 0o600}
    second = open_recollections(url)
    assert await found(second, ALICE, "tea") == ["m_1"]
    second.close()


def traces(folder: Path, words: bytes) -> list[str]:
    """The files that still hold the words, in whatever encoding of SQLite."""
    return [file.name for file in folder.iterdir() if words in file.read_bytes()]


@pytest.mark.parametrize("whole", [False, True])
async def test_what_is_forgotten_is_nowhere_in_the_file_any_more(tmp_path: Path, whole: bool) -> None:
    store = SqliteRecollections(tmp_path / "memories.db")
    secret = "her code is zanzibar" + " and so on" * 500
    await keep(store, BOB, *(a_fact(f"b_{n}", f"bob likes colour {n}") for n in range(50)))
    await keep(store, ALICE, *(a_fact(f"m_{n}", f"{secret} {n}") for n in range(20)))
    assert traces(tmp_path, b"zanzibar")
    if whole:
        assert await store.forget_all(ALICE) == 20
    else:
        for n in range(20):
            assert await store.forget(ALICE, f"m_{n}")
    assert traces(tmp_path, b"zanzibar") == []
    assert len(await store.facts(BOB, now=NOW)) == 50
    store.close()


async def test_traces_that_another_process_holds_on_to_are_told_and_gone_with_the_next_try(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("holdfast.stores.sqlite_file.BUSY_TIMEOUT", 0.05)
    store = SqliteRecollections(tmp_path / "memories.db")
    await keep(store, ALICE, a_fact("m_1", "zanzibar"))
    reader = sqlite3.connect(tmp_path / "memories.db", isolation_level=None)
    reader.execute("BEGIN")
    reader.execute("SELECT text FROM facts").fetchall()
    with pytest.raises(StoreUnavailable, match="traces are left"):
        await store.forget(ALICE, "m_1")
    assert await store.facts(ALICE, now=NOW) == ()
    reader.close()
    assert await store.forget_all(ALICE) == 0
    assert traces(tmp_path, b"zanzibar") == []
    store.close()


async def test_what_has_expired_leaves_the_file_with_the_next_write_of_anybody(tmp_path: Path) -> None:
    store = SqliteRecollections(tmp_path / "memories.db")
    await keep(store, ALICE, a_fact("m_1", "zanzibar", lives=1))
    await store.remember(BOB, a_fact("m_2", "tea", minute=2), most=9, now=NOW + timedelta(minutes=2))
    store.close()
    assert traces(tmp_path, b"zanzibar") == []


async def test_a_store_that_is_broken_says_so(tmp_path: Path) -> None:
    path = tmp_path / "memories.db"
    store = SqliteRecollections(path)
    assert await store.digest(ALICE, "conv_1") is None
    with sqlite3.connect(path) as other:
        other.execute("DROP TABLE digests")
    with pytest.raises(StoreUnavailable, match=r"memories\.db"):
        await store.digest(ALICE, "conv_1")
    store.close()


async def test_a_postgres_that_is_away_says_so() -> None:
    store = open_recollections("postgresql://nobody@127.0.0.1:1/none")
    with pytest.raises(StoreUnavailable, match="PostgreSQL"):
        await store.facts(ALICE, now=NOW)
    store.close()


@pytest.mark.parametrize("url", ["sqlite:///", "sqlite:///:memory:", "redis://localhost", "holdfast.db"])
def test_an_address_that_is_none_is_refused_with_the_cure(url: str) -> None:
    with pytest.raises(ConfigError, match="sqlite:///path/to"):
        open_recollections(url)


def test_postgres_without_its_driver_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "asyncpg", None)
    for name in [name for name in sys.modules if name.startswith("holdfast.stores.") and "postgres" in name]:
        monkeypatch.delitem(sys.modules, name)
    with pytest.raises(ConfigError, match="holdfast\\[fleet\\]"):
        open_recollections("postgresql://localhost/none")


def test_the_memory_of_a_process_needs_no_file() -> None:
    assert isinstance(open_recollections("memory:"), MemoryRecollections)


def test_an_owner_has_a_tenant() -> None:
    with pytest.raises(ConfigError, match="tenant"):
        Owner(tenant="", user="alice")
