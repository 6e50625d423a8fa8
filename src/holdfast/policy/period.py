"""Periods of a budget: which window of time a moment falls into, and what that window is called."""

import difflib
import re
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from fractions import Fraction
from typing import Literal, cast, get_args
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from holdfast.errors import ConfigError
from holdfast.language import Sentence

Calendar = Literal["hour", "day", "month"]
Unending = Literal["total", "run"]
Per = Calendar | Unending | timedelta
"""A unit of the calendar, no end at all (`run` ends with its run), or a length: the last so many hours, rolling."""

BUCKETS = 24
"""Parts of a rolling window: what was spent falls out of it in steps of a 24th of its length."""

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
SECOND, HOUR, DAY = timedelta(seconds=1), timedelta(hours=1), timedelta(days=1)
MICROSECOND = timedelta(microseconds=1)
UNITS = {"s": SECOND, "m": timedelta(minutes=1), "h": HOUR, "d": DAY}
LENGTH = re.compile(r"([0-9]{1,6})([smhd])")
LONGEST = timedelta(days=36_500)
"""The longest rolling window: a hundred years."""

_EXACT_LENGTH = re.compile(r"([0-9]{1,10})(\.[0-9]{1,6})?([smhd])")
NAMES: tuple[str, ...] = (*get_args(Calendar), *get_args(Unending))


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """One window of a period.

    Attributes:
        charged: the name of what a moment is charged to; no other window of any period has it.
        counted: the names that are summed up against a limit at that moment, `charged` among them.
        resets_at: the earliest moment at which time alone may make room, in UTC; `None` never.
    """

    charged: str
    counted: tuple[str, ...]
    resets_at: datetime | None


def period(value: object) -> Per:
    """A period as settings write it: `hour`, `day`, `month`, `total`, `run`, or a length such as `24h` or `7d`.

    Raises `ConfigError` for anything else.
    """
    if isinstance(value, str) and value in NAMES:
        return cast("Per", value)
    found = _EXACT_LENGTH.fullmatch(value) if isinstance(value, str) else None
    micros = Fraction(0)
    if isinstance(value, timedelta):
        micros = Fraction(value // MICROSECOND)
    elif found is not None:
        micros = Fraction(found[1] + (found[2] or "")) * (UNITS[found[3]] // MICROSECOND)
    if 0 < micros <= LONGEST // MICROSECOND and micros.denominator == 1:
        return micros.numerator * MICROSECOND
    raise ConfigError(
        Sentence(
            f"per: {_shown(value)} is no period; write hour, day, month, total, run, "
            "or a length such as 90m, 24h or 7d",
            ko=f"per: {_shown(value)}은(는) 기간이 아닙니다. hour, day, month, total, run "
            "또는 90m, 24h, 7d 같은 길이로 적으세요",
        )
    )


def window_at(per: Per, zone: tzinfo, at: datetime) -> Window:
    """The window that a moment falls into; hours, days and months are those of `zone`. `at` has a time zone.

    A day begins at the first moment whose date is that day or later, whatever the clocks do; an hour ends where
    they are turned. So every moment is in one window, and no window comes back.
    """
    at = at.astimezone(UTC)
    if isinstance(per, timedelta):
        return _rolling(per, at)
    if per == "total" or per == "run":
        return Window(charged=per, counted=(per,), resets_at=None)
    start, end = _unit(per, zone, at)
    name = f"{per} {start:%Y-%m-%dT%H:%M:%SZ} {zone}"
    return Window(charged=name, counted=(name,), resets_at=end)


def written(per: Per) -> str:
    """A period as settings write it."""
    if not isinstance(per, timedelta):
        return per
    units = "dhm" if per > DAY else "hm"
    unit = next((name for name in units if not per % UNITS[name]), None)
    if unit is not None:
        return f"{per // UNITS[unit]}{unit}"
    whole, micros = divmod(per // MICROSECOND, SECOND // MICROSECOND)
    return f"{whole}.{micros:06}".rstrip("0").rstrip(".") + "s"


def zone_named(name: str) -> tzinfo:
    """The time zone of that name, such as `Asia/Seoul`; raises `ConfigError` for one that is not known here."""
    if name == "UTC":
        return UTC
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ConfigError(_no_zone(name, available_timezones())) from error


def _no_zone(name: str, known: Collection[str]) -> Sentence:
    shown = _shown(name)
    if not known:
        return Sentence(
            f"timezone: {shown} cannot be looked up, for this machine has no list of time zones: "
            "run `pip install tzdata`",
            ko=f"timezone: 이 컴퓨터에 시간대 목록이 없어 {shown}을(를) 찾을 수 없습니다. "
            "`pip install tzdata`를 실행하세요",
        )
    near = difflib.get_close_matches(name, known, n=1)
    meant = near[0] if near else "Asia/Seoul"
    return Sentence(
        f"timezone: {shown} is no time zone; write a name such as {meant}",
        ko=f"timezone: {shown}은(는) 시간대 이름이 아닙니다. {meant} 같은 이름으로 적으세요",
    )


def _unit(per: Calendar, zone: tzinfo, at: datetime) -> tuple[datetime, datetime]:
    day = at.astimezone(zone).date()
    if per == "hour":
        return _hour(zone, at)
    if per == "day":
        return _dates(zone, at, day, _next_day)
    return _dates(zone, at, day.replace(day=1), _next_month)


def _rolling(length: timedelta, at: datetime) -> Window:
    """The bucket of this moment, the 24 before it and the 24 after it.

    Those before hold every stretch that ends now. Those after are empty now; for what is still under way then,
    and is charged to this bucket, they are the rest of every stretch that it is part of.
    """
    micros = length // MICROSECOND
    now = (at - EPOCH) // MICROSECOND * BUCKETS // micros
    return Window(
        charged=f"last {micros}us {now}",
        counted=tuple(f"last {micros}us {number}" for number in range(now - BUCKETS, now + BUCKETS + 1)),
        resets_at=EPOCH + -(-(now + 1) * micros // BUCKETS) * MICROSECOND,
    )


def _next_day(day: date) -> date:
    return day + DAY


def _next_month(first: date) -> date:
    return (first + 31 * DAY).replace(day=1)


def _dates(
    zone: tzinfo, at: datetime, first: date, following: Callable[[date], date]
) -> tuple[datetime, datetime]:
    """Start and end of the unit of days around a moment, which begins with the day `first` or one after it."""
    end = _begin(zone, following(first))
    # Clocks that are turned back over midnight show yesterday again: the new day has begun all the same.
    while end <= at:
        first = following(first)
        end = _begin(zone, following(first))
    return _begin(zone, first), end


def _begin(zone: tzinfo, day: date) -> datetime:
    """The first moment whose date in the zone is this day or a later one."""
    midnight = datetime.combine(day, time(), tzinfo=zone)
    first, second = midnight.astimezone(UTC), midnight.replace(fold=1).astimezone(UTC)
    if first <= second:
        return first
    # Clocks are turned forward over midnight: the day begins where they are turned.
    return _turn(second, first, lambda moment: moment.astimezone(zone).date() >= day)


def _hour(zone: tzinfo, at: datetime) -> tuple[datetime, datetime]:
    """Start and end of the hour around a moment; one in which clocks are turned by half an hour is cut there."""
    start = _full_hour(zone, at)
    end = start + HOUR
    if _full_hour(zone, end - SECOND) != start:
        end = _turn(at, end, lambda moment: _full_hour(zone, moment) != start)
    if _full_hour(zone, start) != start:
        return _turn(start, at, lambda moment: _full_hour(zone, moment) == start), end
    return start, end


def _full_hour(zone: tzinfo, at: datetime) -> datetime:
    local = at.astimezone(zone)
    return at - timedelta(minutes=local.minute, seconds=local.second, microseconds=local.microsecond)


def _turn(before: datetime, after: datetime, is_turned: Callable[[datetime], bool]) -> datetime:
    """The first full second for which `is_turned` holds; not yet `before`, but `after`."""
    low = (before - EPOCH) // SECOND
    high = -((EPOCH - after) // SECOND)
    while high - low > 1:
        middle = (low + high) // 2
        if is_turned(EPOCH + middle * SECOND):
            high = middle
        else:
            low = middle
    return EPOCH + high * SECOND


def _shown(value: object) -> str:
    return repr(value)[:80]
