"""The servers that the suite starts for itself."""

import os
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import pytest
import redis

import dev_servers
from tests.servers.postgres import PostgresServer
from tests.servers.process import Server, program
from tests.servers.redis import RedisServer

SERVERS: list[type[Server]] = [RedisServer, PostgresServer]


def fail_with(server: Server) -> None:
    server.freeze()
    raise AssertionError


@pytest.mark.parametrize("kind", SERVERS)
def test_a_server_ends_and_leaves_nothing_behind_also_when_the_test_fails(kind: type[Server]) -> None:
    with pytest.raises(AssertionError), kind() as server:
        fail_with(server)
    assert not server.is_running
    assert not server.folder.exists()


@pytest.mark.parametrize("kind", SERVERS)
def test_a_frozen_server_keeps_its_port_and_does_not_answer_until_it_goes_on(kind: type[Server]) -> None:
    with kind() as server:
        server.freeze()
        assert server.is_running
        assert not server.is_ready()
        server.thaw()
        assert server.is_ready()


async def test_a_postgres_keeps_its_data_over_a_restart_and_not_over_an_empty_one() -> None:
    with PostgresServer() as server:
        await ask(server, "CREATE TABLE kept ()")
        server.restart()
        assert await ask(server, "SELECT to_regclass('kept')::text") == "kept"
        server.restart_empty()
        assert await ask(server, "SELECT to_regclass('kept')::text") is None


async def ask(server: Server, query: str) -> object:
    connection = await asyncpg.connect(server.url)
    try:
        return await connection.fetchval(query)
    finally:
        await connection.close()


async def test_a_postgres_syncs_every_commit(postgres_url: str) -> None:
    connection = await asyncpg.connect(postgres_url)
    assert await connection.fetchval("SHOW fsync") == "on"
    await connection.close()


async def test_a_schema_of_a_test_is_the_one_that_its_address_names(postgres_schema: str) -> None:
    connection = await asyncpg.connect(postgres_schema)
    assert postgres_schema.endswith(f"={await connection.fetchval('SELECT current_schema()')}")
    await connection.close()


def client_of(url: str) -> redis.Redis:
    address = urlsplit(url)
    return redis.Redis(
        address.hostname or "", address.port or 6379, username=address.username, password=address.password
    )


def test_the_shared_redis_takes_keys_behind_a_prefix(redis_url: str, redis_prefix: str) -> None:
    with client_of(redis_url) as client:
        client.set(f"{redis_prefix}x", 1, px=1000)
        assert client.get(f"{redis_prefix}x") == b"1"


def test_a_restarted_redis_is_empty_and_at_its_old_address(redis_server: RedisServer) -> None:
    with client_of(redis_server.url) as client:
        client.set("x", 1)
    redis_server.restart_empty()
    with client_of(redis_server.url) as client:
        assert client.get("x") is None


def test_a_program_that_is_missing_is_an_error_with_its_cure(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setitem(dev_servers.PLACES, "postgres", (tmp_path, "*"))
    monkeypatch.setattr(dev_servers, "BUNDLED", tmp_path)
    with pytest.raises(FileNotFoundError, match="sudo apt install postgresql") as caught:
        program("postgres")
    assert "dev.py setup" in str(caught.value)


def test_the_newest_of_several_postgres_of_debian_is_taken(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", os.devnull)
    monkeypatch.setitem(dev_servers.PLACES, "postgres", (tmp_path, "*/bin/postgres"))
    for version in ("9", "15", "17"):
        (tmp_path / version / "bin").mkdir(parents=True)
        (tmp_path / version / "bin" / "postgres").touch()
    assert dev_servers.find("postgres") == tmp_path / "17" / "bin" / "postgres"


@pytest.fixture
def bare_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Debian as root with apt, and without any server; what apt is told to do leaves a line in `asked`."""
    for program_ in dev_servers.URLS:
        monkeypatch.setitem(dev_servers.PLACES, program_, (tmp_path, program_))
    for url in dev_servers.URLS.values():
        monkeypatch.delenv(url, raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(dev_servers, "BUNDLED", tmp_path / "none")
    monkeypatch.setattr(dev_servers, "POLICY", tmp_path / "policy")
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    (tmp_path / "apt-get").write_text(
        f"""#!/bin/sh
echo "$@" >> {tmp_path}/asked
test -x {tmp_path}/policy || exit 1
for package in "$@"; do
  test "$package" = postgresql && echo > {tmp_path}/postgres
  test "$package" = redis-server && echo > {tmp_path}/redis-server
done
exit 0
"""
    )
    (tmp_path / "apt-get").chmod(0o755)
    return tmp_path


def test_what_is_missing_is_installed_with_apt_and_no_service_is_started(bare_machine: Path) -> None:
    assert dev_servers.missing() == ["postgres", "redis-server"]
    assert dev_servers.install_with_apt(dev_servers.missing())
    asked = (bare_machine / "asked").read_text().splitlines()
    assert asked == ["install -y --no-install-recommends postgresql redis-server"]
    assert not (bare_machine / "policy").exists()


def test_a_policy_that_the_machine_has_stays_in_force(bare_machine: Path) -> None:
    (bare_machine / "policy").write_text("theirs")
    (bare_machine / "policy").chmod(0o755)
    assert dev_servers.install_with_apt(["redis-server"]) is False  # the other one is still missing
    assert (bare_machine / "policy").read_text() == "theirs"


@pytest.mark.parametrize("lack", ["root", "apt"])
def test_without_root_or_apt_nothing_is_tried(
    bare_machine: Path, monkeypatch: pytest.MonkeyPatch, lack: str
) -> None:
    if lack == "root":
        monkeypatch.setattr(os, "geteuid", lambda: 1000)
    else:
        (bare_machine / "apt-get").unlink()
    assert not dev_servers.install_with_apt(["redis-server"])
    assert not (bare_machine / "asked").exists()


def test_a_server_that_the_environment_names_need_not_be_installed(
    bare_machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOLDFAST_TEST_POSTGRES_URL", "postgresql://there/db")
    assert dev_servers.missing() == ["redis-server"]
