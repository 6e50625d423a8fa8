"""What comes in over ASGI: a target, a bounded body, and perhaps the client's leaving."""

import asyncio
from collections.abc import AsyncGenerator, Coroutine
from typing import Any
from urllib.parse import quote

from holdfast.errors import MalformedRequest, Refused, RequestTooLarge
from holdfast.gateway.responding import ClientGone, Message, Receive, Scope
from holdfast.language import Sentence
from holdfast.pipeline import finish
from holdfast.wire.headers import Headers, get

SILENCE = 60.0
"""Seconds without a byte after which an unfinished body is given up."""
SLOWEST = 2_048.0
"""Bytes a second at which a body has to come after its first `SILENCE` seconds: a drop a minute is no client."""

_LONGEST_LENGTH = 19
"""Digits of a content-length that are worth reading."""
_PLAIN = "!$%&'()*+,;=:@/?-._~[]"
"""What may stand in a query besides letters and digits; everything else is sent on percent-encoded."""


class _BodyNeverCame(Refused):
    """The client began a request and fell silent."""

    error_code = "holdfast_body_incomplete"
    default_status = 408
    error_type = "timeout_error"


def target(scope: Scope) -> tuple[str, str]:
    """Path, from where the gateway is mounted, and query."""
    path: str = scope["path"].removeprefix(scope.get("root_path", ""))
    return path or "/", quote(scope["query_string"], safe=_PLAIN)


def written_path(scope: Scope) -> str:
    """The path from where the gateway is mounted, percent-encoded as the client wrote it: names may have slashes."""
    raw: bytes | None = scope.get("raw_path")
    path = quote(scope["path"]) if raw is None else raw.decode("latin-1")
    return path.removeprefix(quote(scope.get("root_path", "")))


async def read_body(receive: Receive, headers: Headers, limit: int) -> bytes:
    """The whole body; raises `RequestTooLarge` as soon as it is known to pass `limit` bytes.

    What still comes of a refused body is left to the server, which throws it away: a client that writes
    before it reads gets to the refusal, and its connection stays good.
    """
    return b"".join([piece async for piece in pieces(receive, headers, limit)])


async def pieces(receive: Receive, headers: Headers, limit: int) -> AsyncGenerator[bytes, None]:
    """The body as it comes; raises `RequestTooLarge` as `read_body` does, and `ClientGone`."""
    announced = get(headers, "content-length") or ""
    if announced.isdecimal() and (len(announced) > _LONGEST_LENGTH or int(announced) > limit):
        raise too_large(limit)
    size = 0
    loop = asyncio.get_running_loop()
    began = loop.time()
    more = True
    while more:
        try:
            async with asyncio.timeout_at(min(loop.time(), began + size / SLOWEST) + SILENCE):
                message = await receive()
        except TimeoutError:
            raise _BodyNeverCame(_NEVER_CAME) from None
        if message["type"] == "http.disconnect":
            raise ClientGone
        piece: bytes = message.get("body", b"")
        size += len(piece)
        if size > limit:
            raise too_large(limit)
        more = message.get("more_body", False)
        if piece:
            yield piece


def again(body: bytes, receive: Receive) -> Receive:
    """A `receive` for another application, which finds the body that has been read already."""
    messages = [{"type": "http.request", "body": body, "more_body": False}]

    async def read() -> Message:
        return messages.pop() if messages else await receive()

    return read


async def unless_gone(work: Coroutine[Any, Any, None], receive: Receive) -> None:
    """Run `work` to its end, or cancel it at once and raise `ClientGone` when the client hangs up.

    Whether it ends or is cancelled, and by whom: when this is over so is `work`, settlement included.
    """
    task = asyncio.ensure_future(work)
    watcher = asyncio.ensure_future(_gone(receive))
    try:
        await asyncio.wait({task, watcher}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        watcher.cancel()
        if task.done() and not watcher.done():
            # As nearly every request ends: of the watcher nothing is awaited, and what went wrong is heard of below.
            _ = task.cancelled() or task.exception()
        else:
            task.cancel()
            await finish(_ended(task, watcher))
    if task.cancelled():
        raise ClientGone
    task.result()


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _ended(*tasks: asyncio.Task[None]) -> None:
    await asyncio.gather(*tasks, return_exceptions=True)


def expect_json(headers: Headers) -> None:
    """Raise `MalformedRequest` for a body that says it is something else than plain JSON."""
    kind = (get(headers, "content-type") or "application/json").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise MalformedRequest(
            Sentence(
                f"content-type: `{kind[:100]}` is not accepted here; send `application/json`",
                ko=f"content-type: `{kind[:100]}`은(는) 받을 수 없습니다. `application/json`으로 보내세요",
            )
        )


def too_large(limit: int) -> RequestTooLarge:
    """A body passes what may come in there."""
    return RequestTooLarge(
        Sentence(
            f"The request is larger than the {limit:,} bytes allowed here; send less, or upload files instead.",
            ko=f"요청이 허용된 {limit:,}바이트보다 큽니다. 더 작게 보내거나 파일 업로드를 쓰세요.",
        )
    )


_NEVER_CAME = Sentence(
    f"The rest of the request did not come within {SILENCE:g} s; send it again.",
    ko=f"요청의 나머지가 {SILENCE:g}초 안에 오지 않았습니다. 다시 보내 주세요.",
)
