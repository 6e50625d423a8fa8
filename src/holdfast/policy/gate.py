"""Gates: what a rate, a spent account or a rejected key forbids, apart from the health of the target.

A gate is open, closed until a moment, or closed until somebody acts. Three rules keep it honest under
calls that last minutes. A permit remembers how often the gate had moved when it was granted: a call that
set out before the gate closed can neither open it again nor close it once more after it has opened. A
permit settles once. Of a gate that probes, only the latest probe is listened to, so that one which never
comes back costs an interval and no more.

Every verb takes `now`, seconds on any monotonic clock; time alone opens a gate when it was due, not when
somebody looked.
"""

from collections import OrderedDict
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from math import inf, isfinite
from typing import Literal

from holdfast.errors import ConfigError
from holdfast.language import Sentence
from holdfast.policy.failure import Gate as GateName
from holdfast.policy.permit import Outcome, Permit
from holdfast.policy.retry import check_time

Why = Literal[
    "rate_limited", "spend_limit_reached", "credential_rejected", "ramp_limited", "concurrency_limited"
]
Reason = Literal[Why, "time_passed", "probe_succeeded", "operator", "peer"]

JITTER = 0.1
"""A wait is stretched by up to this share, so that workers closed by one limit do not come back as one."""
PLACE_RETRY_AFTER = 1.0
"""Seconds after which it makes sense to ask again while all places are taken."""
GROWTH_MAX = 1_000
"""A limit of concurrency that grew by so much, in hours without a ramp limit, is lifted."""
LIVE_MAX = 16_384
"""Permits remembered at once; beyond that the oldest is forgotten, so that leaks stay bounded."""
MOVES_MAX = 64
TOLERANCE = 1e-6
"""Seconds: who comes back after exactly `retry_after` is not turned away for a rounding of the clock."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GateConfig:
    """How long gates stay closed and how they find out that they may open; times in seconds.

    Attributes:
        wait_max: the longest time that an upstream's word closes a rate or ramp gate, before jitter.
        ramp_wait: how long a ramp gate closes when the upstream names no time.
        probe_interval: how often one call may try a closed spend or credential gate.
        ramp_factor: what a ramp limit leaves of the calls in flight, a share below 1.
        ramp_step: a time without ramp limit after which one more call may be in flight.
        permit_lease: a call unheard of for so long is lost, and its place free again.
    """

    wait_max: float = 600.0
    ramp_wait: float = 1.0
    probe_interval: float = 900.0
    ramp_factor: float = 0.7
    ramp_step: float = 10.0
    permit_lease: float = 900.0

    def __post_init__(self) -> None:
        for key in ("wait_max", "ramp_wait", "probe_interval", "ramp_step", "permit_lease"):
            check_time(key, getattr(self, key))
        if not 0 < self.ramp_factor < 1:
            raise ConfigError(
                Sentence(
                    "ramp_factor: must be a share above 0 and below 1; correct this setting",
                    ko="ramp_factor: 0보다 크고 1보다 작은 비율이어야 합니다. 설정을 고치세요",
                )
            )


@dataclass(frozen=True, slots=True)
class Open:
    """Calls may go."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClosedUntil:
    """No call may go before `until`, which is `retry_after` seconds ahead."""

    until: float
    retry_after: float
    why: Why


@dataclass(frozen=True, slots=True, kw_only=True)
class ClosedManually:
    """No call may go until an operator opens the gate or a probe comes through."""

    why: Why


Closed = ClosedUntil | ClosedManually
Standing = Open | Closed


@dataclass(frozen=True, slots=True, kw_only=True)
class GateMove:
    """A gate opened or closed; `retry_after` is how long it closed for, where time will open it."""

    state: Literal["open", "closed"]
    at: float
    reason: Reason
    generation: int
    retry_after: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class GateRules:
    """What sets one gate apart from another.

    Attributes:
        why: what its closing is called.
        wait: seconds to close for when the upstream names no time; `inf` for manually, `None` for not at all.
        wait_max: bound of the time that the upstream names.
        jitter: share by which that time is stretched at most.
        probe_interval: seconds between two probes while closed; `None` for no probes.
        permit_lease: seconds after which a permit is forgotten.
    """

    why: Why
    wait: float | None = None
    wait_max: float = inf
    jitter: float = 0.0
    probe_interval: float | None = None
    permit_lease: float


@dataclass(slots=True)
class _Closing:
    """One time of being closed: `wish` seconds from `at`; `probe` is the one whose word counts."""

    at: float
    wish: float
    until: float
    roll: float
    probe_at: float
    probe: int | None = None


class Gate:
    """The machine of one gate; its owner serialises the calls and keeps the clock."""

    def __init__(self, rules: GateRules) -> None:
        self.rules = rules
        self._generation = self._number = 0
        self._live: OrderedDict[int, float] = OrderedDict()
        self._closing: _Closing | None = None
        self._moves: tuple[GateMove, ...] = ()
        self._known_at = -inf

    @property
    def is_idle(self) -> bool:
        """Open, without calls under way: nothing is lost by forgetting it."""
        return self._closing is None and not self._live

    def standing(self, *, now: float) -> Standing:
        """Whether the gate is open, and if not, until when."""
        self.tick(now=now)
        closing = self._closing
        if closing is None:
            return Open()
        if closing.until == inf:
            return ClosedManually(why=self.rules.why)
        return ClosedUntil(until=closing.until, retry_after=closing.until - now, why=self.rules.why)

    def refusal(self, *, now: float) -> Closed | None:
        """What a call would be told that wants through now; `None` when it may go, perhaps as a probe."""
        standing = self.standing(now=now)
        if isinstance(standing, Open) or (self._closing and now >= self._closing.probe_at - TOLERANCE):
            return None
        return standing

    def grant(self, *, now: float) -> Permit:
        """Leave for a call that `refusal` has nothing against at this moment; while closed it is a probe."""
        self.tick(now=now)
        number = self._number = self._number + 1
        self._live[number] = now
        if len(self._live) > LIVE_MAX:
            self._live.popitem(last=False)
        if self._closing is not None:
            self._closing.probe = number
            self._closing.probe_at = now + self._probe_interval
        return Permit(generation=self._generation, number=number, granted_at=now)

    def begin(self, permit: Permit, *, now: float) -> None:
        """The first content of a stream came: a probe has come through; its place is kept until the report."""
        self.tick(now=now)
        if permit.number in self._live:
            self._hear(permit, Outcome.OK, now)

    def report(self, permit: Permit, outcome: Outcome, *, now: float) -> None:
        """Settle a permit whose call says nothing against this gate.

        A probe that succeeded opens; one that failed for other reasons gives its place to the next.
        """
        self.tick(now=now)
        if self._live.pop(permit.number, None) is not None:
            self._hear(permit, outcome, now)

    def close(self, permit: Permit, *, now: float, roll: float, wait: float | None = None) -> None:
        """Settle a permit whose call was refused on account of this gate; `wait` is what the upstream asks for.

        Calls that set out before the gate closed can lengthen that same closing, up to `wait_max` from its
        beginning; after it they change nothing. `roll` in [0, 1).
        """
        self.tick(now=now)
        if self._live.pop(permit.number, None) is None:
            return
        closing, wish = self._closing, self._wish(wait)
        if wish is None:
            self._hear(permit, Outcome.NEUTRAL, now)
        elif closing is None:
            if permit.generation == self._generation:
                self._shut(now, wish, roll)
        elif permit.number == closing.probe:
            closing.probe = None
        elif permit.generation == self._generation - 1 and self.rules.probe_interval is None:
            closing.wish = max(closing.wish, now - closing.at + wish)
            closing.until = self._until(closing)

    def open(self, *, now: float) -> None:
        """An operator's word: let calls through again."""
        self.tick(now=now)
        if self._closing is not None:
            self._open(now, "operator")

    def adopt(
        self, state: Literal["open", "closed"], *, now: float, at: float, retry_after: float | None
    ) -> None:
        """Follow a peer before whom the same gate moved at `at`; `retry_after` is what is left of its wait.

        A word that is older than what is known here, or past, changes nothing; nor does a closing where ours
        is closed. The first probe is due when the peer's is.
        """
        self.tick(now=now)
        if at < self._known_at:
            return
        wish = inf if self.rules.wait == inf else retry_after
        if state == "open" and self._closing is not None:
            self._open(now, "peer")
        elif state == "closed" and self._closing is None and wish is not None and wish > 0:
            due = at + self._probe_interval
            self._start(_Closing(at=now, wish=wish, until=inf, roll=0.0, probe_at=due), "peer")
        else:
            return
        self._known_at = at

    def tick(self, *, now: float) -> None:
        """Do what time alone does: open what was closed until now, forget permits whose lease is over."""
        if self._closing is not None and now >= self._closing.until - TOLERANCE:
            self._open(self._closing.until, "time_passed")
        live = self._live
        while live and now - live[next(iter(live))] >= self.rules.permit_lease:
            live.popitem(last=False)

    def take_moves(self) -> tuple[GateMove, ...]:
        """The moves since the last time this was asked, oldest first, at most the last 64."""
        moves, self._moves = self._moves, ()
        return moves

    @property
    def _probe_interval(self) -> float:
        return inf if self.rules.probe_interval is None else self.rules.probe_interval

    def _wish(self, wait: float | None) -> float | None:
        if self.rules.wait == inf:
            return inf
        return wait if wait is not None and isfinite(wait) and wait > 0 else self.rules.wait

    def _until(self, closing: _Closing) -> float:
        wait = min(self.rules.wait_max, closing.wish)
        return closing.at + wait * (1.0 + self.rules.jitter * closing.roll)

    def _hear(self, permit: Permit, outcome: Outcome, now: float) -> None:
        closing = self._closing
        if closing is None or permit.number != closing.probe:
            return
        if outcome is Outcome.OK:
            self._open(now, "probe_succeeded")
        else:
            closing.probe, closing.probe_at = None, now

    def _shut(self, now: float, wish: float, roll: float) -> None:
        closing = _Closing(at=now, wish=wish, until=inf, roll=roll, probe_at=now + self._probe_interval)
        self._start(closing, self.rules.why)

    def _start(self, closing: _Closing, reason: Reason) -> None:
        closing.until = self._until(closing)
        self._closing = closing
        wait = None if closing.until == inf else closing.until - closing.at
        self._move("closed", closing.at, reason, wait)

    def _open(self, at: float, reason: Reason) -> None:
        self._closing = None
        self._move("open", at, reason)

    def _move(
        self, state: Literal["open", "closed"], at: float, reason: Reason, retry_after: float | None = None
    ) -> None:
        self._generation += 1
        if reason != "time_passed":
            # Time alone brings no news: what a peer saw meanwhile is still worth hearing.
            self._known_at = at
        move = GateMove(
            state=state, at=at, reason=reason, generation=self._generation, retry_after=retry_after
        )
        self._moves = (*self._moves[1 - MOVES_MAX :], move)


class RampGate(Gate):
    """The gate of a credential that grew too fast: it also bounds how many calls are in flight at once.

    A ramp limit leaves `ramp_factor` of the calls in flight; every `ramp_step` seconds in which the gate
    was open and stayed so add one (additive increase, multiplicative decrease, as in botocore).
    """

    def __init__(self, rules: GateRules, config: GateConfig) -> None:
        super().__init__(rules)
        self._factor, self._step = config.ramp_factor, config.ramp_step
        self._limit: int | None = None
        self._clean_since = 0.0

    @property
    def is_idle(self) -> bool:
        """Open, without calls under way and without a limit."""
        return super().is_idle and self._limit is None

    def limit(self, *, now: float) -> int | None:
        """How many calls may be in flight at once; `None` for no limit."""
        self.tick(now=now)
        return self._limit if self._limit is None else self._limit + self._grown(now)

    def refusal(self, *, now: float) -> Closed | None:
        refusal, limit = super().refusal(now=now), self.limit(now=now)
        if refusal is None and limit is not None and len(self._live) >= limit:
            return ClosedUntil(
                until=now + PLACE_RETRY_AFTER, retry_after=PLACE_RETRY_AFTER, why="concurrency_limited"
            )
        return refusal

    def tick(self, *, now: float) -> None:
        super().tick(now=now)
        if self._limit is not None and self._grown(now) >= GROWTH_MAX:
            self._limit = None

    def _grown(self, now: float) -> int:
        return (
            max(0, int((now - self._clean_since + TOLERANCE) // self._step)) if self._closing is None else 0
        )

    def _shut(self, now: float, wish: float, roll: float) -> None:
        busy = len(self._live) + 1  # the call that reports has given its place back already
        limit = self.limit(now=now)
        base = busy if limit is None else min(limit, busy)
        self._limit = max(1, int(base * self._factor + TOLERANCE))
        super()._shut(now, wish, roll)

    def _start(self, closing: _Closing, reason: Reason) -> None:
        if reason == "peer":
            # The peer has fewer calls in flight from now on; ours keep what they have grown to.
            self._limit = self.limit(now=closing.at)
        super()._start(closing, reason)

    def _open(self, at: float, reason: Reason) -> None:
        super()._open(at, reason)
        self._clean_since = at
        if reason == "operator":
            self._limit = None


def gate_of(name: GateName, config: GateConfig) -> Gate:
    """A new gate of that name, open."""
    lease, every = config.permit_lease, config.probe_interval
    timed = GateRules(why="rate_limited", wait_max=config.wait_max, jitter=JITTER, permit_lease=lease)
    probed = GateRules(why="spend_limit_reached", probe_interval=every, permit_lease=lease)
    if name == "rate":
        return Gate(timed)
    if name == "ramp":
        return RampGate(replace(timed, why="ramp_limited", wait=config.ramp_wait), config)
    return Gate(probed if name == "spend" else replace(probed, why="credential_rejected", wait=inf))


def until_next_month(now: datetime) -> float:
    """Seconds until the next 1st, 00:00 UTC: then the API counts its monthly spend limits anew."""
    utc = now.astimezone(UTC)
    first = datetime(utc.year + utc.month // 12, utc.month % 12 + 1, 1, tzinfo=UTC)
    return (first - utc).total_seconds()
