"""SIGHUP: what it means of a terminal that is closed, and of somebody who only asks."""

import os
import pty
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from holdfast.cli import hangup
from tests.doors.running import eventually
from tests.journeys.commands import COMMAND, surroundings


def started(home: Path, *more: str) -> tuple[int, int]:
    """A gateway at a terminal of its own, once it says that it is ready: its process and the other end."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(home)
        os.execve(COMMAND, [str(COMMAND), "serve", "--simulate", "--port", "0", *more], surroundings(home))
    said = b""
    while b"ready at" not in said or said.count(b"content[0].text)") < 2:
        said += os.read(terminal, 4096)
    return pid, terminal


@pytest.mark.requirement("workers:hangup")
@pytest.mark.parametrize("more", [(), ("--workers", "2")])
def test_a_gateway_ends_in_order_with_the_terminal_it_was_started_at(
    more: tuple[str, ...], tmp_path: Path
) -> None:
    pid, terminal = started(tmp_path, *more)
    os.close(terminal)
    ended: list[int] = []

    def is_over() -> bool:
        found, status = os.waitpid(pid, os.WNOHANG)
        if found:
            ended.append(os.waitstatus_to_exitcode(status))
        return bool(found)

    eventually(is_over)
    assert ended == [0]


SCRIPT = """
import os, signal, sys
from holdfast.cli import hangup
is_gone = hangup.watched()
print(is_gone(), flush=True)
with hangup.explained():
    os.kill(os.getpid(), signal.SIGHUP)
print(signal.getsignal(signal.SIGHUP) is signal.SIG_DFL)
"""


def test_without_a_terminal_nothing_is_taken_for_its_end(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        capture_output=True,
        text=True,
        check=True,
        env=surroundings(tmp_path),
        start_new_session=True,
    )
    assert done.stdout.split() == ["False", "True"]
    assert "nothing changed" in done.stderr


def test_a_closed_terminal_ends_nothing_that_was_told_to_outlive_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hangup, "TERMINAL", os.devnull)
    at_terminal = hangup.watched()
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        outlives = hangup.watched()
    finally:
        signal.signal(signal.SIGHUP, before)
    assert not at_terminal()
    monkeypatch.setattr(hangup, "TERMINAL", "/dev/none")
    assert at_terminal()
    assert not outlives()


def test_a_hangup_that_is_said_twice_is_one_end(monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[int] = []

    def kill(_: int, number: int) -> None:
        sent.append(number)

    monkeypatch.setattr(hangup, "TERMINAL", os.devnull)
    before = signal.getsignal(signal.SIGHUP)
    with hangup.explained():
        monkeypatch.setattr(hangup, "TERMINAL", "/dev/none")
        with monkeypatch.context() as patch:
            patch.setattr(os, "kill", kill)
            signal.raise_signal(signal.SIGHUP)
            signal.raise_signal(signal.SIGHUP)
    assert sent == [signal.SIGTERM]
    assert signal.getsignal(signal.SIGHUP) == before
