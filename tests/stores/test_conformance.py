from collections.abc import Callable
from pathlib import Path

import pytest

from holdfast.ports import Store
from holdfast.stores.memory import MemoryStore
from holdfast.stores.sqlite import SqliteStore
from holdfast.testing import FakeClock
from holdfast.testing.conformance import (
    DURABLE_LEDGER_CONTRACTS,
    DURABLE_STORE_CONTRACTS,
    LEDGER_CONTRACTS,
    STORE_CONTRACTS,
    STORE_LEASE_CONTRACTS,
    DurableLedgerContract,
    DurableStoreContract,
    LeaseContract,
    LedgerContract,
    StoreContract,
)


def name(contract: object) -> str:
    return str(getattr(contract, "__name__", contract))


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture(params=["memory", "sqlite"])
def open_one(request: pytest.FixtureRequest, tmp_path: Path, clock: FakeClock) -> Callable[[], Store]:
    if request.param == "memory":
        return lambda: MemoryStore(clock=clock)
    return lambda: SqliteStore(tmp_path / "holdfast.db", clock=clock)


@pytest.mark.parametrize("contract", [*LEDGER_CONTRACTS, *STORE_CONTRACTS], ids=name)
async def test_every_store_keeps_the_contract(
    contract: LedgerContract | StoreContract, open_one: Callable[[], Store]
) -> None:
    store = open_one()
    try:
        await contract(store)
    finally:
        await store.aclose()


@pytest.mark.parametrize("contract", STORE_LEASE_CONTRACTS, ids=name)
async def test_every_store_keeps_the_contract_of_leases(
    contract: LeaseContract, open_one: Callable[[], Store], clock: FakeClock
) -> None:
    async def pass_time(seconds: float) -> None:
        clock.advance(seconds)

    store = open_one()
    try:
        await contract(store, pass_time)
    finally:
        await store.aclose()


@pytest.mark.parametrize("contract", [*DURABLE_LEDGER_CONTRACTS, *DURABLE_STORE_CONTRACTS], ids=name)
async def test_a_store_in_a_file_keeps_the_contract_of_durability(
    contract: DurableLedgerContract | DurableStoreContract, tmp_path: Path
) -> None:
    await contract(lambda: SqliteStore(tmp_path / "holdfast.db"))
