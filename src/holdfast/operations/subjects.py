"""The subjects of a budget: everybody whose spending it has counted, as far as the store can tell."""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import cast, get_args

from holdfast.policy.budget import EVERYBODY, BudgetConfig, limit_of
from holdfast.policy.holds import Limit
from holdfast.ports import Dimension, SpendQuery, Store

RUNS = 1_000
"""Runs, heard of last, whose spending is looked up."""

LONGEST_UNIT = timedelta(days=32)
"""No hour, day or month that is not over began longer ago."""

LONGEST_PAST = timedelta(days=36_500)
"""Nothing was spent longer ago, whatever length a budget rolls over."""

SUMMED = frozenset(get_args(Dimension)) - {"hour", "day", "month"}


async def limits(store: Store, name: str, config: BudgetConfig, now: datetime) -> tuple[Limit, ...]:
    """How a budget binds everybody known at this moment.

    Known are those who have spent in its window or have a call under way. Values of tags are kept with attempts
    alone, so that of a budget by tag only those with calls under way are known.
    """
    values = dict.fromkeys(await _spenders(store, config, now))
    for hold in await store.held():
        for limit in hold.limits:
            if limit.budget == name:
                values[value_of(config.scope, limit.subject)] = None
    found = (limit_for(name, config, value, now) for value in values)
    return tuple(limit for limit in found if limit is not None)


def limit_for(name: str, config: BudgetConfig, value: str | None, at: datetime) -> Limit | None:
    """How a budget binds one subject; `None` for one that it does not count."""
    said: dict[str, str | None] = dict(config.where)
    if config.scope != EVERYBODY:
        said[config.scope] = value
    return limit_of(name, config, payer=said, model=said.get("model") or "", at=at)


def value_of(scope: str, subject: str) -> str | None:
    """Whom a subject such as `user alice` means, or `alice` itself; `None` for calls that do not say."""
    return None if subject in ("", f"no {scope}") else subject.removeprefix(f"{scope} ")


def summed(where: Mapping[str, str]) -> dict[Dimension, str]:
    """Of the conditions of a budget, those that sums of spending can be told apart by."""
    found: dict[Dimension, str] = {}
    for name, value in where.items():
        if name in SUMMED:
            found[cast("Dimension", name)] = value
    return found


async def _spenders(store: Store, config: BudgetConfig, now: datetime) -> Iterable[str | None]:
    scope = config.scope
    if scope in ("run", "agent"):
        runs = await store.runs(RUNS)
        return [None, *(run.run for run in runs)] if scope == "run" else _agents(run.agents for run in runs)
    if scope not in SUMMED:
        return [None]
    by = cast("Dimension", scope)
    where = summed(config.where)
    spends = await store.spend(SpendQuery(since=_beginning(config, now), by=(by,), where=where))
    return [*(spend.group[scope] for spend in spends), config.where.get(scope)]


def _agents(families: Iterable[Iterable[str]]) -> list[str | None]:
    return [None, *(agent for family in families for agent in family)]


def _beginning(config: BudgetConfig, now: datetime) -> datetime | None:
    if isinstance(config.per, timedelta):
        return now - min(2 * config.per, LONGEST_PAST)
    return None if config.per in ("total", "run") else now - LONGEST_UNIT
