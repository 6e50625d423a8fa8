"""What a caller hears of limits: those of a key that many share are nobody's, so each is told where it stands itself."""

import asyncio
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction

from holdfast.assembly import Runtime
from holdfast.call import Call, Principal
from holdfast.errors import StoreUnavailable
from holdfast.policy.budget import limit_of
from holdfast.policy.holds import Limit
from holdfast.wire.headers import Headers

UNIFIED = "anthropic-ratelimit-unified-"
UPSTREAMS_OWN = ("anthropic-ratelimit-", "anthropic-priority-", "anthropic-fast-")
THRESHOLDS = (Fraction(95, 100), Fraction(75, 100))
"""Parts of a limit that clients warn of, the highest first."""
FRESH = 1.0
"""Seconds for which a sum of the store is good enough to be told."""
STORE_TIMEOUT = 0.25
KEPT = 1_000


def is_shared(runtime: Runtime, upstream: str | None) -> bool:
    """Whether an answer came by a key of ours, or by nobody's who is told of."""
    return any(one.key is not None for one in runtime.upstreams if upstream in (None, one.name))


def without_limits(headers: Headers) -> Headers:
    """The headers of an upstream without what they say of its limits."""
    return tuple(pair for pair in headers if not pair[0].startswith(UPSTREAMS_OWN))


@dataclass(slots=True)
class Standings:
    """Tells callers how much of their tightest hard budget is used; sums are looked up once a second at most."""

    _known: OrderedDict[tuple[str, ...], tuple[float, Mapping[str, tuple[int, int]]]] = field(
        default_factory=OrderedDict[tuple[str, ...], tuple[float, Mapping[str, tuple[int, int]]]]
    )

    async def of(self, runtime: Runtime, call: Call) -> dict[str, str]:
        """The `anthropic-ratelimit-unified-*` headers of a call; none where no hard budget binds it."""
        limits = [limit for limit in _limits(runtime, call) if limit.nano]
        if not limits:
            return {}
        used = await self._used(runtime, tuple(sorted({name for one in limits for name in one.counted})))
        if used is None:
            return {}
        return told(max(((part_used(one, used), one) for one in limits), key=lambda pair: pair[0]))

    async def _used(self, runtime: Runtime, windows: tuple[str, ...]) -> Mapping[str, tuple[int, int]] | None:
        now = runtime.clock.monotonic()
        known = self._known.get(windows)
        if known is not None and now - known[0] < FRESH:
            return known[1]
        try:
            async with asyncio.timeout(STORE_TIMEOUT):
                used = await runtime.ledger.used(windows)
        except (StoreUnavailable, TimeoutError):
            return None
        self._known[windows] = (now, used)
        while len(self._known) > KEPT:
            self._known.popitem(last=False)
        return used


def dimensions(principal: Principal) -> dict[str, str | None]:
    """What budgets tell callers apart by."""
    return {
        "door": principal.door,
        "key": principal.key,
        "user": principal.user,
        "run": principal.run,
        "agent": principal.agent,
        **{f"tag:{name}": value for name, value in principal.tags.items()},
    }


def _limits(runtime: Runtime, call: Call) -> list[Limit]:
    payer, model = dimensions(call.principal), call.request.model
    budgets = {**call.own_limits.budgets, **runtime.stations.orders.budgets()}
    now = runtime.clock.now()
    found = (limit_of(name, config, payer=payer, model=model, at=now) for name, config in budgets.items())
    return [limit for limit in found if limit is not None]


def part_used(limit: Limit, used: Mapping[str, tuple[int, int]]) -> Fraction:
    """The part of a hard limit that is spent or held."""
    total = sum(sum(used.get(window, (0, 0))) for window in limit.counted)
    return Fraction(total, limit.nano or 1)


def told(tightest: tuple[Fraction, Limit]) -> dict[str, str]:
    """How a caller stands, as headers that clients of Anthropic know."""
    part, limit = tightest
    passed = next((threshold for threshold in THRESHOLDS if part >= threshold), None)
    status = "rejected" if part >= 1 else "allowed" if passed is None else "allowed_warning"
    said = {f"{UNIFIED}status": status, f"{UNIFIED}overage-utilization": f"{float(part):.4f}"}
    if passed is not None:
        said[f"{UNIFIED}overage-surpassed-threshold"] = f"{float(passed):.2f}"
    if limit.resets_at is not None:
        reset = f"{int(limit.resets_at.timestamp())}"
        said |= {f"{UNIFIED}reset": reset, f"{UNIFIED}overage-reset": reset}
    return said
