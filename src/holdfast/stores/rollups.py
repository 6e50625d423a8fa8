"""Coarser sums beside the finest: which groups they add together, and which of them answer a report."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Literal

from holdfast.ports import SpendQuery
from holdfast.stores.draft import NOTHING, Group, Sums

Table = Literal["spend_of_keys", "spend_of_days", "spend", "spend_of_runs"]
Stretch = tuple[Table, int, int]
"""A table to be summed, the first of its hours and the first behind the last."""

DAY = 24
"""Hours."""


def of_everybody(group: Group) -> Group:
    """The same whoever the user was, and whatever the run."""
    return replace(group, user=None, run=None)


def of_day(group: Group) -> Group:
    """The same for the whole day of UTC, which goes by its first hour, whatever the run."""
    return replace(group, hour=group.hour - group.hour % DAY, run=None)


def of_any_run(group: Group) -> Group:
    """The same whatever the run."""
    return replace(group, run=None)


def added(sums: Mapping[Group, Sums], coarser: Callable[[Group], Group]) -> dict[Group, Sums]:
    """The sums of coarser groups."""
    found: dict[Group, Sums] = {}
    for group, one in sums.items():
        whole = coarser(group)
        found[whole] = found.get(whole, NOTHING).plus(one)
    return found


def finest_table(query: SpendQuery) -> Table:
    """The smallest table that knows every hour, and everything else that is asked for."""
    asked = {*query.by, *query.where}
    if "run" in asked:
        return "spend_of_runs"
    return "spend" if "user" in asked else "spend_of_keys"


def stretches_of(query: SpendQuery, since: int, until: int, *, by_day: bool) -> Iterator[Stretch]:
    """The tables to be summed from one hour to before another; `by_day` if days of UTC may stay whole."""
    table = finest_table(query)
    first, last = since + -since % DAY, until - until % DAY
    if table != "spend" or not by_day or first >= last:
        yield table, since, until
        return
    parts: tuple[Stretch, ...] = ((table, since, first), ("spend_of_days", first, last), (table, last, until))
    yield from (part for part in parts if part[1] < part[2])
