"""Runs the single steps of dev.py, and says on stderr what it is doing."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

ROOT = Path(__file__).resolve().parent
TOOLS = ROOT / ".tools"


class Failed(Exception):
    """A step did not work: what to print, and the exit code to leave with."""

    def __init__(self, message: str, code: int = 1) -> None:
        super().__init__(message)
        self.code = code


def say(message: str) -> None:
    """One line of progress, on stderr."""
    print(f"dev: {message}", file=sys.stderr, flush=True)


TALKING = (
    *("tests/matrix", "tests/doors", "tests/journeys", "tests/servers", "tests/stores", "tests/upstream"),
    *("tests/agent", "tests/admin", "tests/cli", "tests/mcp", "tests/teams", "tests/batches", "tests/docs"),
)
"""The half of the suite that waits for servers, clients and other processes."""


LAST = ("tests/browser", "tests/console", "tests/demo")
"""What takes a whole core while it runs comes when the other half, which waits for seconds to pass, is past its matrix."""


def resting() -> list[str]:
    """The other half, in its order."""
    found = sorted(
        path for path in (ROOT / "tests").iterdir() if path.is_dir() or path.name.startswith("test_")
    )
    names = [f"tests/{path.name}" for path in found if not path.name.startswith("_")]
    return [*(name for name in names if name not in (*TALKING, *LAST)), *LAST]


def call(*command: str | Path, env: Mapping[str, str] | None = None) -> int:
    """Run a command at the root of the checkout and give its exit code, as a shell would."""
    with subprocess.Popen([str(part) for part in command], cwd=ROOT, env=env) as process:
        while True:
            try:
                code = process.wait()
            except KeyboardInterrupt:
                continue  # the command has had the signal as well, and says itself how it ends
            return code if code >= 0 else 128 - code


def must(*command: str | Path, env: Mapping[str, str] | None = None) -> None:
    """Run a command that has to succeed."""
    if code := call(*command, env=env):
        raise Failed(f"this failed with exit code {code}: {' '.join(str(part) for part in command)}", code)


def succeeds(*command: str | Path, env: Mapping[str, str] | None = None) -> bool:
    """Whether a command works here, in silence."""
    words = [str(part) for part in command]
    try:
        done = subprocess.run(words, cwd=ROOT, env=env, capture_output=True, check=False)
    except OSError:
        return False
    return done.returncode == 0


def surroundings(**settings: str) -> dict[str, str]:
    """The environment without what a person set for their own Python, pip, Claude or holdfast."""
    private = re.compile(r"(ANTHROPIC|CLAUDE)_|HOLDFAST_(?!TEST_)|PYTHON(PATH|HOME)|PIP_(USER|REQUIRE_)")
    return {**{name: value for name, value in os.environ.items() if not private.match(name)}, **settings}


def halves(coverage: Path, settings: Mapping[str, str]) -> int:
    """Run the suite in two processes side by side: what talks to servers and clients, and all the rest."""
    with ThreadPoolExecutor(2) as pool, tempfile.TemporaryFile() as kept:
        command = [str(coverage), "run", "-m", "pytest", "-p", "no:cacheprovider"]
        talking = pool.submit(
            subprocess.run,
            [*command, *TALKING],
            cwd=ROOT,
            env=settings,
            stdout=kept,
            stderr=subprocess.STDOUT,
            check=False,
        )
        code = call(*command, *resting(), env=settings)
        done = talking.result()
        kept.seek(0)
        print(kept.read().decode(errors="replace"), flush=True)
    return code or done.returncode


def show(name: str, done: subprocess.CompletedProcess[bytes], seconds: float) -> bool:
    """One line for a check that passed; for one that failed, all that it said."""
    passed = done.returncode == 0
    said = "" if passed else "\n" + done.stdout.decode(errors="replace")
    print(f"{'ok    ' if passed else 'FAILED'}  {name}  ({seconds:.1f} s){said}", flush=True)
    return passed
