from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.wire.headers import Headers
from holdfast.wire.limits import RateLimit, read_limits

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


def headers(
    name: str = "requests", limit: str = "50", remaining: str = "7", reset: str = "2026-11-22T12:00:30Z"
) -> Headers:
    start = f"anthropic-ratelimit-{name}"
    return ((f"{start}-limit", limit), (f"{start}-remaining", remaining), (f"{start}-reset", reset))


def test_every_limit_that_is_told_is_read() -> None:
    told = headers() + headers("input-tokens", "1000000", "0", "2026-11-22T12:01:00+00:00")
    assert read_limits(told, now=NOW) == (
        RateLimit(name="requests", limit=50, remaining=7, reset_after=30.0),
        RateLimit(name="input-tokens", limit=1_000_000, remaining=0, reset_after=60.0),
    )


def test_headers_that_say_nothing_about_limits_are_no_limits() -> None:
    assert read_limits((("content-type", "text/plain"),), now=NOW) == ()


@pytest.mark.parametrize(
    "told",
    [
        headers(limit="0"),
        headers(limit="-5"),
        headers(limit="many"),
        headers(limit=""),
        headers(limit="1_000"),
        headers(limit="٣"),
        headers(limit="9" * 40),
        headers(limit="5", remaining="6"),
        headers(remaining="nan"),
        headers(remaining="1.5"),
        headers(reset="soon"),
        headers(reset="2026-11-22"),
        headers(reset="2026-11-22T12:00:30"),
        headers(reset="2026-11-22T11:59:59Z"),
        headers()[:2],
        headers()[1:],
    ],
)
def test_a_limit_that_makes_no_sense_is_not_believed(told: Headers) -> None:
    assert read_limits(told, now=NOW) == ()


@given(st.text(max_size=30), st.text(max_size=30), st.text(max_size=30))
def test_nothing_that_an_upstream_says_raises(limit: str, remaining: str, reset: str) -> None:
    for found in read_limits(headers("tokens", limit, remaining, reset), now=NOW):
        assert found.remaining <= found.limit
