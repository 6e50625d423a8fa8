"""The Message Batches API as a client sees it: make, look, cancel, fetch."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

import msgspec

from holdfast.agent.exchange import HEADERS
from holdfast.clock import Clock
from holdfast.errors import UpstreamError, UpstreamUnavailable
from holdfast.language import Sentence
from holdfast.upstream.client import Connection, TransportFailed, read_whole
from holdfast.upstream.request import Upstream
from holdfast.wire.errors import read_envelope
from holdfast.wire.headers import get

T = TypeVar("T")

PATH = "/v1/messages/batches"
LARGEST_ANSWER = 16 * 1024 * 1024
LARGEST_LINE = 64 * 1024 * 1024
TIMEOUT = 600.0
"""Seconds for one exchange, or for a piece of the results: 256 MB take their time."""
TRIES = 5
FIRST_WAIT, LONGEST_WAIT = 1.0, 60.0


class Standing(msgspec.Struct, kw_only=True):
    """How a batch stands, as far as it is looked at here."""

    id: str
    processing_status: str
    request_counts: dict[str, int] = {}

    @property
    def has_ended(self) -> bool:
        """Whether its results are there."""
        return self.processing_status == "ended"

    @property
    def size(self) -> int:
        """How many requests it has."""
        return sum(self.request_counts.values())


class Result(msgspec.Struct, kw_only=True):
    """One line of the results."""

    custom_id: str
    result: dict[str, object]


class _Page(msgspec.Struct):
    data: list[Standing]


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageBatches:
    """Batches at one upstream. Everything raises `UpstreamError`, and what only looks tries again first."""

    upstream: Upstream
    clock: Clock

    async def create(self, requests: list[Mapping[str, object]]) -> Standing:
        """Make a batch, once: whether one was made that no answer came for, `newest` tells."""
        body = msgspec.json.encode({"requests": requests})
        return msgspec.json.decode(await self._exchange("POST", PATH, body), type=Standing)

    async def get(self, name: str) -> Standing:
        """How a batch stands."""
        body = await self._patiently(lambda: self._exchange("GET", f"{PATH}/{name}"))
        return msgspec.json.decode(body, type=Standing)

    async def newest(self, limit: int) -> list[Standing]:
        """The batches made last, the newest first."""
        body = await self._patiently(lambda: self._exchange("GET", PATH, query=f"limit={limit}"))
        return msgspec.json.decode(body, type=_Page).data

    async def cancel(self, name: str) -> None:
        """Have no more of a batch done."""
        await self._patiently(lambda: self._exchange("POST", f"{PATH}/{name}/cancel"))

    async def results(self, name: str) -> AsyncGenerator[Result, None]:
        """What has come of every request, in no order."""
        connection = await self._patiently(lambda: self._begin("GET", f"{PATH}/{name}/results"))
        try:
            rest = b""
            while chunk := await _piece(connection):
                *lines, rest = (rest + chunk).split(b"\n")
                for line in lines:
                    if line.strip():
                        yield msgspec.json.decode(line, type=Result)
                if len(rest) > LARGEST_LINE:
                    raise _lost("a line of the results is too long")
            if rest.strip():
                yield msgspec.json.decode(rest, type=Result)
        except (TransportFailed, msgspec.MsgspecError) as error:
            raise _lost(str(error)) from error
        finally:
            await connection.aclose()

    async def _patiently(self, ask: Callable[[], Awaitable[T]]) -> T:
        wait = FIRST_WAIT
        for _ in range(TRIES - 1):
            try:
                return await ask()
            except UpstreamError as error:
                if error.status != 429 and error.status < 500:
                    raise
                await self.clock.sleep(min(LONGEST_WAIT, error.retry_after or wait))
            wait *= 2
        return await ask()

    async def _exchange(self, method: str, path: str, body: bytes = b"", *, query: str = "") -> bytes:
        connection = await self._begin(method, path, body, query=query)
        try:
            async with asyncio.timeout(TIMEOUT):
                return await read_whole(connection, LARGEST_ANSWER)
        except (TransportFailed, TimeoutError) as error:
            raise _lost(str(error)) from error
        finally:
            await connection.aclose()

    async def _begin(self, method: str, path: str, body: bytes = b"", *, query: str = "") -> Connection:
        request = self.upstream.forwarded(method, path, query, HEADERS, body)
        try:
            async with asyncio.timeout(TIMEOUT):
                connection = await self.upstream.client.send(request)
        except TransportFailed as error:
            raise _lost(error.reason, is_sent=error.phase != "connect") from error
        except TimeoutError as error:
            raise _lost("it took too long") from error
        if connection.status < 400:
            return connection
        try:
            raise await _refusal(connection)
        finally:
            await connection.aclose()


async def _piece(connection: Connection) -> bytes:
    try:
        async with asyncio.timeout(TIMEOUT):
            return await connection.read()
    except TimeoutError as error:
        raise _lost("nothing more came") from error


async def _refusal(connection: Connection) -> UpstreamError:
    try:
        body = await read_whole(connection, LARGEST_ANSWER)
    except TransportFailed:
        body = b""
    said, status = read_envelope(body, connection.status), connection.status
    wait = get(connection.headers, "retry-after") or ""
    kind = UpstreamUnavailable if status == 429 or status >= 500 else UpstreamError
    return kind(
        Sentence(
            f"The upstream answered {status} {said.type}: {said.message}",
            ko=f"업스트림이 {status} {said.type}(으)로 응답했습니다: {said.message}",
        ),
        status=status,
        retry_after=float(wait) if wait.isdecimal() else None,
        details={"upstream_error_code": said.error_code},
    )


def _lost(reason: str, *, is_sent: bool = True) -> UpstreamUnavailable:
    return UpstreamUnavailable(
        Sentence(
            f"The Message Batches API could not be asked: {reason}. Give the same command again to go on.",
            ko=f"Message Batches API에 요청하지 못했습니다: {reason}. 같은 명령을 다시 실행하면 이어서 합니다.",
        ),
        details={"is_sent": is_sent},
    )


def is_certain(error: UpstreamError) -> bool:
    """Whether what was asked for has certainly not been done."""
    return error.details.get("is_sent") is False or 400 <= error.status < 500
