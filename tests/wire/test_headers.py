"""Headers: which travel on, and what they say."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.wire import headers
from holdfast.wire.headers import Headers

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
FROM_CLAUDE_CODE: Headers = (
    ("host", "127.0.0.1:4180"),
    ("connection", "keep-alive, X-Secret-Hop"),
    ("x-secret-hop", "1"),
    ("keep-alive", "timeout=5"),
    ("content-length", "49000"),
    ("accept-encoding", "gzip, br"),
    ("x-api-key", "sk-1"),
    ("authorization", "Bearer sk-2"),
    ("proxy-authorization", "Basic eA=="),
    ("cookie", "session=1"),
    ("x-holdfast-run", "r1"),
    ("x-forwarded-for", "10.0.0.1"),
    ("forwarded", "for=10.0.0.1"),
    ("via", "1.1 corner"),
    ("anthropic-version", "2023-06-01"),
    ("anthropic-beta", "a-2026-01-01"),
    ("anthropic-beta", "b-2026-01-01"),
    ("anthropic-workspace-id", "wrk_1"),
    ("user-agent", "claude-cli/2.1.330"),
    ("x-stainless-retry-count", "0"),
    ("x-claude-code-session-id", "s1"),
    ("x-app", "cli"),
    ("traceparent", "00-a-b-01"),
    ("content-type", "application/json"),
    ("accept", "application/json"),
)


def one(name: str, value: str) -> Headers:
    return ((name, value),)


def test_a_request_keeps_what_the_api_understands_in_order_and_with_duplicates() -> None:
    kept = headers.request_headers(FROM_CLAUDE_CODE)
    assert kept == (*FROM_CLAUDE_CODE[14:], ("accept-encoding", "identity"))


def test_an_answer_loses_what_belongs_to_the_connection_or_to_the_upstream() -> None:
    kept: Headers = (
        ("content-type", "text/event-stream"),
        ("request-id", "req_1"),
        ("retry-after", "2"),
        ("anthropic-ratelimit-requests-remaining", "3"),
        ("x-should-retry", "false"),
    )
    lost: Headers = (
        ("connection", "close, x-hop"),
        ("x-hop", "1"),
        ("transfer-encoding", "chunked"),
        ("content-length", "3"),
        ("content-encoding", "gzip"),
        ("set-cookie", "a=b"),
        ("server", "edge"),
        ("date", "today"),
        ("x-holdfast-cost", "0"),
    )
    assert headers.response_headers((*lost, *kept)) == kept


def test_an_answer_passed_on_undecoded_still_says_how_it_is_coded() -> None:
    coded = one("content-encoding", "gzip")
    assert headers.response_headers(coded, decoded=False) == coded


def test_get_finds_the_first_of_its_name() -> None:
    assert headers.get(FROM_CLAUDE_CODE, "anthropic-beta") == "a-2026-01-01"
    assert headers.get(FROM_CLAUDE_CODE, "absent") is None


def test_without_takes_out_every_one_of_a_name() -> None:
    left = headers.without((("a", "1"), ("b", "2"), ("a", "3"), ("c", "4")), "a", "c")
    assert left == (("b", "2"),)


def test_merged_replaces_in_place_and_appends_what_is_new() -> None:
    before: Headers = (("a", "1"), ("b", "2"), ("a", "3"))
    assert headers.merged(before, {"A": "9", "c": "4"}) == (("a", "9"), ("b", "2"), ("c", "4"))


def test_raw_headers_come_in_lower_case() -> None:
    assert headers.from_raw([(b"Content-Type", b"caf\xe9")]) == one("content-type", "café")


def test_no_value_can_start_another_header() -> None:
    assert headers.to_raw(one("a", "1\r\nset-cookie: b=c\0")) == [(b"a", b"1set-cookie: b=c")]


@pytest.mark.parametrize("name", ["", "a b", "a\r\nb", "a:", "é", ":path"])
def test_a_header_whose_name_is_no_token_is_left_out(name: str) -> None:
    assert headers.to_raw((("ok", "1"), (name, "2"))) == [(b"ok", b"1")]


def test_a_value_that_latin_1_cannot_say_goes_out_as_utf8() -> None:
    assert headers.to_raw((("a", "한"), ("b", "é"))) == [(b"a", "한".encode()), (b"b", b"\xe9")]


@given(st.lists(st.tuples(st.text(max_size=6), st.text(max_size=12))).map(tuple))
def test_raw_headers_never_hold_a_line_end(pairs: Headers) -> None:
    for name, value in headers.to_raw(pairs):
        assert not set(b"\r\n\0") & set(name + value)


@given(st.lists(st.tuples(st.from_regex(r"[a-z-]+", fullmatch=True), st.text("az\xe9 ~", max_size=6))))
def test_raw_and_back_is_the_same(pairs: list[tuple[str, str]]) -> None:
    assert headers.from_raw(headers.to_raw(tuple(pairs))) == tuple(pairs)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("2", 2.0),
        (" 2.5 ", 2.5),
        ("4294967", 4294967.0),
        (format_datetime(NOW + timedelta(seconds=90), usegmt=True), 90.0),
        ("Fri, 20 Nov 2026 12:01:00 -0000", 60.0),
        (format_datetime(NOW - timedelta(seconds=1), usegmt=True), None),
        (format_datetime(NOW, usegmt=True), None),
        ("0", None),
        ("-1", None),
        ("nan", None),
        ("inf", None),
        ("9" * 400, None),
        ("1_000", None),
        ("٣", None),
        ("soon", None),
        ("", None),
        ("Fri, 20 Nov 99999999999999999999 12:00:00 GMT", None),
    ],
)
def test_retry_after_is_seconds_or_a_date_ahead(value: str, seconds: float | None) -> None:
    assert headers.retry_after(one("retry-after", value), now=NOW) == seconds


def test_retry_after_in_milliseconds_comes_first() -> None:
    both: Headers = (("retry-after", "9"), ("retry-after-ms", "1500"))
    assert headers.retry_after(both, now=NOW) == 1.5


def test_nonsense_in_milliseconds_leaves_the_word_to_the_seconds() -> None:
    both: Headers = (("retry-after-ms", "NaN"), ("retry-after", "9"))
    assert headers.retry_after(both, now=NOW) == 9.0


def test_silence_is_no_wait() -> None:
    assert headers.retry_after((), now=NOW) is None


@given(
    st.text(max_size=40) | st.from_regex(r"[A-Z][a-z]{2}, [0-9]{1,9} [A-Z][a-z]{2} [0-9]+ [0-9:]+ ?[A-Z+-]*")
)
def test_no_retry_after_is_beyond_reading(value: str) -> None:
    seconds = headers.retry_after(one("retry-after", value), now=NOW)
    assert seconds is None or seconds > 0


def limits(**values: str) -> Headers:
    return tuple((f"anthropic-ratelimit-{name.replace('_', '-')}", value) for name, value in values.items())


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("2026-11-20T12:01:30Z", 90.0),
        (" 2026-11-20t12:00:00.25z ", 0.25),
        ("2026-11-20T21:00:01.123456789+09:00", 1.123456),
        ("2026-11-20T11:59:59Z", None),
        ("2026-11-20T12:00:00Z", None),
        ("2026-11-20T12:01:30", None),
        ("2026-11-20", None),
        ("2026-W47-6T12:00:00Z", None),
        ("20261120T120130Z", None),
        ("2026-13-20T12:01:30Z", None),
        ("0000-01-01T00:00:00Z", None),
        ("٢026-11-20T12:01:30Z", None),
        ("1795176090", None),
        ("90", None),
        ("", None),
    ],
)
def test_a_rate_limit_is_whole_again_at_an_rfc_3339_time_ahead(value: str, seconds: float | None) -> None:
    assert headers.reset_after(limits(requests_reset=value), now=NOW) == seconds


def test_of_the_limits_that_are_used_up_the_slowest_counts() -> None:
    seen = limits(
        requests_remaining="0",
        requests_reset="2026-11-20T12:00:02Z",
        input_tokens_remaining=" 0 ",
        input_tokens_reset="2026-11-20T12:00:05Z",
        output_tokens_remaining="7",
        output_tokens_reset="2026-11-20T12:00:59Z",
    )
    assert headers.reset_after(seen, now=NOW) == 5.0


def test_a_limit_that_is_used_up_without_saying_when_it_resets_leaves_the_word_to_the_others() -> None:
    seen = limits(tokens_remaining="0", requests_remaining="1", requests_reset="2026-11-20T12:00:02Z")
    assert headers.reset_after(seen, now=NOW) == 2.0


def test_without_any_limit_used_up_the_slowest_reset_counts() -> None:
    seen = limits(requests_reset="2026-11-20T12:00:02Z", tokens_reset="2026-11-20T12:00:07Z")
    assert headers.reset_after(seen, now=NOW) == 7.0


def test_headers_that_name_no_limit_name_no_reset() -> None:
    assert headers.reset_after((("retry-after", "9"),), now=NOW) is None


@pytest.mark.parametrize(
    ("value", "meaning"), [("true", True), (" False ", False), ("yes", None), ("", None)]
)
def test_should_retry_is_true_false_or_silence(value: str, meaning: bool | None) -> None:
    assert headers.should_retry(one("x-should-retry", value)) is meaning


def test_should_retry_is_silence_when_absent() -> None:
    assert headers.should_retry(()) is None


def test_patience_is_the_read_timeout_of_the_calling_sdk() -> None:
    both: Headers = (("x-stainless-timeout", "30"), ("x-stainless-read-timeout", "600"))
    assert headers.patience(both) == 600.0


def test_patience_falls_back_on_the_whole_timeout() -> None:
    both: Headers = (("x-stainless-read-timeout", "NOT_GIVEN"), ("x-stainless-timeout", "30.5"))
    assert headers.patience(both) == 30.5


def test_no_number_is_no_patience() -> None:
    assert headers.patience(one("x-stainless-timeout", "NOT_GIVEN")) is None


@pytest.mark.parametrize(
    ("shown", "key"),
    [
        ((("authorization", "Bearer b"), ("x-api-key", "a")), "a"),
        ((("x-api-key", " "), ("authorization", "bearer  b ")), "b"),
        ((("authorization", "Basic b"),), None),
        ((("authorization", "Bearer "),), None),
        ((("authorization", "Bearer"),), None),
        ((), None),
    ],
)
def test_the_api_key_wins_over_the_bearer_token(shown: Headers, key: str | None) -> None:
    assert headers.credential(shown) == key
