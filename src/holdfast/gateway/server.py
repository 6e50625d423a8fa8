"""uvicorn as the gateway's server: the API's error shape for what is no HTTP, and an end that breaks no stream."""

import asyncio
import contextlib
import math
import re
import socket
from collections.abc import Callable, Generator
from typing import Protocol, cast

import uvicorn
from uvicorn.protocols.http.auto import AutoHTTPProtocol

from holdfast.assembly import new_request_id
from holdfast.errors import HoldfastError, MalformedRequest
from holdfast.gateway.app import Gateway
from holdfast.language import Sentence
from holdfast.wire.errors import envelope, error_headers
from holdfast.wire.headers import to_raw

LARGEST_HEAD = 64 * 1024
"""Bytes of a request line and its headers."""
KEEP_ALIVE = 75.0
"""Seconds an idle connection stays open: longer than the pools of the official SDKs keep theirs (5 s, 60 s)."""
MARGIN = 10
"""Seconds that uvicorn waits beyond our own end of the calls."""


_UPGRADE = re.compile(rb"\r\nupgrade:[^\r\n]*", re.IGNORECASE)


class _Cycle(Protocol):
    more_body: bool
    response_started: bool
    response_complete: bool


class _Shaped(asyncio.Protocol):
    """Goes in front of a protocol of uvicorn, which answers broken HTTP in plain text and bounds no headers."""

    transport: asyncio.Transport
    cycle: _Cycle | None
    _head = 0

    def data_received(self, data: bytes) -> None:
        before = self.cycle
        super().data_received(data if before is not None and before.more_body else _not_upgraded(data))
        if self.cycle is not before or (
            before is not None and (before.more_body or not before.response_complete)
        ):
            self._head = 0
            return
        self._head += len(data)
        if self._head > LARGEST_HEAD and not self.transport.is_closing():
            self._refuse(_HeadTooLarge(_HEAD_TOO_LARGE))

    def send_400_response(self, msg: str) -> None:
        """What uvicorn calls when it can make no sense of what it reads."""
        self._refuse(MalformedRequest(_NOT_HTTP))

    def _refuse(self, error: HoldfastError) -> None:
        # In the middle of another answer an answer to this would be read as a part of that.
        if self.cycle is None or self.cycle.response_complete or not self.cycle.response_started:
            self.transport.write(_written(error))
        self.transport.close()


def _not_upgraded(data: bytes) -> bytes:
    """The same request without its offer to speak HTTP/2 or WebSocket, which a server may ignore (RFC 9110 7.8).

    httptools would take the body for the first bytes of the other protocol; Java's client always offers.
    """
    head, end, rest = data.partition(b"\r\n\r\n")
    return _UPGRADE.sub(b"", head) + end + rest


class _HeadTooLarge(MalformedRequest):
    """The headers are larger than any client of ours sends."""

    error_code = "holdfast_headers_too_large"
    default_status = 431


def _written(error: HoldfastError) -> bytes:
    request_id = new_request_id()
    body = envelope(error, request_id)
    headers = (
        *error_headers(error),
        ("content-length", str(len(body))),
        ("request-id", request_id),
        ("x-holdfast-request-id", request_id),
        ("x-holdfast-outcome", "refused"),
        ("connection", "close"),
    )
    head = b"".join(b"%s: %s\r\n" % pair for pair in to_raw(headers))
    return b"HTTP/1.1 %d Bad Request\r\n%s\r\n%s" % (error.status, head, body)


class GatewayServer(uvicorn.Server):
    """Serves one gateway, and stops it so that every client hears of it.

    The first SIGINT or SIGTERM lets running calls end for `drain_timeout` seconds and then ends them with a
    typed error; a second SIGINT does so at once. Either way `run` returns, with everything settled.
    """

    def __init__(
        self,
        gateway: Gateway,
        *,
        drain_timeout: float,
        ready: Callable[[], None] = lambda: None,
        http: type[asyncio.Protocol] = AutoHTTPProtocol,
    ) -> None:
        self._gateway = gateway
        self._drain_timeout = drain_timeout
        self._ready = ready
        super().__init__(
            uvicorn.Config(
                gateway,
                http=cast("type[asyncio.Protocol]", type("GatewayProtocol", (_Shaped, http), {})),
                ws="none",
                lifespan="on",
                log_config=None,
                access_log=False,
                proxy_headers=False,
                server_header=False,
                date_header=False,
                timeout_keep_alive=int(KEEP_ALIVE),
                timeout_graceful_shutdown=math.ceil(drain_timeout) + MARGIN,
            )
        )

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        draining = asyncio.ensure_future(self._gateway.drain(self._drain_timeout))
        await super().shutdown(sockets)
        if self.force_exit:
            draining.cancel()
            await self._gateway.drain(0)
            await self.lifespan.shutdown()
        await asyncio.gather(draining, return_exceptions=True)

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None]:
        """As uvicorn does, without raising the signals once more at the end: to be stopped is no failure."""
        with super().capture_signals():
            yield
            self._captured_signals.clear()


_NOT_HTTP = Sentence(
    "This is not a valid HTTP/1.1 request; check the request line, the headers and how the body is framed.",
    ko="올바른 HTTP/1.1 요청이 아닙니다. 요청 줄과 헤더, 본문 길이 표시를 확인하세요.",
)
_HEAD_TOO_LARGE = Sentence(
    f"The headers are larger than {LARGEST_HEAD:,} bytes; send fewer or shorter ones.",
    ko=f"헤더가 {LARGEST_HEAD:,}바이트보다 큽니다. 헤더를 줄여서 보내세요.",
)
