"""One attempt: open one answer, and hold it back until it is worth showing."""

import asyncio
from dataclasses import dataclass
from math import inf

from holdfast.call import Call
from holdfast.clock import Clock
from holdfast.policy.estimate import input_bound
from holdfast.policy.failure import Failure, Kind, Phase
from holdfast.policy.routing import Account
from holdfast.upstream.client import Connection, TransportFailed, read_whole
from holdfast.upstream.request import Upstream
from holdfast.wire.errors import ApiError, read_envelope
from holdfast.wire.headers import Headers, get, merged, retry_after, should_retry
from holdfast.wire.meter import Meter
from holdfast.wire.sse import Event, OversizedEvent, Splitter

LARGEST_ANSWER = 64 * 1024 * 1024
"""Bytes of a whole answer; the API's own answers stay far below."""

LARGEST_HELD = 16 * 1024 * 1024
"""Bytes of a stream that are kept back while its first content has not come."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Whole:
    """A complete answer that is no stream."""

    status: int
    headers: Headers
    body: bytes
    meter: Meter


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """A stream whose first content has come and has not been shown to anybody yet.

    The meter has seen the events in `metered`; those in `waiting` arrived with them and are still to be read.
    """

    status: int
    headers: Headers
    connection: Connection
    splitter: Splitter
    metered: tuple[Event, ...]
    waiting: tuple[Event, ...]
    meter: Meter


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    """An attempt that did not end well; `answer` is what the upstream said, if it said something whole."""

    failure: Failure
    meter: Meter
    answer: Whole | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """How one attempt is made.

    Attributes:
        upstream: whom it asks.
        account: on whose account.
        clock: what its deadline is read from.
        stall: seconds that a stream may be silent.
        first_byte: seconds until a plain answer must begin, where somebody else could be asked instead.
    """

    upstream: Upstream
    account: Account
    clock: Clock
    stall: float
    first_byte: float = inf

    async def open(self, call: Call) -> Whole | Held | Failed:
        """Send the call and wait until its answer is complete or its first content is there.

        Nothing stays open unless a `Held` is returned; a cancelled attempt hangs up at once.
        """
        try:
            async with asyncio.timeout(self._patience(call)):
                connection = await self.upstream.client.send(self.upstream.request(call, self.account))
        except TransportFailed as error:
            connecting = error.phase == "connect"
            return _failed("connect" if connecting else "sent", "connect_error" if connecting else "reset")
        except TimeoutError:
            return _failed("sent", "first_byte_timeout")
        call.tally.is_answering = connection.status == 200 and not call.request.stream
        try:
            result = await self._read(call, connection)
        except BaseException:
            await connection.aclose()
            raise
        call.tally.is_answering = False
        if not isinstance(result, Held):
            await connection.aclose()
        if not isinstance(result, Failed):
            result.meter.prompt_bound = input_bound(call.request)
            result.meter.output_bound = call.request.max_tokens
        return result

    def _left(self, call: Call) -> float:
        return max(0.0, call.deadline - self.clock.monotonic())

    def _patience(self, call: Call) -> float:
        return min(self._left(call), self.stall if call.request.stream else self.first_byte)

    async def _read(self, call: Call, connection: Connection) -> Whole | Held | Failed:
        kind = get(connection.headers, "content-type") or ""
        if connection.status == 200 and kind.strip().lower().startswith("text/event-stream"):
            return await _Holding(connection, min(self._left(call), self.stall)).until_content()
        try:
            async with asyncio.timeout(self._left(call)):
                body = await read_whole(connection, LARGEST_ANSWER)
        except (TransportFailed, TimeoutError) as error:
            if connection.status != 200:
                # How it failed is known, only not in which words.
                return Failed(failure=self._failure(connection), meter=Meter())
            return _failed("response", "reset" if isinstance(error, TransportFailed) else "stall")
        return self._judge(connection, body)

    def _judge(self, connection: Connection, body: bytes) -> Whole | Failed:
        meter = Meter()
        meter.observe_body(body)
        answer = Whole(status=connection.status, headers=connection.headers, body=body, meter=meter)
        if answer.status != 200:
            error = None if meter.error is None else read_envelope(body, answer.status)
            return Failed(failure=self._failure(connection, error), meter=meter, answer=answer)
        if meter.complete:
            return answer
        return Failed(failure=Failure(phase="response", kind="unreadable_body"), meter=meter)

    def _failure(self, connection: Connection, error: ApiError | None = None) -> Failure:
        return Failure(
            phase="response",
            kind="http",
            status=connection.status,
            error_type=None if error is None else error.type,
            error_code=None if error is None else error.error_code,
            message="" if error is None else error.message,
            retry_after=retry_after(connection.headers, now=self.clock.now()),
            should_retry=should_retry(connection.headers),
        )


@dataclass(frozen=True, slots=True)
class _Holding:
    """Reads a stream until its first content: up to there nothing is lost by trying again."""

    connection: Connection
    patience: float

    async def until_content(self) -> Held | Failed:
        meter, splitter = Meter(), Splitter()
        metered: list[Event] = []
        try:
            async with asyncio.timeout(self.patience):
                waiting = await self._until_decided(meter, splitter, metered)
        except TransportFailed:
            return self._broken("reset", meter, splitter, metered)
        except TimeoutError:
            return self._broken("stall", meter, splitter, metered)
        except OversizedEvent:
            return _failed("held", "unreadable_body", meter)
        if meter.error is not None:
            return self._refused(meter.error, meter, metered[-1].data)
        if _is_decided(meter):
            return self._held(meter, splitter, metered, waiting)
        # A proper end without a message: a 200 that says nothing, as a plain one may.
        return self._broken("truncated" if meter.started else "unreadable_body", meter, splitter, metered)

    async def _until_decided(self, meter: Meter, splitter: Splitter, metered: list[Event]) -> list[Event]:
        """Show the meter each event up to the first that decides; those that came along behind it."""
        size = 0
        while chunk := await self.connection.read():
            size += len(chunk)
            events = splitter.feed(chunk)
            for number, event in enumerate(events, start=1):
                meter.observe(event)
                metered.append(event)
                if _is_decided(meter):
                    return events[number:]
            if size > LARGEST_HELD:
                raise OversizedEvent(limit=LARGEST_HELD)
        return []

    def _broken(self, kind: Kind, meter: Meter, splitter: Splitter, metered: list[Event]) -> Held | Failed:
        """A stream that had said why it stops is whole but for its last event, even without any content."""
        return self._held(meter, splitter, metered, []) if meter.finished else _failed("held", kind, meter)

    def _held(self, meter: Meter, splitter: Splitter, metered: list[Event], waiting: list[Event]) -> Held:
        return Held(
            status=self.connection.status,
            headers=self.connection.headers,
            connection=self.connection,
            splitter=splitter,
            metered=tuple(metered),
            waiting=tuple(waiting),
            meter=meter,
        )

    def _refused(self, error: ApiError, meter: Meter, said: bytes) -> Failed:
        """An error before anything else: the answer that it would have been without a stream."""
        failure = Failure(
            phase="held",
            kind="stream_error",
            error_type=error.type,
            error_code=error.error_code,
            message=error.message,
        )
        if meter.malformed:
            return Failed(failure=failure, meter=meter)
        headers = merged(self.connection.headers, {"content-type": "application/json"})
        answer = Whole(status=error.status, headers=headers, body=said, meter=meter)
        return Failed(failure=failure, meter=meter, answer=answer)


def _is_decided(meter: Meter) -> bool:
    return meter.content_started or meter.complete or meter.error is not None


def _failed(phase: Phase, kind: Kind, meter: Meter | None = None) -> Failed:
    return Failed(failure=Failure(phase=phase, kind=kind), meter=meter or Meter())
