"""The circuit of one target: a state machine without lock, clock or dice.

Closed lets calls through and counts, open refuses, half_open lets a few probes through and listens to
them alone. Three rules keep it honest under calls that last minutes. A permit belongs to the generation
that granted it, and what comes back from an older one is dropped. A permit settles once. A probe that
never comes back loses its lease, and the circuit opens again instead of waiting for ever.

A move happens when it was due, not when somebody looked: the same calls at the same times lead to the
same state however often the state was read in between. Every verb takes `now`, seconds on any monotonic
clock, and those that may open the circuit a `roll` of the dice in [0, 1).
"""

from dataclasses import dataclass
from itertools import islice
from math import inf
from typing import Literal

from holdfast.policy.breaker_config import JITTER, BreakerConfig
from holdfast.policy.permit import NotPermitted, Outcome, Permit, Permitted
from holdfast.policy.window import Window

__all__ = [
    "BreakerConfig",
    "Circuit",
    "NotPermitted",
    "Order",
    "Outcome",
    "Permit",
    "Permitted",
    "Reason",
    "Snapshot",
    "State",
    "Transition",
    "Word",
]

State = Literal["closed", "open", "half_open", "forced_open", "disabled", "metrics_only"]
Order = Literal["closed", "forced_open", "disabled", "metrics_only"]
Reason = Literal[
    "failure_threshold",
    "failure_rate_threshold",
    "slow_call_rate_threshold",
    "recovery_timeout",
    "probe_failed",
    "probe_lost",
    "success_threshold",
    "operator",
    "peer",
]

PROBE_RETRY_AFTER = 1.0
"""Seconds after which it makes sense to ask again while all probes are out."""
LIVE_MAX = 16_384
"""Permits remembered at once; beyond that the oldest are forgotten, so that leaks stay bounded."""
CHANGES_MAX = 64
TOLERANCE = 1e-6
"""Seconds: who comes back after exactly `retry_after` is not turned away for a rounding of the clock."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Transition:
    """One move of a circuit; `retry_after` is how long it stays open, where it opened.

    `openings` is how often in a row it had opened by then.
    """

    before: State
    after: State
    at: float
    reason: Reason
    generation: int
    retry_after: float | None = None
    openings: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """A circuit at one moment: its state, its window, and counters since it was made."""

    state: State
    generation: int
    retry_after: float | None
    consecutive_failures: int
    consecutive_openings: int
    probe_successes: int
    calls: int
    failures: int
    slow_calls: int
    live: int
    permitted_total: int
    not_permitted_total: int
    stale_outcomes_total: int
    repeated_outcomes_total: int
    forgotten_permits_total: int
    adopted_total: int

    @property
    def failure_rate(self) -> float:
        """Failed share of the window, 0 when it is empty."""
        return self.failures / self.calls if self.calls else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Word:
    """What a peer says of a circuit: how it moved at `at`, and for how many seconds from now it stays open.

    `openings` is how often in a row it had opened there.
    """

    state: Literal["open", "closed"]
    at: float
    retry_after: float = 0.0
    openings: int = 1


class Circuit:
    """The machine of one target; its owner serialises the calls and keeps the clock.

    Why generations: a call admitted before the circuit opened may end minutes later, in half_open, and
    would count as a probe. Why leases: a probe whose caller died would hold its place for ever.
    """

    def __init__(self, config: BreakerConfig) -> None:
        self.config = config
        self._state: State = "closed"
        self._generation = 0
        self._live: dict[int, float] = {}
        self._begun: dict[int, float] = {}
        self._window = Window(config.window)
        self._changes: tuple[Transition, ...] = ()
        self._until = 0.0
        self._known_at = -inf
        self._is_adopted = False
        self._number = self._consecutive = self._openings = self._successes = 0
        self._denied = self._stale = self._repeated = self._forgotten = self._adopted = 0

    def acquire(self, *, now: float, roll: float) -> Permitted | NotPermitted:
        """Ask for leave to make one call."""
        if self._state != "closed":
            refusal = self._refusal(now, roll)
            if refusal is not None:
                self._denied += 1
                return refusal
        number = self._number = self._number + 1
        self._live[number] = now
        if len(self._live) > LIVE_MAX:
            self._forget(self._live)
        is_probe = self._state == "half_open"
        return Permitted(
            Permit(generation=self._generation, number=number, granted_at=now, is_probe=is_probe)
        )

    def report(
        self, permit: Permit, outcome: Outcome, *, now: float, roll: float, retry_after: float | None = None
    ) -> None:
        """Settle a permit; one of an older generation, or settled before, changes nothing but a counter."""
        if self._state != "closed":
            self.tick(now=now, roll=roll)
        if permit.generation != self._generation:
            self._stale += 1
            return
        granted = self._live.pop(permit.number, None)
        if granted is not None:
            self._count(outcome, now=now, roll=roll, took=now - granted, retry_after=retry_after)
        elif self._begun.pop(permit.number, None) is None:
            self._repeated += 1
        elif outcome is Outcome.FAIL and self._state != "half_open":
            self._count(outcome, now=now, roll=roll, took=0.0, retry_after=retry_after)

    def begin(self, permit: Permit, *, now: float, roll: float) -> None:
        """The first content of a stream came: that is health, known now and not minutes later.

        The permit goes back once more with the end of the stream, of which only a failure counts, and
        only while the circuit is still closed in the same generation.
        """
        is_first = permit.number in self._live
        self.report(permit, Outcome.OK, now=now, roll=roll)
        if is_first and permit.generation == self._generation:
            self._begun[permit.number] = now
            if len(self._begun) > LIVE_MAX:
                self._forget(self._begun)

    def record(self, outcome: Outcome, *, now: float, roll: float, retry_after: float | None = None) -> None:
        """Count an outcome that belongs to no permit, for the generation of this moment.

        In half_open it stands for the oldest probe, so that callers who lost their permit free its place.
        """
        self.tick(now=now, roll=roll)
        if self._state == "half_open" and self._live:
            del self._live[next(iter(self._live))]
        self._count(outcome, now=now, roll=roll, took=0.0, retry_after=retry_after)

    def tick(self, *, now: float, roll: float) -> None:
        """Make the moves that time alone makes: a lost probe, the end of the time in open."""
        if self._state == "half_open" and self._live:
            due = next(iter(self._live.values())) + self.config.permit_lease
            if now >= due:
                self._open(due, "probe_lost", roll=roll, retry_after=None)
        if self._state == "open" and now >= self._until - TOLERANCE:
            known_at = self._known_at
            self._enter("half_open", self._until, "recovery_timeout")
            # Time alone brings no news: what a peer saw meanwhile is still worth hearing.
            self._known_at = known_at

    def is_settled(self, permit: Permit) -> bool:
        """Whether the permit is of this generation and its outcome has been counted."""
        return permit.generation == self._generation and permit.number not in self._live

    def order(self, state: Order, *, now: float) -> None:
        """An operator's word: closed starts afresh, the other three hold until the next order.

        forced_open refuses all; disabled permits all and counts nothing; metrics_only permits all and counts.
        """
        if state == "closed" or state != self._state:
            self._enter(state, now, "operator")

    def adopt(self, word: Word, *, now: float, roll: float) -> None:
        """Follow a peer that watches the same target; an operator's order stands above it.

        A word that is older than what is known here, or past, changes nothing: where a call went well since, it
        is the peer that has a problem. What was opened here for reasons of our own keeps its time, whatever a
        peer says; what a peer opened never lasts longer than it would if we had.
        """
        self.tick(now=now, roll=roll)
        if word.at < self._known_at:
            return
        wait = min(self.config.wait_max * (1.0 + JITTER), word.retry_after)
        if word.state == "open" and wait > 0 and self._state in ("closed", "half_open"):
            self._openings = max(self._openings, word.openings)
            self._until = now + wait
            self._follow(word, now, wait)
        elif word.state == "closed" and (self._state == "half_open" or self._is_adopted):
            self._follow(word, now, None)

    def take_changes(self) -> tuple[Transition, ...]:
        """The moves since the last time this was asked, oldest first, at most the last 64."""
        changes, self._changes = self._changes, ()
        return changes

    def retry_after(self, *, now: float) -> float | None:
        """Seconds until a call may go, 0 when it may go now, `None` when only an operator can tell."""
        match self._state:
            case "open":
                return max(0.0, self._until - now)
            case "forced_open":
                return None
            case "half_open" if len(self._live) >= self.config.permitted_calls_in_half_open:
                return PROBE_RETRY_AFTER
            case _:
                return 0.0

    def snapshot(self, *, now: float, roll: float) -> Snapshot:
        """The circuit at this moment, for people and metrics."""
        self.tick(now=now, roll=roll)
        self._window.roll(now)
        return Snapshot(
            state=self._state,
            generation=self._generation,
            retry_after=self.retry_after(now=now),
            consecutive_failures=self._consecutive,
            consecutive_openings=self._openings,
            probe_successes=self._successes,
            calls=self._window.calls,
            failures=self._window.failures,
            slow_calls=self._window.slow,
            live=len(self._live),
            permitted_total=self._number,
            not_permitted_total=self._denied,
            stale_outcomes_total=self._stale,
            repeated_outcomes_total=self._repeated,
            forgotten_permits_total=self._forgotten,
            adopted_total=self._adopted,
        )

    def _follow(self, word: Word, now: float, wait: float | None) -> None:
        self._adopted += 1
        self._enter(word.state, now, "peer", retry_after=wait)
        self._known_at, self._is_adopted = min(word.at, now), word.state == "open"

    def _refusal(self, now: float, roll: float) -> NotPermitted | None:
        self.tick(now=now, roll=roll)
        retry_after = self.retry_after(now=now)
        return None if retry_after == 0.0 else NotPermitted(retry_after=retry_after)

    def _count(
        self, outcome: Outcome, *, now: float, roll: float, took: float, retry_after: float | None
    ) -> None:
        if outcome is Outcome.NEUTRAL:
            return
        match self._state:
            case "closed" | "metrics_only":
                reason = self._judge(outcome, now, took)
                if reason is not None and self._state == "closed":
                    self._open(now, reason, roll=roll, retry_after=retry_after)
            case "half_open" if outcome is Outcome.FAIL:
                self._open(now, "probe_failed", roll=roll, retry_after=retry_after)
            case "half_open":
                self._successes += 1
                self._known_at = now
                if self._successes >= self.config.success_threshold:
                    self._enter("closed", now, "success_threshold")
            case _:
                return

    def _judge(self, outcome: Outcome, now: float, took: float) -> Reason | None:
        """Put one sample in the books; the rule that it breaks, if any."""
        config, window = self.config, self._window
        failed = outcome is Outcome.FAIL
        slow = not failed and took > config.slow_call_duration_threshold
        self._consecutive = self._consecutive + 1 if failed else 0
        window.add(now, failed=failed, slow=slow)
        if not failed:
            self._known_at = now
        if not (failed or slow):
            return None
        if failed and config.failure_threshold is not None and self._consecutive >= config.failure_threshold:
            return "failure_threshold"
        return self._judge_rates(failed) if window.calls >= config.minimum_calls else None

    def _judge_rates(self, failed: bool) -> Reason | None:
        window, config = self._window, self.config
        by_failure, by_slow = config.failure_rate_threshold, config.slow_call_rate_threshold
        if failed and by_failure is not None and window.failures / window.calls >= by_failure:
            return "failure_rate_threshold"
        if by_slow is not None and window.slow / window.calls >= by_slow:
            return "slow_call_rate_threshold"
        return None

    def _open(self, at: float, reason: Reason, *, roll: float, retry_after: float | None) -> None:
        self._openings += 1
        wait = self.config.wait(self._openings, roll=roll, retry_after=retry_after)
        self._until = at + wait
        self._enter("open", at, reason, retry_after=wait)

    def _enter(self, state: State, at: float, reason: Reason, *, retry_after: float | None = None) -> None:
        self._generation += 1
        move = Transition(
            before=self._state,
            after=state,
            at=at,
            reason=reason,
            generation=self._generation,
            retry_after=retry_after,
            openings=self._openings,
        )
        self._changes = (*self._changes[1 - CHANGES_MAX :], move)
        self._state = state
        self._known_at, self._is_adopted = at, False
        self._successes = 0
        self._live.clear()
        self._begun.clear()
        if state not in ("open", "half_open"):
            self._consecutive = self._openings = 0
            self._window.clear()

    def _forget(self, permits: dict[int, float]) -> None:
        # Half at a time: taking the first key of a dict one by one walks over the gaps again and again.
        oldest = list(islice(permits, len(permits) // 2))
        for number in oldest:
            del permits[number]
        self._forgotten += len(oldest)
