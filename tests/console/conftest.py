"""Fixtures of the console: a gateway with a book in memory, and browsers that are logged in."""

from collections.abc import Iterator

import pytest

from holdfast.settings import Settings
from holdfast.simulator.server import RunningSimulator
from tests.admin.operating import TOKEN, Operator
from tests.console.visiting import Browser
from tests.doors.running import RunningGateway, quick_settings, serving


@pytest.fixture(autouse=True)
def secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is written into the folders of whoever runs the tests."""
    monkeypatch.setenv("HOLDFAST_ADMIN_TOKEN", TOKEN)
    monkeypatch.setenv("HOLDFAST_PEPPER", "a-pepper-of-the-tests,-long-enough")


@pytest.fixture
def settings(simulator: RunningSimulator) -> Settings:
    return quick_settings(simulator)


@pytest.fixture
def gateway(simulator: RunningSimulator, settings: Settings) -> Iterator[RunningGateway]:
    with serving(simulator, settings) as running:
        yield running


@pytest.fixture
def stranger(gateway: RunningGateway) -> Browser:
    """Somebody who is not logged in."""
    return Browser(gateway=gateway)


@pytest.fixture
def browser(gateway: RunningGateway) -> Browser:
    """An operator."""
    found = Browser(gateway=gateway)
    assert found.get(found.ticket()).status == 200
    return found


@pytest.fixture
def viewer(gateway: RunningGateway) -> Browser:
    """Somebody who may look."""
    found = Browser(gateway=gateway)
    assert found.get(found.ticket("viewer")).status == 200
    return found


@pytest.fixture
def operator(gateway: RunningGateway) -> Operator:
    """The same gateway over the Admin API."""
    return Operator(gateway=gateway)
