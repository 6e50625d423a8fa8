"""Shared fixtures of the suite."""

import os
import signal

import pytest
from hypothesis import settings

pytest_plugins = ["tests.servers.fixtures"]

# The same examples in every run, so that a failure belongs to a change; `HOLDFAST_EXPLORE=1` looks for new ones.
settings.register_profile("repeatable", derandomize=True, deadline=None, database=None)
settings.register_profile("explore", deadline=None, max_examples=2_000, print_blob=True)
settings.load_profile("explore" if os.environ.get("HOLDFAST_EXPLORE") else "repeatable")

# Whoever starts the suite in the background has these ignored, and every program that a test starts inherits it.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"
