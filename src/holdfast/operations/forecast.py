"""What this month will have cost if things go on as in the last seven days, and when budgets will be used up."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from fractions import Fraction
from typing import cast

from holdfast.operations.budgets import Standing, standing_facts, standings
from holdfast.operations.desk import Desk, instant
from holdfast.operations.span import midnight, month_around
from holdfast.operations.spend import money
from holdfast.operations.subjects import SUMMED, summed, value_of
from holdfast.policy.budget import EVERYBODY, BudgetConfig
from holdfast.policy.holds import NANO
from holdfast.policy.period import zone_named
from holdfast.ports import Dimension, SpendQuery

BASIS = 7
"""Full days that the line is drawn through."""

DAY = timedelta(days=1)
FAR = timedelta(days=3_650)
"""What will not happen within ten years is not foretold."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Exhaustion:
    """When a budget will be used up for one subject; `at` is `None` where its window ends before that.

    `per_day` is in pico-dollars, `None` where nobody can tell: the sums do not tell agents, tags or doors apart.
    """

    standing: Standing
    per_day: Fraction | None
    at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """A month: what is spent, and what it will come to; amounts in pico-dollars.

    Attributes:
        basis_days: the full days that `per_day` is the mean of, at most seven; 0 on the first day of a ledger.
        per_day: the mean; `None` without a full day.
        total: what is spent and `per_day` for what is left of the month; `None` without `per_day`.
    """

    since: datetime
    until: datetime
    now: datetime
    timezone: str
    spent: int
    basis_days: int
    per_day: Fraction | None
    total: int | None
    budgets: tuple[Exhaustion, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Basis:
    """The full days that are looked back at."""

    since: datetime
    until: datetime
    days: int

    def per_day(self, pico: int) -> Fraction | None:
        return Fraction(pico, self.days) if self.days else None


async def forecast(desk: Desk, *, timezone: str = "UTC") -> Forecast:
    """The straight line on from the last seven full days; days and the month are those of `timezone`."""
    now, zone = desk.now, zone_named(timezone)
    since, until = month_around(now, zone)
    basis = await _basis(desk, timezone)
    spent = await _spent(desk, SpendQuery(since=since))
    per_day = basis.per_day(await _spent(desk, SpendQuery(since=basis.since, until=basis.until)))
    left = Fraction(round((until - now).total_seconds() * 1_000_000), round(DAY.total_seconds() * 1_000_000))
    return Forecast(
        since=since,
        until=until,
        now=now,
        timezone=timezone,
        spent=spent,
        basis_days=basis.days,
        per_day=per_day,
        total=None if per_day is None else spent + math.ceil(per_day * left),
        budgets=await _exhaustions(desk, basis),
    )


def forecast_facts(made: Forecast) -> dict[str, object]:
    """A forecast as plain data for JSON; dollars are decimal text."""
    return {
        "since": instant(made.since),
        "until": instant(made.until),
        "timezone": made.timezone,
        "spent": money(made.spent),
        "basis_days": made.basis_days,
        "per_day": _money(made.per_day),
        "total": money(made.total),
        "budgets": [
            {
                **standing_facts(one.standing),
                "per_day": _money(one.per_day),
                "exhausted_at": instant(one.at),
            }
            for one in made.budgets
        ],
    }


async def _basis(desk: Desk, timezone: str) -> _Basis:
    zone = zone_named(timezone)
    today, first = midnight(desk.now, zone), midnight(desk.now, zone, -BASIS)
    before = await desk.store.spend(SpendQuery(until=first))
    if before:
        return _Basis(since=first, until=today, days=BASIS)
    found = await desk.store.spend(SpendQuery(since=first, until=today, by=("day",), timezone=timezone))
    begun = next((day for one in found if (day := one.group["day"]) is not None), None)
    if begun is None:
        return _Basis(since=today, until=today, days=0)
    since = midnight(datetime.fromisoformat(f"{begun}T12:00").replace(tzinfo=zone), zone)
    return _Basis(since=since, until=today, days=round((today - since) / DAY))


async def _spent(desk: Desk, query: SpendQuery) -> int:
    return sum(one.cost_pico for one in await desk.store.spend(query))


async def _exhaustions(desk: Desk, basis: _Basis) -> tuple[Exhaustion, ...]:
    found: list[Exhaustion] = []
    rates: dict[str, Mapping[str | None, int] | None] = {}
    for one in await standings(desk):
        name, config = one.budget.name, one.budget.config
        if name not in rates:
            rates[name] = await _spent_by_subject(desk, config, basis)
        sums = rates[name]
        value = value_of(config.scope, one.limit.subject)
        per_day = None if sums is None else basis.per_day(sums.get(value, 0))
        found.append(Exhaustion(standing=one, per_day=per_day, at=exhausted_at(one, per_day, desk.now)))
    return tuple(found)


async def _spent_by_subject(
    desk: Desk, config: BudgetConfig, basis: _Basis
) -> Mapping[str | None, int] | None:
    """What each subject of a budget has spent in the days looked back at; `None` where sums do not tell."""
    if not {*config.where, config.scope} <= {*SUMMED, EVERYBODY} or config.per == "run":
        return None
    by = () if config.scope == EVERYBODY else (cast("Dimension", config.scope),)
    if not basis.days:
        return {}
    where = summed(config.where)
    spends = await desk.store.spend(SpendQuery(since=basis.since, until=basis.until, by=by, where=where))
    return {one.group[by[0]] if by else None: one.cost_pico for one in spends}


def exhausted_at(one: Standing, per_day: Fraction | None, now: datetime) -> datetime | None:
    """When a budget is used up if so much is spent a day; `None` if not before its window ends."""
    if one.remaining == 0:
        return now
    if not per_day:
        return None
    days = one.remaining * NANO / per_day
    config = one.budget.config
    if isinstance(config.per, timedelta):
        is_enough = per_day * Fraction(config.per / DAY) <= config.nano * NANO
        end = None if not is_enough else now
    else:
        end = one.limit.resets_at
    if days > FAR.days:
        return None
    at = (now + timedelta(days=float(days))).replace(microsecond=0)
    return at if end is None or at < end else None


def _money(pico: Fraction | None) -> str | None:
    return None if pico is None else money(math.ceil(pico))
