"""A Redis server of one's own."""

import shutil
import socket

from tests.servers.process import Server, program


class RedisServer(Server):
    """Keeps nothing on disk: whatever restarts it, it comes back empty."""

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    @property
    def _command(self) -> list[str]:
        listen = ["--bind", "127.0.0.1", "--port", str(self.port), "--protected-mode", "no"]
        return [str(program("redis-server")), *listen, "--save", "", "--appendonly", "no"]

    def _prepare(self) -> None:
        self.folder.mkdir(exist_ok=True)

    def _wipe(self) -> None:
        shutil.rmtree(self.folder)

    def is_ready(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=1) as wire:
                wire.sendall(b"PING\r\n")
                return wire.recv(16).startswith(b"+PONG")
        except OSError:
            return False
