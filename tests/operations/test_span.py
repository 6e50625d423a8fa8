"""Spans of time as people write them."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.errors import ConfigError
from holdfast.operations.span import Span, midnight, month_around, span

NOW = datetime(2026, 11, 22, 12, 34, 56, tzinfo=UTC)


def edges(since: str | None = None, until: str | None = None, *, timezone: str = "UTC") -> list[str | None]:
    found = span(since, until, timezone=timezone, now=NOW)
    return [None if at is None else f"{at:%Y-%m-%dT%H:%M}" for at in (found.since, found.until)]


@pytest.mark.parametrize(
    ("since", "until", "timezone", "expected"),
    [
        (None, None, "UTC", ["2026-11-01T00:00", None]),
        ("month", None, "Asia/Seoul", ["2026-10-31T15:00", None]),
        ("today", None, "UTC", ["2026-11-22T00:00", None]),
        ("today", None, "Asia/Seoul", ["2026-11-21T15:00", None]),
        ("yesterday", "today", "UTC", ["2026-11-21T00:00", "2026-11-22T00:00"]),
        ("all", None, "UTC", [None, None]),
        ("7d", None, "UTC", ["2026-11-15T12:00", None]),
        ("90m", None, "UTC", ["2026-11-22T11:00", None]),
        ("2026-11-02", "2026-11-03", "Asia/Seoul", ["2026-11-01T15:00", "2026-11-02T15:00"]),
        ("2026-11-02T09:30", "2026-11-02T09:31", "UTC", ["2026-11-02T09:00", "2026-11-02T10:00"]),
        ("2026-11-02T09:00:00+09:00", None, "UTC", ["2026-11-02T00:00", None]),
        ("2026-11-02T09:00Z", "2026-11-02T10:00Z", "Asia/Seoul", ["2026-11-02T09:00", "2026-11-02T10:00"]),
    ],
)
def test_a_span_is_what_people_mean_in_whole_hours(
    since: str | None, until: str | None, timezone: str, expected: list[str | None]
) -> None:
    assert edges(since, until, timezone=timezone) == expected


@pytest.mark.parametrize("text", ["", "soon", "0", "2026-13-01", "99999999999d", "-7d"])
@pytest.mark.parametrize("edge", ["since", "until"])
def test_what_is_no_time_is_refused_with_examples(text: str, edge: str) -> None:
    texts = {"since": "month", "until": None, edge: text or " "}
    with pytest.raises(ConfigError, match=f"{edge}: .*2026-11-22"):
        span(texts["since"], texts["until"], timezone="UTC", now=NOW)


def test_a_length_that_is_longer_than_time_is_refused() -> None:
    with pytest.raises(ConfigError, match="is no time"):
        span("999999d", None, timezone="UTC", now=NOW)


def test_a_span_that_ends_before_it_begins_is_refused() -> None:
    with pytest.raises(ConfigError, match="is not before until"):
        span("today", "yesterday", timezone="UTC", now=NOW)
    with pytest.raises(ConfigError, match=r"month is not before until"):
        span(None, "2026-10-01", timezone="UTC", now=NOW)


def test_a_timezone_that_is_not_known_is_refused() -> None:
    with pytest.raises(ConfigError, match="Asia/Seol"):
        span(None, None, timezone="Asia/Seol", now=NOW)


@given(st.integers(0, 40 * 365 * 24 * 60))
def test_every_moment_is_in_its_own_day_and_month(minutes: int) -> None:
    at = datetime(2000, 1, 1, tzinfo=UTC) + timedelta(minutes=minutes)
    zone = ZoneInfo("America/New_York")
    begin, end = month_around(at, zone)
    today = Span(since=midnight(at, zone), until=midnight(at, zone, 1), timezone="America/New_York")

    assert today.has(at)
    assert today.since is not None
    assert begin <= today.since
    assert begin <= at < end
    assert begin.astimezone(zone).day == end.astimezone(zone).day == 1
    assert timedelta(days=27) < end - begin < timedelta(days=32)


def test_a_span_without_edges_has_every_moment() -> None:
    assert Span(since=None, until=None, timezone="UTC").has(NOW)
    assert not Span(since=None, until=NOW, timezone="UTC").has(NOW)
