from collections.abc import Callable
from pathlib import Path

import pytest

from holdfast.ports import Ledger
from holdfast.stores.memory import MemoryLedger
from holdfast.stores.sqlite import SqliteLedger
from holdfast.testing.conformance import (
    DURABLE_LEDGER_CONTRACTS,
    LEDGER_CONTRACTS,
    DurableLedgerContract,
    LedgerContract,
)


def name(contract: LedgerContract | DurableLedgerContract) -> str:
    return str(getattr(contract, "__name__", contract))


@pytest.fixture(params=["memory", "sqlite"])
def open_one(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[], Ledger]:
    if request.param == "memory":
        return MemoryLedger
    return lambda: SqliteLedger(tmp_path / "holdfast.db")


@pytest.mark.parametrize("contract", LEDGER_CONTRACTS, ids=name)
async def test_every_ledger_keeps_the_contract(
    contract: LedgerContract, open_one: Callable[[], Ledger]
) -> None:
    ledger = open_one()
    try:
        await contract(ledger)
    finally:
        await ledger.aclose()


@pytest.mark.parametrize("contract", DURABLE_LEDGER_CONTRACTS, ids=name)
async def test_a_ledger_in_a_file_keeps_the_contract_of_durability(
    contract: DurableLedgerContract, tmp_path: Path
) -> None:
    await contract(lambda: SqliteLedger(tmp_path / "holdfast.db"))
