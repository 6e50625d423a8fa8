"""The way to an MCP server behind a URL: to the addresses that were judged, and to nobody else."""

from collections.abc import AsyncIterator
from contextlib import suppress

import httpx2

from holdfast.agent.mcp import Remote
from holdfast.credentials import secret
from holdfast.errors import ConfigError
from holdfast.language import Sentence
from holdfast.parts.fetching import Resolve, system_addresses
from holdfast.policy.address import Target, check_addresses, check_url

CONNECT = 10.0
"""Seconds for a connection, and for sending a request."""
QUIET = 300.0
"""Seconds that a stream of events may be silent."""


async def client_for(
    remote: Remote, *, largest: int, resolve: Resolve = system_addresses
) -> httpx2.AsyncClient:
    """A client that reaches the server at the addresses judged now, and sends nothing of ours but what was named.

    Raises:
        ConfigError: a header whose variable is not there.
        AddressRefused: the name of the server leads where it must not.
        OSError: the name cannot be resolved.
    """
    headers = _headers(remote)
    target = check_url(remote.url, allow_private=remote.allow_private)
    found = (target.address,) if target.address else await resolve(target.host, target.port)
    addresses = check_addresses(target.host, found, allow_private=remote.allow_private)
    return httpx2.AsyncClient(
        transport=Pinned(target, addresses, largest),
        headers={**headers, "accept-encoding": "identity"},
        timeout=httpx2.Timeout(CONNECT, read=QUIET),
        trust_env=False,
    )


class Pinned(httpx2.AsyncBaseTransport):
    """Goes to one server at fixed addresses; a plain answer has an end, and none may unfold into more."""

    def __init__(
        self,
        target: Target,
        addresses: tuple[str, ...],
        largest: int,
        inner: httpx2.AsyncBaseTransport | None = None,
    ) -> None:
        self._target = target
        self._addresses = addresses
        self._largest = largest
        self._inner = httpx2.AsyncHTTPTransport(trust_env=False) if inner is None else inner

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        if request.url.host != self._target.host:
            raise httpx2.ConnectError(f"{request.url.host} was not judged", request=request)
        *others, last = self._addresses
        for address in others:
            with suppress(httpx2.ConnectError, httpx2.ConnectTimeout):
                return self._bounded(await self._inner.handle_async_request(self._to(request, address)))
        return self._bounded(await self._inner.handle_async_request(self._to(request, last)))

    async def aclose(self) -> None:
        await self._inner.aclose()

    def _to(self, request: httpx2.Request, address: str) -> httpx2.Request:
        # The name stays in the `Host` header and in what the certificate is checked against.
        return httpx2.Request(
            request.method,
            request.url.copy_with(host=address),
            headers=request.headers,
            stream=request.stream,
            extensions={**request.extensions, "sni_hostname": self._target.host},
        )

    def _bounded(self, response: httpx2.Response) -> httpx2.Response:
        if response.headers.get("content-encoding", "identity") != "identity":
            raise httpx2.ReadError("the answer is compressed, which was not asked for")
        is_stream = response.headers.get("content-type", "").lower().startswith("text/event-stream")
        if not is_stream:
            assert isinstance(response.stream, httpx2.AsyncByteStream)
            response.stream = _Bounded(response.stream, self._largest)
        return response


class _Bounded(httpx2.AsyncByteStream):
    def __init__(self, inner: httpx2.AsyncByteStream, largest: int) -> None:
        self._inner = inner
        self._left = largest

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for piece in self._inner:
            self._left -= len(piece)
            if self._left < 0:
                raise httpx2.ReadError("the answer is larger than allowed")
            yield piece

    async def aclose(self) -> None:
        await self._inner.aclose()


def _headers(remote: Remote) -> dict[str, str]:
    return {header: _value(header, variable) for header, variable in remote.headers_env.items()}


def _value(header: str, variable: str) -> str:
    value = secret(variable)
    if value is None:
        raise ConfigError(
            Sentence(
                f"The header {header} of an MCP server stands in {variable}, which is not set. Set it, or {variable}_FILE.",
                ko=f"MCP 서버의 {header} 헤더에 쓸 {variable} 환경 변수가 없습니다. {variable} 또는 {variable}_FILE을 "
                "설정하세요.",
            )
        )
    return f"Bearer {value}" if header.lower() == "authorization" else value
