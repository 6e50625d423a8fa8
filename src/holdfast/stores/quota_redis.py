"""Rates and places of a fleet in Redis, and this worker's share of them while Redis is away."""

from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import replace

from holdfast.clock import SYSTEM_CLOCK, Clock
from holdfast.errors import StoreUnavailable
from holdfast.policy.counters import SECOND, Ask, Granted, Limited, Slot, Take, shared
from holdfast.stores.quota_memory import MemoryQuotas
from holdfast.stores.redis_link import RedisLink, Script, script

PREFIX = "holdfast:"
ACQUIRE, SETTLE, RENEW = script("quota_acquire"), script("quota_settle"), script("quota_renew")


class RedisQuotas:
    """One script per verb, by the clock of Redis; verbs as `holdfast.ports.QuotaStore`.

    While Redis is away each of `workers` grants its share of every limit by itself; what it granted so is
    settled here, too. A Redis that comes back empty begins anew.
    """

    def __init__(
        self, link: RedisLink, *, workers: int = 1, prefix: str = PREFIX, clock: Clock = SYSTEM_CLOCK
    ) -> None:
        self._link = link
        self._workers = workers
        # In a cluster all keys of one script must be in one place: the part in braces says which.
        self._prefix = f"{prefix}{{quota}}:"
        self._local = MemoryQuotas(clock=clock)

    @property
    def degraded(self) -> bool:
        return self._link.is_away

    async def acquire(self, ask: Ask) -> Granted | Limited:
        args: list[str | int] = [ask.id, round(ask.lease * SECOND), len(ask.takes)]
        for take in ask.takes:
            args += (take.rate.capacity, take.rate.drain, take.cost * take.rate.unit)
        args += [slot.limit for slot in ask.slots]
        keys = self._keys(ask.takes, ask.slots)
        try:
            wait, number = await self._link.run(ACQUIRE, keys, args) if keys else (0, 0)
        except StoreUnavailable:
            return await self._acquire_here(ask)
        if wait == 0:
            return Granted(ask=ask)
        named = [take.key for take in ask.takes] + [slot.key for slot in ask.slots]
        return Limited(key=named[number - 1], retry_after=wait / SECOND)

    async def settle(self, granted: Granted, takes: Sequence[Take] = ()) -> None:
        if granted.is_local:
            return await self._local.settle(granted, takes)
        slots = granted.ask.slots
        args: list[str | int] = [granted.ask.id, len(takes)]
        for take in takes:
            args += (take.rate.drain, take.cost * take.rate.unit)
        if takes or slots:
            await self._try(SETTLE, self._keys(takes, slots), args)

    async def renew(self, granted: Granted) -> None:
        if granted.is_local:
            return await self._local.renew(granted)
        if slots := granted.ask.slots:
            args: list[str | int] = [granted.ask.id, round(granted.ask.lease * SECOND)]
            await self._try(RENEW, self._keys((), slots), args)

    async def aclose(self) -> None:
        await self._link.aclose()

    async def _acquire_here(self, ask: Ask) -> Granted | Limited:
        answer = await self._local.acquire(shared(ask, self._workers))
        return replace(answer, is_local=True) if isinstance(answer, Granted) else answer

    async def _try(self, script: Script, keys: Sequence[str], args: Sequence[str | int]) -> None:
        # What is not settled drains, and what is not given back has a lease.
        with suppress(StoreUnavailable):
            await self._link.run(script, keys, args)

    def _keys(self, takes: Iterable[Take], slots: Iterable[Slot]) -> list[str]:
        # A limit that is changed reckons in other parts than before, and begins anew under another name.
        buckets = [f"{self._prefix}{take.key}:{take.rate.unit}" for take in takes]
        return buckets + [f"{self._prefix}{slot.key}" for slot in slots]
