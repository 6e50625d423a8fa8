"""A simulator called in process, and the ways these tests talk to it."""

import json
import socket
from dataclasses import dataclass, field
from typing import Any, cast
from urllib.parse import urlsplit

import httpx2
import pytest

from holdfast.simulator import Simulator
from holdfast.simulator.server import RunningSimulator
from holdfast.testing import FakeClock

Json = dict[str, Any]
HEADERS = {"x-api-key": "test-key", "anthropic-version": "2023-06-01"}


def ask(text: str = "Hello there", **more: object) -> Json:
    """A small valid body."""
    return {
        "model": "claude-sonnet-5-5",
        "max_tokens": 1024,
        "messages": [{"role": "user", "content": text}],
        **more,
    }


@dataclass
class Api:
    """Calls a simulator without a socket."""

    simulator: Simulator
    headers: dict[str, str] = field(default_factory=lambda: dict(HEADERS))

    async def call(
        self, method: str, path: str, *, headers: dict[str, str] | None = None, **content: Any
    ) -> httpx2.Response:
        transport = httpx2.ASGITransport(app=self.simulator)
        async with httpx2.AsyncClient(transport=transport, base_url="http://simulator") as client:
            return await client.request(method, path, headers={**self.headers, **(headers or {})}, **content)

    async def post(self, body: Json, path: str = "/v1/messages", **headers: str) -> httpx2.Response:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return await self.call("POST", path, headers=named, json=body)

    async def message(self, text: str = "Hello there", **more: object) -> Json:
        response = await self.post(ask(text, **more))
        assert response.status_code == 200, response.text
        return cast("Json", response.json())

    async def text(self, text: str, **more: object) -> str:
        message = await self.message(text, **more)
        return "".join(block.get("text", "") for block in message["content"])

    async def events(self, text: str = "Hello there", **more: object) -> list[Json]:
        response = await self.post(ask(text, stream=True, **more))
        assert response.status_code == 200, response.text
        return parse_events(response.content)

    async def refusal(self, body: Json, **headers: str) -> tuple[int, str, str]:
        """Status, type and message of the error a body is answered with."""
        response = await self.post(body, **headers)
        error = response.json()["error"]
        return response.status_code, error["type"], error["message"]

    async def tokens(self, body: Json) -> int:
        counted = {name: value for name, value in body.items() if name not in ("max_tokens", "stream")}
        response = await self.post(counted, "/v1/messages/count_tokens")
        return cast("int", response.json()["input_tokens"])


def parse_events(raw: bytes) -> list[Json]:
    """The payloads of a well-formed stream; each one's name is its `event` line."""
    found: list[Json] = []
    for frame in raw.decode().split("\n\n")[:-1]:
        name, data = frame.split("\n")
        payload = json.loads(data.removeprefix("data: "))
        assert name == f"event: {payload['type']}"
        found.append(payload)
    return found


@dataclass
class Wire:
    """Talks to a running simulator over a plain socket."""

    running: RunningSimulator

    def connect(self) -> socket.socket:
        address = urlsplit(self.running.url)
        return socket.create_connection((address.hostname or "", address.port or 0), timeout=5)

    def send(self, body: Json, path: str = "/v1/messages") -> socket.socket:
        raw = json.dumps(body).encode()
        lines = [f"POST {path} HTTP/1.1", "host: 127.0.0.1", "content-type: application/json"]
        lines += [f"{name}: {value}" for name, value in HEADERS.items()]
        lines += ["connection: close", f"content-length: {len(raw)}", "", ""]
        connection = self.connect()
        connection.sendall("\r\n".join(lines).encode() + raw)
        return connection

    def leave(self, body: Json) -> None:
        """Send a request and go away as soon as it has arrived."""
        before = len(self.running.simulator.requests)
        with self.send(body):
            self.running.until(lambda simulator: len(simulator.requests) > before)
        self.running.drain()

    def talk(self, body: Json) -> tuple[bytes, bool]:
        """All bytes of the answer, and whether the connection ended by a reset."""
        with self.send(body) as connection:
            return read_all(connection)


def read_all(connection: socket.socket) -> tuple[bytes, bool]:
    """Read to the end: the bytes, and whether it was a reset."""
    received = b""
    while True:
        try:
            chunk = connection.recv(65536)
        except ConnectionResetError:
            return received, True
        if not chunk:
            return received, False
        received += chunk


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def api(clock: FakeClock) -> Api:
    return Api(Simulator(time_scale=0, clock=clock))


@pytest.fixture
def wire(simulator: RunningSimulator) -> Wire:
    return Wire(simulator)
