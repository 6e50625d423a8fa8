"""The floors of the house: a room imports only what lies below it, and the check really bites."""

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

LINTER = Path(sys.executable).with_name("lint-imports")

FLOORS = "Floors: a room may only look down"
PURE = "Policy and wire do no I/O, read no clock, roll no dice"
APART = "Guards do not know each other"
SIMULATOR = "The simulator shares no code with what it tests"
NO_SDK = "Gateway, simulator and command line never import the official SDK, mcp or pydantic"

PLANTED = [
    ("policy/breaker.py", "import time", PURE),
    ("policy/breaker.py", "def roll():\n    import random\n    return random", PURE),
    ("policy/breaker.py", "from holdfast import clock", PURE),
    ("wire/sse.py", "import asyncio", PURE),
    ("wire/sse.py", "from holdfast import policy", FLOORS),
    ("policy/breaker.py", "from holdfast import guards", FLOORS),
    ("events.py", "from holdfast import ports", FLOORS),
    ("gateway/app.py", "from holdfast import agent", FLOORS),
    ("basement.py", "", FLOORS),
    ("guards/screen.py", "from holdfast.guards import record", APART),
    ("simulator/app.py", "from holdfast import wire", SIMULATOR),
    ("gateway/app.py", "import anthropic", NO_SDK),
    ("cli/main.py", "def late():\n    import mcp\n    return mcp", NO_SDK),
]


def lint(folder: Path) -> tuple[bool, str]:
    """Whether the contracts are kept there, and what the linter says."""
    wide = {**os.environ, "COLUMNS": "200"}  # else it wraps the names of contracts
    done = subprocess.run(
        [LINTER, "--no-cache"], cwd=folder, env=wide, capture_output=True, text=True, check=False
    )
    return done.returncode == 0, done.stdout + done.stderr


@pytest.fixture
def empty_house(tmp_path: Path, root: Path) -> Path:
    """A package with every room of ours and nothing in them, under our own contracts."""
    text = (root / "pyproject.toml").read_text(encoding="utf-8")
    (tmp_path / "pyproject.toml").write_text(text, encoding="utf-8")
    contract = tomllib.loads(text)["tool"]["importlinter"]["contracts"][0]
    rooms = [room for floor in contract["layers"] for room in floor.split(" | ")]
    package = tmp_path / "holdfast"
    for room in [*rooms, *contract["exhaustive_ignores"]]:
        (package / room).mkdir(parents=True)
        (package / room / "__init__.py").touch()
    for file in ("__init__.py", "guards/record.py", "guards/screen.py"):
        (package / file).touch()
    return tmp_path


@pytest.mark.requirement("house:laws")
def test_every_room_of_holdfast_only_looks_down(root: Path) -> None:
    kept, said = lint(root)
    assert kept, said


def test_a_house_without_a_violation_passes(empty_house: Path) -> None:
    kept, said = lint(empty_house)
    assert kept, said


@pytest.mark.requirement("house:laws")
@pytest.mark.parametrize(("file", "line", "contract"), PLANTED)
def test_a_planted_violation_is_caught(empty_house: Path, file: str, line: str, contract: str) -> None:
    place = empty_house / "holdfast" / file
    package = place.with_suffix("") / "__init__.py"
    (package if package.exists() else place).write_text(f"{line}\n", encoding="utf-8")
    kept, said = lint(empty_house)
    assert not kept
    assert f"{contract} BROKEN" in said
