"""Fixtures of the client suite: a gateway before a simulator, and the programs that call it.

`python3 dev.py clients` installs the clients and runs everything here; an ordinary run has none of them, and
leaves out the files that need them.
"""

import os
from collections.abc import Iterator

import pytest

from holdfast.simulator.server import RunningSimulator
from tests.clients.installed import INSTALLED, TABLES, Clients
from tests.doors.running import RunningGateway, quick_settings, serving

NEED_CLIENTS = ["test_turns.py", "test_fault_table.py", "test_refusals.py", "test_ten_thousand_bodies.py"]
collect_ignore = [] if INSTALLED in os.environ else NEED_CLIENTS


@pytest.fixture
def gateway(simulator: RunningSimulator) -> Iterator[RunningGateway]:
    """A gateway (`.url`) before a simulator (`.simulator.simulator`: faults, requests, ledger)."""
    with serving(simulator, quick_settings(simulator)) as running:
        yield running


@pytest.fixture(scope="session")
def clients() -> Iterator[Clients]:
    """The programs of all clients, each started when it is first asked."""
    with Clients.installed() as clients:
        yield clients


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    for table in TABLES:
        terminalreporter.write(f"\n{table}\n")
