"""Deliveries of one channel: a bounded queue and a patience that ends, so that nobody ever waits for it."""

import asyncio
from collections import deque
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from holdfast.clock import Clock
from holdfast.errors import HoldfastError
from holdfast.language import Sentence

CAPACITY = 100
"""Messages that wait for a channel; what comes beyond is dropped and counted."""
WAITS = (1.0, 4.0, 16.0)
"""Seconds before each further try."""


class Undelivered(HoldfastError):
    """A channel did not take an alert."""

    error_code = "holdfast_alert_undelivered"
    default_status = 502


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """An alert as it is sent; nothing secret is in it any more."""

    id: str
    what: str
    rule: str
    label: str
    text: Sentence
    at: datetime


class Channel(Protocol):
    """One way to a person."""

    async def send(self, message: Message) -> None:
        """Deliver it, once. Raises `Undelivered`."""
        ...


class Delivery:
    """Sends what it is given, one after the other; what a channel does not take after all tries is lost and counted."""

    def __init__(self, channel: Channel, clock: Clock) -> None:
        self._channel = channel
        self._clock = clock
        self._waiting: deque[Message] = deque()
        self._given = asyncio.Event()
        self.sent = 0
        self.dropped = 0
        self.problem: str | None = None

    @property
    def waiting(self) -> int:
        """How many messages wait."""
        return len(self._waiting)

    def give(self, message: Message) -> None:
        """Queue a message; never waits. Call it in the event loop that runs `work`."""
        if len(self._waiting) >= CAPACITY:
            self.dropped += 1
            return
        self._waiting.append(message)
        self._given.set()

    async def work(self) -> None:
        """Deliver for ever."""
        while True:
            await self._given.wait()
            self._given.clear()
            await self.flush()

    async def flush(self) -> None:
        """Deliver what waits."""
        while self._waiting:
            await self._deliver(self._waiting[0])
            self._waiting.popleft()

    def give_up(self, error: BaseException) -> None:
        """After a fault that ended `work`: the message at which it happened is lost, and the others have their turn."""
        if self._waiting:
            self._waiting.popleft()
            self.dropped += 1
        self.problem = type(error).__name__
        self._given.set()

    async def _deliver(self, message: Message) -> None:
        for wait in (*WAITS, None):
            try:
                await self._channel.send(message)
            except Undelivered as error:
                self.problem = str(error)
            else:
                self.sent, self.problem = self.sent + 1, None
                return
            if wait is not None:
                await self._clock.sleep(wait)
        self.dropped += 1
