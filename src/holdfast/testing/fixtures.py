"""The pytest plugin of holdfast: `simulator`, a Messages API of its own for each test."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from holdfast.simulator.server import RunningSimulator


@pytest.fixture
def simulator() -> "Iterator[RunningSimulator]":
    """A simulated Messages API on a real socket, new for each test and without any waiting.

    Point the client under test at `simulator.url`; `simulator.simulator` takes faults and shows requests and bills.
    """
    # pytest loads every plugin in every run: the server is imported by those who use it only
    from holdfast.simulator.server import RunningSimulator

    with RunningSimulator() as running:
        yield running
