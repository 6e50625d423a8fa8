"""What git keeps: nothing of anybody's machine, nothing unfinished, nothing silenced without a reason."""

import ast
import re
from pathlib import Path

import pytest

from tests.house.conftest import Module, nothing

CODE = (".py", ".toml", ".yaml", ".yml", ".sh", ".sql", ".lua", ".js", ".css", ".html", "Makefile", "run")

MACHINE = re.compile(
    r"(?<![\w.])/(root|home/[\w.-]+|Users/[\w.-]+|work(space)?)/(\.?[\w-]+/|\.(cache|local|venv)|src)"
)
REGISTRY = re.compile(
    r"pypi\.org|pythonhosted\.org|registry\.npmjs|npmjs\.(org|com)|deb\.debian\.org|proxy\.golang"
)
UNFINISHED = re.compile(r"\b(TODO|FIXME|XXX)\b")
SILENCED = {
    "noqa without code and reason": re.compile(r"#\s*noqa(?!: [A-Z]+\d+(, ?[A-Z]+\d+)* - \S)"),
    "type: ignore without code": re.compile(r"#\s*type:\s*ignore(?!\[[\w-]+)"),
    "pyright: ignore without rule": re.compile(r"#\s*pyright:\s*ignore(?!\[\w+)"),
    "no cover without reason": re.compile(r"#\s*pragma:\s*no (cover|branch)(?! - \S)"),
}


def findings(files: dict[str, str], pattern: re.Pattern[str]) -> list[str]:
    """Every line that matches, but for this file, which has to name what it looks for."""
    return [
        f"{name}:{number} {line.strip()[:90]}"
        for name, text in files.items()
        if name != "tests/house/test_tree.py"
        for number, line in enumerate(text.splitlines(), start=1)
        if pattern.search(line)
    ]


def code(files: dict[str, str]) -> dict[str, str]:
    return {name: text for name, text in files.items() if name.endswith(CODE)}


def test_no_file_names_a_place_on_somebodys_machine(kept_files: dict[str, str], root: Path) -> None:
    nothing(findings(kept_files, MACHINE))
    nothing(findings(kept_files, re.compile(re.escape(str(root)))))


def test_no_file_names_the_host_of_a_package_registry(kept_files: dict[str, str]) -> None:
    nothing(findings(kept_files, REGISTRY))


def test_nothing_is_left_unfinished(kept_files: dict[str, str]) -> None:
    nothing(findings(code(kept_files), UNFINISHED))


@pytest.mark.parametrize("what", SILENCED)
def test_no_check_is_silenced_without_a_reason(kept_files: dict[str, str], what: str) -> None:
    nothing(findings(code(kept_files), SILENCED[what]))


@pytest.mark.parametrize(
    ("pattern", "line"),
    [
        (MACHINE, "open('/home/alice/project/x')"),
        (MACHINE, "/root/.cache/x"),
        (REGISTRY, "--index-url https://pypi.org/simple"),
        (UNFINISHED, "# TODO: later"),
        (SILENCED["noqa without code and reason"], "import os  # noqa"),
        (SILENCED["noqa without code and reason"], "import os  # noqa: F401"),
        (SILENCED["type: ignore without code"], "x = 1  # type: ignore"),
        (SILENCED["pyright: ignore without rule"], "x = 1  # pyright: ignore"),
        (SILENCED["no cover without reason"], "x = 1  # pragma: no cover"),
    ],
)
def test_a_planted_line_is_found(pattern: re.Pattern[str], line: str) -> None:
    assert findings({"planted.py": line}, pattern) == [f"planted.py:1 {line}"]


def test_the_names_of_tests_are_sentences(everything: list[Module]) -> None:
    nothing(
        f"{module}:{node.lineno} {node.name}"
        for module in everything
        if module.name.startswith("tests/")
        for node in ast.walk(module.tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.name.startswith("test_")
        and node.name.count("_") < 3
    )


def test_no_test_is_skipped_or_expected_to_fail(everything: list[Module]) -> None:
    ways_out = {"skip", "skipif", "xfail", "importorskip"}
    nothing(
        f"{module}:{node.lineno} {node.attr}"
        for module in everything
        if module.name.startswith("tests/")
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Attribute) and node.attr in ways_out
    )
