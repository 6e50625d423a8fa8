"""Sending an answer as server-sent events, and breaking the stream where a fault says so."""

import asyncio
from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import replace
from itertools import accumulate

from holdfast.simulator.actions import (
    Action,
    CleanEnd,
    ContentLength,
    Delay,
    Endless,
    ErrorEvent,
    HalfBody,
    HangUp,
    OtherBody,
    Reset,
    Stall,
)
from holdfast.simulator.delivery import Delivery, break_off, is_lost, silence
from holdfast.simulator.edits import Plan, edited, texts_from
from holdfast.simulator.exchange import CallerLeft
from holdfast.simulator.streaming import PING, error_event, events, render
from holdfast.simulator.tokens import text_tokens
from holdfast.simulator.values import JsonObject

EVENTS: Mapping[str, str] = {"content-type": "text/event-stream", "cache-control": "no-cache"}


async def send_stream(delivery: Delivery) -> None:
    """Answer with server-sent events."""
    plan = events(delivery.message, delivery.model, delivery.pace, delivery.roll, delivery.chunking)
    delivery.exchange.watch()
    stream = _Stream(delivery)
    try:
        await stream.run(edited(plan, delivery.action))
    except (CallerLeft, asyncio.CancelledError):
        delivery.close(stream.tokens, "disconnected")
        raise


class _Stream:
    """A stream on its way; `tokens` is what has been written so far."""

    def __init__(self, delivery: Delivery) -> None:
        self._delivery = delivery
        self._exchange = delivery.exchange
        self._has_waited = False
        self.tokens = 0

    async def run(self, plan: Plan) -> None:
        if await is_lost(self._delivery):
            return
        await self._begin(plan)
        rest = await self._send_to_break(plan)
        if await self._break():
            return
        if isinstance(self._delivery.action, Endless):
            await self._go_on(rest, self._delivery.action)
        await self._send(rest[:-1])
        self._delivery.close(max(self.tokens, rest[-1].tokens), self._delivery.ending)
        await self._delivery.put_last(rest[-1].data)

    async def _begin(self, plan: Plan) -> None:
        await self._wait(plan[0].wait, pings=False)
        self._has_waited = True
        states_length = isinstance(self._delivery.action, ContentLength)
        length = sum(len(event.data) for event in plan) if states_length else None
        await self._delivery.start(_head(self._delivery.action), length)
        self._delivery.account.begin()
        match self._delivery.action:
            case Delay(before="first_event"):
                await silence(self._delivery, pings=False)
            case _:
                pass

    async def _send_to_break(self, plan: Plan) -> Plan:
        """Send what comes before the fault; what comes after it, perhaps with a torn event in front."""
        at, cut = _place(self._delivery.action, plan)
        await self._send(plan[:at])
        if not cut:
            return plan[at:]
        torn = plan[at]
        await self._wait_before(torn.wait)
        await self._delivery.put(torn.data[:cut])
        self._has_waited = True
        return [replace(torn, data=torn.data[cut:]), *plan[at + 1 :]]

    async def _send(self, part: Plan) -> None:
        for event in part:
            await self._wait_before(event.wait)
            await self._delivery.put_event(event.data)
            self.tokens = max(self.tokens, event.tokens)

    async def _wait_before(self, seconds: float) -> None:
        """Wait as long as an event takes, unless that was done before the headers or before its first half."""
        if not self._has_waited:
            await self._wait(seconds, pings=True)
        self._has_waited = False

    async def _wait(self, seconds: float, *, pings: bool) -> None:
        left = seconds * self._delivery.scale
        while pings and left > self._delivery.ping_every:
            await self._exchange.pause(self._delivery.ping_every)
            left -= self._delivery.ping_every
            await self._delivery.put_event(PING)
        await self._exchange.pause(left)

    async def _break(self) -> bool:
        """Do what the fault does at its place; whether the stream is over."""
        match self._delivery.action:
            case Reset() | HangUp():
                self._delivery.close(self.tokens, "faulted")
                await break_off(self._delivery)
            case CleanEnd() | HalfBody():
                self._delivery.close(self.tokens, "faulted")
                await self._exchange.finish()
            case OtherBody(body=body):
                self._delivery.close(self._delivery.total, "faulted")
                await self._exchange.finish(body.encode())
            case ErrorEvent() as action:
                await self._fail(action)
            case Stall():
                await silence(self._delivery, pings=True)
                return False
            case _:
                return False
        return True

    async def _fail(self, action: ErrorEvent) -> None:
        """End with an `error` event; one that comes before everything else is free."""
        if self.tokens == 0:
            self._exchange.ended("faulted")
        else:
            self._delivery.close(self.tokens, "faulted")
        await self._exchange.finish(error_event(action.error_type, action.message, self._exchange.request_id))

    async def _go_on(self, rest: Plan, action: Endless) -> None:
        """Write the same for ever; tokens beyond `max_tokens` are nobody's."""
        at, index = next(texts_from(rest, 0), (0, None))
        await self._send(rest[:at])
        delta: JsonObject = {"type": "text_delta", "text": action.text}
        said: JsonObject = {"type": "content_block_delta", "index": index, "delta": delta}
        data = PING if index is None else render("content_block_delta", said)
        step = 0 if index is None else text_tokens(action.text, self._delivery.model)
        while True:
            await self._exchange.pause(action.every)
            await self._delivery.put_event(data)
            self.tokens = max(self.tokens, min(self.tokens + step, self._delivery.max_tokens))


def _head(action: Action | None) -> Mapping[str, str]:
    match action:
        case OtherBody(content_type=str(label)):
            return {**EVENTS, "content-type": label}
        case _:
            return EVENTS


def _place(action: Action | None, plan: Plan) -> tuple[int, int]:
    """How many whole events come before the fault, and how many bytes of the next; never all of them."""
    last = len(plan) - 1
    match action:
        case (
            Stall(after_bytes=int(after))
            | CleanEnd(after_bytes=int(after))
            | Reset(after_bytes=int(after))
            | HangUp(after_bytes=int(after))
        ):
            return _place_of_byte(plan, after)
        case (
            Stall(after_events=after)
            | Endless(after_events=after)
            | ErrorEvent(after_events=after)
            | CleanEnd(after_events=after)
            | Reset(after=int(after))
            | HangUp(after=int(after))
        ):
            return max(0, min(after, last)), 0
        case HalfBody(fraction=fraction):
            at = max(0, min(int(len(plan) * fraction), last))
            return at, len(plan[at].data) // 2
        case _:
            return 0, 0


def _place_of_byte(plan: Plan, after: int) -> tuple[int, int]:
    ends = list(accumulate(len(event.data) for event in plan))
    left = max(0, min(after, ends[-1] - 1))
    at = bisect_right(ends, left)
    return at, left - (ends[at] - len(plan[at].data))
