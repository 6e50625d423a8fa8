"""What this month will have cost, as a range with its method."""

from dataclasses import dataclass
from datetime import timedelta
from math import ceil, sqrt
from statistics import stdev

from holdfast.operations.desk import Desk
from holdfast.operations.forecast import BASIS, Forecast
from holdfast.operations.span import midnight
from holdfast.operations.spend import money
from holdfast.policy.period import zone_named
from holdfast.ports import SpendQuery

DAY = timedelta(days=1)
WIDTH = 2.0
"""Standard deviations to each side: about 19 months in 20 end within them, if days do not depend on each other."""
FEWEST = 2
"""Days without which nobody knows how much days differ."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Range:
    """Between what and what a month will end, in pico-dollars."""

    low: int
    high: int


async def outlook(desk: Desk, made: Forecast) -> Range | None:
    """The straight line of the forecast and how far days have strayed from it; `None` without two full days."""
    if made.total is None or made.basis_days < FEWEST:
        return None
    zone = zone_named(made.timezone)
    since, until = midnight(desk.now, zone, -made.basis_days), midnight(desk.now, zone)
    days = await desk.store.spend(SpendQuery(since=since, until=until, by=("day",), timezone=made.timezone))
    costs = [one.cost_pico for one in days]
    strays = stdev([*costs, *[0] * (made.basis_days - len(costs))]) * sqrt((made.until - made.now) / DAY)
    low = max(made.spent, made.total - ceil(WIDTH * strays))
    return Range(low=low, high=made.total + ceil(WIDTH * strays))


def outlook_facts(made: Forecast, found: Range | None) -> dict[str, object]:
    """The forecast as the page shows it; dollars are decimal text."""
    return {
        "spent": money(made.spent),
        "total": money(made.total),
        "low": None if found is None else money(found.low),
        "high": None if found is None else money(found.high),
        "per_day": None if made.per_day is None else money(ceil(made.per_day)),
        "days": made.basis_days,
        "whole_days": BASIS,
    }
