"""uvicorn as the gateway's server: the API's error shape for what is no HTTP, and an end that breaks no stream."""

import asyncio
import contextlib
import logging
import math
import socket
import ssl
from collections.abc import Callable, Generator
from dataclasses import dataclass
from types import FrameType
from typing import TYPE_CHECKING, Protocol, Self, cast

import uvicorn
from uvicorn.protocols.http.auto import AutoHTTPProtocol

from holdfast.assembly import new_request_id
from holdfast.errors import ConfigError, HoldfastError, MalformedRequest, Refused
from holdfast.gateway.app import Gateway
from holdfast.language import Sentence
from holdfast.policy.gateway import GatewayConfig
from holdfast.wire.errors import envelope, error_headers
from holdfast.wire.framing import Framer
from holdfast.wire.headers import to_raw

LARGEST_HEAD = 64 * 1024
"""Bytes of a request line and its headers."""
COME_BACK = 1.0
"""Seconds after which a caller that found every connection taken may try again."""
MARGIN = 10
"""Seconds that uvicorn waits beyond our own end of the calls."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """Seconds that a connection may keep us waiting before it is closed."""

    head: float = 30.0
    """For a whole head: from the first byte of it, on a new connection from its opening."""
    leftover: float = 30.0
    """For the rest of a body that has been refused."""
    chunks: float = 1.0
    """The same for one in chunks, which costs us to read and may never end: as long as an answer needs to arrive."""
    reader: float = 120.0
    """For a client that does not read what it asked for."""
    crowded: float = 1.0
    """For the request of a caller too many, which is refused as soon as it comes."""

    @classmethod
    def of(cls, config: GatewayConfig) -> Self:
        """The patience that settings ask for."""
        return cls(head=config.head_timeout, reader=config.reader_timeout)


class _Cycle(Protocol):
    response_started: bool
    response_complete: bool


if TYPE_CHECKING:

    class _Server(asyncio.Protocol):
        """What both protocols of uvicorn have."""

        def on_response_complete(self) -> None: ...

else:
    _Server = asyncio.Protocol


class _Shaped(_Server):
    """Goes in front of a protocol of uvicorn, which answers broken HTTP in plain text and waits for ever."""

    transport: asyncio.Transport
    logger: logging.Logger
    cycle: _Cycle | None
    connections: set[asyncio.Protocol]
    patience = Patience()
    most: int | None = None
    _is_too_many = False
    _timer: asyncio.TimerHandle | None = None
    _reader_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._framer = Framer(largest_head=LARGEST_HEAD)
        super().connection_made(transport)
        if self.most is not None and len(self.connections) > self.most:
            self._is_too_many = True
            self.connections.discard(self)
            self._expect(self.patience.crowded, self.transport.close)
        else:
            self._expect(self.patience.head, self._head_never_came)

    def connection_lost(self, exc: Exception | None) -> None:
        self._expect_nothing()
        self._expect_reader(waiting=False)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._is_too_many:
            # Not before it has been read: what lies there unread takes the refusal away from the client.
            self._refuse(_Crowded(_TOO_MANY, retry_after=COME_BACK))
            return
        try:
            for piece in self._framer.feed(data):
                if self.transport.is_closing():
                    return
                super().data_received(piece)
        except MalformedRequest as error:
            # In the words of uvicorn, which says so of what it finds broken by itself.
            self.logger.warning("Invalid HTTP request received.")
            self._refuse(error)
            return
        if not self._framer.has_begun and not self._is_leftover():
            self._expect_nothing()
        elif self._timer is None:
            self._expect(self.patience.head, self._head_never_came)

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self._is_leftover() and self._timer is None:
            # Not at once: what comes in after a close takes the answer away from the client.
            patience = self.patience.chunks if self._framer.in_chunks else self.patience.leftover
            self._expect(patience, self.transport.close)

    def pause_writing(self) -> None:
        super().pause_writing()
        self._expect_reader(waiting=True)

    def resume_writing(self) -> None:
        self._expect_reader(waiting=False)
        super().resume_writing()

    def send_400_response(self, msg: str) -> None:
        """What uvicorn calls when it can make no sense of what it reads."""
        self._refuse(MalformedRequest(_NOT_HTTP))

    def _is_leftover(self) -> bool:
        return self._framer.in_body and self.cycle is not None and self.cycle.response_complete

    def _expect(self, seconds: float, otherwise: Callable[[], None]) -> None:
        self._timer = asyncio.get_running_loop().call_later(seconds, otherwise)

    def _expect_nothing(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _expect_reader(self, *, waiting: bool) -> None:
        if self._reader_timer is not None:
            self._reader_timer.cancel()
            self._reader_timer = None
        if waiting:
            # Nothing more can be said to it: what lies there unread would have to be read first.
            loop = asyncio.get_running_loop()
            self._reader_timer = loop.call_later(self.patience.reader, self.transport.abort)

    def _head_never_came(self) -> None:
        if self._framer.has_begun:
            self._refuse(_HeadNeverCame(_NEVER_CAME))
        else:
            self.transport.close()

    def _refuse(self, error: HoldfastError) -> None:
        # In the middle of another answer an answer to this would be read as a part of that.
        if self.cycle is None or self.cycle.response_complete or not self.cycle.response_started:
            self.transport.write(_written(error))
        self.transport.close()


class _HeadNeverCame(Refused):
    """The client began a request and did not get to the end of its headers."""

    error_code = "holdfast_headers_incomplete"
    default_status = 408
    error_type = "timeout_error"


class _Crowded(Refused):
    """Every connection that this worker may have is taken."""

    error_code = "holdfast_connections_exhausted"
    default_status = 503
    error_type = "overloaded_error"
    should_retry = True


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


def _shaped(
    http: type[asyncio.Protocol], patience: Patience, most: int | None = None
) -> type[asyncio.Protocol]:
    members = {"patience": patience, "most": most}
    return cast("type[asyncio.Protocol]", type("GatewayProtocol", (_Shaped, http), members))


def check_tls(config: GatewayConfig) -> None:
    """Raise `ConfigError` for a certificate that cannot be used, before anybody is told that we are ready."""
    if config.tls_cert is None:
        return
    try:
        # Without a password we would be asked for one at the terminal, and a service has none.
        ssl.create_default_context(ssl.Purpose.CLIENT_AUTH).load_cert_chain(
            config.tls_cert, config.tls_key, password=""
        )
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or str(error)
        raise ConfigError(
            Sentence(
                f"gateway.tls_cert, gateway.tls_key: the certificate {config.tls_cert} cannot be used: {why}. Write "
                "the paths of a PEM certificate and of its key without a password.",
                ko=f"gateway.tls_cert, gateway.tls_key: 인증서 {config.tls_cert}을(를) 쓸 수 없습니다: {why}. "
                "PEM 인증서와 암호 없는 개인 키의 경로를 적으세요.",
            )
        ) from error


class GatewayServer(uvicorn.Server):
    """Serves one gateway, and stops it so that every client hears of it.

    The first SIGINT or SIGTERM lets running calls end for `drain_timeout` seconds and then ends them with a
    typed error; a second one does so at once. Either way `run` returns, with everything settled.
    """

    def __init__(
        self,
        gateway: Gateway,
        *,
        drain_timeout: float,
        ready: Callable[[], None] = lambda: None,
        http: type[asyncio.Protocol] = AutoHTTPProtocol,
        patience: Patience | None = None,
        config: GatewayConfig | None = None,
    ) -> None:
        config = config or GatewayConfig()
        self._gateway = gateway
        self._drain_timeout = drain_timeout
        self._ready = ready
        super().__init__(
            uvicorn.Config(
                gateway,
                http=_shaped(http, patience or Patience.of(config), config.max_connections),
                ws="none",
                lifespan="on",
                log_config=None,
                access_log=False,
                proxy_headers=bool(config.trusted_proxies),
                forwarded_allow_ips=list(config.trusted_proxies),
                ssl_certfile=config.tls_cert,
                ssl_keyfile=config.tls_key,
                server_header=False,
                date_header=False,
                timeout_keep_alive=math.ceil(config.keep_alive),
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

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Whoever asks twice does not want to wait."""
        self.force_exit = self.force_exit or self.should_exit
        super().handle_exit(sig, frame)

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
_TOO_MANY = Sentence(
    "Every connection that this gateway takes (gateway.max_connections) is in use; come back in a second.",
    ko="게이트웨이가 받을 수 있는 연결(gateway.max_connections)이 모두 사용 중입니다. 1초 뒤에 다시 시도하세요.",
)
_NEVER_CAME = Sentence(
    "The headers of this request did not come to their end in time; send it again.",
    ko="요청의 헤더가 제때 끝나지 않았습니다. 다시 보내 주세요.",
)
