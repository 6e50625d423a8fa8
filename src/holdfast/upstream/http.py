"""The connection to a Messages API over HTTP, by aiohttp."""

import asyncio
import contextlib
import io
import urllib.request
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Protocol, cast

import aiohttp
from yarl import URL

from holdfast.errors import ConfigError
from holdfast.language import Sentence
from holdfast.upstream.client import TransportFailed, TransportPhase, UpstreamRequest
from holdfast.wire.headers import Headers, from_raw, to_raw

CONNECT_TIMEOUT = 10.0
"""Seconds for name, connection and TLS together."""

CLOSE_TIMEOUT = 5.0
"""Seconds that another thread's event loop may take to close its connections."""

LARGE = 1024 * 1024
"""Bytes from which a body is sent in pieces, so that other calls get their turn."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Pool:
    """The connections of one event loop.

    `guard` is suspended in that loop for as long as the pool is open. A loop that ends closes the
    asynchronous generators it began, and with this one our connections, though nobody told us.
    """

    session: aiohttp.ClientSession
    guard: AsyncGenerator[None, None]


class HttpClient:
    """One keep-alive pool per event loop, opened when first used, closed with its loop or by `aclose`.

    Answers come undecoded except for compression, which we do not ask for and undo when it comes unasked.
    A proxy is taken from the environment, unless the address `is_here`. Raises `ConfigError` for an address that is none.
    """

    def __init__(
        self, base_url: str, *, connect_timeout: float = CONNECT_TIMEOUT, is_here: bool = False
    ) -> None:
        self._base_url = base_url.rstrip("/")
        url = _parsed(self._base_url)
        self._proxy = None if is_here else _proxy_for(url)
        self._timeout = aiohttp.ClientTimeout(total=None, connect=connect_timeout)
        self._pools: dict[asyncio.AbstractEventLoop, _Pool] = {}

    async def send(self, request: UpstreamRequest) -> "HttpConnection":
        url = URL(self._base_url + request.path, encoded=True)
        session = await self._session()
        try:
            response = await session.request(
                request.method,
                url,
                data=_payload(request.body) if request.pieces is None else request.pieces,
                headers=[(name.decode("ascii"), _text(value)) for name, value in to_raw(request.headers)],
                allow_redirects=False,
            )
        except (aiohttp.ClientError, OSError) as error:
            raise TransportFailed(_phase(error), _reason(error)) from error
        return HttpConnection(response)

    async def aclose(self) -> None:
        for loop, pool in list(self._pools.items()):
            if loop is asyncio.get_running_loop():
                await pool.guard.aclose()
            elif loop.is_running():
                closing = asyncio.run_coroutine_threadsafe(pool.guard.aclose(), loop)
                await asyncio.wait([asyncio.wrap_future(closing)], timeout=CLOSE_TIMEOUT)
            # A loop that neither runs nor is closed closes its pool when it next runs or ends.
            self._pools.pop(loop, None)

    async def _session(self) -> aiohttp.ClientSession:
        loop = asyncio.get_running_loop()
        pool = self._pools.get(loop)
        if pool is None:
            self._forget_closed_loops()
            session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0, ttl_dns_cache=60),
                cookie_jar=aiohttp.DummyCookieJar(),
                skip_auto_headers=("user-agent", "accept", "accept-encoding", "content-type"),
                timeout=self._timeout,
                proxy=self._proxy,
            )
            pool = self._pools[loop] = _Pool(session=session, guard=self._closing(loop, session))
            await anext(pool.guard)
        return pool.session

    def _forget_closed_loops(self) -> None:
        for loop in [loop for loop in self._pools if loop.is_closed()]:
            self._pools.pop(loop, None)

    async def _closing(
        self, loop: asyncio.AbstractEventLoop, session: aiohttp.ClientSession
    ) -> AsyncGenerator[None, None]:
        try:
            yield
        finally:
            self._pools.pop(loop, None)
            await session.close()


class HttpConnection:
    """One answer of aiohttp."""

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self._response = response
        self._broken: str | None = None
        self.status = response.status
        self.headers: Headers = from_raw(response.raw_headers)

    async def read(self) -> bytes:
        if self._broken is not None:
            raise TransportFailed("body", self._broken)
        try:
            return await self._response.content.readany()
        except (aiohttp.ClientError, OSError) as error:
            self._broken = _reason(error)
            if received := _received(cast("_Reader", self._response.content)):
                return received
            raise TransportFailed("body", self._broken) from error

    async def aclose(self) -> None:
        # An answer read to its end has given its connection back already; any other is cut.
        self._response.close()


class _Reader(Protocol):
    """What is asked of aiohttp's reader; that its error may be taken away is not in its annotations."""

    def exception(self) -> BaseException | None: ...

    def set_exception(self, exc: BaseException | None) -> None: ...

    def read_nowait(self) -> bytes: ...


def _received(reader: _Reader) -> bytes:
    """The bytes that came before the break and that nobody was waiting for: the error stands in front of them."""
    error = reader.exception()
    reader.set_exception(None)
    try:
        return reader.read_nowait()
    finally:
        reader.set_exception(error)


def _parsed(base_url: str) -> URL:
    with contextlib.suppress(ValueError):
        url = URL(base_url)
        if url.scheme in ("http", "https") and url.host and url.port:
            return url
    raise ConfigError(
        Sentence(
            f"url: `{base_url}` is no address; write http://host or https://host, with :port where needed",
            ko=f"url: `{base_url}`은(는) 주소가 아닙니다. http://host 또는 https://host로, 필요하면 :port를 붙여 적으세요",
        )
    )


def _proxy_for(url: URL) -> str | None:
    """The proxy that the environment names for this address, asked once: aiohttp would ask for every request."""
    proxy = urllib.request.getproxies().get(url.scheme)
    if proxy is None or urllib.request.proxy_bypass(f"{url.host}:{url.port}"):
        return None
    if not proxy.startswith(("http://", "https://")):
        raise ConfigError(
            Sentence(
                f"{url.scheme.upper()}_PROXY: only http:// and https:// proxies can be used; "
                f"correct it, or add {url.host} to NO_PROXY",
                ko=f"{url.scheme.upper()}_PROXY: http:// 또는 https:// 프록시만 쓸 수 있습니다. "
                f"값을 고치거나 NO_PROXY에 {url.host}을(를) 더하세요",
            )
        )
    return proxy


def _payload(body: bytes) -> io.BytesIO | bytes | None:
    return io.BytesIO(body) if len(body) > LARGE else body or None


def _text(value: bytes) -> str:
    """What aiohttp, which writes headers in UTF-8, has to be given so that these bytes go out."""
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError:
        return value.decode("latin-1")


def _phase(error: Exception) -> TransportPhase:
    match error:
        case (
            aiohttp.ClientConnectorError() | aiohttp.ConnectionTimeoutError() | aiohttp.ClientHttpProxyError()
        ):
            return "connect"
        case _:
            return "sent"


def _reason(error: Exception) -> str:
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
