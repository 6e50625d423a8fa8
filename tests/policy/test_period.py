"""Windows of time: which one a moment falls into, whatever the clocks of its zone do."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from itertools import pairwise
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from holdfast.errors import ConfigError
from holdfast.policy.period import (
    BUCKETS,
    LONGEST,
    SECOND,
    Per,
    Window,
    period,
    window_at,
    written,
    zone_named,
)

CALENDAR: list[Per] = ["hour", "day", "month"]
SEOUL = ZoneInfo("Asia/Seoul")
ZONES = [
    "UTC",
    "Asia/Seoul",
    "America/New_York",
    "Europe/Berlin",
    "Asia/Kolkata",  # half an hour
    "Asia/Kathmandu",  # three quarters
    "Australia/Lord_Howe",  # turned by half an hour
    "America/St_Johns",  # until 2011 turned at one past midnight
    "America/Sao_Paulo",  # until 2018 skipped midnight
    "America/Havana",  # shows midnight twice
    "America/Toronto",  # in 1919 went from 23:30 to 00:30
    "Pacific/Apia",  # skipped the 30th of December 2011
    "Asia/Pyongyang",  # in 2018 went from 23:30 to midnight
    "America/Caracas",  # in 2016 from 02:30 to 03:00
    "Africa/Monrovia",  # until 1972 off by 44 minutes and 30 seconds
]

zones = st.sampled_from(ZONES).map(ZoneInfo)
years = st.integers(-(2**31), 2**31).map(lambda second: datetime(1970, 1, 1, tzinfo=UTC) + second * SECOND)
lengths = st.timedeltas(timedelta(microseconds=1), timedelta(days=400))


def turns() -> Iterator[tuple[ZoneInfo, datetime]]:
    """The days on which clocks are turned, in the years that have the strangest of them."""
    for name in ZONES:
        for year in (1919, 1972, 1987, 2010, 2011, 2016, 2018, 2026):
            zone = ZoneInfo(name)
            days = [datetime(year, 1, 1, tzinfo=UTC) + timedelta(days=day) for day in range(366)]
            for day, following in pairwise(days):
                if day.astimezone(zone).utcoffset() != following.astimezone(zone).utcoffset():
                    yield zone, following


TURNS = list(turns())
near_turns = st.tuples(st.sampled_from(TURNS), st.integers(-100_000, 100_000)).map(
    lambda drawn: (drawn[0][0], drawn[0][1] + timedelta(seconds=drawn[1]))
)
moments = st.one_of(st.tuples(zones, years), near_turns)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text)


def ends(per: Per, zone: str, moment: str) -> str:
    window = window_at(per, ZoneInfo(zone), at(moment))
    assert window.resets_at is not None
    return window.resets_at.isoformat()


# ---- the calendar


def test_a_day_ends_at_midnight_of_its_zone() -> None:
    window = window_at("day", SEOUL, at("2026-11-22T14:59:59.999999Z"))
    assert window == Window(
        charged="day 2026-11-21T15:00:00Z Asia/Seoul",
        counted=("day 2026-11-21T15:00:00Z Asia/Seoul",),
        resets_at=at("2026-11-22T15:00:00Z"),
    )
    assert window_at("day", SEOUL, at("2026-11-22T15:00:00Z")).charged != window.charged


def test_a_month_ends_with_its_last_day_in_its_zone() -> None:
    assert ends("month", "Asia/Seoul", "2026-11-30T14:59:59Z") == "2026-11-30T15:00:00+00:00"
    assert ends("month", "Asia/Seoul", "2026-11-30T15:00:00Z") == "2026-12-31T15:00:00+00:00"
    assert ends("month", "UTC", "2028-02-29T12:00:00Z") == "2028-03-01T00:00:00+00:00"


def test_the_hour_of_a_half_hour_zone_is_its_own() -> None:
    assert ends("hour", "Asia/Kolkata", "2026-11-22T12:29:00Z") == "2026-11-22T12:30:00+00:00"
    assert ends("hour", "Asia/Kolkata", "2026-11-22T12:30:00Z") == "2026-11-22T13:30:00+00:00"


@pytest.mark.parametrize(
    ("day", "start", "end"),
    [
        ("2026-03-29T12:00:00Z", "2026-03-28T23:00:00Z", "2026-03-29T22:00:00+00:00"),  # 23 hours
        ("2026-10-25T12:00:00Z", "2026-10-24T22:00:00Z", "2026-10-25T23:00:00+00:00"),  # 25 hours
    ],
)
def test_a_day_is_as_long_as_the_clocks_make_it(day: str, start: str, end: str) -> None:
    assert window_at("day", ZoneInfo("Europe/Berlin"), at(day)).charged == f"day {start} Europe/Berlin"
    assert ends("day", "Europe/Berlin", day) == end


def test_an_hour_that_comes_twice_is_two_windows() -> None:
    zone = ZoneInfo("Europe/Berlin")
    first, second = (window_at("hour", zone, at(f"2026-10-25T0{hour}:30:00Z")) for hour in (0, 1))
    assert first.charged != second.charged


def test_an_hour_in_which_clocks_are_turned_by_half_an_hour_is_cut_there() -> None:
    assert ends("hour", "Australia/Lord_Howe", "2026-04-04T14:59:00Z") == "2026-04-04T15:00:00+00:00"
    assert ends("hour", "Australia/Lord_Howe", "2026-04-04T15:00:00Z") == "2026-04-04T15:30:00+00:00"
    assert ends("hour", "Australia/Lord_Howe", "2026-10-03T15:30:00Z") == "2026-10-03T16:00:00+00:00"
    # North Korea left its half hour behind at 23:30.
    assert ends("hour", "Asia/Pyongyang", "2018-05-04T14:45:00Z") == "2018-05-04T15:00:00+00:00"
    assert ends("day", "Asia/Pyongyang", "2018-05-04T14:45:00Z") == "2018-05-04T15:00:00+00:00"
    # Liberia went from -0:44:30 to GMT at its midnight, in the middle of an hour of UTC.
    assert ends("hour", "Africa/Monrovia", "1972-01-07T00:43:00Z") == "1972-01-07T00:44:30+00:00"
    assert ends("hour", "Africa/Monrovia", "1972-01-07T00:45:00Z") == "1972-01-07T01:00:00+00:00"


def test_a_day_without_midnight_begins_where_the_clocks_are_turned() -> None:
    assert ends("day", "America/Sao_Paulo", "2018-11-03T12:00:00Z") == "2018-11-04T03:00:00+00:00"
    assert ends("day", "America/Toronto", "1919-03-30T12:00:00Z") == "1919-03-31T04:30:00+00:00"


def test_a_day_that_the_calendar_skipped_is_no_window() -> None:
    assert ends("day", "Pacific/Apia", "2011-12-30T09:59:00Z") == "2011-12-30T10:00:00+00:00"
    assert ends("day", "Pacific/Apia", "2011-12-30T10:00:00Z") == "2011-12-31T10:00:00+00:00"


def test_a_day_that_has_begun_does_not_end_when_clocks_are_turned_back_over_midnight() -> None:
    zone = ZoneInfo("America/St_Johns")  # 00:01 became 23:01 of the day before
    one_past, again = at("2010-11-07T02:30:30Z"), at("2010-11-07T02:45:00Z")
    assert again.astimezone(zone).day < one_past.astimezone(zone).day
    assert window_at("day", zone, again) == window_at("day", zone, one_past)


# ---- without end


@pytest.mark.parametrize("per", ["total", "run"])
def test_a_period_without_end_is_one_window(per: Per) -> None:
    expected = Window(charged=str(per), counted=(str(per),), resets_at=None)
    assert window_at(per, SEOUL, at("1999-01-01T00:00:00Z")) == expected
    assert window_at(per, UTC, at("2040-01-01T00:00:00Z")) == expected


# ---- rolling


def test_a_rolling_day_counts_this_hour_and_the_24_before_it() -> None:
    window = window_at(timedelta(hours=24), SEOUL, at("2026-11-22T12:30:00Z"))
    assert window.resets_at is not None
    hours = [at("2026-11-22T12:30:00Z") - timedelta(hours=back) for back in range(BUCKETS, -1, -1)]
    charged = [window_at(timedelta(hours=24), UTC, hour).charged for hour in hours]
    assert list(window.counted[: BUCKETS + 1]) == charged
    assert window.charged == charged[-1]
    assert window.resets_at == at("2026-11-22T13:00:00Z")
    a_day_ago = window_at(timedelta(hours=24), SEOUL, at("2026-11-21T12:30:00Z"))
    assert a_day_ago.charged in window.counted
    assert a_day_ago.charged not in window_at(timedelta(hours=24), UTC, window.resets_at).counted


def test_a_rolling_window_is_the_same_in_every_zone() -> None:
    moment = at("2026-11-22T12:30:00Z")
    assert window_at(timedelta(days=7), SEOUL, moment) == window_at(timedelta(days=7), UTC, moment)


def test_rolling_windows_of_different_lengths_share_nothing() -> None:
    moment = at("2026-11-22T12:30:00Z")
    day, week = (window_at(timedelta(days=days), UTC, moment) for days in (1, 7))
    assert not set(day.counted) & set(week.counted)


@given(lengths, years, st.floats(0, 1))
def test_every_stretch_as_long_as_a_rolling_window_is_counted(
    length: timedelta, end: datetime, part: float
) -> None:
    spent_at = end - min(length, length * part)
    assert window_at(length, UTC, spent_at).charged in window_at(length, UTC, end).counted


@given(lengths, years, st.floats(0, 1))
def test_what_is_charged_late_is_counted_with_every_stretch_it_is_part_of(
    length: timedelta, begun: datetime, part: float
) -> None:
    later = window_at(length, UTC, begun + min(length, length * part))
    window = window_at(length, UTC, begun)
    assert window.charged in later.counted
    assert set(later.counted[: BUCKETS + 1]) <= set(window.counted)


@given(lengths, years)
def test_a_rolling_window_lets_go_of_its_oldest_part_at_the_moment_it_names(
    length: timedelta, moment: datetime
) -> None:
    window = window_at(length, UTC, moment)
    assert window.resets_at is not None
    assert window.resets_at > moment
    just_before = window.resets_at - timedelta(microseconds=1)
    assert window_at(length, UTC, just_before).counted[0] == window.counted[0]
    assert window.counted[0] not in window_at(length, UTC, window.resets_at).counted
    assert window.resets_at - moment <= length / BUCKETS + timedelta(microseconds=1)


# ---- what holds for every calendar


@given(st.sampled_from(CALENDAR), moments)
@example("day", (ZoneInfo("America/St_Johns"), at("2010-11-07T02:45:00Z")))
@example("month", (ZoneInfo("America/Sao_Paulo"), at("2026-01-31T23:00:00Z")))
@example("day", (ZoneInfo("America/Toronto"), at("1919-03-31T12:00:00Z")))
def test_windows_tile_time(per: Per, where: tuple[ZoneInfo, datetime]) -> None:
    zone, moment = where
    window = window_at(per, zone, moment)
    end = window.resets_at
    assert end is not None
    assert end > moment
    assert window_at(per, zone, end - timedelta(microseconds=1)) == window
    following = window_at(per, zone, end)
    assert following.charged == f"{per} {end:%Y-%m-%dT%H:%M:%SZ} {zone}"
    assert following.charged != window.charged
    assert window.counted == (window.charged,)


@given(st.sampled_from(CALENDAR), moments)
def test_a_window_holds_from_its_start_on(per: Per, where: tuple[ZoneInfo, datetime]) -> None:
    zone, moment = where
    window = window_at(per, zone, moment)
    start = at(window.charged.split()[1])
    assert start <= moment
    assert window_at(per, zone, start) == window
    assert window_at(per, zone, start - timedelta(microseconds=1)).resets_at == start


@given(st.sampled_from(CALENDAR), moments, st.timedeltas(timedelta(), timedelta(days=70)))
def test_windows_never_come_back(per: Per, where: tuple[ZoneInfo, datetime], later: timedelta) -> None:
    zone, moment = where
    first, second = window_at(per, zone, moment), window_at(per, zone, moment + later)
    assert first.resets_at is not None
    assert (moment + later < first.resets_at) == (first == second)


@given(moments)
def test_a_window_is_that_of_the_moment_however_it_is_written(where: tuple[ZoneInfo, datetime]) -> None:
    zone, moment = where
    for other in (zone, SEOUL, timezone(timedelta(hours=-11))):
        assert window_at("day", zone, moment.astimezone(other)) == window_at("day", zone, moment)


@given(moments)
def test_a_day_has_the_date_that_its_moments_show(where: tuple[ZoneInfo, datetime]) -> None:
    zone, moment = where
    start = at(window_at("day", zone, moment).charged.split()[1]).astimezone(zone).date()
    shown = moment.astimezone(zone).date()
    assert shown in (start, start - timedelta(days=1))
    if shown != start:  # only right after clocks were turned back over midnight
        assert (moment - timedelta(hours=25)).astimezone(zone).date() <= shown


# ---- how it is written


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("hour", "hour"),
        ("day", "day"),
        ("month", "month"),
        ("total", "total"),
        ("run", "run"),
        ("30s", timedelta(seconds=30)),
        ("90m", timedelta(minutes=90)),
        ("1.5h", timedelta(minutes=90)),
        ("24h", timedelta(hours=24)),
        ("7d", timedelta(days=7)),
        (timedelta(hours=5), timedelta(hours=5)),
    ],
)
def test_a_period_is_a_word_or_a_length(text: object, meant: Per) -> None:
    assert period(text) == meant


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Day",
        "week",
        "0h",
        "-1d",
        "24",
        "h",
        "0.0000001s",
        "24h ",
        "٣d",
        "36501d",
        "9" * 10 + "d",
        24,
        None,
        timedelta(0),
        timedelta.max,
    ],
)
def test_what_is_no_period_is_refused_with_the_words_to_write(text: object) -> None:
    with pytest.raises(ConfigError) as caught:
        period(text)
    assert repr(text)[:20] in str(caught.value)
    assert "24h" in str(caught.value)
    assert "24h" in caught.value.say("ko")
    assert "기간" in caught.value.say("ko")


@pytest.mark.parametrize("text", ["hour", "total", "90m", "24h", "36h", "7d", "45s", "0.25s", "1234567s"])
def test_a_period_is_written_as_it_is_read(text: str) -> None:
    assert written(period(text)) == text


@given(st.timedeltas(timedelta(microseconds=1), LONGEST))
def test_every_length_can_be_written_and_read_back(length: timedelta) -> None:
    assert period(written(length)) == length


@given(st.timedeltas(timedelta(microseconds=1), LONGEST), years)
def test_every_length_that_is_taken_has_windows(length: timedelta, moment: datetime) -> None:
    assert window_at(period(length), UTC, moment).counted


# ---- zones


def test_a_zone_is_known_by_its_name() -> None:
    assert zone_named("Asia/Seoul") == SEOUL
    assert zone_named("UTC") is UTC


@pytest.mark.parametrize("name", ["Asia/Soul", "", "../etc/passwd", "America", "KST", "\0", "a" * 10_000])
def test_a_zone_that_does_not_exist_is_refused_with_a_name_that_does(name: str) -> None:
    with pytest.raises(ConfigError, match=r"timezone: .*; write a name such as [A-Z]") as caught:
        zone_named(name)
    assert len(str(caught.value)) < 300
    assert "시간대 이름이 아닙니다" in caught.value.say("ko")


def test_a_zone_with_a_slip_of_the_keyboard_is_guessed() -> None:
    with pytest.raises(ConfigError, match="Asia/Seoul"):
        zone_named("Asia/Soeul")


def test_a_machine_without_zones_is_told_where_to_get_them(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(_: str) -> ZoneInfo:
        raise ZoneInfoNotFoundError

    monkeypatch.setattr("holdfast.policy.period.ZoneInfo", missing)
    monkeypatch.setattr("holdfast.policy.period.available_timezones", set)
    with pytest.raises(ConfigError, match="pip install tzdata") as caught:
        zone_named("Asia/Seoul")
    assert "pip install tzdata" in caught.value.say("ko")
    assert zone_named("UTC") is UTC
