"""An answer on its way: what plain and streamed ones have in common, and what a fault does before either."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from random import Random
from typing import Protocol

from holdfast.simulator.actions import Action, ContentLength, Delay, Gzip, HangUp, Reset, SlowHeaders, Stall
from holdfast.simulator.capture import Ending
from holdfast.simulator.exchange import CallerLeft, Exchange
from holdfast.simulator.latency import Pace
from holdfast.simulator.message import Message
from holdfast.simulator.models import Model
from holdfast.simulator.streaming import PING, Chunking
from holdfast.simulator.wrapping import Wrapping, labelled


class Payer(Protocol):
    """Who pays for the answer."""

    def begin(self) -> None: ...

    def bill(self, output_tokens: int, ending: Ending) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """An answer on its way."""

    exchange: Exchange
    account: Payer
    message: Message
    model: Model
    max_tokens: int
    pace: Pace
    ping_every: float
    scale: float
    action: Action | None
    form: Wrapping
    roll: Random
    headers: Mapping[str, str]
    chunking: Chunking = "random"

    @property
    def total(self) -> int:
        """The tokens of the whole answer."""
        return self.message.usage.output_tokens

    @property
    def ending(self) -> Ending:
        """How the answer has ended once all of it is sent."""
        match self.action:
            case ContentLength() | Gzip(broken=str()):
                return "faulted"
            case _:
                return "completed"

    def close(self, tokens: int, ending: Ending) -> None:
        """Bill what was written and note the ending, before the last byte is on its way."""
        self.account.bill(tokens, ending)
        self.exchange.ended(ending)

    async def start(self, head: Mapping[str, str], length: int | None = None) -> None:
        """Send the head, in the way in which the fault wants it; without `length` it states none."""
        whole = {**self.exchange.base_headers(), **self.headers, **head}
        whole = labelled(whole, self.action, self.exchange.headers)
        off_by = 0
        match self.action:
            case ContentLength():
                self.exchange.write_by_hand()
                off_by = self.action.off_by
            case SlowHeaders(every=every):
                self.exchange.write_by_hand(every)
            case _:
                pass
        if length is not None:
            whole["content-length"] = str(max(0, length + off_by))
        await self.exchange.start(200, whole)

    async def put(self, data: bytes) -> None:
        """Send an event, or a part of a plain body."""
        for piece in self.form.pieces(data):
            await self._put_piece(piece)

    async def put_event(self, data: bytes) -> None:
        """Send an event and count it."""
        await self.put(data)
        self.exchange.events += 1

    async def put_last(self, data: bytes) -> None:
        """Send the last event, or the last part of a plain body."""
        *pieces, last = self.form.pieces(data) or [b""]
        for piece in pieces:
            await self._put_piece(piece)
        await self.exchange.finish(last + self.form.end())

    async def _put_piece(self, piece: bytes) -> None:
        await self.exchange.write(piece)
        if self.form.every:
            await self.exchange.pause(self.form.every)


async def is_lost(delivery: Delivery) -> bool:
    """Do what a fault does before the headers; whether that was the end."""
    match delivery.action:
        case Delay(seconds=seconds, before="headers"):
            try:
                await delivery.exchange.pause(seconds)
            except (CallerLeft, asyncio.CancelledError):
                delivery.close(0, "disconnected")
                raise
        case Reset(after="request", after_bytes=None) | HangUp(after="request", after_bytes=None):
            delivery.close(0, "faulted")
            await break_off(delivery)
            return True
        case _:
            pass
    return False


async def break_off(delivery: Delivery) -> None:
    """End the connection, by RST or by FIN."""
    if isinstance(delivery.action, HangUp):
        await delivery.exchange.hang_up()
    else:
        await delivery.exchange.reset()


async def silence(delivery: Delivery, *, pings: bool) -> None:
    """The silence of a fault, in seconds of the clock."""
    match delivery.action:
        case Stall(seconds=None, ping_every=every) if every is None or not pings:
            await delivery.exchange.wait_for_end()
        case Stall(seconds=seconds, ping_every=every):
            left = float("inf") if seconds is None else seconds
            step = every if every is not None and pings else left
            while left > 0:
                await delivery.exchange.pause(min(step, left))
                left -= step
                if pings and left > 0:
                    await delivery.put_event(PING)
        case other:
            await delivery.exchange.pause(other.seconds if isinstance(other, Delay) else 0.0)
