"""The servers of the suite: those that the environment names, else our own, started when first asked for."""

import os
import secrets
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import asynccontextmanager

import asyncpg
import pytest

import dev_servers
from tests.servers.postgres import PostgresServer
from tests.servers.redis import RedisServer


@pytest.fixture(scope="session")
def redis_url() -> Iterator[str]:
    """A Redis that all tests share; keys must have a prefix of their own, see `redis_prefix`."""
    if url := os.environ.get(dev_servers.URLS["redis-server"]):
        yield url
        return
    with RedisServer() as server:
        yield server.url


@pytest.fixture
def redis_prefix() -> str:
    """What the keys of this test begin with."""
    return f"test-{secrets.token_hex(6)}:"


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """A PostgreSQL that all tests share; see `postgres_schema` for a place of one's own."""
    if url := os.environ.get(dev_servers.URLS["postgres"]):
        yield url
        return
    with PostgresServer() as server:
        yield server.url


@pytest.fixture
async def postgres_schema(postgres_url: str) -> AsyncIterator[str]:
    """The address of an empty schema on the shared PostgreSQL, gone after the test."""
    schema = f"test_{secrets.token_hex(6)}"
    async with connected(postgres_url) as db:
        await db.execute(f"CREATE SCHEMA {schema}")
    yield f"{postgres_url}{'&' if '?' in postgres_url else '?'}search_path={schema}"
    async with connected(postgres_url) as db:
        await db.execute(f"DROP SCHEMA {schema} CASCADE")


@pytest.fixture
def redis_server() -> Iterator[RedisServer]:
    """A Redis of this test alone, to stop, freeze and restart."""
    with RedisServer() as server:
        yield server


@pytest.fixture(scope="module")
def postgres_server() -> Iterator[PostgresServer]:
    """A PostgreSQL of this file alone, to stop, freeze and restart; a test leaves it running."""
    with PostgresServer() as server:
        yield server


@asynccontextmanager
async def connected(url: str) -> AsyncGenerator["asyncpg.Connection[asyncpg.Record]"]:
    """A connection of the test itself, to look from outside at what a store has done."""
    connection = await asyncpg.connect(url)
    try:
        yield connection
    finally:
        await connection.close()
