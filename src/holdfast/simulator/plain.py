"""Sending an answer as one JSON body, and breaking it where a fault says so."""

import asyncio
from collections.abc import Mapping

from holdfast.simulator.actions import (
    Chunks,
    CleanEnd,
    Delay,
    Endless,
    ErrorEvent,
    HalfBody,
    HangUp,
    Malformed,
    OtherBody,
    Reset,
    Stall,
)
from holdfast.simulator.delivery import Delivery, break_off, is_lost, silence
from holdfast.simulator.edits import BROKEN_BODY, edited_body
from holdfast.simulator.exchange import CallerLeft
from holdfast.simulator.problems import STATUS_OF_TYPE, ApiError
from holdfast.simulator.values import encode

JSON: Mapping[str, str] = {"content-type": "application/json"}


async def send_plain(delivery: Delivery) -> None:
    """Answer with one JSON body."""
    if isinstance(delivery.action, ErrorEvent):
        await _refuse(delivery, delivery.action)
        return
    if await is_lost(delivery):
        return
    await _write(delivery)
    delivery.account.begin()
    body = encode(edited_body(delivery.message.wire(), delivery.action))
    try:
        await _deliver(delivery, body)
    except (CallerLeft, asyncio.CancelledError):
        delivery.close(delivery.total, "disconnected")
        raise


async def _refuse(delivery: Delivery, action: ErrorEvent) -> None:
    """The HTTP form of an `error` event."""
    status = STATUS_OF_TYPE.get(action.error_type, 500)
    problem = ApiError(status=status, message=action.message, type=action.error_type)
    body = problem.envelope(delivery.exchange.request_id)
    head = {**delivery.exchange.base_headers(), **delivery.headers}
    await delivery.exchange.respond(status, head, body, ending="faulted")


async def _write(delivery: Delivery) -> None:
    """Take the time that writing takes; a caller who leaves pays for what was written by then."""
    started = delivery.exchange.clock.monotonic()
    pace = delivery.pace
    seconds = pace.first_token + delivery.total / pace.tokens_per_second
    try:
        await delivery.exchange.pause(seconds * delivery.scale)
    except (CallerLeft, asyncio.CancelledError):
        elapsed = (delivery.exchange.clock.monotonic() - started) / (delivery.scale or 1.0)
        written = max(0.0, elapsed - pace.first_token) * pace.tokens_per_second
        delivery.close(min(delivery.total, int(written)), "disconnected")
        raise


async def _deliver(delivery: Delivery, body: bytes) -> None:
    action, half = delivery.action, len(body) // 2
    match action:
        case HalfBody() | CleanEnd() | Malformed() | OtherBody():
            await _send_wrong(delivery, _wrong(action, body))
        case Reset(after_bytes=after) | HangUp(after_bytes=after):
            headers_only = action.after == "headers" and after is None
            await _break(delivery, body, 0 if headers_only else _until(after, half, body))
        case Stall(after_bytes=after):
            await _send_late(delivery, body, _until(after, half, body))
        case Delay(before="first_event"):
            await _send_late(delivery, body, 0)
        case Endless():
            await _go_on(delivery, body[:half], action)
        case _:
            await _send(delivery, body)


def _wrong(action: HalfBody | CleanEnd | Malformed | OtherBody, body: bytes) -> bytes:
    match action:
        case HalfBody(fraction=fraction):
            return body[: int(len(body) * fraction)]
        case CleanEnd(after_bytes=after):
            return body[: _until(after, len(body) // 2, body)]
        case Malformed():
            return BROKEN_BODY
        case OtherBody(body=other):
            return other.encode()


def _until(after: int | None, usual: int, body: bytes) -> int:
    """How many bytes are sent before the break; never all of them."""
    return usual if after is None else max(0, min(after, len(body) - 1))


async def _send(delivery: Delivery, body: bytes) -> None:
    """The whole body, in the form that the fault gives to it."""
    if isinstance(delivery.action, Chunks):
        await delivery.start(JSON)
        delivery.close(delivery.total, "completed")
        await delivery.put_last(body)
        return
    whole = b"".join(delivery.form.pieces(body)) + delivery.form.end()
    await delivery.start(JSON, len(whole))
    delivery.close(delivery.total, delivery.ending)
    await delivery.exchange.finish(whole)


async def _send_wrong(delivery: Delivery, body: bytes) -> None:
    """A proper answer with a wrong body."""
    head = {**JSON}
    match delivery.action:
        case OtherBody(content_type=str(label)):
            head["content-type"] = label
        case _:
            pass
    delivery.close(delivery.total, "faulted")
    await delivery.start(head, len(body))
    await delivery.exchange.finish(body)


async def _break(delivery: Delivery, body: bytes, at: int) -> None:
    await delivery.start(JSON, len(body))
    if at:
        await delivery.put(body[:at])
    delivery.close(delivery.total, "faulted")
    await break_off(delivery)


async def _send_late(delivery: Delivery, body: bytes, first: int) -> None:
    """The headers at once, the body (or its second half) late or never."""
    await delivery.start(JSON, len(body))
    await delivery.put(body[:first])
    await silence(delivery, pings=False)
    delivery.close(delivery.total, "completed")
    await delivery.exchange.finish(body[first:])


async def _go_on(delivery: Delivery, body: bytes, action: Endless) -> None:
    await delivery.start(JSON)
    await delivery.put(body)
    while True:
        await delivery.exchange.pause(action.every)
        await delivery.put(b" ")
