"""Requests that no guard has a say in: forwarded once, answered as they come."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from holdfast.errors import DeadlineExceeded, UpstreamUnavailable
from holdfast.language import Sentence
from holdfast.upstream.client import TransportFailed, UpstreamRequest, read_whole
from holdfast.upstream.request import Upstream
from holdfast.wire.headers import Headers

LARGEST_ANSWER = 16 * 1024 * 1024
"""Bytes of a relayed answer: lists of models and token counts are small."""

TIMEOUT = 60.0
"""Seconds for the whole exchange."""


@dataclass(frozen=True, slots=True)
class Relay:
    """Forwards free requests (token counts, model lists) to the first upstream."""

    upstreams: Sequence[Upstream]

    async def __call__(
        self, method: str, path: str, query: str, headers: Headers, body: bytes
    ) -> tuple[int, Headers, bytes]:
        """Status, headers and body of the answer.

        Raises `UpstreamUnavailable`, `DeadlineExceeded`, and `NotAllowed` for a path that climbs.
        """
        upstream = self.upstreams[0]
        request = upstream.forwarded(method, path, query, headers, body)
        try:
            async with asyncio.timeout(TIMEOUT):
                return await _exchange(upstream, request)
        except TransportFailed as error:
            shown = path[:200]
            raise UpstreamUnavailable(
                Sentence(
                    f"The upstream could not be asked for {shown}. Try again later.",
                    ko=f"업스트림에 {shown}을(를) 요청하지 못했습니다. 나중에 다시 시도하세요.",
                )
            ) from error
        except TimeoutError as error:
            shown = path[:200]
            raise DeadlineExceeded(
                Sentence(
                    f"The upstream did not answer {shown} within {TIMEOUT:g} s. Try again later.",
                    ko=f"업스트림이 {TIMEOUT:g}초 안에 {shown}에 응답하지 않았습니다. 나중에 다시 시도하세요.",
                )
            ) from error


async def _exchange(upstream: Upstream, request: UpstreamRequest) -> tuple[int, Headers, bytes]:
    connection = await upstream.client.send(request)
    try:
        body = await read_whole(connection, LARGEST_ANSWER)
    finally:
        await connection.aclose()
    return connection.status, connection.headers, body
