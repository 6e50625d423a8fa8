"""HTTP without a client's kindness: bytes as they are, and every answer that comes back."""

import json
import socket
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from io import BufferedReader
from typing import Any, cast
from urllib.parse import urlsplit

PATIENCE = 20.0
MESSAGES = "/v1/messages"
JSON = {"content-type": "application/json"}
QUESTION = {
    "model": "claude-sonnet-5-5",
    "max_tokens": 300,
    "messages": [{"role": "user", "content": "Where is my order?"}],
}


@dataclass(frozen=True, slots=True)
class Heard:
    """One answer as it came over the wire."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> dict[str, Any]:
        return cast("dict[str, Any]", json.loads(self.body))

    @property
    def error_type(self) -> str:
        """The type of a complete error envelope; anything else fails the test."""
        document = self.json
        assert set(document) == {"type", "error", "request_id"}, document
        assert document["type"] == "error"
        assert document["request_id"] == self.headers["request-id"]
        assert document["error"]["message"]
        assert self.headers["content-type"].startswith("application/json")
        return cast("str", document["error"]["type"])


@dataclass(slots=True)
class Connection:
    """One TCP connection."""

    socket: socket.socket
    reader: BufferedReader

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def hear(self, *, method: str = "POST") -> Heard:
        """The next answer."""
        status_line, headers = self._head()
        status = int(status_line.split(" ")[1])
        if method == "HEAD" or status in (204, 304):
            body = b""
        elif headers.get("transfer-encoding") == "chunked":
            body = b"".join(self._chunks())
        elif "content-length" in headers:
            body = self.reader.read(int(headers["content-length"]))
        else:
            body = self.reader.read()
        return Heard(status, headers, body)

    def is_closed(self) -> bool:
        """Whether the server has nothing more to say, ever."""
        return self.reader.read(1) == b""

    def _head(self) -> tuple[str, dict[str, str]]:
        lines: list[str] = []
        while (line := self.reader.readline()) not in (b"\r\n", b""):
            lines.append(line.decode("latin-1").rstrip("\r\n"))
        assert lines, "the server closed the connection without an answer"
        pairs = (line.partition(": ") for line in lines[1:])
        return lines[0], {name.lower(): value for name, _, value in pairs}

    def _chunks(self) -> Iterator[bytes]:
        while size := int(self.reader.readline(), 16):
            yield self.reader.read(size)
            self.reader.readline()
        self.reader.readline()


@contextmanager
def connected(url: str) -> Generator[Connection]:
    address = urlsplit(url)
    with (
        socket.create_connection((address.hostname or "", address.port or 0), PATIENCE) as connection,
        connection.makefile("rb") as reader,
    ):
        yield Connection(connection, reader)


def request(
    body: bytes | object = b"",
    *,
    method: str = "POST",
    path: str = MESSAGES,
    headers: Mapping[str, str] | None = None,
) -> bytes:
    """A request; a body that is not bytes is written as JSON."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    usual = {"host": "gateway", "x-api-key": "local", "anthropic-version": "2023-06-01"}
    named = {**usual, **JSON, "content-length": str(len(raw)), **(headers or {})}
    lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in named.items() if value)]
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + raw


def ask(
    url: str,
    body: bytes | object = b"",
    *,
    method: str = "POST",
    path: str = MESSAGES,
    headers: Mapping[str, str] | None = None,
) -> Heard:
    """One request on a connection of its own."""
    with connected(url) as connection:
        connection.send(request(body, method=method, path=path, headers=headers))
        return connection.hear(method=method)
