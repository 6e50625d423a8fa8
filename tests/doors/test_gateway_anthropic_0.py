"""The last generation of the official SDK, which still stands on httpx, in an interpreter of its own."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any, cast

import pytest

from tests.doors.running import RunningGateway

SCRIPT = Path(__file__).with_name("anthropic_0.py")
PATIENCE = 60.0


@pytest.fixture(scope="session")
def old_python() -> str:
    """The interpreter that `dev.py` makes and names; by hand, the one it has left in the checkout."""
    made = SCRIPT.parents[2] / ".venv-anthropic-0" / "bin" / "python"
    python = os.environ.get("HOLDFAST_ANTHROPIC_0_PYTHON", str(made))
    assert Path(python).exists(), "python3 dev.py setup makes the interpreter that this test needs"
    return python


@pytest.mark.requirement("client:anthropic-0")
def test_the_official_sdk_0_125_does_all_it_can(gateway: RunningGateway, old_python: str) -> None:
    done = subprocess.run(
        [old_python, "-I", "-W", "error", str(SCRIPT), gateway.url],
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
    )
    assert done.returncode == 0, done.stderr
    found = cast("dict[str, Any]", json.loads(done.stdout))
    assert found["version"] == "0.125.0"
    assert "Plain?" in found["plain"]
    assert "Streamed?" in found["streamed"]
    assert "Sunny, 21 degrees" in found["tool_turn"]
    assert found["refused"] == "BadRequestError"
    assert found["counted"] > 0
    assert "claude-sonnet-5-5" in found["models"]
    assert [f"Number {n}?" in text for n, text in enumerate(found["at_once"])] == [True] * 5
    assert gateway.totals().cost == gateway.simulator.simulator.billed > 0
    assert {request.headers["anthropic-version"] for request in gateway.simulator.simulator.requests} == {
        "2023-06-01"
    }
