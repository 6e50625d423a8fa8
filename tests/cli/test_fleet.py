"""Commands of an operator on the database of a fleet."""

import asyncio
import json
import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.conftest import Holdfast
from tests.servers.fixtures import connected


@pytest.fixture
def schema(postgres_url: str) -> Iterator[str]:
    """The address of an empty schema, for tests without a loop: every command runs one of its own."""
    name = f"test_{secrets.token_hex(6)}"
    asyncio.run(_execute(postgres_url, f"CREATE SCHEMA {name}"))
    yield f"{postgres_url}{'&' if '?' in postgres_url else '?'}search_path={name}"
    asyncio.run(_execute(postgres_url, f"DROP SCHEMA {name} CASCADE"))


async def _execute(url: str, statement: str) -> None:
    async with connected(url) as db:
        await db.execute(statement)


@pytest.fixture
def fleet(holdfast: Holdfast, schema: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Holdfast:
    """Runs commands on a PostgreSQL of their own, with a state folder of their own."""
    for name in ("HOLDFAST_PEPPER", "HOLDFAST_PEPPER_FILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOLDFAST_DATABASE_URL", schema)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return holdfast


def test_budgets_keys_and_stops_of_a_fleet_are_in_its_database(fleet: Holdfast) -> None:
    fleet("budgets", "set", "all", "--usd", "50", "--rung", "0.9 ask")
    fleet("budgets", "approve", "all")
    made = fleet("keys", "create", "web")
    fleet("stop", "run", "r1")
    (budget,) = json.loads(fleet("budgets", "list", "--json").out)["budgets"]
    (key,) = json.loads(fleet("keys", "list", "--json").out)["keys"]
    (word,) = json.loads(fleet("stop", "--list", "--json").out)["stops"]

    assert "need the same secret: set HOLDFAST_PEPPER on all of them" in made.err
    assert (budget["name"], key["name"], word["name"]) == ("all", "web", "run:r1")
    assert fleet("resume", "run", "r1").code == fleet("keys", "revoke", "web").code == 0


def test_an_empty_fleet_has_reports_too(fleet: Holdfast) -> None:
    ended = [
        fleet("spend", "report", "--json"),
        fleet("spend", "forecast", "--json"),
        fleet("spend", "export", "--json"),
        fleet("spend", "reprice", "--json"),
        fleet("runs", "list", "--json"),
    ]

    assert [one.code for one in ended] == [0] * 5, [one.err for one in ended]


def test_while_the_database_of_a_fleet_is_away_its_workers_here_can_be_stopped(
    fleet: Holdfast, monkeypatch: pytest.MonkeyPatch, free_tcp_port: int
) -> None:
    monkeypatch.setenv("HOLDFAST_DATABASE_URL", f"postgresql://u:secret@127.0.0.1:{free_tcp_port}/holdfast")
    told = fleet("stop", "everything")
    listing = fleet("stop", "--list")
    report = fleet("spend", "report")

    assert (told.code, "ONLY BY WORKERS ON THIS MACHINE" in told.err) == (0, True)
    assert "everything" in listing.out
    assert report.code == 1
    assert "secret" not in told.err + listing.err + report.err
