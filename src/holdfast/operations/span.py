"""Spans of time as people write them: `today`, `7d`, a day, a moment."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta, tzinfo
from typing import Literal

from holdfast.errors import ConfigError
from holdfast.language import Sentence
from holdfast.policy.period import UNITS, zone_named

HOUR = timedelta(hours=1)
LENGTH = re.compile(r"([0-9]{1,6})([smhd])")
Edge = Literal["since", "until"]
_WORDS = ("today", "yesterday", "month", "all")


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """`since <= at < until` in whole hours of UTC, which is what sums are kept by; `None` has no edge.

    `timezone` is the one that days and months are those of.
    """

    since: datetime | None
    until: datetime | None
    timezone: str

    def has(self, at: datetime) -> bool:
        """Whether a moment lies in it."""
        return (self.since is None or self.since <= at) and (self.until is None or at < self.until)


def span(since: str | None, until: str | None, *, timezone: str, now: datetime) -> Span:
    """The span between two texts, widened to whole hours; without `since`, this month.

    A text is `today`, `yesterday`, `month` (its beginning), `all`, a length such as `7d` (so long ago), a day
    such as `2026-11-22`, or a moment such as `2026-11-22T09:30`. Days and moments that do not say where are
    those of `timezone`. Raises `ConfigError` for any other, and where `since` is not before `until`.
    """
    zone = zone_named(timezone)
    begin = _moment("since", since or "month", zone, now)
    end = None if until is None else _moment("until", until, zone, now)
    if begin is not None and end is not None and begin >= end:
        raise ConfigError(
            Sentence(
                f"since: {since or 'month'} is not before until ({until}); swap them, or leave one out",
                ko=f"since: {since or 'month'} 시점이 until({until})보다 앞서야 합니다. 순서를 바꾸거나 하나를 빼세요",
            )
        )
    return Span(since=_hour(begin), until=_hour_after(end), timezone=timezone)


def length(text: str) -> timedelta | None:
    """A length of time such as `90m`, `24h` or `7d`; `None` for what is none."""
    found = LENGTH.fullmatch(text)
    return None if found is None else int(found[1]) * UNITS[found[2]]


def midnight(at: datetime, zone: tzinfo, days: int = 0) -> datetime:
    """The beginning of the day of a moment, or of one so many days later."""
    day = at.astimezone(zone).date() + timedelta(days=days)
    return datetime.combine(day, time(), tzinfo=zone).astimezone(UTC)


def month_around(at: datetime, zone: tzinfo) -> tuple[datetime, datetime]:
    """Beginning and end of the month of a moment."""
    first = at.astimezone(zone).date().replace(day=1)
    following = (first + timedelta(days=31)).replace(day=1)
    begin, end = (datetime.combine(day, time(), tzinfo=zone).astimezone(UTC) for day in (first, following))
    return begin, end


def _moment(edge: Edge, text: str, zone: tzinfo, now: datetime) -> datetime | None:
    word = text.strip()
    if word == "all":
        return None
    if word in ("today", "yesterday"):
        return midnight(now, zone, -int(word == "yesterday"))
    if word == "month":
        return month_around(now, zone)[0]
    try:
        ago = length(word)
        return _written(word, zone) if ago is None else now - ago
    except (ValueError, OverflowError) as error:
        raise ConfigError(
            Sentence(
                f"{edge}: {text[:80]!r} is no time; write {', '.join(_WORDS)}, a length such as 7d, "
                "or a day such as 2026-11-22",
                ko=f"{edge}: {text[:80]!r}은(는) 시각이 아닙니다. {', '.join(_WORDS)}, 7d 같은 길이, "
                "2026-11-22 같은 날짜 중에서 적으세요",
            )
        ) from error


def _written(word: str, zone: tzinfo) -> datetime:
    at = datetime.fromisoformat(word)
    return (at if at.tzinfo is not None else at.replace(tzinfo=zone)).astimezone(UTC)


def _hour(at: datetime | None) -> datetime | None:
    return None if at is None else at.replace(minute=0, second=0, microsecond=0)


def _hour_after(at: datetime | None) -> datetime | None:
    begun = _hour(at)
    return begun if at is None or begun is None or begun == at else begun + HOUR
