"""The script that newcomers and CI run."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest


def dev(root: Path, *arguments: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(root / "dev.py"), *arguments]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("asked", [[], ["help"], ["--help"]])
def test_help_says_every_command_from_any_directory(root: Path, tmp_path: Path, asked: list[str]) -> None:
    page = dev(root, *asked, cwd=tmp_path)
    assert page.returncode == 0
    assert re.findall(r"^  (\w+)  ", page.stdout, re.MULTILINE) == [
        "demo",
        "run",
        "test",
        "check",
        "docs",
        "clients",
        "fuzz",
        "ship",
        "setup",
        "lock",
        "help",
    ]


def test_an_unknown_command_shows_the_page_and_is_a_usage_error(root: Path) -> None:
    answer = dev(root, "dance")
    assert answer.returncode == 2
    assert "python3 dev.py COMMAND" in answer.stderr


def test_a_command_that_takes_no_arguments_says_so(root: Path) -> None:
    answer = dev(root, "setup", "--quickly")
    assert answer.returncode == 2
    assert "does not take --quickly" in answer.stderr


def test_an_old_python_can_read_the_script_and_so_be_told_that_it_is_old(root: Path) -> None:
    for part in root.glob("dev*.py"):
        ast.parse(part.read_text(encoding="utf-8"), feature_version=(3, 8))


def test_make_only_calls_commands_that_the_script_has(root: Path) -> None:
    called = re.findall(r"dev\.py (\w+)", (root / "Makefile").read_text(encoding="utf-8"))
    assert called
    assert set(called) <= {"demo", "run", "test", "check", "docs", "clients", "setup", "lock", "help"}
