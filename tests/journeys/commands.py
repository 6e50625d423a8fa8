"""The installed command, run as a newcomer runs it."""

import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from holdfast.cli.main import main
from tests.doors.running import eventually

COMMAND = Path(sys.executable).with_name("holdfast")
PATIENCE = 30.0
PRIVATE = re.compile(r"(HOLDFAST|ANTHROPIC|CLAUDE)_|LANG$|LC_")


def surroundings(home: Path, **more: str) -> dict[str, str]:
    """The environment of somebody who has set nothing; answers come at once unless `more` says otherwise."""
    inherited = {name: value for name, value in os.environ.items() if not PRIVATE.match(name)}
    ours = {"HOLDFAST_HOME": str(home), "HOLDFAST__SIMULATOR__TIME_SCALE": "0", "LANG": "en_US.UTF-8"}
    return {**inherited, **ours, **more}


def holdfast(*arguments: str, home: Path, **more: str) -> subprocess.CompletedProcess[str]:
    """Run a command that ends by itself."""
    return subprocess.run(
        [COMMAND, *arguments],
        env=surroundings(home, **more),
        cwd=home,
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
    )


@dataclass(frozen=True)
class Desk:
    """The command line without the second it takes to start a process, for commands that end by themselves."""

    monkeypatch: pytest.MonkeyPatch
    capture: pytest.CaptureFixture[str]
    home: Path

    def holdfast(self, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
        with self.monkeypatch.context() as patch:
            for name in [name for name in os.environ if PRIVATE.match(name)]:
                patch.delenv(name)
            for name, value in surroundings(self.home, **more).items():
                patch.setenv(name, value)
            patch.chdir(self.home)
            patch.setattr(sys, "argv", ["holdfast", *arguments])
            with pytest.raises(SystemExit) as ended:
                main()
        said = self.capture.readouterr()
        assert isinstance(ended.value.code, int)
        return subprocess.CompletedProcess(arguments, ended.value.code, said.out, said.err)


@dataclass
class Server:
    """A command that serves until it is told to stop."""

    process: subprocess.Popen[str]
    lines: list[str] = field(default_factory=list[str])

    @property
    def said(self) -> str:
        return "".join(self.lines)

    @property
    def url(self) -> str:
        found = re.search(r"http://\S+", self.said)
        assert found, self.said
        return found[0]

    def read(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.lines.append(line)

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Send a signal; the exit code."""
        self.process.send_signal(number)
        return self.process.wait(PATIENCE)


@contextmanager
def running(*arguments: str, home: Path, ready: Callable[[str], bool], **more: str) -> Generator[Server]:
    """A serving command whose stderr has become `ready`."""
    with subprocess.Popen(
        [COMMAND, *arguments],
        env=surroundings(home, **more),
        cwd=home,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        server = Server(process)
        reader = threading.Thread(target=server.read)
        reader.start()
        try:
            eventually(lambda: ready(server.said) or process.poll() is not None)
            assert process.poll() is None, server.said
            yield server
        finally:
            process.kill()
            reader.join(PATIENCE)


def run_python(text: str, folder: Path, environment: Mapping[str, str]) -> str:
    """What a script prints in a fresh interpreter."""
    script = folder / "pasted.py"
    script.write_text(text, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-I", "-W", "error", str(script)],
        env=dict(environment),
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
