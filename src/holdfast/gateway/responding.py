"""Answers going out over ASGI, and the last words when one goes wrong."""

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import suppress
from typing import Any

from holdfast.errors import HoldfastError, Refused
from holdfast.gateway.refusals import MethodNotAllowed
from holdfast.language import Language
from holdfast.wire.errors import envelope, error_event, error_headers
from holdfast.wire.headers import Headers, from_raw, get, merged, to_raw

Message = MutableMapping[str, Any]
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

EVENT_STREAM = "text/event-stream"
LAST_WORDS = 2.0
"""Seconds to tell a client why its answer ends: one that reads nothing must not hold anybody up."""

JSON = (("content-type", "application/json"), ("cache-control", "no-store"))


class ClientGone(Exception):
    """The client hung up; nobody is left to answer."""


class Outlet:
    """The way back to one client, which remembers how far the answer has come."""

    __slots__ = ("_ended", "_send", "_started", "_streaming", "language", "request_id")

    def __init__(self, send: Send, request_id: str) -> None:
        self.request_id = request_id
        self.language: Language = "en"
        self._send = send
        self._started = self._streaming = self._ended = False

    async def start(self, status: int, headers: Headers) -> None:
        """Send the status line and headers; raises `ClientGone`, as all of these do."""
        await self._put({"type": "http.response.start", "status": status, "headers": to_raw(headers)})
        self._started = True
        self._streaming = (get(headers, "content-type") or "").startswith(EVENT_STREAM)

    async def write(self, chunk: bytes) -> None:
        """Send a part of the body; waits as long as the client is slow to read."""
        await self._put({"type": "http.response.body", "body": chunk, "more_body": True})

    async def end(self, chunk: bytes = b"") -> None:
        """Send the last part of the body."""
        self._ended = True
        await self._put({"type": "http.response.body", "body": chunk, "more_body": False})

    async def reply(self, status: int, headers: Headers, body: bytes = b"") -> None:
        """Send a whole answer."""
        await self.start(status, merged(headers, {"content-length": str(len(body))}))
        await self.end(body)

    async def pass_on(self, message: Message) -> None:
        """Send what another application says, in the order of ASGI, as part of this answer."""
        match message["type"], message.get("more_body", False):
            case "http.response.start", _:
                ours = {"request-id": self.request_id, "x-holdfast-request-id": self.request_id}
                await self.start(message["status"], merged(from_raw(message.get("headers", ())), ours))
            case "http.response.body", True:
                await self.write(message["body"])
            case "http.response.body", _:
                await self.end(message.get("body", b""))
            case _:
                await self._put(message)

    async def break_off(self, error: HoldfastError) -> None:
        """Say why there is no more answer than this, as far as that can still be said.

        Before the answer began: Anthropic's envelope, so that every client's typed exceptions work. In a
        stream: an `error` event. A whole answer cut in half is left for the server to cut off.
        """
        with suppress(ClientGone, TimeoutError):
            async with asyncio.timeout(LAST_WORDS):
                if not self._started:
                    await self._refuse(error)
                elif self._streaming and not self._ended:
                    sentence = error.say(self.language)
                    event = error_event(error.error_type, sentence, error.error_code, self.request_id)
                    await self.end(event)

    async def _refuse(self, error: HoldfastError) -> None:
        ours = {
            "request-id": self.request_id,
            "x-holdfast-request-id": self.request_id,
            "x-holdfast-outcome": "refused" if isinstance(error, Refused) else "failed",
            "x-holdfast-attempts": str(error.attempts),
        }
        match error:
            case MethodNotAllowed():
                ours["allow"] = error.allowed
            case Refused() if not error.attempts:
                ours["x-holdfast-cost"] = "0"
            case _:
                pass
        headers = merged(error_headers(error), ours)
        await self.reply(error.status, headers, envelope(error, self.request_id, language=self.language))

    async def _put(self, message: Message) -> None:
        try:
            await self._send(message)
        except OSError as error:
            raise ClientGone from error
