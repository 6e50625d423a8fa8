"""Levels of buckets and places in use: what has been taken, what may still be, and when it is back.

The rule is GCRA (ITU-T I.371, the continuous-state leaky bucket): a level rises with every take, drains at
the rate of the limit, and must never pass the burst. So no stretch of `t` seconds admits more than the burst
and `t` seconds' worth, there is no edge of a window to gather at, and the wait after a refusal is exact. Time
is integer microseconds and a level an integer number of parts of a token, so that nothing is rounded.
"""

from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import lru_cache
from itertools import islice
from typing import Literal

Dimension = Literal["requests", "input_tokens", "output_tokens", "concurrency"]

SECOND = 1_000_000
EXACT = 2**52
"""Levels stay below, so that stores which reckon in floating point (Lua) keep them exact."""
SLOT_WAIT = SECOND
"""When to ask again while every place is taken: nobody knows when a call under way will end."""
KEPT = 100_000
"""Buckets remembered at once; beyond that the one unused longest is forgotten, a drained one first."""
LOOKED_AT = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """What a limit means for a level: `unit` parts make one token, `drain` of them go in a microsecond."""

    burst: int
    unit: int
    drain: int

    @property
    def capacity(self) -> int:
        """The highest level that a take may lead to."""
        return self.burst * self.unit


@lru_cache(1024)
def rate_of(limit: int, per: float, burst: int) -> Rate:
    """`limit` in `per` seconds, `burst` at once.

    Exact for every limit that people write; the few that are not miss by less than a part in ten thousand.
    """
    share = Fraction(limit, round(per * SECOND)).limit_denominator(EXACT // burst)
    return Rate(burst=burst, unit=share.denominator, drain=share.numerator)


@lru_cache(1024)
def _share(rate: Rate, workers: int) -> Rate:
    """The part of one of so many workers that know nothing of each other; at least one at a time."""
    share = Fraction(rate.drain, rate.unit * workers).limit_denominator(EXACT // rate.burst)
    return Rate(burst=max(1, rate.burst // workers), unit=share.denominator, drain=max(1, share.numerator))


@dataclass(frozen=True, slots=True, kw_only=True)
class Take:
    """`cost` tokens or requests asked of one bucket; of a correction, those to add (or, below 0, to give back)."""

    key: str
    dimension: Dimension
    rate: Rate
    cost: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Slot:
    """A place among at most `limit` at once."""

    key: str
    limit: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """Everything one call needs: all of it is granted, or nothing.

    Attributes:
        id: what no other call is called; the name its places are held under.
        lease: seconds after which its places are free again unless renewed.
    """

    id: str
    takes: tuple[Take, ...] = ()
    slots: tuple[Slot, ...] = ()
    lease: float = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Granted:
    """The call may go; `is_local` when the fleet's limits could not be asked and this worker's own were."""

    ask: Ask
    is_local: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Limited:
    """The call may not go yet: `key` is the bucket or place that lacks most, `retry_after` in seconds."""

    key: str
    retry_after: float


@dataclass(frozen=True, slots=True, kw_only=True)
class TooLarge:
    """The call can never go: `cost` is more than the burst that bucket `key` can ever hold."""

    key: str
    cost: int
    burst: int


class Counters:
    """Every bucket and place of one process; its owner serialises the calls and keeps the clock.

    Every verb takes `now`, integer microseconds on any clock. On one that went back, time stands still.
    """

    def __init__(self, keep: int = KEPT) -> None:
        self._keep = keep
        self._levels: OrderedDict[str, tuple[Rate, int, int]] = OrderedDict()
        self._places: OrderedDict[str, dict[str, int]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._levels) + len(self._places)

    def take(self, ask: Ask, *, now: int) -> Granted | Limited:
        """Take everything that is asked for, or nothing."""
        waits = [(self._wait(take, now), take.key) for take in ask.takes]
        waits += [(self._wait_for_place(slot, ask.id, now), slot.key) for slot in ask.slots]
        wait, key = max(waits, default=(0, ""))
        if wait > 0:
            return Limited(key=key, retry_after=wait / SECOND)
        for take in ask.takes:
            self._add(take, now)
        for slot in ask.slots:
            self._places.setdefault(slot.key, {})[ask.id] = now + round(ask.lease * SECOND)
        self._forget(now)
        return Granted(ask=ask)

    def correct(self, takes: Iterable[Take], *, now: int) -> None:
        """Add to levels, or give back: a level may pass its burst that way, and then drains first."""
        for take in takes:
            self._add(take, now)
        self._forget(now)

    def renew(self, ask: Ask, *, now: int) -> None:
        """Keep the places of a call for another lease; those it no longer has stay lost."""
        for slot in ask.slots:
            held = self._places.get(slot.key, {})
            if held.get(ask.id, now) > now:
                held[ask.id] = now + round(ask.lease * SECOND)

    def release(self, ask: Ask) -> None:
        """Free the places of a call; the second time this changes nothing."""
        for slot in ask.slots:
            held = self._places.get(slot.key, {})
            held.pop(ask.id, None)
            if not held:
                self._places.pop(slot.key, None)

    def _level(self, take: Take, now: int) -> int:
        found = self._levels.get(take.key)
        if found is None:
            return 0
        # A limit that was changed while it was in use reckons in other parts than before.
        return -(-_drained(found, now) * take.rate.unit // found[0].unit)

    def _wait(self, take: Take, now: int) -> int:
        return wait_of(self._level(take, now), take.cost, take.rate)

    def _wait_for_place(self, slot: Slot, id: str, now: int) -> int:
        held = self._places.get(slot.key)
        if held is None:
            return 0
        for holder in [holder for holder, until in held.items() if until <= now]:
            del held[holder]
        if id in held or len(held) < slot.limit:
            return 0
        return min(SLOT_WAIT, min(held.values()) - now)

    def _add(self, take: Take, now: int) -> None:
        level = max(0, self._level(take, now) + take.cost * take.rate.unit)
        self._levels[take.key] = (take.rate, level, now)
        self._levels.move_to_end(take.key)

    def _forget(self, now: int) -> None:
        """Let go of what remembers nothing, a few at a time, and of the oldest when there are too many."""
        for key in _oldest(self._levels):
            if _drained(self._levels[key], now) == 0 or len(self._levels) > self._keep:
                del self._levels[key]
        for key in _oldest(self._places):
            if max(self._places[key].values(), default=0) <= now or len(self._places) > self._keep:
                del self._places[key]


def wait_of(level: int, cost: int, rate: Rate) -> int:
    """Microseconds until a level has room for `cost`; 0 or less is now."""
    return -((rate.capacity - level - cost * rate.unit) // rate.drain)


def too_large(ask: Ask) -> TooLarge | None:
    """What of an ask could never be granted, however long one waits."""
    return next(
        (
            TooLarge(key=take.key, cost=take.cost, burst=take.rate.burst)
            for take in ask.takes
            if take.cost > take.rate.burst
        ),
        None,
    )


def shared(ask: Ask, workers: int) -> Ask:
    """The same ask of the limits that one of so many workers has by itself; nothing in it is too large."""
    if workers == 1:
        return ask
    rates = [_share(take.rate, workers) for take in ask.takes]
    takes = [
        replace(take, rate=rate, cost=min(take.cost, rate.burst))
        for take, rate in zip(ask.takes, rates, strict=True)
    ]
    slots = [replace(slot, limit=max(1, slot.limit // workers)) for slot in ask.slots]
    return replace(ask, takes=tuple(takes), slots=tuple(slots))


def micros(seconds: float) -> int:
    """A moment or a time in whole microseconds."""
    return int(seconds * SECOND + 0.5)


def _drained(found: tuple[Rate, int, int], now: int) -> int:
    rate, level, at = found
    return max(0, level - max(0, now - at) * rate.drain)


def _oldest(keys: Iterable[str]) -> list[str]:
    return list(islice(keys, LOOKED_AT))
