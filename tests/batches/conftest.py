"""A simulator in process and holds over it, as for agents."""

import pytest

from tests.agent.conftest import World


@pytest.fixture
def world() -> World:
    return World()
