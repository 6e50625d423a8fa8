"""Who spends more than usual: today against the median of the last seven days of his own, and what an hour costs now."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from fractions import Fraction
from statistics import median
from typing import Literal

from holdfast.operations.desk import Desk
from holdfast.operations.span import midnight
from holdfast.operations.spend import money
from holdfast.policy.period import zone_named
from holdfast.ports import Spend, SpendQuery

By = Literal["key", "user", "model", "run"]
BYS: tuple[By, ...] = ("key", "user", "model", "run")
DAYS = 7
"""Full days that somebody is compared with."""
SHOWN = 50
HOUR = timedelta(hours=1)
Name = str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Mover:
    """One spender; amounts in pico-dollars.

    Attributes:
        usual: the median of his days among the last seven, from the first on that he spent on; `None` for a new one.
        per_hour: what an hour costs at the pace of the last two.
        unpriced: his attempts of today that no price is known for.
    """

    name: Name
    today: int
    usual: int | None
    per_hour: int
    unpriced: int

    @property
    def times(self) -> Fraction | None:
        """How many times his usual day today is by now; `None` without one."""
        return Fraction(self.today, self.usual) if self.usual else None


async def movers(desk: Desk, by: By, *, timezone: str) -> tuple[Mover, ...]:
    """Those who have spent today, the one who spent most first."""
    zone = zone_named(timezone)
    begun, first = midnight(desk.now, zone), midnight(desk.now, zone, -DAYS)
    hour = desk.now.replace(minute=0, second=0, microsecond=0) - HOUR
    query = SpendQuery(since=begun, by=(by,), timezone=timezone)
    today = await desk.store.spend(query)
    days = await desk.store.spend(SpendQuery(since=first, until=begun, by=(by, "day"), timezone=timezone))
    lately = await desk.store.spend(SpendQuery(since=hour, by=(by,), timezone=timezone))
    passed = Fraction(round((desk.now - hour).total_seconds()), round(HOUR.total_seconds()))
    yesterday = desk.now.astimezone(zone).date() - timedelta(days=1)
    usual = {name: _usual(costs, yesterday) for name, costs in _by_name(days, by).items()}
    paces = {one.group[by]: round(one.cost_pico / passed) for one in lately}
    found = [
        Mover(
            name=one.group[by],
            today=one.cost_pico,
            usual=usual.get(one.group[by]),
            per_hour=paces.get(one.group[by], 0),
            unpriced=one.unpriced,
        )
        for one in today
    ]
    return tuple(sorted(found, key=lambda one: one.today, reverse=True))


def mover_facts(one: Mover, whole: int) -> dict[str, object]:
    """A spender as plain data; `whole` is what everybody has spent today."""
    return {
        "name": one.name,
        "today": money(one.today),
        "usual": money(one.usual),
        "times": None if one.times is None else f"{float(one.times):.1f}",
        "per_hour": money(one.per_hour),
        "share": round(100 * one.today / whole) if whole else 0,
        "unpriced": one.unpriced,
    }


def _by_name(days: tuple[Spend, ...], by: By) -> Mapping[Name, list[tuple[date, int]]]:
    found: defaultdict[Name, list[tuple[date, int]]] = defaultdict(list)
    for one in days:
        found[one.group[by]].append((date.fromisoformat(one.group["day"] or ""), one.cost_pico))
    return found


def _usual(costs: list[tuple[date, int]], yesterday: date) -> int:
    """The median of all days since his first, those among them on which he spent nothing."""
    days = (yesterday - min(day for day, _ in costs)).days + 1
    return round(median([*(cost for _, cost in costs), *[0] * (days - len(costs))]))
