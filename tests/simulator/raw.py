"""Answers as bytes: what came over a socket taken apart, and a caller without one that notes when things came."""

import asyncio
import json
from collections.abc import MutableMapping
from dataclasses import dataclass, field
from typing import Any, cast

from holdfast.simulator import Simulator

Json = dict[str, Any]


def ask(text: str = "Hello there", *, stream: bool = False, **more: object) -> Json:
    """A small valid body."""
    body: Json = {
        "model": "claude-sonnet-5-5",
        "max_tokens": 1024,
        "messages": [{"role": "user", "content": text}],
        **more,
    }
    return {**body, "stream": True} if stream else body


def body_of(raw: bytes) -> bytes:
    """The body behind the head, with chunked encoding taken off."""
    head, _, rest = raw.partition(b"\r\n\r\n")
    if b"chunked" not in head.lower():
        return rest
    return b"".join(chunks_of(raw))


def chunks_of(raw: bytes) -> list[bytes]:
    """The chunks of a chunked body."""
    found: list[bytes] = []
    rest = raw.partition(b"\r\n\r\n")[2]
    while rest:
        size, _, rest = rest.partition(b"\r\n")
        found.append(rest[: int(size, 16)])
        rest = rest[int(size, 16) + 2 :]
    return [chunk for chunk in found if chunk]


def status_of(raw: bytes) -> int:
    return int(raw.split(b" ")[1])


def header_of(raw: bytes, name: str) -> str | None:
    lines = raw.partition(b"\r\n\r\n")[0].decode().split("\r\n")[1:]
    return {line.partition(": ")[0].lower(): line.partition(": ")[2] for line in lines}.get(name)


def ended_properly(raw: bytes) -> bool:
    return raw.endswith(b"0\r\n\r\n")


def said(body: bytes) -> list[Json]:
    """The payloads of a stream of whole events, however wrong their order."""
    return [json.loads(line[6:]) for line in body.splitlines() if line.startswith(b"data: ")]


def names(body: bytes) -> list[str]:
    return [payload["type"] for payload in said(body)]


@dataclass
class Answer:
    """What a caller in process got, and at which moments of the simulator's clock."""

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict[str, str])
    body: bytes = b""
    began: float = -1.0
    ended: float = -1.0

    def json(self) -> Json:
        return cast("Json", json.loads(self.body))

    @property
    def error(self) -> Json:
        return cast("Json", self.json()["error"])


async def call(
    simulator: Simulator,
    body: Json,
    *,
    key: str = "k",
    path: str = "/v1/messages",
    gone: asyncio.Event | None = None,
) -> Answer:
    """Send a body to a simulator in process; whoever sets `gone` leaves."""
    answer = Answer()
    request = [{"type": "http.request", "body": json.dumps(body).encode(), "more_body": False}]

    async def receive() -> MutableMapping[str, Any]:
        if request:
            return request.pop()
        await (gone or asyncio.Event()).wait()
        return {"type": "http.disconnect"}

    async def send(message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            answer.status = message["status"]
            answer.headers = {name.decode(): value.decode() for name, value in message["headers"]}
            return
        answer.body += message["body"]
        if answer.body and answer.began < 0:
            answer.began = simulator.clock.monotonic()
        answer.ended = simulator.clock.monotonic()

    headers = {"x-api-key": key, "anthropic-version": "2023-06-01", "content-type": "application/json"}
    scope: Json = {
        "type": "http",
        "method": "POST",
        "path": path,
        "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
        "state": {},
    }
    await simulator(scope, receive, send)
    return answer
