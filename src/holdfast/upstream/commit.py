"""Streams that are begun before their first content: pings keep the client's line open meanwhile.

Semantics 2.2, phase P3: nothing but headers and pings has been shown, so attempts, retries and failover go on
behind them as freely as before.
"""

import asyncio
from dataclasses import dataclass, replace
from typing import Self

from holdfast.call import Body, Call, Response, Spent, Unanswered
from holdfast.errors import HoldfastError
from holdfast.pipeline import Send, finish
from holdfast.wire.errors import ApiError, error_event, from_holdfast, type_of
from holdfast.wire.headers import Headers, get
from holdfast.wire.meter import Meter
from holdfast.wire.sse import ping
from holdfast.wire.usage import Usage

PING_EVERY = 10.0
"""Seconds between two pings; clients give up on a line that is silent for much longer."""
EVENT_STREAM = "text/event-stream"
HEADERS: Headers = (("content-type", f"{EVENT_STREAM}; charset=utf-8"), ("cache-control", "no-cache"))

Found = asyncio.Future[Response | Unanswered]


@dataclass(frozen=True, slots=True, kw_only=True)
class EarlyCommit:
    """Begins the answer to a streaming call when there has been no content for `after` seconds; pings `every` so many."""

    send: Send
    after: float = 10.0
    every: float = PING_EVERY

    async def __call__(self, call: Call) -> Response | Unanswered:
        """What `send` answers, or a stream that pings until it does; cancelling cancels it at once."""
        if not call.request.stream:
            return await self.send(call)
        ring = asyncio.ensure_future(self.send(call))
        try:
            await asyncio.wait({ring}, timeout=self.after)
        except BaseException:
            await finish(_forgo(ring, call))
            raise
        return ring.result() if ring.done() else PendingBody(ring, call, self.every).response


class PendingBody:
    """Pings until the real stream is there, then that stream; an `error` event if there is none to come."""

    def __init__(self, ring: Found, call: Call, every: float = PING_EVERY) -> None:
        self._every = every
        self._ring = ring
        self._call = call
        self._pinged = False
        self._error = b""
        self._stream: Body | None = None
        self._answer: Response | None = None
        self.response = Response(
            status=200,
            headers=HEADERS,
            body=self,
            meter=Meter(),
            current=self.current,
            attempts=call.tally.attempts,
        )

    def current(self) -> Response:
        """The real answer as soon as it is there; before, how often somebody has been asked for it."""
        self._adopt()
        return self._answer or replace(self.response, attempts=self._call.tally.attempts)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        if self._stream is None and await self._is_pending():
            self._pinged = True
            return ping()
        if self._stream is not None:
            return await self._stream.__anext__()
        error, self._error = self._error, b""
        if not error:
            raise StopAsyncIteration
        return error

    async def aclose(self) -> None:
        if self._stream is not None:
            await self._stream.aclose()
        else:
            await _abandon(self._ring)

    async def _is_pending(self) -> bool:
        """Wait for the next ping's time, or for the answer; raises what no client should be told."""
        await asyncio.wait({self._ring}, timeout=self._every if self._pinged else 0)
        if not self._ring.done():
            return True
        self._adopt()
        if self._answer is None:
            self._ring.result()
        return False

    def _adopt(self) -> None:
        """Become what the ring has found, once it has."""
        if self._answer is not None or not self._ring.done() or self._ring.cancelled():
            return
        match self._ring.exception():
            case None:
                found = self._ring.result()
            case HoldfastError() as error:
                found = Unanswered(error=error)
            case _:
                return
        if isinstance(found, Unanswered):
            self._fail(from_holdfast(found.error), Meter(), found.upstream)
        elif found.status == 200 and (get(found.headers, "content-type") or "").startswith(EVENT_STREAM):
            self._answer, self._stream = found, found.body
        else:
            # A whole answer, whose bytes have no place in a stream: its error has.
            self._fail(found.meter.error or _no_stream(found.status), found.meter, found.upstream)

    def _fail(self, error: ApiError, meter: Meter, upstream: str | None) -> None:
        meter.error = error
        self._error = error_event(error.type, error.message, error.error_code)
        self._answer = replace(
            self.response, meter=meter, upstream=upstream, attempts=self._call.tally.attempts, current=None
        )


def _no_stream(status: int) -> ApiError:
    return ApiError(
        type=type_of(status) if status >= 400 else "api_error",
        message=f"The upstream answered {status} without a stream after the stream had begun.",
        error_code="holdfast_upstream_failed",
        status=status if status >= 400 else 502,
    )


async def _abandon(ring: Found) -> Response | None:
    """End the search for an answer, and hang up on one that was found already."""
    ring.cancel()
    await asyncio.wait({ring})
    if not ring.cancelled() and ring.exception() is None and isinstance(found := ring.result(), Response):
        await found.body.aclose()
        return found
    return None


async def _forgo(ring: Found, call: Call) -> None:
    """Leave without an answer; one that came in this very moment goes to the call's tally: it is billed all the same."""
    found = await _abandon(ring)
    if found is None or found.attempts <= len(call.tally.spent):
        return
    meter = found.meter
    call.tally.spent.append(
        Spent(
            upstream=found.upstream or "",
            model=found.asked_model or call.request.model,
            served_model=meter.model,
            usage=Usage() if meter.is_unbilled else meter.usage,
            estimated=meter.estimated,
            number=found.attempts,
            kind="client_gone",
            status=found.status,
        )
    )
