"""Requests without a say of the guards on words: carried upstream once, and their answers back as they come."""

import asyncio
from dataclasses import dataclass, field, replace
from typing import Self

from holdfast.assembly import Runtime
from holdfast.call import Call, Response, Unanswered
from holdfast.errors import DeadlineExceeded, StreamInterrupted, UpstreamError, UpstreamUnavailable
from holdfast.gateway.identity import Visitor
from holdfast.gateway.resources import Resource
from holdfast.gateway.uploads import Upload
from holdfast.guards.record import RecordGuard
from holdfast.identity import kept
from holdfast.language import Sentence
from holdfast.pipeline import Pipeline, Settling
from holdfast.upstream.client import Connection, TransportFailed, UpstreamRequest
from holdfast.upstream.request import Upstream
from holdfast.wire.headers import get, merged
from holdfast.wire.messages import MessagesRequest
from holdfast.wire.meter import Meter

COUNTED_BY = ("stop", "quota")
"""The stations that a request without a conversation passes: the others look at words and at prices."""
READING = ("GET", "HEAD")
LARGEST_ERROR = 1024 * 1024
ANSWER_WITHIN = 600.0
"""Seconds from the end of a request to the beginning of its answer."""
SILENCE = 120.0
"""Seconds of silence after which an answer is given up."""
LONGEST = 6 * 3600.0
"""Seconds for the whole exchange: 500 MB over a slow line take their time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Errand:
    """One request to be carried: where to, whose, and with which body; `address` is where its caller finds us."""

    runtime: Runtime
    request_id: str
    visitor: Visitor
    resource: Resource
    method: str
    query: str = ""
    address: str = ""
    body: bytes = b""
    upload: Upload | None = field(default=None, repr=False)

    @property
    def upstream(self) -> Upstream:
        """Where files, skills and batches live: at the first upstream."""
        return self.runtime.upstreams[0]

    @property
    def call(self) -> Call:
        """The errand as the stations see it; in the books it goes by its family."""
        clock = self.runtime.clock
        started = clock.monotonic()
        return Call(
            request_id=self.request_id,
            principal=kept(self.visitor.principal),
            request=MessagesRequest(model=f"{self.method} {self.resource.family}"),
            body=b"",
            headers=self.visitor.headers,
            query=self.query,
            arrived=clock.now(),
            started=started,
            deadline=started + LONGEST,
            own_limits=self.visitor.limits,
        )


async def carry(errand: Errand) -> Settling:
    """The answer of the upstream, which has begun; who is stopped or asks too often is refused.

    Raises `UpstreamUnavailable`, `DeadlineExceeded`, `UpstreamError`, and what is wrong with an upload.
    """
    runtime = errand.runtime

    async def send(call: Call) -> Response | Unanswered:
        call.tally.attempts = 1
        return await _sent(errand)

    guards = [one for one in runtime.stations.guards if getattr(one, "name", "") in COUNTED_BY]
    if errand.method not in READING:
        guards = [*(one for one in runtime.stations.guards if isinstance(one, RecordGuard)), *guards]
    pipeline = Pipeline(guards, send, runtime.pipeline.observe, runtime.clock)
    return await pipeline(errand.call)


async def _sent(errand: Errand) -> Response:
    upstream = errand.upstream
    try:
        async with asyncio.timeout(ANSWER_WITHIN) as patience:
            if errand.upload is not None:
                _wait_for(errand.upload, patience)
            connection = await upstream.client.send(_request(errand))
    except TransportFailed as error:
        raise _unreachable(errand) from error
    except TimeoutError as error:
        raise _too_late(errand.resource.path) from error
    status, headers = connection.status, connection.headers
    if not (200 <= status < 300 or (400 <= status <= 599 and "json" in (get(headers, "content-type") or ""))):
        await connection.aclose()
        raise _unexpected(errand.resource.path, status)
    length = get(headers, "content-length") or ""
    is_plain = get(headers, "content-encoding") is None
    return Response(
        status=status,
        headers=headers,
        body=Carried(connection),
        meter=Meter(),
        length=int(length) if length.isdecimal() and is_plain and errand.method != "HEAD" else None,
        attempts=1,
        upstream=upstream.name,
    )


def _wait_for(upload: Upload, patience: asyncio.Timeout) -> None:
    """Be as patient as an upload takes, and from its end on as with any other request."""
    loop = asyncio.get_running_loop()
    patience.reschedule(loop.time() + LONGEST)
    upload.on_end = lambda: patience.reschedule(loop.time() + ANSWER_WITHIN)


def _request(errand: Errand) -> UpstreamRequest:
    headers = errand.visitor.headers
    request = errand.upstream.forwarded(
        errand.method, errand.resource.path, errand.query, headers, errand.body
    )
    if errand.upload is None:
        return request
    length = get(headers, "content-length")
    known = request.headers if length is None else merged(request.headers, {"content-length": length})
    return replace(request, headers=known, pieces=errand.upload)


class Carried:
    """An answer handed on as it comes."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        try:
            async with asyncio.timeout(SILENCE):
                chunk = await self._connection.read()
        except (TransportFailed, TimeoutError) as error:
            raise StreamInterrupted(_BROKEN_OFF) from error
        if not chunk:
            raise StopAsyncIteration
        return chunk

    async def aclose(self) -> None:
        await self._connection.aclose()


def _unreachable(errand: Errand) -> BaseException:
    if errand.upload is not None and errand.upload.error is not None:
        return errand.upload.error
    shown = errand.resource.path[:200]
    return UpstreamUnavailable(
        Sentence(
            f"The upstream could not be asked for {shown}. Try again later.",
            ko=f"업스트림에 {shown}을(를) 요청하지 못했습니다. 나중에 다시 시도하세요.",
        )
    )


def _too_late(path: str) -> DeadlineExceeded:
    return DeadlineExceeded(
        Sentence(
            f"The upstream did not answer {path[:200]} in time. Try again later.",
            ko=f"업스트림이 제때 {path[:200]}에 응답하지 않았습니다. 나중에 다시 시도하세요.",
        )
    )


def _unexpected(path: str, status: int) -> UpstreamError:
    return UpstreamError(
        Sentence(
            f"The upstream answered {path[:200]} with status {status} and without a document. Check its address.",
            ko=f"업스트림이 {path[:200]}에 문서 없이 상태 코드 {status}로 응답했습니다. 주소를 확인하세요.",
        ),
        status=status if 400 <= status <= 599 else None,
    )


_BROKEN_OFF = Sentence(
    "The answer broke off before its end; what was delivered is incomplete. Ask again.",
    ko="응답이 도중에 끊겨 전달된 내용이 완전하지 않습니다. 다시 요청하세요.",
)
