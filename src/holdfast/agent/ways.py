"""What an agent brings along with its calls: its limits, its route, and its cache."""

from holdfast.call import NO_LIMITS, NO_WAYS, OwnLimits, OwnWays
from holdfast.parts.budget import Budget
from holdfast.parts.cache import Cache
from holdfast.parts.quota import Quota
from holdfast.parts.route import Route


def limits_of(name: str | None, budget: Budget | None, quota: Quota | None) -> OwnLimits:
    """The limits of an agent of that name; agents of one name share them."""
    if budget is None and quota is None:
        return NO_LIMITS
    whose = "agent" if name is None else f"agent {name}"
    return OwnLimits(
        budgets={} if budget is None else {whose: budget.config},
        quotas={} if quota is None else {whose: quota.config},
        crossed=None if budget is None else budget.crossed,
    )


def ways_of(cache: Cache | None, route: Route | None) -> OwnWays:
    """The ways of every call of an agent; without either those of the settings hold."""
    if cache is None and route is None:
        return NO_WAYS
    return OwnWays(
        route=None if route is None else route.config,
        routed=None if route is None else route.told,
        cache=None if cache is None else cache.own,
    )
