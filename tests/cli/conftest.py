"""The command line as a shell calls it: arguments in, text and an exit code out."""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from holdfast.cli.main import main


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How a command ended."""

    code: object
    out: str
    err: str


Holdfast = Callable[..., Ended]


@pytest.fixture
def holdfast(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Holdfast:
    """Runs `holdfast ARGUMENTS` in an empty folder, without anybody's keys and settings, in English."""
    monkeypatch.chdir(tmp_path)
    for name in (
        "ANTHROPIC_API_KEY",
        "ANTHROPIC_API_KEY_FILE",
        "HOLDFAST_CONFIG",
        "HOLDFAST_UPSTREAM",
        "LC_ALL",
    ):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOLDFAST_LANG", "en")
    monkeypatch.setenv("HOLDFAST_HOME", str(tmp_path))
    monkeypatch.setenv("HOLDFAST__SIMULATOR__TIME_SCALE", "0")
    for name in ("WAIT_INITIAL", "THROTTLE_WAIT_INITIAL"):
        monkeypatch.setenv(f"HOLDFAST__RETRY__{name}", "0.001")

    def run(*arguments: str) -> Ended:
        monkeypatch.setattr(sys, "argv", ["holdfast", *arguments])
        with pytest.raises(SystemExit) as end:
            main()
        read = capsys.readouterr()
        assert "Traceback" not in read.err
        return Ended(code=end.value.code or 0, out=read.out, err=read.err)

    return run
