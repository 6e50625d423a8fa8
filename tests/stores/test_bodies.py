"""Recorded bodies: kept beside the ledger, within bounds, and gone when they are forgotten, from every store alike."""

import os
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from holdfast.errors import StoreUnavailable
from holdfast.ports import Bodies, RecordedCall, Whose
from holdfast.stores.bodies import open_bodies
from holdfast.stores.bodies_postgres import PostgresBodies

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
ROOM = 10_000
ENTRY = RecordedCall(
    request_id="r1",
    at=NOW,
    recording="key:web",
    key="web",
    user="kim",
    run="web/7f2c",
    headers={"anthropic-version": "2023-06-01"},
    request=b'{"messages":["unmistakable"]}',
    answer=b'{"content":[]}',
    is_cut=True,
)


@pytest.fixture(params=["memory", "sqlite", "postgres"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    match request.param:
        case "memory":
            return "memory:"
        case "sqlite":
            return f"sqlite:///{tmp_path / 'holdfast.db'}"
        case _:
            return str(request.getfixturevalue("postgres_schema"))


@pytest.fixture
async def bodies(url: str) -> AsyncIterator[Bodies]:
    opened = open_bodies(url)
    yield opened
    await opened.aclose()


def written(folder: Path) -> dict[str, bytes]:
    """Everything that lies in a folder."""
    return {path.name: path.read_bytes() for path in folder.iterdir()}


async def keep(
    bodies: Bodies,
    name: str,
    room: int = ROOM,
    *,
    at: datetime = NOW,
    user: str = "kim",
    key: str = "web",
    answer: bytes = ENTRY.answer,
) -> None:
    await bodies.keep(replace(ENTRY, request_id=name, at=at, user=user, key=key, answer=answer), room)


async def test_what_is_kept_is_found_as_it_was(bodies: Bodies) -> None:
    assert await bodies.find("r1") is None
    await bodies.keep(ENTRY, ROOM)
    assert await bodies.find("r1") == ENTRY
    assert await bodies.find("r2") is None


async def test_a_call_is_kept_once(bodies: Bodies) -> None:
    await bodies.keep(ENTRY, ROOM)
    await keep(bodies, "r1", answer=b"{}")
    assert await bodies.find("r1") == ENTRY


async def test_the_oldest_make_room(bodies: Bodies) -> None:
    for number in range(5):
        await keep(bodies, f"r{number}", 2 * ENTRY.size)
    found = [await bodies.find(f"r{number}") is not None for number in range(5)]
    assert found == [False, False, False, True, True]


async def test_what_is_larger_than_all_the_room_is_not_kept(bodies: Bodies) -> None:
    await keep(bodies, "r1", ENTRY.size - 1)
    assert await bodies.find("r1") is None


@pytest.mark.parametrize(
    ("whose", "left"),
    [
        (Whose(request_id="r1"), {"r2", "r3"}),
        (Whose(key="web"), {"r3"}),
        (Whose(key="web", user="lee"), {"r1", "r3"}),
        (Whose(run="web/7f2c"), set[str]()),
        (Whose(user="nobody"), {"r1", "r2", "r3"}),
        (Whose(), set[str]()),
    ],
)
async def test_what_is_meant_is_forgotten_and_no_more(bodies: Bodies, whose: Whose, left: set[str]) -> None:
    await keep(bodies, "r1")
    await keep(bodies, "r2", user="lee")
    await keep(bodies, "r3", key="other")
    assert await bodies.forget(whose) == 3 - len(left)
    assert {name for name in ("r1", "r2", "r3") if await bodies.find(name) is not None} == left


async def test_what_is_old_is_forgotten(bodies: Bodies) -> None:
    await keep(bodies, "r1", at=NOW - timedelta(days=8))
    await keep(bodies, "r2")
    assert await bodies.prune(NOW - timedelta(days=7)) == 1
    assert (await bodies.find("r1"), (await bodies.find("r2")) is not None) == (None, True)


async def test_looking_for_bodies_makes_no_file(tmp_path: Path) -> None:
    bodies = open_bodies(f"sqlite:///{tmp_path / 'holdfast.db'}")
    assert await bodies.find("r1") is None
    assert await bodies.forget(Whose()) == 0
    assert written(tmp_path) == {}


async def test_the_file_is_its_owners_alone_and_forgets_to_the_last_byte(tmp_path: Path) -> None:
    bodies = open_bodies(f"sqlite:///{tmp_path / 'holdfast.db'}")
    await bodies.keep(ENTRY, ROOM)
    assert list(written(tmp_path)) == ["holdfast.bodies.db"]
    assert os.stat(tmp_path / "holdfast.bodies.db").st_mode & 0o777 == 0o600
    assert b"unmistakable" in b"".join(written(tmp_path).values())
    await bodies.forget(Whose(request_id="r1"))
    assert b"unmistakable" not in b"".join(written(tmp_path).values())


async def test_a_file_that_is_broken_is_told(tmp_path: Path) -> None:
    path = tmp_path / "holdfast.bodies.db"
    bodies = open_bodies(f"sqlite:///{tmp_path / 'holdfast.db'}")
    await bodies.keep(ENTRY, ROOM)
    path.write_bytes(path.read_bytes()[:4096] + b"\xff" * 20_000)
    with pytest.raises(StoreUnavailable):
        await bodies.keep(replace(ENTRY, request_id="r2"), ROOM)
    with pytest.raises(StoreUnavailable):
        await bodies.forget(Whose())


async def test_a_database_that_is_away_is_told() -> None:
    bodies = PostgresBodies("postgresql://nobody@127.0.0.1:1/nowhere")
    with pytest.raises(StoreUnavailable):
        await bodies.find("r1")
    await bodies.aclose()
    with pytest.raises(StoreUnavailable):
        await bodies.find("r1")
    await bodies.aclose()
