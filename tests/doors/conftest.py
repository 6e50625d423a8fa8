"""Fixtures of the doors."""

from collections.abc import Iterator

import pytest

from holdfast.simulator.server import RunningSimulator
from tests.doors.running import RunningGateway, quick_settings, serving


@pytest.fixture
def gateway(simulator: RunningSimulator) -> Iterator[RunningGateway]:
    with serving(simulator, quick_settings(simulator)) as running:
        yield running
