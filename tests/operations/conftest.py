"""A desk to work at: a store of its own on a clock that stands still, and everything it reported."""

from collections.abc import AsyncGenerator
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from holdfast.operations.desk import Desk
from holdfast.policy.budget import BudgetConfig
from holdfast.ports import Store
from holdfast.settings import Settings, StoreConfig
from holdfast.stores.memory import MemoryStore
from holdfast.stores.sqlite import SqliteStore
from holdfast.testing import FakeClock


@dataclass(frozen=True, slots=True, kw_only=True)
class Office:
    """The desk, and what stands around it."""

    desk: Desk
    clock: FakeClock
    file: Path
    reports: list[str] = field(default_factory=list[str])

    @property
    def store(self) -> Store:
        return self.desk.store

    def with_budgets(self, **budgets: BudgetConfig) -> Desk:
        """The same desk, with these budgets in the settings."""
        return replace(self.desk, settings=replace(self.desk.settings, budgets=budgets))

    async def noted(self) -> list[tuple[str, str, str, str]]:
        """Actor, action, name and note of every change, newest first."""
        return [(line.actor, line.action, line.name, line.note) for line in await self.store.audit(50)]


@pytest.fixture(params=["memory", "sqlite"])
async def office(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncGenerator[Office]:
    for name in ("HOLDFAST_PEPPER", "HOLDFAST_PEPPER_FILE"):
        monkeypatch.delenv(name, raising=False)
    clock, path, reports = FakeClock(), tmp_path / "book.db", list[str]()
    store: Store = MemoryStore(clock=clock) if request.param == "memory" else SqliteStore(path, clock=clock)
    desk = Desk(
        store=store,
        settings=Settings(store=StoreConfig(url=f"sqlite:///{path}")),
        clock=clock,
        actor="cli:kim",
        report=lambda sentence: reports.append(sentence.en),
    )
    yield Office(desk=desk, clock=clock, file=path, reports=reports)
    await store.aclose()
