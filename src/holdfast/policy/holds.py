"""Holds: money promised to attempts under way, and the counters that they and their bills are kept in.

One `Page` is what a store has read inside one transaction: the holds and counters that some verbs touch. It
applies the verbs, the store writes back what changed. Amounts of an attempt are whole pico-dollars; counters
are nano-dollars, each attempt rounded up by itself, so that a counter is never below the true sum and at most
a nano-dollar per attempt above it.

Every verb may come twice, late, or from another worker: it changes the counters once.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal

NANO = 1_000
"""Pico-dollars in a nano-dollar."""

State = Literal["held", "settled", "released", "expired"]


def nano(pico: int) -> int:
    """Pico-dollars as nano-dollars, rounded up."""
    return -(-pico // NANO)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """One budget as it binds one attempt: the counter that takes the charge, and those that are held against it.

    Attributes:
        budget: the name of the budget.
        subject: whom it counts, such as `user alice`; empty for everybody together.
        window: the key of the counter that this attempt is charged to, whenever it settles.
        counted: the keys whose sum must stay within the limit, `window` among them.
        nano: the limit in nano-dollars; `None` only counts and alerts.
        alerts: sums in nano-dollars, rising, that are worth an alert, each once per window.
        resets_at: when the window ends; `None` never.
        is_full: whether an attempt that was lost without a word is charged its whole hold.
    """

    budget: str
    subject: str = ""
    window: str
    counted: tuple[str, ...]
    nano: int | None
    alerts: tuple[int, ...] = ()
    resets_at: datetime | None = None
    is_full: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Counter:
    """What one window of one budget has paid and has promised, in nano-dollars.

    `alerted` is the highest sum that an alert was given for.
    """

    settled: int = 0
    reserved: int = 0
    alerted: int = 0

    @property
    def used(self) -> int:
        """Paid and promised together."""
        return self.settled + self.reserved


EMPTY = Counter()


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """What one attempt may cost at most, and what it has cost.

    Attributes:
        id: `request/attempt`.
        limits: the budgets it counts against, fixed when it was taken.
        amount: the hold, in pico-dollars.
        presumed: what it is charged if its worker is never heard of again.
        charged: what the counters hold as paid for it.
        lease_until: seconds since the epoch of the store's clock after which the worker counts as lost.
        owner: the worker that took it.
        fence: how often it has been taken away from a worker.
    """

    id: str
    limits: tuple[Limit, ...]
    amount: int
    presumed: int
    charged: int = 0
    state: State = "held"
    lease_until: float
    owner: str = ""
    fence: int = 0

    @property
    def windows(self) -> tuple[str, ...]:
        """The counters it is charged to."""
        return tuple(limit.window for limit in self.limits)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reserve:
    """Promise `amount` to an attempt, if every limit has room for it: all of them or none."""

    id: str
    limits: tuple[Limit, ...]
    amount: int
    presumed: int
    lease: float
    owner: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Extend:
    """The attempt is alive and has used up this much: renew its lease."""

    id: str
    presumed: int
    lease: float


@dataclass(frozen=True, slots=True, kw_only=True)
class TopUp:
    """Promise the attempt more, so that its hold is `amount` in all."""

    id: str
    amount: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Settle:
    """The attempt is over and has cost this much."""

    id: str
    actual: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """The attempt is over and has certainly cost nothing."""

    id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Expire:
    """The lease is over: charge what is presumed, unless the worker has been heard of since."""

    id: str


Verb = Reserve | Extend | TopUp | Settle | Release | Expire


@dataclass(frozen=True, slots=True, kw_only=True)
class Denied:
    """No room: the limit that has least left, and what it has used; in nano-dollars."""

    limit: Limit
    settled: int
    reserved: int
    wanted: int

    @property
    def remaining(self) -> int:
        """What the limit has left."""
        return max(0, (self.limit.nano or 0) - self.settled - self.reserved)


@dataclass(frozen=True, slots=True, kw_only=True)
class Crossing:
    """The sum of a window passed a threshold for the first time; amounts in nano-dollars."""

    budget: str
    subject: str
    window: str
    threshold: int
    limit: int | None
    settled: int
    resets_at: datetime | None


class Page:
    """The holds and counters of one transaction; `crossings` are the alerts that its verbs set off."""

    __slots__ = ("counters", "crossings", "holds")

    def __init__(
        self, *, counters: dict[str, Counter] | None = None, holds: dict[str, Hold] | None = None
    ) -> None:
        self.counters = {} if counters is None else counters
        self.holds = {} if holds is None else holds
        self.crossings: list[Crossing] = []

    def apply(self, verb: Verb, *, now: float) -> Hold | Denied | None:
        """What becomes of the hold; `None` for one that was never taken. `now` is the store's clock."""
        hold = self.holds.get(verb.id)
        if hold is None:
            return self._reserve(verb, now) if isinstance(verb, Reserve) else None
        return self._advance(hold, verb, now)

    def _advance(self, hold: Hold, verb: Verb, now: float) -> Hold | Denied:
        match verb:
            case Reserve():
                return hold
            case Extend():
                return self._extend(hold, verb, now)
            case TopUp():
                return self._top_up(hold, verb)
            case Settle():
                return self._over(hold, "settled", verb.actual)
            case Release():
                return self._over(hold, "released", 0)
            case _:
                return self._expire(hold, now)

    def _reserve(self, verb: Reserve, now: float) -> Hold | Denied:
        if denied := self._denial(verb.limits, nano(verb.amount)):
            return denied
        hold = Hold(
            id=verb.id,
            limits=verb.limits,
            amount=verb.amount,
            presumed=_presumed(verb.limits, verb.presumed, verb.amount),
            lease_until=now + verb.lease,
            owner=verb.owner,
        )
        self._reserve_more(hold, nano(hold.amount))
        return self._keep(hold)

    def _extend(self, hold: Hold, verb: Extend, now: float) -> Hold:
        if hold.state != "held":
            return hold
        presumed = max(verb.presumed, _presumed(hold.limits, 0, hold.amount))
        return self._keep(replace(hold, presumed=presumed, lease_until=now + verb.lease))

    def _top_up(self, hold: Hold, verb: TopUp) -> Hold | Denied:
        more = nano(verb.amount) - nano(hold.amount)
        if hold.state != "held" or more <= 0:
            return hold
        if denied := self._denial(hold.limits, more):
            return denied
        self._reserve_more(hold, more)
        return self._keep(
            replace(hold, amount=verb.amount, presumed=_presumed(hold.limits, hold.presumed, verb.amount))
        )

    def _over(self, hold: Hold, state: State, actual: int) -> Hold:
        """The word of the worker counts once, also when it comes after the lease."""
        return self._close(hold, state, actual) if hold.state in ("held", "expired") else hold

    def _expire(self, hold: Hold, now: float) -> Hold:
        if hold.state != "held" or now < hold.lease_until:
            return hold
        return self._close(replace(hold, fence=hold.fence + 1), "expired", hold.presumed)

    def _close(self, hold: Hold, state: State, actual: int) -> Hold:
        """Take back what was promised or presumed, charge what it has come to, and see what that sets off."""
        reserved = nano(hold.amount) if hold.state == "held" else 0
        for limit in hold.limits:
            counter = self.counters.get(limit.window, EMPTY)
            self.counters[limit.window] = replace(
                counter,
                reserved=counter.reserved - reserved,
                settled=counter.settled + nano(actual) - nano(hold.charged),
            )
            self._alert(limit)
        return self._keep(replace(hold, state=state, charged=actual))

    def _keep(self, hold: Hold) -> Hold:
        self.holds[hold.id] = hold
        return hold

    def _reserve_more(self, hold: Hold, amount: int) -> None:
        for window in hold.windows:
            counter = self.counters.get(window, EMPTY)
            self.counters[window] = replace(counter, reserved=counter.reserved + amount)

    def _denial(self, limits: Sequence[Limit], wanted: int) -> Denied | None:
        denials = [self._sums(limit, wanted) for limit in limits if limit.nano is not None]
        short = [denied for denied in denials if denied.remaining < wanted]
        return min(short, key=lambda denied: denied.remaining, default=None)

    def _sums(self, limit: Limit, wanted: int) -> Denied:
        counted = [self.counters.get(key, EMPTY) for key in limit.counted]
        return Denied(
            limit=limit,
            settled=sum(counter.settled for counter in counted),
            reserved=sum(counter.reserved for counter in counted),
            wanted=wanted,
        )

    def _alert(self, limit: Limit) -> None:
        counted = [self.counters.get(key, EMPTY) for key in limit.counted]
        settled = sum(counter.settled for counter in counted)
        known = max(counter.alerted for counter in counted)
        crossed = [threshold for threshold in limit.alerts if known < threshold <= settled]
        if not crossed:
            return
        self.counters[limit.window] = replace(self.counters[limit.window], alerted=max(crossed))
        self.crossings += [
            Crossing(
                budget=limit.budget,
                subject=limit.subject,
                window=limit.window,
                threshold=threshold,
                limit=limit.nano,
                settled=settled,
                resets_at=limit.resets_at,
            )
            for threshold in crossed
        ]


def _presumed(limits: Sequence[Limit], presumed: int, amount: int) -> int:
    """What a lost attempt is charged: its whole hold, where a budget will have it so."""
    return max(presumed, amount) if any(limit.is_full for limit in limits) else presumed
