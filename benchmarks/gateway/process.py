"""A server in a process of its own, pinned to a core: what it has computed, and what it keeps in memory."""

import contextlib
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")
SERVER_CORE = "0"
LOAD_CORE = "1"


def free_port() -> int:
    """A port that nobody listened on just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """A process and its children, by the process that was started."""

    name: str
    port: int
    process: "subprocess.Popen[bytes]"
    started: float

    def cpu(self) -> float:
        """Seconds of CPU that it has used so far, with its children."""
        return sum(_cpu(pid) for pid in self._pids())

    def memory(self) -> float:
        """Megabytes that are its own, with its children: shared pages are counted once."""
        return sum(_memory(pid) for pid in self._pids())

    def _pids(self) -> Iterator[int]:
        waiting = [self.process.pid]
        while waiting:
            pid = waiting.pop()
            yield pid
            for listed in Path(f"/proc/{pid}/task").glob("*/children"):
                with contextlib.suppress(OSError):
                    waiting += [int(child) for child in listed.read_text().split()]


def start(
    name: str,
    command: Sequence[str],
    port: int,
    *,
    core: str = SERVER_CORE,
    env: Mapping[str, str] | None = None,
    log: Path,
) -> Server:
    """Start a server, pinned; what it says goes to the log."""
    started = time.perf_counter()
    with log.open("wb") as said:
        process = subprocess.Popen(
            ["taskset", "-c", core, *command],
            env={**os.environ, **(env or {})},
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=said,
            start_new_session=True,
        )
    return Server(name=name, port=port, process=process, started=started)


def stop(server: Server) -> None:
    """End it with all it has started, which is a session of its own."""
    for how in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(server.process.pid, how)
        with contextlib.suppress(subprocess.TimeoutExpired):
            server.process.wait(timeout=5.0)
            return


def _cpu(pid: int) -> float:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / TICKS


def _memory(pid: int) -> float:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0.0
    return sum(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1024
