"""The pytest plugin of holdfast: a Messages API of its own for each test, its faults and bills, and drills."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, cast

import pytest

if TYPE_CHECKING:
    from holdfast.drill import Ask, Scenario, Sheet
    from holdfast.settings import Settings
    from holdfast.simulator import Action, Fault
    from holdfast.simulator.server import RunningSimulator
    from holdfast.testing.ledger import LedgerView

MARK = "drill"
SHEET = "sheet"
ENDING = ".toml"


class Drill(Protocol):
    """Plays an incident, by its name or the file of a scenario, and returns the sheet."""

    def __call__(
        self,
        incident: str | Path,
        settings: "Settings | str | Path | None" = None,
        *,
        seed: int = 0,
        ask: "Ask | None" = None,
    ) -> "Sheet": ...


@pytest.fixture
def simulator() -> "Iterator[RunningSimulator]":
    """A simulated Messages API on a real socket, new for each test and without any waiting.

    Point the client under test at `simulator.url`; `simulator.simulator` takes faults and shows requests and bills.
    """
    # pytest loads every plugin in every run: the server is imported by those who use it only
    from holdfast.simulator.server import RunningSimulator

    with RunningSimulator() as running:
        yield running


@pytest.fixture
def faults(simulator: "RunningSimulator") -> "Callable[..., None]":
    """Adds faults to `simulator`: `faults(Status(529), Reset(6))` hits its next requests in this order."""

    def add(*wanted: "Fault | Action") -> None:
        simulator.simulator.fault(*wanted)

    return add


@pytest.fixture
def ledger(simulator: "RunningSimulator") -> "LedgerView":
    """What `simulator` was asked and has billed: `ledger.total`, `ledger.entries`, `ledger.requests`."""
    from holdfast.testing.ledger import LedgerView

    return LedgerView(simulator)


@pytest.fixture
def drill() -> Drill:
    """Plays incidents: `drill("529-storm", settings, ask=my_agent).passed`; call it from a plain test function."""
    return play


@pytest.fixture
def sheet(request: pytest.FixtureRequest) -> "Sheet":
    """The sheet of each incident that the marker `drill` names; it is played before the test begins."""
    name, given = cast("tuple[str | Path, dict[str, Any]]", request.param)
    return play(name, **given)


def play(
    incident: str | Path,
    settings: "Settings | str | Path | None" = None,
    *,
    seed: int = 0,
    ask: "Ask | None" = None,
) -> "Sheet":
    """Play an incident against settings, those of a file, or those that `Settings.load()` finds."""
    from holdfast.drill import drill
    from holdfast.settings import Settings

    ready = settings if isinstance(settings, Settings) else Settings.load(settings)
    return drill(_scenario(incident), ready, seed=seed, ask=ask)


def _scenario(incident: str | Path) -> "Scenario":
    from holdfast.drill import incident as named
    from holdfast.drill import read_scenario

    return read_scenario(incident) if str(incident).endswith(ENDING) else named(str(incident))


def pytest_configure(config: pytest.Config) -> None:
    """Tell pytest of the marker."""
    config.addinivalue_line(
        "markers",
        "drill(*incidents, settings=None, seed=0, ask=None): run the test once for each incident, with its `sheet`",
    )


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A test that wants a `sheet` is run once for each incident of its marker."""
    mark = metafunc.definition.get_closest_marker(MARK)
    if mark is not None and SHEET in metafunc.fixturenames:
        given = [(name, dict(mark.kwargs)) for name in mark.args]
        metafunc.parametrize(SHEET, given, indirect=True, ids=[str(name) for name in mark.args])
