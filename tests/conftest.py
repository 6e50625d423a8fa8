"""Shared fixtures of the suite."""

import os

import pytest
from hypothesis import settings

pytest_plugins = ["tests.servers.fixtures"]

# The same examples in every run, so that a failure belongs to a change; `HOLDFAST_EXPLORE=1` looks for new ones.
settings.register_profile("repeatable", derandomize=True, deadline=None, database=None)
settings.register_profile("explore", deadline=None, max_examples=2_000, print_blob=True)
settings.load_profile("explore" if os.environ.get("HOLDFAST_EXPLORE") else "repeatable")


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"
