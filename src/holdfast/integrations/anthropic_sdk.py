"""The official Anthropic SDK with the pipeline as its transport.

A transport and not the SDK's middleware: middleware runs inside the SDK's retry loop, once per attempt, and
does not see every endpoint. Refusals are answers, never exceptions: the SDK retries those. What is no Messages
call is answered by `elsewhere`, the gateway in this process: batches hold their money there, too.
"""

from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol, Unpack

from holdfast.assembly import Runtime
from holdfast.call import Incoming, Principal
from holdfast.errand import on_errand
from holdfast.errors import ConfigError, HoldfastError
from holdfast.identity import identified
from holdfast.language import Sentence
from holdfast.pipeline import Settling
from holdfast.policy.routing import ANTHROPIC_URL
from holdfast.portal import Portal
from holdfast.upstream.client import Client, Connection, TransportFailed, UpstreamRequest
from holdfast.upstream.output import FLAGGED
from holdfast.upstream.tool_gate import HELD
from holdfast.wire.errors import envelope, error_headers
from holdfast.wire.headers import DEGRADED, Headers, get, merged, response_headers

try:
    import anthropic
    import httpx2

    from holdfast.integrations.anthropic_sdk_options import AsyncOptions, SyncOptions, carried, kept
except ImportError as error:
    raise ConfigError(
        Sentence(
            'The official SDK is not installed; run: pip install "holdfast[anthropic]"',
            ko='공식 SDK가 설치되어 있지 않습니다. 다음을 실행하세요: pip install "holdfast[anthropic]"',
        )
    ) from error

API = "/v1/"
MESSAGES = "/v1/messages"
NO_KEY = "held-by-holdfast"
"""What the SDK is given as a key: the real one never leaves the upstream client."""


def guarded_async(
    runtime: Runtime, principal: Principal, elsewhere: Client, **options: Unpack[AsyncOptions]
) -> "anthropic.AsyncAnthropic":
    """An `AsyncAnthropic` whose calls, streams included, go through the pipeline; nothing is retried twice.

    Raises `KeyMissing` without a key for an upstream, `ConfigError` for an option that the settings decide.
    """
    runtime.require_keys()
    retry, language = runtime.settings.retry, runtime.settings.language
    http = httpx2.AsyncClient(
        transport=GuardedTransport(runtime, elsewhere, principal),
        trust_env=False,
        **carried(options.pop("http_client", None)),
    )
    chosen = kept(options, attempts=retry.attempts, language=language)
    return anthropic.AsyncAnthropic(
        api_key=NO_KEY, base_url=ANTHROPIC_URL, max_retries=0, http_client=http, **chosen
    )


def guarded_sync(
    runtime: Runtime, principal: Principal, elsewhere: Client, **options: Unpack[SyncOptions]
) -> "anthropic.Anthropic":
    """An `Anthropic` whose calls, streams included, go through the pipeline; nothing is retried twice.

    Raises `KeyMissing` without a key for an upstream, `ConfigError` for an option that the settings decide.
    """
    runtime.require_keys()
    retry, language = runtime.settings.retry, runtime.settings.language
    http = httpx2.Client(
        transport=GuardedSyncTransport(runtime, elsewhere, principal),
        trust_env=False,
        **carried(options.pop("http_client", None)),
    )
    chosen = kept(options, attempts=retry.attempts, language=language)
    return anthropic.Anthropic(
        api_key=NO_KEY, base_url=ANTHROPIC_URL, max_retries=0, http_client=http, **chosen
    )


class GuardedTransport(httpx2.AsyncBaseTransport):
    """Answers the SDK's requests from the pipeline; the address in them counts for nothing."""

    def __init__(self, runtime: Runtime, elsewhere: Client, principal: Principal) -> None:
        self._inside = _Inside(runtime, elsewhere, principal)

    async def handle_async_request(self, request: "httpx2.Request") -> "httpx2.Response":
        body = await request.aread()
        status, headers, answer = await self._inside.answer(_seen(request, body))
        stream = _Bytes(answer) if isinstance(answer, bytes) else _Stream(answer)
        return httpx2.Response(status, headers=list(headers), stream=stream, request=request)


class GuardedSyncTransport(httpx2.BaseTransport):
    """The same for the blocking SDK, through the portal."""

    def __init__(self, runtime: Runtime, elsewhere: Client, principal: Principal) -> None:
        self._inside = _Inside(runtime, elsewhere, principal)
        self._portal = runtime.portal

    def handle_request(self, request: "httpx2.Request") -> "httpx2.Response":
        body = request.read()
        status, headers, answer = self._portal.call(self._inside.answer(_seen(request, body)))
        stream = _Bytes(answer) if isinstance(answer, bytes) else _SyncStream(self._portal, answer)
        return httpx2.Response(status, headers=list(headers), stream=stream, request=request)


class _Bytes(httpx2.ByteStream):
    """A whole body, for both kinds of client."""


@dataclass(frozen=True, slots=True)
class _Streamed:
    """An answer that comes in pieces, and what settles it when nobody does.

    `guard` is suspended in the event loop of the answer. The loop closes it when nobody holds it any more and
    when the loop itself ends, and with it the answer: a client may well drop a stream that it never read.
    """

    answer: "_Pieces"
    guard: AsyncGenerator[None, None]

    @classmethod
    async def of(cls, answer: "_Pieces") -> "_Streamed":
        """An answer that is settled from now on, whatever becomes of it."""
        guard = _until_dropped(answer)
        await anext(guard)
        return cls(answer, guard)

    async def next(self) -> bytes | None:
        return await anext(self.answer, None)

    async def aclose(self) -> None:
        await self.answer.aclose()
        with suppress(RuntimeError):  # the loop is ending, and closes the guard itself at this moment
            await self.guard.aclose()


class _Stream(httpx2.AsyncByteStream):
    def __init__(self, streamed: _Streamed) -> None:
        self._streamed = streamed

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self._streamed.answer

    async def aclose(self) -> None:
        await self._streamed.aclose()


class _SyncStream(httpx2.SyncByteStream):
    def __init__(self, portal: Portal, streamed: _Streamed) -> None:
        self._portal = portal
        self._streamed = streamed
        self._closed = False

    def __iter__(self) -> Iterator[bytes]:
        while (chunk := self._portal.call(self._streamed.next())) is not None:
            yield chunk

    def close(self) -> None:
        if not self._closed:
            self._closed = True
            self._portal.call(self._streamed.aclose())


Seen = tuple[str, str, str, Headers, bytes]
"""Method, path, query, headers and body of a request."""


def _seen(request: "httpx2.Request", body: bytes) -> Seen:
    headers = tuple((name.lower(), value) for name, value in request.headers.multi_items())
    path, _, query = request.url.raw_path.decode("ascii").partition("?")
    return request.method, path, query, headers, body


class _Pieces(Protocol):
    """An answer that is read piece by piece and must be closed."""

    def __aiter__(self) -> AsyncIterator[bytes]: ...
    async def __anext__(self) -> bytes: ...
    async def aclose(self) -> None: ...


@dataclass(frozen=True, slots=True)
class _Inside:
    """The pipeline and what is beside it, as one server without an address."""

    runtime: Runtime
    elsewhere: Client
    principal: Principal

    async def answer(self, seen: Seen) -> tuple[int, Headers, bytes | _Streamed]:
        """Status, headers and body of the answer to one request; a refusal is one, too."""
        method, path, query, headers, body = seen
        # Also below another base address: no question may get past the guards by the way it is addressed.
        if method == "POST" and path.rstrip("/").endswith(MESSAGES):
            return await self._message(Incoming(body=body, headers=headers, query=query))
        _, found, rest = path.rpartition(API)
        target = f"{found}{rest}" if found else path
        target = f"{target}?{query}" if query else target
        return await self._errand(UpstreamRequest(method=method, path=target, headers=headers, body=body))

    async def _message(self, incoming: Incoming) -> tuple[int, Headers, bytes | _Streamed]:
        request_id = self.runtime.new_id()
        try:
            who = identified(self.principal, incoming.headers)
            call = self.runtime.call(incoming, who, request_id=request_id)
            answer = await self.runtime.pipeline(on_errand(call))
        except HoldfastError as error:
            refusal = merged(error_headers(error), {"request-id": request_id})
            return error.status, refusal, envelope(error, request_id)
        headers = _headers(answer, request_id)
        if answer.response.length is not None:
            return answer.response.status, headers, await answer.read()
        return answer.response.status, headers, await _Streamed.of(answer)

    async def _errand(self, request: UpstreamRequest) -> tuple[int, Headers, bytes | _Streamed]:
        try:
            connection = await self.elsewhere.send(request)
        except TransportFailed as error:
            raise httpx2.ReadError(error.reason) from error
        answer = _Carried(connection)
        if get(connection.headers, "content-length") is None:
            return connection.status, connection.headers, await _Streamed.of(answer)
        try:
            return connection.status, connection.headers, b"".join([piece async for piece in answer])
        finally:
            await connection.aclose()


@dataclass(frozen=True, slots=True)
class _Carried:
    """What comes from beside the pipeline; where it breaks off, the SDK hears of it as from any network."""

    connection: Connection

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        try:
            piece = await self.connection.read()
        except TransportFailed as error:
            raise httpx2.ReadError(error.reason) from error
        if not piece:
            raise StopAsyncIteration
        return piece

    async def aclose(self) -> None:
        await self.connection.aclose()


def _headers(answer: Settling, request_id: str) -> Headers:
    ours = {"x-holdfast-request-id": request_id, "x-holdfast-attempts": str(answer.response.attempts)}
    shown = answer.response.headers
    ours |= {name: mark for name in (DEGRADED, FLAGGED, HELD) if (mark := get(shown, name)) is not None}
    return merged(response_headers(shown), ours)


async def _until_dropped(answer: _Pieces) -> AsyncGenerator[None, None]:
    try:
        yield
    finally:
        await answer.aclose()
