"""The page about drills: its scenario plays, its tests run, and it leaves out no incident, step, key or fact."""

import re
import subprocess
import sys
from pathlib import Path
from typing import get_args

import msgspec
import pytest

from holdfast import Settings
from holdfast.drill import drill, incidents, read_scenario
from holdfast.drill.facts import FACTS
from holdfast.drill.scenario import Break, Freeze, Load, Revoke, Slow
from holdfast.simulator import Action

PAGE = (Path(__file__).parents[2] / "docs" / "drill.md").read_text("utf-8")
SIMULATOR = (Path(__file__).parents[2] / "docs" / "simulator.md").read_text("utf-8")
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks(language: str) -> list[str]:
    return [match[2] for match in BLOCK.finditer(PAGE) if match[1] == language]


def test_the_scenario_on_the_page_plays_and_passes(tmp_path: Path) -> None:
    (text,) = blocks("TOML")
    file = tmp_path / "lunch-rush.toml"
    file.write_text(text, encoding="utf-8")
    sheet = drill(read_scenario(file), Settings())
    assert sheet.passed, sheet.said()


def test_the_tests_on_the_page_pass(tmp_path: Path) -> None:
    (text,) = blocks("python")
    (tmp_path / "test_page.py").write_text(text, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-W", "error", "-p", "no:cacheprovider", "."],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "3 passed" in done.stdout, done.stdout + done.stderr


@pytest.mark.parametrize("name", [scenario.name for scenario in incidents()])
def test_every_incident_is_on_the_page(name: str) -> None:
    assert f"| `{name}` |" in PAGE


@pytest.mark.parametrize("name", FACTS)
def test_every_fact_is_on_the_page(name: str) -> None:
    facts = PAGE.partition("## The facts")[2]
    assert f"`{name}`" in facts


def test_every_key_of_a_load_and_every_kind_of_step_is_on_the_page() -> None:
    named = [f"`{name}`" for name in Load.__struct_fields__]
    named += [f"| `{kind.__struct_config__.tag}` |" for kind in (Break, Slow, Revoke, Freeze)]
    assert [name for name in named if name not in PAGE] == []


def test_every_action_is_on_the_page_of_the_simulator() -> None:
    actions: tuple[type[msgspec.Struct], ...] = get_args(Action)
    kinds = [str(action.__struct_config__.tag) for action in actions]
    assert [kind for kind in kinds if f"`{kind}`" not in SIMULATOR] == []
