"""The requirements files: everything pinned by version and hash, and no host named."""

import re
import tomllib
from collections.abc import Iterable
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

Pins = dict[str, set[Version]]

CLIENTS = ["anthropic-1", "pydantic-ai", "langchain", "litellm"]
FILES = ["run", "test", "dev", "anthropic-0", "servers", "uv", *(f"clients/{name}" for name in CLIENTS)]
PIN = re.compile(r"^([A-Za-z0-9._-]+)(?:\[[^\]]*\])?==([^\s;\\]+)", re.MULTILINE)


def read_pins(root: Path, name: str) -> Pins:
    pins: Pins = {}
    for match in PIN.finditer((root / "requirements" / f"{name}.txt").read_text(encoding="utf-8")):
        pins.setdefault(canonicalize_name(match[1]), set()).add(Version(match[2]))
    return pins


def unmet(wanted: Iterable[str], pins: Pins) -> list[str]:
    """The requirements for which the file has no version, or one outside the range."""
    asked = [Requirement(line) for line in wanted]
    return [
        str(one)
        for one in asked
        if canonicalize_name(one.name) != "holdfast"
        and not any(one.specifier.contains(version) for version in pins.get(canonicalize_name(one.name), ()))
    ]


def every_extra(project: dict[str, dict[str, list[str]]]) -> list[str]:
    """What `holdfast[all]` brings."""
    extras = project["optional-dependencies"]
    chosen = {extra for line in extras["all"] for extra in Requirement(line).extras}
    return [line for extra in sorted(chosen) for line in extras[extra]]


@pytest.fixture(scope="module")
def wishes(root: Path) -> dict[str, list[str]]:
    """What each file must cover, as pyproject.toml says it."""
    table = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))
    project, groups = table["project"], table["dependency-groups"]
    base = [*project["dependencies"], *table["build-system"]["requires"]]
    extras = project["optional-dependencies"]
    run = [*base, *extras["anthropic"]]
    dev = [*base, *every_extra(project), *groups["test"], *groups["check"]]
    return {"run": run, "test": [*run, *extras["fleet"], *groups["test"]], "dev": dev}


@pytest.mark.requirement("house:pins")
@pytest.mark.parametrize("name", ["run", "test", "dev"])
def test_every_direct_dependency_is_pinned_within_its_range(
    root: Path, name: str, wishes: dict[str, list[str]]
) -> None:
    assert unmet(wishes[name], read_pins(root, name)) == [], "run: python3 dev.py lock"


def test_a_dependency_that_was_not_locked_is_found() -> None:
    assert unmet(["click>=8", "flask"], {"click": {Version("7.0")}}) == ["click>=8", "flask"]


@pytest.mark.requirement("house:pins")
@pytest.mark.parametrize("name", FILES)
def test_every_pin_carries_its_hashes_and_no_host(root: Path, name: str) -> None:
    text = (root / "requirements" / f"{name}.txt").read_text(encoding="utf-8")
    entries = [line for line in text.splitlines() if line and not line.startswith((" ", "#"))]
    assert entries
    assert [line for line in entries if not re.match(r"[a-z0-9.\[\],-]+==\S+ (;.* )?\\$", line)] == []
    assert text.count("\\\n    --hash=sha256:") >= len(entries)
    assert "://" not in text
    assert "--index-url" not in text


@pytest.mark.parametrize("name", ["run", "test"])
def test_the_files_agree_on_every_version(root: Path, name: str) -> None:
    dev = read_pins(root, "dev")
    assert {
        pin: versions for pin, versions in read_pins(root, name).items() if versions - dev.get(pin, versions)
    } == {}


def test_the_older_sdk_comes_with_httpx_and_nothing_of_holdfast(root: Path) -> None:
    pins = read_pins(root, "anthropic-0")
    (version,) = pins["anthropic"]
    assert version.release[:2] == (0, 125)
    assert "httpx" in pins
    assert not {"aiohttp", "httpx2", "uvicorn"} & set(pins)
