"""An upstream that keeps files and skills, on a real socket: it notes what reaches it, byte for byte."""

import contextlib
import hashlib
import json
import threading
from collections.abc import Awaitable, Callable, Generator, MutableMapping
from dataclasses import dataclass, field
from typing import Any

import uvicorn

from holdfast.cli.listening import listen
from tests.doors.running import PATIENCE, eventually

Message = MutableMapping[str, Any]
PIECE = b"0123456789abcdef" * 4096


@dataclass
class Arrived:
    """One request as it came."""

    method: str
    path: str
    query: str
    headers: dict[str, str]
    size: int = 0
    digest: str = ""


@dataclass
class Storehouse:
    """Answers `/v1/files`, `/v1/skills` and whatever else, and remembers."""

    url: str = ""
    arrived: list[Arrived] = field(default_factory=list[Arrived])
    files: dict[str, int] = field(default_factory=dict[str, int])
    content: int = 1
    """Pieces of the content of every file."""
    left: threading.Event = field(default_factory=threading.Event)
    answer: tuple[int, bytes] | None = None
    """What is answered in place of everything else."""
    kind: bytes = b"application/json"
    silent: bool = False
    """Take requests and never answer."""
    short: bool = False
    """End the content of files before its end."""

    async def __call__(
        self,
        scope: Message,
        receive: Callable[[], Awaitable[Message]],
        send: Callable[[Message], Awaitable[None]],
    ) -> None:
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        one = Arrived(scope["method"], scope["path"], scope["query_string"].decode(), headers)
        self.arrived.append(one)
        digest = hashlib.sha256()
        more = True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                self.left.set()
                return
            digest.update(message.get("body", b""))
            one.size += len(message.get("body", b""))
            more = message.get("more_body", False)
        one.digest = digest.hexdigest()
        if self.silent:
            while (await receive())["type"] != "http.disconnect":
                pass
        elif self.answer is not None:
            await _reply(send, *self.answer, kind=self.kind)
        elif scope["path"].endswith("/content"):
            await self._content(send)
        else:
            await _reply(send, 200, json.dumps(self._document(one)).encode())

    def _document(self, one: Arrived) -> object:
        _, _, family, *rest = one.path.split("/")
        match one.method, rest:
            case "POST", []:
                name = f"{family.removesuffix('s')}_{len(self.files) + 1}"
                self.files[name] = one.size
                return {"id": name, "type": family.removesuffix("s"), "size_bytes": one.size}
            case "GET", []:
                data = [{"id": name, "type": "file"} for name in self.files]
                return {"data": data, "has_more": False, "first_id": None, "last_id": None}
            case "DELETE", [name]:
                self.files.pop(name, None)
                return {"id": name, "type": "file_deleted"}
            case _:
                return {"id": "/".join(rest) or family, "type": "file"}

    async def _content(self, send: Callable[[Message], Awaitable[None]]) -> None:
        length = str(self.content * len(PIECE)).encode()
        headers = [(b"content-type", b"application/octet-stream"), (b"content-length", length)]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        for _ in range(self.content - self.short):
            await send({"type": "http.response.body", "body": PIECE, "more_body": True})
        if self.short:
            raise ConnectionError
        await send({"type": "http.response.body", "body": b""})


async def _reply(
    send: Callable[[Message], Awaitable[None]], status: int, body: bytes, kind: bytes = b"application/json"
) -> None:
    headers = [
        (b"content-type", kind),
        (b"content-length", str(len(body)).encode()),
        (b"request-id", b"req_1"),
        (b"anthropic-ratelimit-requests-limit", b"4000"),
        (b"anthropic-ratelimit-requests-remaining", b"3999"),
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


@contextlib.contextmanager
def storehouse() -> Generator[Storehouse]:
    """One that runs until the block ends."""
    house = Storehouse()
    listener = listen("127.0.0.1", 0)
    house.url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    config = uvicorn.Config(house, ws="none", lifespan="off", log_config=None, access_log=False)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, args=([listener],), daemon=True)
    thread.start()
    try:
        eventually(lambda: server.started)
        yield house
    finally:
        server.should_exit = True
        thread.join(PATIENCE)
        listener.close()
