"""An operator says stop while a script works on many inputs: it ends at once, keeps what it has, and can be gone on with."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.doors.running import eventually
from tests.journeys.commands import holdfast, running, surroundings

INPUTS, CONCURRENCY = 120, 4
AT_ONCE = 8.0
"""Seconds in which it must be over, whatever is left to be done."""
SCRIPT = f"""
import asyncio, json
from holdfast import ProductionAgent

async def main():
    async with ProductionAgent(max_tokens=300) as agent:
        texts = [f"Text {{number}}" for number in range({INPUTS})]
        async for one in agent.map(texts, concurrency={CONCURRENCY}, resume="map.journal"):
            error = None if one.error is None else str(one.error)
            row = [one.number, one.outcome, one.is_resumed, error]
            print(json.dumps(row), flush=True)

asyncio.run(main())
"""


def rows(text: str) -> list[Any]:
    return [json.loads(line) for line in text.splitlines()]


@pytest.mark.requirement("batch:stopped")
def test_an_operator_ends_a_map_of_another_process_and_it_is_gone_on_with_later(tmp_path: Path) -> None:
    def is_ready(said: str) -> bool:
        return said.endswith("\n")

    (tmp_path / "work.py").write_text(SCRIPT, encoding="utf-8")
    command, printed = [sys.executable, "-W", "error", "work.py"], tmp_path / "printed"
    with running("simulate", "--port", "0", "--time-scale", "0.05", home=tmp_path, ready=is_ready) as server:
        (tmp_path / "holdfast.toml").write_text(f'[upstreams.far]\nurl = "{server.url}"\n', encoding="utf-8")
        ours = surroundings(tmp_path)
        with (
            printed.open("w") as out,
            subprocess.Popen(command, env=ours, cwd=tmp_path, stdout=out, stderr=subprocess.PIPE) as script,
        ):
            eventually(lambda: printed.read_text().count("\n") >= 5)
            stopped = holdfast("stop", "everything", "--yes", "--reason", "too dear", home=tmp_path)
            assert script.wait(AT_ONCE) == 0, script.stderr
        first = rows(printed.read_text())
        assert holdfast("resume", "everything", home=tmp_path).returncode == 0
        again = subprocess.run(
            command, env=ours, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60
        )

    assert stopped.returncode == 0, stopped.stderr
    assert [number for number, *_ in first] == list(range(INPUTS))
    outcomes = [outcome for _, outcome, *_ in first]
    done = outcomes.count("answered")
    assert 5 <= done < INPUTS
    assert outcomes.count("failed") <= CONCURRENCY
    assert outcomes.count("not_run") >= INPUTS - done - CONCURRENCY
    assert all("too dear" in error for _, outcome, _, error in first if outcome != "answered")
    second = rows(again.stdout)
    assert (again.returncode, again.stderr) == (0, "")
    assert [row[:2] for row in second] == [[number, "answered"] for number in range(INPUTS)]
    assert sum(is_resumed for _, _, is_resumed, _ in second) == done
