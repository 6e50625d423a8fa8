"""Answers of files, skills, batches and further paths on their way out: documents looked at, everything else as it comes."""

from collections.abc import AsyncIterator

from holdfast.call import Response
from holdfast.errors import UpstreamError
from holdfast.gateway.batch_links import with_own_links
from holdfast.gateway.carrying import Errand, carry
from holdfast.gateway.ownership import Owners
from holdfast.gateway.responding import Outlet
from holdfast.gateway.standing import is_shared, without_limits
from holdfast.language import Sentence
from holdfast.pipeline import Settling
from holdfast.wire.headers import Headers, get, merged, response_headers

LARGEST_DOCUMENT = 16 * 1024 * 1024
"""Bytes of a list or of one of its rows."""


async def hand_on(errand: Errand, outlet: Outlet) -> None:
    """Carry a request upstream and its answer back; raises the typed error where it is refused or fails."""
    owners, resource = Owners(errand.runtime.ledger), errand.resource
    await owners.expect(errand.visitor, resource)
    answer = await carry(errand)
    try:
        if resource.is_content or answer.response.status >= 400:
            await stream(errand, outlet, answer.response, answer)
        else:
            document = await whole(answer)
            await outlet.reply(
                answer.response.status,
                headers_of(errand, answer.response),
                _signed(errand, await _noted(errand, owners, document)),
            )
    finally:
        await answer.aclose()


async def _noted(errand: Errand, owners: Owners, document: bytes) -> bytes:
    """The document as its reader may have it; what it says of things made or gone is taken note of."""
    resource, visitor = errand.resource, errand.visitor
    match errand.method:
        case "GET" if resource.name is None:
            return await owners.own(visitor, resource, document)
        case "POST" if resource.name is None:
            await owners.made(visitor, resource, document)
        case "DELETE" if not resource.step:
            await owners.gone(visitor, resource)
        case _:
            pass
    return document


def _signed(errand: Errand, document: bytes) -> bytes:
    """The document as it leads back to us."""
    return with_own_links(document, errand.address) if errand.resource.family == "batches" else document


async def stream(errand: Errand, outlet: Outlet, response: Response, chunks: AsyncIterator[bytes]) -> None:
    """Send an answer on, as it comes."""
    length = {} if response.length is None else {"content-length": str(response.length)}
    await outlet.start(response.status, merged(headers_of(errand, response), length))
    async for chunk in chunks:
        await outlet.write(chunk)
    await outlet.end()


async def whole(answer: Settling) -> bytes:
    """A document of the API. Raises `UpstreamError` for one that is larger than any."""
    chunks: list[bytes] = []
    size = 0
    async for chunk in answer:
        chunks.append(chunk)
        size += len(chunk)
        if size > LARGEST_DOCUMENT:
            raise UpstreamError(_TOO_LARGE)
    return b"".join(chunks)


def headers_of(errand: Errand, response: Response) -> Headers:
    """What an answer says about itself."""
    headers = response_headers(response.headers)
    if is_shared(errand.runtime, response.upstream):
        headers = without_limits(headers)
    ours = {
        "x-holdfast-request-id": errand.request_id,
        "x-holdfast-outcome": "answered" if response.status < 400 else "failed",
        "x-holdfast-attempts": str(response.attempts),
    }
    if (get(headers, "content-type") or "").startswith("text/event-stream"):
        ours |= {"cache-control": "no-cache", "x-accel-buffering": "no"}
    return merged(headers, ours)


_TOO_LARGE = Sentence(
    "The upstream answered with a document that is larger than any of the API. Ask for fewer rows (limit).",
    ko="업스트림이 API에 없는 크기의 문서로 응답했습니다. 더 적은 행(limit)을 요청하세요.",
)
