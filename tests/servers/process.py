"""One server process of a test: started on a free port, frozen, killed and cleaned up by its own pid."""

import atexit
import contextlib
import os
import shutil
import signal
import socket
import subprocess
import tempfile
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Self

import dev_servers
from holdfast.clock import SYSTEM_CLOCK

PATIENCE = 30.0
"""Seconds that a server has for starting on a machine that is busy with everything else."""

GRACE = 5.0
"""Seconds that a server has for ending in good order before it is killed."""

ATTEMPTS = 5
"""How often another port is tried: between finding a free one and using it, someone else may take it."""


def program(name: str) -> Path:
    """The program of that name; an error that says the cure, never a test that is skipped."""
    path = dev_servers.find(name)
    if path is None:
        raise FileNotFoundError(
            f"`python3 dev.py setup` installs what is missing: {dev_servers.cure([name])}"
        )
    return path


def free_port() -> int:
    """A TCP port of the loopback that nobody listens on right now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def children(pid: int) -> list[int]:
    """The processes that a process has started and that are still there."""
    listing = ["ps", "-A", "-o", "pid=,ppid="]
    if (proc := Path("/proc")).joinpath("self", "stat").exists():
        pairs = [_parentage(entry) for entry in proc.iterdir() if entry.name.isdigit()]
    else:
        lines = subprocess.run(listing, capture_output=True, text=True, check=True).stdout.splitlines()
        pairs = [(int(child), int(parent)) for child, parent in (line.split() for line in lines)]
    return [child for child, parent in pairs if parent == pid]


def _parentage(entry: Path) -> tuple[int, int]:
    try:
        after_name = (entry / "stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2]
    except OSError:
        return int(entry.name), 0
    return int(entry.name), int(after_name.split()[1])


class Server(ABC):
    """A server of one's own, with its data in a folder of its own; a context manager that ends it.

    Attributes:
        port: where it listens on 127.0.0.1; the same one after a restart.
        folder: its data and its log, gone when it is closed.
    """

    def __init__(self) -> None:
        self.port = free_port()
        self.folder = Path(tempfile.mkdtemp(prefix=f"holdfast-{type(self).__name__.lower()}-"))
        self._process: subprocess.Popen[bytes] | None = None
        atexit.register(self.close)

    @property
    @abstractmethod
    def url(self) -> str:
        """The address that clients are given."""

    @property
    @abstractmethod
    def _command(self) -> list[str]:
        """What to run."""

    @abstractmethod
    def _prepare(self) -> None:
        """Make the empty data."""

    @abstractmethod
    def _wipe(self) -> None:
        """Forget the data."""

    @abstractmethod
    def is_ready(self) -> bool:
        """Whether it answers."""

    _ending = signal.SIGTERM
    _user: int | None = None

    @property
    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def log(self) -> str:
        """What it has said so far."""
        return (self.folder / "log").read_text(encoding="utf-8", errors="replace")

    def __enter__(self) -> Self:
        try:
            self._begin()
        except BaseException:
            self.close()
            raise
        return self

    def _begin(self) -> None:
        self._prepare()
        for _ in range(ATTEMPTS - 1):
            with contextlib.suppress(ChildProcessError):
                return self.start()
            self.port = free_port()
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.close()

    def start(self) -> None:
        """Start it on its port and wait until it answers; `ChildProcessError` when it ends instead."""
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                self._command,
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                user=self._user,
                start_new_session=True,
            )
        end = SYSTEM_CLOCK.monotonic() + PATIENCE
        while not self.is_ready():
            if not self.is_running:
                raise ChildProcessError(f"{self._command[0]} has ended:\n{self.log}")
            if SYSTEM_CLOCK.monotonic() > end:
                self.kill()
                raise TimeoutError(f"{self._command[0]} did not answer within {PATIENCE:g} s:\n{self.log}")
            SYSTEM_CLOCK.block(0.02)

    def stop(self) -> None:
        """End it in good order, what it keeps on disk stays."""
        if self._process is None:
            return
        self.thaw()
        if self.is_running:
            self._process.send_signal(self._ending)
        try:
            self._process.wait(GRACE)
        except subprocess.TimeoutExpired:
            self.kill()

    def kill(self) -> None:
        """End it at once, as a crash of the machine would, with all processes it has started."""
        self._signal(signal.SIGKILL)
        if self._process is not None:
            self._process.wait()

    def freeze(self) -> None:
        """Stop it in its tracks: connections stay open and nobody answers."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        self._signal(signal.SIGCONT)

    def restart(self) -> None:
        """End it in good order and start it with the data it had."""
        self.stop()
        self.start()

    def restart_empty(self) -> None:
        """Kill it and start it without any data."""
        self.kill()
        self._wipe()
        self._prepare()
        self.start()

    def close(self) -> None:
        """End it and delete its data."""
        atexit.unregister(self.close)
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _signal(self, number: signal.Signals) -> None:
        for pid in self._processes():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)

    def _processes(self) -> list[int]:
        """The server and its children; frozen first, for then it can start none that would be missed."""
        if self._process is None or self._process.poll() is not None:
            return []
        self._process.send_signal(signal.SIGSTOP)
        return [self._process.pid, *children(self._process.pid)]
