"""One-time tickets into the console: each opens it once, within ten minutes."""

import secrets
import threading
from dataclasses import dataclass
from typing import Literal

import msgspec

from holdfast.clock import Clock
from holdfast.console.seal import Seal

Role = Literal["viewer", "operator"]
LASTS = 600.0
"""Seconds that a ticket is good for."""
PURPOSE = "ticket"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ticket:
    """Whom a ticket lets in, and as what; `until` is in seconds of the monotonic clock."""

    id: str
    role: Role
    actor: str
    until: float


_decode = msgspec.json.Decoder(Ticket).decode


class Tickets:
    """Makes tickets and takes them back; safe from any thread.

    Hand it over to workers before they are forked: what one has sealed the others can open. Which tickets are used
    up it knows of this process alone.
    """

    def __init__(self, clock: Clock) -> None:
        self.seal = Seal()
        self._clock = clock
        self._lock = threading.Lock()
        self._used: dict[str, float] = {}

    def issue(self, role: Role, actor: str) -> str:
        """A new ticket, which is shown once and never again."""
        until = self._clock.monotonic() + LASTS
        ticket = Ticket(id=secrets.token_urlsafe(9), role=role, actor=actor, until=until)
        return self.seal.sealed(PURPOSE, msgspec.json.encode(ticket))

    def take(self, token: str) -> Ticket | None:
        """Whom a ticket lets in; it opens nothing any more from then on."""
        content = self.seal.opened(PURPOSE, token)
        if content is None:
            return None
        ticket, now = _decode(content), self._clock.monotonic()
        if now >= ticket.until:
            return None
        with self._lock:
            self._used = {name: until for name, until in self._used.items() if now < until}
            if ticket.id in self._used:
                return None
            self._used[ticket.id] = ticket.until
        return ticket
