"""Rates and places of one process: the reference for every other store of quotas."""

import threading
from collections.abc import Sequence

from holdfast.clock import SYSTEM_CLOCK, Clock
from holdfast.policy.counters import KEPT, Ask, Counters, Granted, Limited, Take, micros


class MemoryQuotas:
    """The counters under a lock, safe from any thread; verbs as `holdfast.ports.QuotaStore`."""

    def __init__(self, *, clock: Clock = SYSTEM_CLOCK, keep: int = KEPT) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._counters = Counters(keep)

    @property
    def degraded(self) -> bool:
        return False

    async def acquire(self, ask: Ask) -> Granted | Limited:
        with self._lock:
            return self._counters.take(ask, now=self._now())

    async def settle(self, granted: Granted, takes: Sequence[Take] = ()) -> None:
        with self._lock:
            self._counters.correct(takes, now=self._now())
            self._counters.release(granted.ask)

    async def renew(self, granted: Granted) -> None:
        with self._lock:
            self._counters.renew(granted.ask, now=self._now())

    async def aclose(self) -> None:
        return None

    def _now(self) -> int:
        return micros(self._clock.monotonic())
