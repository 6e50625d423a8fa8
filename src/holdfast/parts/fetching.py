"""Requests to addresses that somebody configured: a name is resolved once, judged, and held to what was judged."""

import asyncio
import socket
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import aiohttp
import msgspec
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from holdfast.errors import HoldfastError
from holdfast.language import Sentence
from holdfast.policy.address import SCHEMES, Target, check_addresses, check_redirect, check_url
from holdfast.wire.headers import Headers, from_raw, get

Resolve = Callable[[str, int], Awaitable[Sequence[str]]]
"""Gives the addresses of a name, as text; the port may be of help. Raises `OSError` when there are none."""
Method = Literal["GET", "POST"]

MOST_REDIRECTS = 3
_SAME_METHOD = (307, 308)
_ONLY_READING = (301, 302, 303)


class NotFetched(HoldfastError):
    """The other side could not be reached, did not answer in time, or answered too much."""

    error_code = "holdfast_fetch_failed"
    default_status = 502


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """How far one request may go."""

    timeout: float = 10.0
    """Seconds for everything: name, connection, redirects and the whole answer."""
    largest: int = 64 * 1024
    """Bytes of the answer."""
    allow_private: bool = False
    """Whether it may lead to this machine or its own network; to a cloud's metadata it never may."""
    schemes: Sequence[str] = SCHEMES
    hosts: Sequence[str] = ()
    """If any, the only hosts allowed; `*.example.com` for all names below one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetched:
    """An answer, read to its end; a compressed body is left as it is."""

    status: int
    headers: Headers
    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class _Sending:
    method: Method
    headers: Mapping[str, str]
    body: bytes | None
    bounds: Bounds
    resolve: Resolve = field(repr=False)


async def system_addresses(host: str, port: int) -> Sequence[str]:
    """The addresses of a name as this machine resolves it."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return tuple(dict.fromkeys(str(address[0]) for *_, address in found))


async def post_json(
    url: str,
    body: object,
    *,
    bounds: Bounds | None = None,
    headers: Mapping[str, str] | None = None,
    resolve: Resolve = system_addresses,
) -> Fetched:
    """Send `body` as JSON (bytes: as they are) and give the answer, whatever its status.

    Nothing but `headers` goes along: no cookie, no credential of the environment, no proxy. A redirect is
    followed only to the same scheme, host and port, and only where it keeps the method (307, 308).

    Raises:
        AddressRefused: the URL, what its name resolves to, or a redirect leads where it must not.
        NotFetched: no answer in time, or one larger than allowed.
    """
    encoded = body if isinstance(body, bytes) else msgspec.json.encode(body)
    named = {"content-type": "application/json", **(headers or {})}
    return await _fetch(
        url,
        _Sending(method="POST", headers=named, body=encoded, bounds=bounds or Bounds(), resolve=resolve),
    )


async def get_url(
    url: str,
    *,
    bounds: Bounds | None = None,
    headers: Mapping[str, str] | None = None,
    resolve: Resolve = system_addresses,
) -> Fetched:
    """Fetch a URL, under the same rules and with the same errors as `post_json`."""
    return await _fetch(
        url,
        _Sending(method="GET", headers=headers or {}, body=None, bounds=bounds or Bounds(), resolve=resolve),
    )


async def pinned(
    target: Target, *, allow_private: bool = False, resolve: Resolve = system_addresses
) -> "Pinned":
    """A connector for aiohttp that reaches `target` only at the addresses judged now.

    For clients that keep a connection, such as those of remote MCP servers.

    Raises:
        AddressRefused: the name leads where it must not.
        OSError: the name cannot be resolved.
    """
    found = (target.address,) if target.address else await resolve(target.host, target.port)
    addresses = check_addresses(target.host, found, allow_private=allow_private)
    return Pinned(target.host, addresses)


class Pinned(AbstractResolver):
    """Answers for one name, always the same; every other name does not exist."""

    def __init__(self, host: str, addresses: Sequence[str]) -> None:
        self.host = host
        self.addresses = tuple(addresses)

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        if host.removesuffix(".").lower() != self.host:
            raise OSError(f"{host} was not judged")
        return [
            ResolveResult(
                hostname=host,
                host=address,
                port=port,
                family=socket.AF_INET6 if ":" in address else socket.AF_INET,
                proto=0,
                flags=socket.AI_NUMERICHOST,
            )
            for address in self.addresses
            if family in (socket.AF_UNSPEC, socket.AF_INET6 if ":" in address else socket.AF_INET)
        ]

    async def close(self) -> None: ...


async def _fetch(url: str, sending: _Sending) -> Fetched:
    bounds = sending.bounds
    target = check_url(url, allow_private=bounds.allow_private, schemes=bounds.schemes, hosts=bounds.hosts)
    try:
        async with asyncio.timeout(bounds.timeout):
            return await _followed(target, sending)
    except TimeoutError as error:
        raise _failed(
            target, f"no answer within {bounds.timeout:g} s", ko=f"{bounds.timeout:g}초 안에 응답이 없음"
        ) from error
    except (aiohttp.ClientError, OSError, ValueError) as error:
        reason = type(error).__name__
        raise _failed(target, reason, ko=reason) from error


async def _followed(target: Target, sending: _Sending) -> Fetched:
    for _ in range(MOST_REDIRECTS + 1):
        answer = await _once(target, sending)
        follows = _SAME_METHOD if sending.method == "POST" else (*_SAME_METHOD, *_ONLY_READING)
        location = get(answer.headers, "location")
        if answer.status not in follows or location is None:
            return answer
        target = check_redirect(target, location, allow_private=sending.bounds.allow_private)
    raise _failed(target, f"more than {MOST_REDIRECTS} redirects", ko=f"리디렉션이 {MOST_REDIRECTS}번을 넘음")


async def _once(target: Target, sending: _Sending) -> Fetched:
    resolver = await pinned(target, allow_private=sending.bounds.allow_private, resolve=sending.resolve)
    connector = aiohttp.TCPConnector(resolver=resolver, use_dns_cache=False, force_close=True)
    async with (
        aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,  # a small answer must not become a large one
            trust_env=False,
            skip_auto_headers=("accept-encoding", "user-agent"),
            timeout=aiohttp.ClientTimeout(total=None),
        ) as session,
        session.request(
            sending.method,
            URL(target.url, encoded=True),
            data=sending.body,
            headers=sending.headers,
            allow_redirects=False,
        ) as response,
    ):
        body = await _bounded(response.content, target, sending.bounds.largest)
        return Fetched(status=response.status, headers=from_raw(response.raw_headers), body=body)


async def _bounded(content: aiohttp.StreamReader, target: Target, largest: int) -> bytes:
    body = bytearray()
    while chunk := await content.readany():
        body += chunk
        if len(body) > largest:
            raise _failed(target, f"more than {largest:,} bytes", ko=f"응답이 {largest:,}바이트를 넘음")
    return bytes(body)


def _failed(target: Target, why: str, *, ko: str) -> NotFetched:
    return NotFetched(
        Sentence(
            f"`{target.host}` did not answer as it should ({why}). See whether it runs and can be reached.",
            ko=f"`{target.host}`이(가) 제대로 응답하지 않았습니다({ko}). 실행 중이고 연결할 수 있는지 확인하세요.",
        )
    )
