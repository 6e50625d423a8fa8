"""Fixtures of the Admin API: a gateway over every store that needs no server."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from holdfast.settings import Settings, StoreConfig
from holdfast.simulator.server import RunningSimulator
from tests.admin.operating import TOKEN, Operator
from tests.doors.running import quick_settings, serving


@pytest.fixture(autouse=True)
def secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is written into the folders of whoever runs the tests."""
    monkeypatch.setenv("HOLDFAST_ADMIN_TOKEN", TOKEN)
    monkeypatch.setenv("HOLDFAST_PEPPER", "a pepper of the tests, long enough".replace(" ", "-"))


@pytest.fixture(params=["memory", "sqlite"])
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return "memory:" if request.param == "memory" else f"sqlite:///{tmp_path / 'holdfast.db'}"


@pytest.fixture
def settings(simulator: RunningSimulator, store_url: str) -> Settings:
    return replace(quick_settings(simulator), store=StoreConfig(url=store_url))


@pytest.fixture
def operator(simulator: RunningSimulator, settings: Settings) -> Iterator[Operator]:
    with serving(simulator, settings) as running:
        yield Operator(gateway=running)
