"""Answers on their way to the client: whole ones, and streams that must not end in silence."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Self

from holdfast.clock import Clock
from holdfast.policy.chunk_times import ChunkTimes
from holdfast.policy.permit import Outcome
from holdfast.upstream.attempt import Held
from holdfast.upstream.client import TransportFailed
from holdfast.wire.errors import ApiError, error_event
from holdfast.wire.sse import Event, OversizedEvent, emit

MESSAGE_STOP = emit("message_stop", b'{"type":"message_stop"}')
LINGER = 1.0
"""Seconds that a stream may take to close, or to send its last event, once all its content has come."""

LARGEST_STREAM = 256 * 1024 * 1024
"""Bytes of one streamed answer; the longest that a model can write stays far below."""

INTERRUPTED = "The answer broke off before its end; what was delivered is incomplete."
STALLED = "The answer fell silent before its end; what was delivered is incomplete."
ENDLESS = "The answer grew beyond all bounds and was cut off; what was delivered is incomplete."


class WholeBody:
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


class StreamBody:
    """A stream being released: whole events only, byte for byte, and a typed error where it breaks.

    `ended` hears once how it went: OK, FAIL, or NEUTRAL when the client went away. Silence of `stall`
    seconds is a break; pings and comments are no content, and a reader who takes his time is no silence.
    More than `LARGEST_STREAM` bytes are a break, too. `chunks` counts how the content comes.
    """

    def __init__(
        self,
        held: Held,
        *,
        clock: Clock,
        stall: float,
        ended: Callable[[Outcome], None],
        chunks: ChunkTimes,
    ) -> None:
        self._connection = held.connection
        self._splitter = held.splitter
        self._meter = held.meter
        self._metered: tuple[Event, ...] = held.metered
        self._waiting: tuple[Event, ...] = held.waiting
        self._clock = clock
        self._stall = stall
        self._ended: Callable[[Outcome], None] | None = ended
        self._silence = 0.0
        self._size = 0
        self._chunks = chunks
        self._came(self._waiting, clock.monotonic())

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        if self._metered:
            metered, self._metered = self._metered, ()
            return b"".join([event.raw for event in metered]) + self._release(self._waiting)
        while self._ended is not None:
            chunk = await self._next_chunk()
            if chunk:
                return chunk
        raise StopAsyncIteration

    async def aclose(self) -> None:
        self._metered = ()
        try:
            self._report(Outcome.NEUTRAL)
        finally:
            await self._connection.aclose()

    async def _next_chunk(self) -> bytes:
        asked = self._clock.monotonic()
        try:
            async with asyncio.timeout(max(0.0, self._patience - self._silence)):
                chunk = await self._connection.read()
            events = self._splitter.feed(chunk)
        except (TransportFailed, OversizedEvent):
            return self._break_off("api_error", INTERRUPTED)
        except TimeoutError:
            return self._break_off("timeout_error", STALLED)
        now = self._clock.monotonic()
        self._silence += now - asked
        self._came(events, now)
        self._size += len(chunk)
        released = self._release(events) if chunk else self._finish()
        if self._size > LARGEST_STREAM and self._ended is not None:
            return released + self._break_off("api_error", ENDLESS)
        return released

    def _came(self, events: Sequence[Event], now: float) -> None:
        self._chunks.came(now, sum(event.name == "content_block_delta" for event in events))

    @property
    def _patience(self) -> float:
        return LINGER if self._meter.complete or self._meter.finished else self._stall

    def _release(self, events: Sequence[Event]) -> bytes:
        """The bytes of these events; of what comes behind an error nothing is shown any more."""
        released: list[bytes] = []
        for event in events:
            # What still comes behind the last event does not keep a finished stream open.
            if event.name not in ("", "ping") and not self._meter.complete:
                self._silence = 0.0
            self._meter.observe(event)
            if event.name == "message_stop" and not self._meter.complete:
                # An end without a reason: the event that held the reason, and maybe more, was lost on the way.
                released.append(self._break_off("api_error", INTERRUPTED))
                break
            released.append(event.raw)
            if self._meter.error is not None:
                self._report(Outcome.FAIL)
                break
        return b"".join(released)

    def _finish(self) -> bytes:
        if self._meter.complete:
            self._report(Outcome.OK)
            return self._splitter.rest
        return self._break_off("api_error", INTERRUPTED)

    def _break_off(self, error_type: str, message: str) -> bytes:
        if self._meter.complete:
            self._report(Outcome.OK)
            return b""
        if self._meter.finished:
            # All content and the stop reason came; only the last event is missing, and clients wait for it.
            self._report(Outcome.OK)
            return MESSAGE_STOP
        self._report(Outcome.FAIL)
        self._meter.error = ApiError(
            type=error_type, message=message, error_code="holdfast_stream_interrupted", status=502
        )
        return error_event(error_type, message, "holdfast_stream_interrupted")

    def _report(self, outcome: Outcome) -> None:
        ended, self._ended = self._ended, None
        if ended is not None:
            ended(outcome)
