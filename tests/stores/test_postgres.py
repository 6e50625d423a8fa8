"""PostgreSQL held to what every store must keep."""

from collections.abc import AsyncIterator

import pytest

from holdfast.stores.postgres import PostgresStore
from holdfast.testing import conformance as contracts
from tests.servers.fixtures import connected

PATIENCE = 20.0
"""What is true of the store is true on a machine that is busy with everything else as well."""


def name(contract: object) -> str:
    return str(getattr(contract, "__name__", contract))


@pytest.fixture
async def store(postgres_schema: str) -> AsyncIterator[PostgresStore]:
    store = PostgresStore(postgres_schema, patience=PATIENCE)
    yield store
    await store.aclose()


@pytest.mark.parametrize("contract", [*contracts.LEDGER_CONTRACTS, *contracts.STORE_CONTRACTS], ids=name)
async def test_it_keeps_the_contract(contract: contracts.StoreContract, store: PostgresStore) -> None:
    await contract(store)


CLOCK = """
CREATE TABLE passed (seconds DOUBLE PRECISION);
INSERT INTO passed VALUES (0);
CREATE FUNCTION clock_timestamp() RETURNS TIMESTAMPTZ LANGUAGE SQL AS
    'SELECT pg_catalog.clock_timestamp() + make_interval(secs => seconds) FROM passed';
"""


@pytest.mark.parametrize("contract", contracts.STORE_LEASE_CONTRACTS, ids=name)
async def test_it_keeps_the_contract_of_leases_by_the_clock_of_the_database(
    contract: contracts.LeaseContract, postgres_schema: str
) -> None:
    url = f"{postgres_schema},pg_catalog"  # what the schema has comes before what the database has
    async with connected(url) as db:
        await db.execute(CLOCK)

        async def pass_time(seconds: float) -> None:
            await db.execute("UPDATE passed SET seconds = seconds + $1", seconds)

        store = PostgresStore(url, patience=PATIENCE)
        await contract(store, pass_time)
        await store.aclose()


@pytest.mark.parametrize(
    "contract", [*contracts.DURABLE_LEDGER_CONTRACTS, *contracts.DURABLE_STORE_CONTRACTS], ids=name
)
async def test_it_keeps_the_contract_of_what_survives(
    contract: contracts.DurableStoreContract, postgres_schema: str
) -> None:
    await contract(lambda: PostgresStore(postgres_schema, patience=PATIENCE))
