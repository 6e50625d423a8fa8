"""The names that holdfast promises, and what importing them costs."""

import importlib
import json
import subprocess
import sys

import pytest

import holdfast

PROMISED = [
    "AgentLogger",
    "BasicAgent",
    "Budget",
    "BudgetExhausted",
    "Cache",
    "CallNotPermitted",
    "CircuitBreaker",
    "CodeReviewSystem",
    "ConfigError",
    "ConversationalAgent",
    "CostTracker",
    "DeadlineExceeded",
    "Holdfast",
    "HoldfastError",
    "InputRejected",
    "InputValidator",
    "MemoryAgent",
    "NotAllowed",
    "PriceBook",
    "ProductionAgent",
    "Quota",
    "RateLimited",
    "Redactor",
    "Refused",
    "Reply",
    "Retry",
    "Route",
    "Settings",
    "Stopped",
    "StoreUnavailable",
    "StreamInterrupted",
    "ToolAgent",
    "Unauthenticated",
    "UnknownModel",
    "UpstreamError",
    "UpstreamUnavailable",
    "Usage",
    "is_retryable",
    "tool",
]

HEAVY = {"aiohttp", "anthropic", "click", "mcp", "pydantic", "uvicorn"}
VERSION = """
import sys
from holdfast.cli.main import main
sys.argv = ["holdfast", "--version"]
try:
    main()
except SystemExit as end:
    assert not end.code, end.code
"""


def imported_by(program: str) -> set[str]:
    """The top-level modules that a program has loaded when it ends."""
    listing = (
        "\nimport json, sys\nprint()\nprint(json.dumps(sorted({name.split('.')[0] for name in sys.modules})))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program + listing], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return set(json.loads(done.stdout.splitlines()[-1]))


def test_the_promised_names_are_exactly_these() -> None:
    assert sorted(holdfast.__all__) == PROMISED
    # Every name of the public contract, `Budget` and `Quota` of its parts, the agents of all days of the series and
    # its errors among them, and no more.
    assert len(holdfast.__all__) <= 39


ALSO_CALLED = {"CodeReviewSystem": "CodeReview"}
"""Names that the series of articles has for what we call otherwise."""


@pytest.mark.parametrize("name", PROMISED)
def test_a_promised_name_can_be_imported(name: str) -> None:
    found = getattr(importlib.import_module("holdfast"), name)

    assert found.__name__ == ALSO_CALLED.get(name, name)


def test_dir_lists_the_promised_names() -> None:
    assert set(PROMISED) <= set(dir(holdfast))


def test_a_name_that_was_never_promised_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="Nonsense"):
        _ = importlib.import_module("holdfast").Nonsense


def test_importing_holdfast_loads_no_heavy_library() -> None:
    assert imported_by("import holdfast") & HEAVY == set()


def test_asking_the_command_for_its_version_loads_no_heavy_library() -> None:
    assert imported_by(VERSION) & (HEAVY - {"click"}) == set()


@pytest.mark.parametrize(
    "part", ["Budget", "CircuitBreaker", "Quota", "Retry", "PriceBook", "Redactor", "InputValidator"]
)
def test_a_part_alone_loads_no_server_and_no_sdk(part: str) -> None:
    assert imported_by(f"from holdfast import {part}") & HEAVY == set()
