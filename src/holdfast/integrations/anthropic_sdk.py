"""The official Anthropic SDK with the pipeline as its transport.

A transport and not the SDK's middleware: middleware runs inside the SDK's retry loop, once per attempt, and
does not see every endpoint. Refusals are answers, never exceptions: the SDK retries those.
"""

from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import suppress
from dataclasses import dataclass

from holdfast.assembly import Runtime
from holdfast.call import Incoming, Principal
from holdfast.errand import on_errand
from holdfast.errors import ConfigError, HoldfastError
from holdfast.identity import identified
from holdfast.language import Sentence
from holdfast.pipeline import Settling
from holdfast.policy.routing import ANTHROPIC_URL
from holdfast.portal import Portal
from holdfast.upstream.output import FLAGGED
from holdfast.upstream.tool_gate import HELD
from holdfast.wire.errors import envelope, error_headers
from holdfast.wire.headers import DEGRADED, Headers, get, merged, response_headers

try:
    import anthropic
    import httpx2
except ImportError as error:
    raise ConfigError(
        Sentence(
            'The official SDK is not installed; run: pip install "holdfast[anthropic]"',
            ko='공식 SDK가 설치되어 있지 않습니다. 다음을 실행하세요: pip install "holdfast[anthropic]"',
        )
    ) from error

MESSAGES = "/v1/messages"
NO_KEY = "held-by-holdfast"
"""What the SDK is given as a key: the real one never leaves the upstream client."""


def guarded_async(
    runtime: Runtime, *, user: str | None = None, run: str | None = None
) -> "anthropic.AsyncAnthropic":
    """An `AsyncAnthropic` whose calls, streams included, go through the pipeline; nothing is retried twice."""
    runtime.require_keys()
    transport = GuardedTransport(runtime, Principal(door="sdk", user=user, run=run))
    return anthropic.AsyncAnthropic(
        api_key=NO_KEY,
        base_url=ANTHROPIC_URL,
        max_retries=0,
        http_client=httpx2.AsyncClient(transport=transport, timeout=None),
    )


def guarded_sync(
    runtime: Runtime, *, user: str | None = None, run: str | None = None
) -> "anthropic.Anthropic":
    """An `Anthropic` whose calls, streams included, go through the pipeline; nothing is retried twice."""
    runtime.require_keys()
    transport = GuardedSyncTransport(runtime, Principal(door="sdk", user=user, run=run))
    return anthropic.Anthropic(
        api_key=NO_KEY,
        base_url=ANTHROPIC_URL,
        max_retries=0,
        http_client=httpx2.Client(transport=transport, timeout=None),
    )


class GuardedTransport(httpx2.AsyncBaseTransport):
    """Answers the SDK's requests from the pipeline; the address in them counts for nothing."""

    def __init__(self, runtime: Runtime, principal: Principal) -> None:
        self._runtime = runtime
        self._principal = principal

    async def handle_async_request(self, request: "httpx2.Request") -> "httpx2.Response":
        body = await request.aread()
        status, headers, answer = await _answer(self._runtime, self._principal, _seen(request, body))
        stream = _Bytes(answer) if isinstance(answer, bytes) else _Stream(answer)
        return httpx2.Response(status, headers=list(headers), stream=stream, request=request)


class GuardedSyncTransport(httpx2.BaseTransport):
    """The same for the blocking SDK, through the portal."""

    def __init__(self, runtime: Runtime, principal: Principal) -> None:
        self._runtime = runtime
        self._principal = principal

    def handle_request(self, request: "httpx2.Request") -> "httpx2.Response":
        body = request.read()
        portal = self._runtime.portal
        status, headers, answer = portal.call(_answer(self._runtime, self._principal, _seen(request, body)))
        stream = _Bytes(answer) if isinstance(answer, bytes) else _SyncStream(portal, answer)
        return httpx2.Response(status, headers=list(headers), stream=stream, request=request)


class _Bytes(httpx2.ByteStream):
    """A whole body, for both kinds of client."""


@dataclass(frozen=True, slots=True)
class _Streamed:
    """An answer that comes in pieces, and what settles it when nobody does.

    `guard` is suspended in the event loop of the answer. The loop closes it when nobody holds it any more and
    when the loop itself ends, and with it the answer: a client may well drop a stream that it never read.
    """

    answer: Settling
    guard: AsyncGenerator[None, None]

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


async def _answer(
    runtime: Runtime, principal: Principal, seen: Seen
) -> tuple[int, Headers, bytes | _Streamed]:
    method, path, query, headers, body = seen
    request_id = runtime.new_id()
    try:
        # Also below another base address: no question may get past the guards by the way it is addressed.
        if method != "POST" or not path.rstrip("/").endswith(MESSAGES):
            return await runtime.relay(method, path, query, headers, body)
        incoming = Incoming(body=body, headers=headers, query=query)
        call = runtime.call(incoming, identified(principal, headers), request_id=request_id)
        answer = await runtime.pipeline(on_errand(call))
    except HoldfastError as error:
        refusal = merged(error_headers(error), {"request-id": request_id})
        return error.status, refusal, envelope(error, request_id)
    ours = {"x-holdfast-request-id": request_id, "x-holdfast-attempts": str(answer.response.attempts)}
    shown = answer.response.headers
    ours |= {name: mark for name in (DEGRADED, FLAGGED, HELD) if (mark := get(shown, name)) is not None}
    status, headers = answer.response.status, merged(response_headers(answer.response.headers), ours)
    if answer.response.length is not None:
        return status, headers, await answer.read()
    guard = _until_dropped(answer)
    await anext(guard)
    return status, headers, _Streamed(answer, guard)


async def _until_dropped(answer: Settling) -> AsyncGenerator[None, None]:
    try:
        yield
    finally:
        await answer.aclose()
