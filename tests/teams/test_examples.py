"""What the page about teams prints runs as it stands, without a key and without a network."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
BLOCKS = BLOCK.findall((ROOT / "docs" / "teams.md").read_text(encoding="utf-8"))


def run(program: Path, home: Path) -> "subprocess.CompletedProcess[str]":
    kept = {
        name: value for name, value in os.environ.items() if not name.startswith(("HOLDFAST", "ANTHROPIC"))
    }
    ours = {
        "HOLDFAST_UPSTREAM": "simulator",
        "HOLDFAST_HOME": str(home),
        "HOLDFAST__SIMULATOR__TIME_SCALE": "0",
        "PYTHONUTF8": "1",
    }
    return subprocess.run(
        [sys.executable, "-W", "error", str(program)],
        capture_output=True,
        encoding="utf-8",
        check=False,
        cwd=home,
        env={**kept, **ours},
    )


@pytest.mark.parametrize("number", range(len(BLOCKS)))
def test_what_the_page_about_teams_prints_runs_as_it_stands(number: int, tmp_path: Path) -> None:
    (tmp_path / "block.py").write_text(BLOCKS[number], encoding="utf-8")
    done = run(tmp_path / "block.py", tmp_path)

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.strip()
