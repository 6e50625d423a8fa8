"""Shared fixtures of the suite."""

import pytest


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"
