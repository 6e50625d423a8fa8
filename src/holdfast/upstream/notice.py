"""Notices on their way to the model: put into the answer of a call that carries some."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self

from holdfast.call import Body, Call, Response, Unanswered
from holdfast.pipeline import Send
from holdfast.upstream.bodies import WholeBody
from holdfast.upstream.commit import EVENT_STREAM
from holdfast.wire import notice
from holdfast.wire.headers import get


@dataclass(frozen=True, slots=True, kw_only=True)
class Notices:
    """Sends a call, and puts its notices into the answer; one that carries none costs nothing here.

    To stand outside of the fallback, which keeps answers as the model gave them.
    """

    send: Send

    async def __call__(self, call: Call) -> Response | Unanswered:
        """What `send` answers; raises what it raises."""
        found = await self.send(call)
        if not call.notices or isinstance(found, Unanswered):
            return found
        return await with_notice(found, call.notices)


async def with_notice(response: Response, notices: Sequence[str]) -> Response:
    """The same answer with the notices in it, where there is a place for them.

    Usage and cost stay the upstream's: its meter does not see what is put in. Errors, and what was said in
    place of the model, stay as they are.
    """
    if response.status != 200 or response.label != "answered" or not notices:
        return response
    text = "\n".join(notices)
    if (get(response.headers, "content-type") or "").startswith(EVENT_STREAM):
        return replace(response, body=NoticedBody(response.body, text))
    try:
        whole = b"".join([chunk async for chunk in response.body])
    finally:
        await response.body.aclose()
    body = notice.with_notice(whole, text)
    return replace(response, body=WholeBody(body), length=len(body))


class NoticedBody:
    """A stream with the notice in it; closing it closes the stream."""

    def __init__(self, body: Body, text: str) -> None:
        self._body = body
        self._stream: notice.NoticedStream | None = notice.NoticedStream(text)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        while self._stream is not None:
            if chunk := await self._next(self._stream):
                return chunk
        raise StopAsyncIteration

    async def aclose(self) -> None:
        self._stream = None
        await self._body.aclose()

    async def _next(self, stream: notice.NoticedStream) -> bytes:
        try:
            return stream.feed(await self._body.__anext__())
        except StopAsyncIteration:
            self._stream = None
            return stream.end()
