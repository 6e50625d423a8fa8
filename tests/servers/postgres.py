"""A PostgreSQL server of one's own, with every commit synced to disk as in real life."""

import os
import pwd
import shutil
import signal
import socket
import struct
import subprocess
from pathlib import Path

from tests.servers.process import Server, program

SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "fsync": "on",
    "synchronous_commit": "on",
    "shared_buffers": "32MB",
    "max_connections": "100",
    "max_wal_size": "256MB",
}


class PostgresServer(Server):
    """Listens on the loopback, trusts everybody there; the user is `holdfast`, the database `postgres`."""

    _ending = signal.SIGINT  # fast: it ends sessions instead of waiting for them

    def __init__(self) -> None:
        super().__init__()
        self._programs = program("postgres").resolve().parent  # initdb is beside it
        self._user = _unprivileged()

    @property
    def url(self) -> str:
        return f"postgresql://holdfast@127.0.0.1:{self.port}/postgres"

    @property
    def _data(self) -> Path:
        return self.folder / "data"

    @property
    def _command(self) -> list[str]:
        settings = {**SETTINGS, "port": str(self.port)}
        chosen = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        return [str(self._programs / "postgres"), "-D", str(self._data), *chosen]

    def _prepare(self) -> None:
        if self._user is not None:
            os.chown(self.folder, self._user, -1)
        locale = ["--encoding", "UTF8", "--locale", "C"]
        command = [
            str(self._programs / "initdb"),
            "-D",
            str(self._data),
            "-U",
            "holdfast",
            "-A",
            "trust",
            *locale,
        ]
        done = subprocess.run(
            [*command, "--no-sync"],
            cwd=self.folder,
            capture_output=True,
            text=True,
            check=False,
            user=self._user,
        )
        if done.returncode:
            raise ChildProcessError(f"initdb did not work:\n{done.stdout}{done.stderr}")

    def _wipe(self) -> None:
        shutil.rmtree(self._data)

    def is_ready(self) -> bool:
        """It listens early and takes connections late: until then it hangs up on a startup message."""
        startup = b"user\0holdfast\0database\0postgres\0\0"
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=1) as wire:
                wire.sendall(struct.pack("!ii", len(startup) + 8, 3 << 16) + startup)
                return wire.recv(1) == b"R"
        except OSError:
            return False


def _unprivileged() -> int | None:
    """The user to run as: PostgreSQL refuses to be root."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name).pw_uid
        except KeyError:
            continue
    raise LookupError(
        "PostgreSQL does not run as root, and this machine has neither user postgres nor nobody"
    )
