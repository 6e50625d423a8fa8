"""A batch of a thousand lines is killed three times, and nothing is lost, and nothing is paid for twice."""

import base64
import json
import random
import signal
import subprocess
from collections import Counter
from collections.abc import Generator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest

from tests.doors.running import eventually
from tests.journeys.commands import COMMAND, Server, holdfast, running, surroundings

LINES, CONCURRENCY = 1_000, 8
BATCH = ("batch", "in.jsonl", "-o", "out.jsonl", "--max-tokens", "64", "--concurrency", str(CONCURRENCY))


def is_ready(said: str) -> bool:
    return said.endswith("\n")


@pytest.fixture
def home(tmp_path: Path) -> Path:
    lines = (json.dumps({"id": f"line-{number}", "prompt": prompt(number)}) for number in range(LINES))
    (tmp_path / "in.jsonl").write_text("\n".join(lines), encoding="utf-8")
    return tmp_path


@contextmanager
def simulating(home: Path, *arguments: str) -> Generator[Server]:
    more = arguments or ("--time-scale", "0")
    with running("simulate", "--port", "0", *more, home=home, ready=is_ready) as server:
        (home / "holdfast.toml").write_text(f'[upstreams.far]\nurl = "{server.url}"\n', encoding="utf-8")
        yield server


def prompt(number: int) -> str:
    return f"Classify ticket {number}."


def journal(home: Path) -> list[Any]:
    """The whole lines of the journal behind its head."""
    path = home / "out.jsonl.journal"
    whole, _, _ = (path.read_bytes() if path.exists() else b"").rpartition(b"\n")
    return [json.loads(line) for line in whole.splitlines()[1:]]


def done(home: Path) -> set[int]:
    return {line["number"] for line in journal(home) if line.get("number") is not None}


def kill_when(home: Path, wanted: int) -> None:
    """Begin, and kill it when so many lines are done."""
    with subprocess.Popen(
        [COMMAND, *BATCH], env=surroundings(home), cwd=home, stderr=subprocess.DEVNULL
    ) as process:
        path = home / "out.jsonl.journal"
        eventually(lambda: path.exists() and path.read_bytes().count(b"\n") > wanted)
        assert process.poll() is None
        process.send_signal(signal.SIGKILL)


def fetched(server: Server, path: str) -> Any:
    with urlopen(f"{server.url}/__sim/{path}") as answer:
        return json.load(answer)


def asked(server: Server) -> list[str]:
    """The prompts of all requests, in their order."""
    bodies = [
        json.loads(base64.b64decode(request["body_base64"]))
        for request in fetched(server, "requests")["requests"]
    ]
    return [body["messages"][0]["content"] for body in bodies]


@pytest.mark.requirement("batch:resumed")
def test_a_batch_that_is_killed_three_times_pays_twice_for_nothing_but_what_was_under_way(home: Path) -> None:
    moments = sorted(random.Random(11).sample(range(100, 900), 3))
    settled: list[tuple[int, set[int]]] = []
    with simulating(home) as server:
        for moment in moments:
            kill_when(home, moment)
            settled.append((len(asked(server)), done(home)))
        ended = holdfast(*BATCH, home=home)
        assert ended.returncode == 0, ended.stderr
        prompts, ledger = asked(server), fetched(server, "ledger")

    for before, kept in settled:
        assert not {prompt(number) for number in kept} & set(prompts[before:])
    twice = Counter(prompts)
    assert len(twice) == LINES
    assert len(ledger["entries"]) - LINES <= len(moments) * CONCURRENCY
    assert sum(twice.values()) - LINES <= len(moments) * CONCURRENCY

    rows = [json.loads(line) for line in (home / "out.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [row["id"] for row in rows] == [f"line-{number}" for number in range(LINES)]
    assert {row["outcome"] for row in rows} == {"answered"}
    assert all(f"ticket {number}" in row["text"] for number, row in enumerate(rows))
    spent = sum(Decimal(row["cost"]) for row in rows)
    assert spent <= Decimal(ledger["total"]) <= spent * (1 + Decimal(len(moments) * CONCURRENCY * 2) / LINES)


@pytest.mark.requirement("batch:resumed")
def test_a_batch_at_the_api_that_is_killed_while_it_waits_is_found_again(home: Path) -> None:
    with simulating(home, "--time-scale", "0.2") as server:
        way = ("--api", "batches")
        with subprocess.Popen(
            [COMMAND, *BATCH, *way], env=surroundings(home), cwd=home, stderr=subprocess.DEVNULL
        ) as process:
            eventually(lambda: "batch" in str([line.get("note") for line in journal(home)]))
            process.send_signal(signal.SIGKILL)
        ended = holdfast(*BATCH, *way, home=home)
        assert ended.returncode == 0, ended.stderr
        ledger = fetched(server, "ledger")
    rows = [json.loads(line) for line in (home / "out.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [row["id"] for row in rows] == [f"line-{number}" for number in range(LINES)]
    assert len(ledger["entries"]) == LINES
    assert sum(Decimal(row["cost"]) for row in rows) == Decimal(ledger["total"])
