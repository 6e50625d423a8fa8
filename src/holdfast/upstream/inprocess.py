"""A connection to an ASGI application in this process: the embedded simulator, without a socket."""

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any
from urllib.parse import unquote

from holdfast.upstream.client import TransportFailed, TransportPhase, UpstreamRequest
from holdfast.wire.headers import Headers, from_raw, to_raw

Message = MutableMapping[str, Any]
AsgiApp = Callable[
    [Message, Callable[[], Awaitable[Message]], Callable[[Message], Awaitable[None]]], Awaitable[None]
]

CHUNKS_AHEAD = 16
"""How many chunks the application may be ahead of its reader."""


class InProcessClient:
    """Calls an ASGI application directly; a raised exception looks like a broken connection."""

    def __init__(self, app: AsgiApp) -> None:
        self._app = app

    async def send(self, request: UpstreamRequest) -> "InProcessConnection":
        connection = InProcessConnection(self._app, request)
        try:
            await connection.begun()
        except BaseException:
            await connection.aclose()
            raise
        return connection

    async def aclose(self) -> None:
        return None


class InProcessConnection:
    """One running call of the application."""

    def __init__(self, app: AsgiApp, request: UpstreamRequest) -> None:
        self.status = 0
        self.headers: Headers = ()
        self._request: UpstreamRequest | None = request
        self._ended = False
        self._gone = asyncio.Event()
        self._messages: asyncio.Queue[Message | None] = asyncio.Queue(CHUNKS_AHEAD)
        self._task = asyncio.ensure_future(self._run(app, _scope(request)))

    async def begun(self) -> None:
        """Wait for the status line."""
        message = await self._next("sent")
        self.status = message["status"]
        self.headers = from_raw(message.get("headers", ()))

    async def read(self) -> bytes:
        while not self._ended:
            message = await self._next("body")
            self._ended = not message.get("more_body", False)
            if chunk := bytes(message.get("body", b"")):
                return chunk
        return b""

    async def aclose(self) -> None:
        self._gone.set()
        self._task.cancel()
        try:
            await asyncio.wait({self._task})
        finally:
            self._wake_reader()

    async def _run(self, app: AsgiApp, scope: Message) -> None:
        try:
            await app(scope, self._receive, self._send)
        finally:
            if not self._gone.is_set():
                await self._messages.put(None)

    async def _send(self, message: Message) -> None:
        # After a hang-up nobody reads: waiting for room would keep the application from ever ending.
        if not self._gone.is_set():
            await self._messages.put(message)

    def _wake_reader(self) -> None:
        """A reader in another task would wait for ever for what is never sent any more."""
        while not self._messages.empty():
            self._messages.get_nowait()
        self._messages.put_nowait(None)

    async def _next(self, phase: TransportPhase) -> Message:
        message = await self._messages.get()
        if message is None:
            self._messages.put_nowait(None)
            await asyncio.wait({self._task})
            failure = self._failure()
            refused = isinstance(failure, ConnectionRefusedError)
            raise TransportFailed("connect" if refused else phase, self._why_ended()) from failure
        return message

    def _why_ended(self) -> str:
        failure = self._failure()
        if failure is not None:
            return f"{type(failure).__name__}: {failure}"
        return "the connection is closed" if self._gone.is_set() else "the application ended in mid-answer"

    def _failure(self) -> BaseException | None:
        return None if self._task.cancelled() else self._task.exception()

    async def _receive(self) -> Message:
        if self._request is not None and self._request.pieces is not None:
            piece = await anext(self._request.pieces, None)
            if piece is None:
                self._request = None
            return {"type": "http.request", "body": piece or b"", "more_body": piece is not None}
        if self._request is not None:
            body, self._request = self._request.body, None
            return {"type": "http.request", "body": body, "more_body": False}
        await self._gone.wait()
        return {"type": "http.disconnect"}


def _scope(request: UpstreamRequest) -> Message:
    path, _, query = request.path.partition("?")
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "method": request.method,
        "scheme": "http",
        "path": unquote(path),
        "raw_path": path.encode("ascii"),
        "query_string": query.encode("ascii"),
        "root_path": "",
        "headers": to_raw(request.headers),
        "client": ("127.0.0.1", 0),
        "server": ("simulator", 80),
        "state": {},
    }
