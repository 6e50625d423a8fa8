"""A folder is reviewed from the command line: for all of its money, for too little, and interrupted by nobody."""

import json
import re
from collections.abc import Generator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest

from tests.journeys.commands import Server, holdfast, running

LINES = "def f{n}(x):\n    return {n} / x\n" * 120
FILES = 12
AT_ONCE = 4


@pytest.fixture
def home(tmp_path: Path) -> Path:
    for number in range(FILES):
        folder = tmp_path / "project" / f"part{number % 3}"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"code{number}.py").write_text(LINES.replace("{n}", str(number)), encoding="utf-8")
    (tmp_path / "project" / "picture.png").write_bytes(b"\x89PNG\0")
    return tmp_path


@contextmanager
def simulating(home: Path) -> Generator[Server]:
    def is_ready(said: str) -> bool:
        return said.endswith("\n")

    with running("simulate", "--port", "0", "--time-scale", "0.02", home=home, ready=is_ready) as server:
        (home / "holdfast.toml").write_text(f'[upstreams.far]\nurl = "{server.url}"\n', encoding="utf-8")
        yield server


def fetched(server: Server, path: str) -> Any:
    with urlopen(f"{server.url}/__sim/{path}") as answer:
        return json.load(answer)


def most_at_once(requests: list[dict[str, Any]]) -> int:
    """How many requests were open at the same time at the most."""
    moments = [(one["arrived"], 1) for one in requests] + [(one["ended"], -1) for one in requests]
    out, most = 0, 0
    for _, step in sorted(moments):
        out += step
        most = max(most, out)
    return most


@pytest.mark.requirement("teams:review")
def test_a_folder_is_reviewed_by_all_and_what_it_says_of_its_cost_is_what_was_billed(home: Path) -> None:
    with simulating(home) as server:
        ended = holdfast("review", "project", home=home)
        requests, ledger = fetched(server, "requests")["requests"], fetched(server, "ledger")

    assert ended.returncode in (0, 1), ended.stderr
    groups = [line for line in ended.stdout.splitlines() if line and not line.startswith(" ")]
    assert groups
    assert groups == [name for name in ("correctness", "security", "style", "tests") if name in groups]
    total = len(requests)
    assert re.findall(rf"^\[(\d+)/{total}\]", ended.stderr, re.MULTILINE) == [
        str(number) for number in range(1, total + 1)
    ]
    assert f"in {FILES} files · ${Decimal(ledger['total']).normalize():f}" in ended.stderr
    assert most_at_once(requests) <= AT_ONCE


@pytest.mark.requirement("teams:review")
def test_what_it_may_cost_ends_a_review_with_what_it_has_and_says_what_is_left(home: Path) -> None:
    limit = Decimal("0.12")
    with simulating(home) as server:
        ended = holdfast("review", "project", "--max-usd", str(limit), "--format", "json", home=home)
        ledger = fetched(server, "ledger")
    facts = json.loads(ended.stdout)

    assert ended.returncode == 6, ended.stderr
    assert 0 < Decimal(facts["cost"]) == Decimal(ledger["total"]) <= limit
    assert facts["stopped"]["error_code"] == "holdfast_budget_exhausted"
    assert 0 < len({row["path"] for row in facts["unreviewed"]}) <= FILES
    assert re.search(r"files left by reviewer: (\w+ \d+, )*tests \d+", ended.stderr)
    assert "allow more with --max-usd" in ended.stderr
    assert "picture.png" in ended.stderr
