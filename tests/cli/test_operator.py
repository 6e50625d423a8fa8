"""A day of an operator: the installed command, process by process, on one SQLite file."""

import json
import os
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import pytest

from tests.cli.book import an_attempt, write


@pytest.fixture
def shell(tmp_path: Path) -> "Shell":
    return Shell(tmp_path)


class Shell:
    """Runs the command as a process of its own, as somebody who has set nothing."""

    def __init__(self, home: Path) -> None:
        self.home = home

    def __call__(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        private = ("HOLDFAST_", "ANTHROPIC_", "LC_", "LANG")
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(private)}
        return subprocess.run(
            [sys.executable, "-m", "holdfast", *arguments],
            env={**inherited, "HOLDFAST_HOME": str(self.home), "LANG": "en_US.UTF-8"},
            cwd=self.home,
            capture_output=True,
            text=True,
            check=False,
            timeout=30,
            stdin=subprocess.DEVNULL,
        )


def test_an_operator_watches_limits_stops_and_accounts(shell: Shell) -> None:
    write(
        shell.home / "holdfast.db",
        *[an_attempt(f"q{n}", 1_000_003 * n, user="alice", run="r1", hours_ago=n) for n in range(20)],
    )
    steps = [
        shell("budgets", "set", "all", "--usd", "50", "--per", "day"),
        shell("keys", "create", "alice", "--user", "alice"),
        shell("stop", "run", "r1", "--reason", "expensive"),
        shell("runs", "list"),
        shell("resume", "run", "r1"),
        shell("spend", "reprice", "--dry-run"),
    ]
    report = json.loads(shell("spend", "report", "--since", "all", "--by", "day", "--json").stdout)
    rows = [json.loads(line) for line in shell("spend", "export", "--json").stdout.splitlines()]

    assert [step.returncode for step in steps] == [0] * len(steps), [step.stderr for step in steps]
    assert all("Traceback" not in step.stderr for step in steps)
    assert "until resumed" in steps[3].stdout
    assert (
        sum(Decimal(row["cost"]) for row in rows) == Decimal(report["total"]["cost"]) == Decimal("0.19000057")
    )
    assert [row["request_id"] for row in rows] == [f"q{n}" for n in reversed(range(20))]


def test_a_stop_reaches_a_gateway_that_cannot_open_its_database(shell: Shell) -> None:
    (shell.home / "holdfast.db").write_bytes(b"no database" * 500)
    told = shell("stop", "everything", "--reason", "runaway")
    kept = json.loads((shell.home / "holdfast.db.stops.json").read_bytes())

    assert (told.returncode, "ONLY BY WORKERS ON THIS MACHINE" in told.stderr) == (0, True)
    assert [(one["scope"], one["reason"]) for one in kept] == [("everything", "runaway")]
