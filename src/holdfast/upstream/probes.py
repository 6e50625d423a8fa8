"""Places for probes: of all workers together no more try a sick upstream at once than one alone would."""

import secrets
import threading
from contextlib import suppress
from dataclasses import dataclass, replace

from holdfast.clock import Clock
from holdfast.errors import StoreUnavailable
from holdfast.policy.counters import Ask, Granted, Slot
from holdfast.ports import QuotaStore

LEASE = 5.0
"""Seconds after which the place of a worker that was lost is free again."""
RENEW_AFTER = 1.5
"""Seconds after which a place that is still in use is kept for another lease."""


@dataclass(frozen=True, slots=True)
class _Held:
    """A place in use: since when, and when it was last kept."""

    granted: Granted
    since: float
    kept: float


class Probes:
    """Takes and gives back the places of a fleet; safe from any thread.

    Only whoever takes a place waits for an answer. It is kept, and given back, by `tend` in the background.
    """

    def __init__(self, quotas: QuotaStore, *, limit: int, longest: float, clock: Clock) -> None:
        """`limit` places a circuit; one that is not given back within `longest` seconds is lost."""
        self._quotas = quotas
        self._limit = limit
        self._longest = longest
        self._clock = clock
        self._lock = threading.Lock()
        self._held: dict[str, _Held] = {}
        self._over: list[Granted] = []

    async def take(self, circuit: str) -> str | None:
        """A place for one probe, to be given back; `None` when all are taken.

        While the fleet cannot be asked there is one for whoever asks: the circuit bounds its probes itself.
        """
        # No name of a quota holds a colon: no quota can be taken for a circuit, whatever both are called.
        slot = Slot(key=f"probe:{circuit}", limit=self._limit)
        ask = Ask(id=secrets.token_hex(8), slots=(slot,), lease=LEASE)
        answer = await self._quotas.acquire(ask)
        if isinstance(answer, Granted):
            now = self._clock.monotonic()
            with self._lock:
                self._held[ask.id] = _Held(answer, now, now)
        elif not self._quotas.degraded:
            return None
        return ask.id

    def give_back(self, place: str) -> None:
        """The probe has told what it had to tell; the second time this changes nothing."""
        with self._lock:
            held = self._held.pop(place, None)
            if held is not None:
                self._over.append(held.granted)

    async def tend(self) -> None:
        """Give back what is over and keep what is not."""
        over, kept = self._due()
        with suppress(StoreUnavailable):  # whatever is not said now, the lease says soon
            for granted in over:
                await self._quotas.settle(granted)
            for granted in kept:
                await self._quotas.renew(granted)

    def _due(self) -> tuple[list[Granted], list[Granted]]:
        now = self._clock.monotonic()
        with self._lock:
            over, self._over = self._over, []
            for place, held in list(self._held.items()):
                if now - held.since >= self._longest:
                    del self._held[place]
            due = [place for place, held in self._held.items() if now - held.kept >= RENEW_AFTER]
            for place in due:
                self._held[place] = replace(self._held[place], kept=now)
            return over, [self._held[place].granted for place in due]
