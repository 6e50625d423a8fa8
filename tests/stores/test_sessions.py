"""Conversations in the stores: kept through a kill, bounded in memory, and new to a store of the holdfast before."""

import asyncio
import contextlib
import sqlite3
import tempfile
from datetime import timedelta
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.errors import StoreUnavailable
from holdfast.ports import Moved, Owner, Sessions
from holdfast.stores import memory_sessions
from holdfast.stores.memory import MemoryStore
from holdfast.stores.memory_sessions import MemorySessions
from holdfast.stores.postgres import PostgresStore
from holdfast.stores.sqlite import SqliteStore
from holdfast.testing import FakeClock
from holdfast.testing.conformance_records import a_record
from holdfast.testing.conformance_sessions import (
    ALICE,
    BOB,
    SAID,
    messages_of,
    what_was_said_survives_kill_9,
)
from tests.servers.fixtures import connected


async def test_what_was_said_survives_kill_9_in_a_file(tmp_path: Path) -> None:
    await what_was_said_survives_kill_9(f"sqlite:///{tmp_path}/h.db")


async def test_what_was_said_survives_kill_9_in_a_database(postgres_schema: str) -> None:
    await what_was_said_survives_kill_9(postgres_schema)


async def test_a_file_of_the_holdfast_before_has_room_for_conversations(tmp_path: Path) -> None:
    path = tmp_path / "h.db"
    with contextlib.closing(sqlite3.connect(path)) as db:
        for name in ("sqlite_0001.sql", "sqlite_0002.sql", "sqlite_0003.sql"):
            db.executescript(files("holdfast.stores").joinpath("sql", name).read_text("utf-8"))
        db.execute("PRAGMA user_version = 3")
        db.commit()
    store = SqliteStore(path)
    try:
        await store.record(a_record("hfr_1"))
        assert await store.sessions.append("c", ALICE, SAID, expected=0) == 2
        assert await messages_of(store.sessions, "c") == SAID
    finally:
        await store.aclose()


async def test_a_database_of_the_holdfast_before_has_room_for_conversations(postgres_schema: str) -> None:
    async with connected(postgres_schema) as db:
        await db.execute("CREATE TABLE holdfast_migrations (number BIGINT PRIMARY KEY)")
        for number in (1, 2):
            script = files("holdfast.stores").joinpath("sql", f"postgres_000{number}.sql")
            await db.execute(script.read_text("utf-8"))
            await db.execute("INSERT INTO holdfast_migrations VALUES ($1)", number)
    store = PostgresStore(postgres_schema, patience=20.0)
    try:
        assert await store.sessions.append("c", ALICE, SAID, expected=0) == 2
        assert await messages_of(store.sessions, "c") == SAID
    finally:
        await store.aclose()


async def test_a_closed_store_says_so(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "h.db")
    await store.aclose()
    with pytest.raises(StoreUnavailable):
        await store.sessions.append("c", ALICE, SAID, expected=0)


async def test_a_session_is_as_old_as_its_last_message() -> None:
    clock = FakeClock()
    store = MemoryStore(clock=clock)
    await store.sessions.append("old", ALICE, SAID, expected=0)
    await store.sessions.append("used", ALICE, SAID, expected=0)
    clock.advance(3600)
    await store.sessions.append("used", ALICE, [b"again"], expected=2)

    assert await store.prune(clock.now() - timedelta(minutes=30)) == 1
    assert [head.id for head in await store.sessions.list(ALICE)] == ["used"]


async def test_memory_drops_the_session_unused_longest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory_sessions, "SESSIONS", 2)
    sessions = MemorySessions(FakeClock())
    for name, expected in (("a", 0), ("b", 0), ("a", 2), ("c", 0)):
        await sessions.append(name, ALICE, SAID, expected=expected)

    assert [head.id for head in await sessions.list(ALICE)] == ["a", "c"]
    assert await sessions.append("b", ALICE, SAID, expected=2) == Moved(length=0)


async def test_memory_is_bounded_in_bytes_and_never_drops_the_newest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory_sessions, "BYTES", 100)
    sessions = MemorySessions(FakeClock())
    for name in ("a", "b", "c"):
        await sessions.append(name, ALICE, [b"x" * 40], expected=0)
    assert [head.id for head in await sessions.list(ALICE)] == ["b", "c"]

    await sessions.append("d", BOB, [b"x" * 500], expected=0)
    assert (len(await sessions.list(ALICE)), len(await sessions.list(BOB))) == (0, 1)
    await sessions.forget("d", BOB)
    await sessions.append("e", ALICE, [b"x" * 99], expected=0)
    assert len(await sessions.list(ALICE)) == 1


OWNERS, IDS = (ALICE, BOB), ("a", "b", "가")
PLACES = st.tuples(st.sampled_from(IDS), st.sampled_from(OWNERS))
STEPS = st.one_of(
    st.tuples(st.just("append"), PLACES, st.integers(0, 4), st.integers(-1, 1)),
    st.tuples(st.just("branch"), PLACES, st.sampled_from(IDS), st.none() | st.integers(0, 6)),
    st.tuples(st.just("forget"), PLACES),
    st.tuples(st.just("forget_owner"), PLACES),
)
Model = dict[tuple[str, Owner], list[bytes]]


@given(st.lists(STEPS, max_size=25))
@settings(max_examples=40, deadline=None)
def test_every_store_does_what_the_plainest_model_does(steps: list[tuple[Any, ...]]) -> None:
    async def main() -> None:
        with tempfile.TemporaryDirectory() as folder:
            sqlite = SqliteStore(Path(folder) / "h.db")
            try:
                for sessions in (sqlite.sessions, MemoryStore().sessions):
                    await agrees(sessions, steps)
            finally:
                await sqlite.aclose()

    asyncio.run(main())


async def agrees(sessions: Sessions, steps: list[tuple[Any, ...]]) -> None:
    model: Model = {}
    for number, (verb, (id, owner), *more) in enumerate(steps):
        known = model.get((id, owner))
        match verb, more:
            case "append", [count, off]:
                new = [b"%d %d" % (number, at) for at in range(count)]
                length = len(known or ())
                answer = await sessions.append(id, owner, new, expected=length + off)
                assert answer == (length + count if off == 0 else Moved(length=length))
                if off == 0 and new:
                    model[id, owner] = [*(known or ()), *new]
            case "branch", [to, at]:
                can = known is not None and (to, owner) not in model
                assert await sessions.branch(id, owner, to=to, at=at) == can
                if can:
                    model[to, owner] = (known or [])[:at]
            case "forget", _:
                assert await sessions.forget(id, owner) == (known is not None)
                model.pop((id, owner), None)
            case _:
                mine = [place for place in model if place[1] == owner]
                assert await sessions.forget_owner(owner) == len(mine)
                model = {place: said for place, said in model.items() if place not in mine}
    await is_what_it_has(sessions, model)


async def is_what_it_has(sessions: Sessions, model: Model) -> None:
    for owner in OWNERS:
        lengths = {head.id: head.length for head in await sessions.list(owner)}
        assert lengths == {id: len(said) for (id, of), said in sorted(model.items(), key=str) if of == owner}
        for id in IDS:
            assert list(await messages_of(sessions, id, owner)) == model.get((id, owner), [])
