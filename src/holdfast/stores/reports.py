"""Sums by group, from the finest groups to those that were asked for."""

import math
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from functools import cache
from operator import itemgetter
from typing import Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from holdfast.errors import ConfigError
from holdfast.language import Sentence
from holdfast.ports import Dimension, Spend, SpendQuery
from holdfast.stores.draft import HOUR

PLAIN: tuple[Dimension, ...] = ("model", "upstream", "key", "user", "run")
"""Dimensions that are kept as they are; the others are units of time, made of hours."""

DAY = 24
"""Hours."""

SUMS = ("attempts", "input_tokens", "output_tokens", "cost_pico", "estimated_pico", "unpriced")

Values = tuple[str | None, ...]
Row = tuple[int, Values, tuple[int, ...]]
"""An hour since the epoch, the values of the dimensions in `PLAIN`, and the sums in `SUMS`."""


def bounds(query: SpendQuery) -> tuple[int, int]:
    """The first hour that is asked for, and the first that is not any more; hours that have begun are whole."""
    since = -(2**31) if query.since is None else math.floor(_hours(query.since))
    until = 2**31 - 1 if query.until is None else math.ceil(_hours(query.until))
    return since, until


def finest(query: SpendQuery) -> Literal["hour", "day"] | None:
    """The finest unit of time that the answer cannot do without; days are those of the timezone."""
    units = {name for name in (*query.by, *query.where) if name not in PLAIN}
    if "hour" in units:
        return "hour"
    return "day" if units else None


def stretches(since: int, until: int, timezone: str) -> Iterator[tuple[int, int, int]]:
    """The hours from `since` to before `until` in stretches in which the timezone keeps its distance from UTC.

    Each is its first hour, the first hour behind it, and the distance in seconds.
    """
    zone = _zone(timezone)
    while since < until:
        end, distance = min(since + DAY, until), _distance(since, zone)
        while end < until and _distance(end, zone) == distance:
            end = min(end + DAY, until)
        while _distance(end - 1, zone) != distance:
            end -= 1
        yield since, end, distance
        since = end


def fold(rows: Iterable[Row], query: SpendQuery) -> tuple[Spend, ...]:
    """The sums of rows by the groups of a query, sorted by their values, none first.

    Rows must lie between the bounds of the query. In a timezone that is not whole hours from UTC an hour of UTC
    belongs to the day that it begins in. Raises `ConfigError` for an unknown timezone.
    """
    zone = _zone(query.timezone)
    by = [_value_of(name, zone) for name in query.by]
    where = [(_value_of(name, zone), value) for name, value in query.where.items()]
    groups: dict[Values, list[int]] = {}
    for row in rows:
        if all(value_of(row) == value for value_of, value in where):
            group = tuple([value_of(row) for value_of in by])
            sums = groups.get(group)
            groups[group] = (
                list(row[2]) if sums is None else [a + b for a, b in zip(sums, row[2], strict=True)]
            )
    return tuple(
        Spend(group=dict(zip(query.by, group, strict=True)), **dict(zip(SUMS, sums, strict=True)))
        for group, sums in sorted(groups.items(), key=_order)
        if sums[0]
    )


def _order(pair: tuple[Values, list[int]]) -> list[tuple[bool, str]]:
    return [(value is not None, value or "") for value in pair[0]]


def _value_of(name: Dimension, zone: ZoneInfo) -> Callable[[Row], str | None]:
    if name in PLAIN:
        index = itemgetter(PLAIN.index(name))
        return lambda row: index(row[1])
    label = cache(_labels(name, zone))
    return lambda row: label(row[0])


def _labels(name: Dimension, zone: ZoneInfo) -> Callable[[int], str]:
    if name == "hour":
        return lambda hour: _start(hour).strftime("%Y-%m-%dT%H:00Z")
    form = "%Y-%m-%d" if name == "day" else "%Y-%m"
    return lambda hour: _start(hour).astimezone(zone).strftime(form)


def _start(hour: int) -> datetime:
    return datetime.fromtimestamp(hour * HOUR, UTC)


def _hours(at: datetime) -> float:
    return at.timestamp() / HOUR


def _distance(hour: int, zone: ZoneInfo) -> int:
    distance = _start(hour).astimezone(zone).utcoffset()
    return 0 if distance is None else int(distance.total_seconds())


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ConfigError(
            Sentence(
                f"`{name}` is no timezone that this machine knows: write one such as Asia/Seoul or UTC",
                ko=f"`{name}`은(는) 이 컴퓨터가 아는 시간대가 아닙니다. Asia/Seoul이나 UTC처럼 적어 주세요",
            )
        ) from error
