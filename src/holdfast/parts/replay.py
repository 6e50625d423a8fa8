"""An answer that was given before, given again: whole or as a stream, whichever way it came the first time."""

from typing import Self

from holdfast.call import Call, Response
from holdfast.policy.caching import Stored
from holdfast.wire.headers import Headers
from holdfast.wire.meter import Meter
from holdfast.wire.replay import stream_of

WHOLE: Headers = (("content-type", "application/json"),)
STREAM: Headers = (("content-type", "text/event-stream; charset=utf-8"), ("cache-control", "no-cache"))


class Replay:
    """A body that is there in full."""

    def __init__(self, body: bytes) -> None:
        self._left = body

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        chunk, self._left = self._left, b""
        if not chunk:
            raise StopAsyncIteration
        return chunk

    async def aclose(self) -> None:
        self._left = b""


def replayed(call: Call, stored: Stored, *, now: float) -> Response:
    """The answer to a call that asks the same again; `now` is in seconds since the epoch.

    What it says of its usage is what it said the first time; its meter knows that nobody pays for that.
    """
    streamed = call.request.stream
    body = stream_of(stored.message) if streamed else stored.message
    meter = Meter()
    meter.observe_body(stored.message)
    meter.is_replayed = True
    return Response(
        status=200,
        headers=(*(STREAM if streamed else WHOLE), ("age", str(int(stored.age(now))))),
        body=Replay(body),
        meter=meter,
        length=None if streamed else len(body),
        attempts=call.tally.attempts,
        label="cached",
    )
