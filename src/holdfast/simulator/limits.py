"""Rate limits per key and model: token buckets with the API's headers, enforced on request only."""

import math
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from threading import Lock

from holdfast.simulator.problems import ORGANIZATION, ApiError
from holdfast.simulator.ramp import Climb, Ramp
from holdfast.simulator.refusals import refusal


@dataclass(frozen=True, slots=True, kw_only=True)
class RateLimits:
    """Requests and tokens per minute, refilled continuously; input counts cache writes but not cache reads.

    Output is taken when it was written, and may leave a debt; `ramp` also limits how fast the input may grow.
    """

    requests: int = 4_000
    input_tokens: int = 2_000_000
    output_tokens: int = 400_000
    ramp: Ramp | None = None

    def __post_init__(self) -> None:
        if min(self.requests, self.input_tokens, self.output_tokens) < 1:
            raise ValueError("a rate limit lets at least one through per minute")


@dataclass(frozen=True, slots=True, kw_only=True)
class Who:
    """Whose standing it is."""

    key: str
    model: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """The same moment as monotonic seconds and as wall time."""

    at: float
    wall: datetime


@dataclass(slots=True)
class _Bucket:
    limit: int
    level: float
    at: float

    def refill(self, now: float) -> None:
        """Add what came in since the last look."""
        self.level = min(self.limit, self.level + max(0.0, now - self.at) * self.limit / 60)
        self.at = now

    def seconds_until(self, amount: float) -> float:
        """How long until `amount` is available, or the bucket is full."""
        return max(0.0, (min(amount, self.limit) - self.level) * 60 / self.limit)

    def take(self, amount: float, *, in_debt: bool) -> None:
        """Take an amount, even if it is not there; without limits enforced, nobody owes it."""
        self.level -= amount
        if not in_debt:
            self.level = max(0.0, self.level)

    @property
    def remaining(self) -> int:
        return max(0, int(self.level + 1e-9))


@dataclass(slots=True)
class _Standing:
    """The buckets of one caller."""

    requests: _Bucket
    given: _Bucket
    written: _Bucket
    climb: Climb = field(default_factory=Climb)

    @classmethod
    def full(cls, rules: RateLimits, now: float) -> "_Standing":
        return cls(
            requests=_Bucket(limit=rules.requests, level=rules.requests, at=now),
            given=_Bucket(limit=rules.input_tokens, level=rules.input_tokens, at=now),
            written=_Bucket(limit=rules.output_tokens, level=rules.output_tokens, at=now),
        )

    @property
    def buckets(self) -> tuple[_Bucket, _Bucket, _Bucket]:
        return self.requests, self.given, self.written

    def refuse(self, who: Who, rules: RateLimits, input_tokens: int, now: float) -> None:
        """Raise 429 where a limit is reached; the one that takes longest is named."""
        waits = (
            (self.requests.seconds_until(1), rules.requests, "requests"),
            (self.given.seconds_until(input_tokens), rules.input_tokens, "input tokens"),
            (self.written.seconds_until(1), rules.output_tokens, "output tokens"),
        )
        wait, limit, unit = max(waits)
        if wait > 0:
            raise ApiError(
                status=429, message=_reached(who, limit, unit), headers={"retry-after": _whole(wait)}
            )
        if rules.ramp is not None and (wait := self.climb.seconds_until(input_tokens, rules.ramp, now)) > 0:
            raise refusal("ramp_limit_exceeded", retry_after=float(_whole(wait)))


KEEP = 10_000
"""How many keys and models are remembered."""


@dataclass(slots=True)
class Limits:
    """The standing of every key and model."""

    _standings: dict[Who, _Standing] = field(default_factory=dict[Who, _Standing])
    _lock: Lock = field(default_factory=Lock)

    def admit(self, who: Who, rules: RateLimits | None, input_tokens: int, now: float) -> None:
        """Take one request and its input; raises 429 with `retry-after` where limits are enforced and reached."""
        with self._lock:
            standing = self._of(who, rules or RateLimits(), now)
            if rules is not None:
                standing.refuse(who, rules, input_tokens, now)
            standing.requests.take(1, in_debt=False)
            standing.given.take(input_tokens, in_debt=rules is not None)
            standing.climb.take(input_tokens, now)

    def spend(self, who: Who, rules: RateLimits | None, output_tokens: int, now: float) -> None:
        """Take what was written."""
        with self._lock:
            written = self._of(who, rules or RateLimits(), now).written
            written.take(output_tokens, in_debt=rules is not None)

    def headers(self, who: Who, rules: RateLimits | None, moment: Moment) -> dict[str, str]:
        """The `anthropic-ratelimit-*` headers at a moment: limits, what remains, and when all is back (RFC 3339)."""
        with self._lock:
            standing = self._of(who, rules or RateLimits(), moment.at)
            requests, given, written = standing.buckets
            rows = (
                ("requests", (requests,)),
                ("input-tokens", (given,)),
                ("output-tokens", (written,)),
                ("tokens", (given, written)),
            )
            found: dict[str, str] = {}
            for name, buckets in rows:
                full = max(bucket.seconds_until(bucket.limit) for bucket in buckets)
                found[f"anthropic-ratelimit-{name}-limit"] = str(sum(bucket.limit for bucket in buckets))
                found[f"anthropic-ratelimit-{name}-remaining"] = str(
                    sum(bucket.remaining for bucket in buckets)
                )
                found[f"anthropic-ratelimit-{name}-reset"] = _rfc3339(moment.wall + timedelta(seconds=full))
            return found

    def clear(self) -> None:
        """Everyone starts with full buckets."""
        with self._lock:
            self._standings.clear()

    def _of(self, who: Who, rules: RateLimits, now: float) -> _Standing:
        standing = self._standings.get(who)
        limits = (rules.requests, rules.input_tokens, rules.output_tokens)
        if standing is None or tuple(bucket.limit for bucket in standing.buckets) != limits:
            standing = self._standings[who] = _Standing.full(rules, now)
            if len(self._standings) > KEEP:
                del self._standings[next(iter(self._standings))]
        for bucket in standing.buckets:
            bucket.refill(now)
        return standing


def _reached(who: Who, limit: int, unit: str) -> str:
    return (
        f"This request would exceed your organization's rate limit of {limit:,} {unit} per minute "
        f"(org: {ORGANIZATION}, model: {who.model}). You can see the response headers for current usage."
    )


def _whole(seconds: float) -> str:
    """Seconds rounded up: whoever comes back then is let in."""
    return str(max(1, math.ceil(seconds - 1e-9)))


def _rfc3339(moment: datetime) -> str:
    """The moment to the second, never before it."""
    if moment.microsecond:
        moment = moment.replace(microsecond=0) + timedelta(seconds=1)
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
