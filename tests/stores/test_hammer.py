"""Nobody is let past a limit and nothing is charged twice, whoever is killed when."""

import os
from pathlib import Path

import pytest

from holdfast.ports import Store
from holdfast.stores.open import open_store
from holdfast.stores.postgres import PostgresStore
from tests.stores.hammer import LEASE, hammer

# `HOLDFAST_TEST_HAMMER=1` takes its time: eight workers for a minute instead of four for five seconds.
WORKERS, SECONDS = (8, 60.0) if os.environ.get("HOLDFAST_TEST_HAMMER") else (4, 5.0)


@pytest.fixture(params=["sqlite", "postgres"])
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'holdfast.db'}"
    url: str = request.getfixturevalue("postgres_schema")
    return url


@pytest.mark.requirement("money:killed-workers")
async def test_no_limit_is_passed_and_no_sum_is_wrong_when_workers_are_killed(
    store_url: str, tmp_path: Path
) -> None:
    def open_one() -> Store:
        # Whoever looks on has patience: what is late on a busy machine is not wrong.
        is_postgres = store_url.startswith("postgresql:")
        return PostgresStore(store_url, patience=20) if is_postgres else open_store(store_url)

    findings = await hammer(store_url, tmp_path, open_one, workers=WORKERS, seconds=SECONDS)
    assert findings.broken == []
    assert findings.resolved_after <= LEASE + 5
    assert findings.kills >= 2 * SECONDS
    assert min(findings.samples, findings.reserved, findings.settled, findings.corrected) > 0
    assert findings.denied > 0, "the limits were not tight enough to prove anything"
