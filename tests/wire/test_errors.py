"""Errors, written and read as the Messages API does."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast import errors as taxonomy
from holdfast.language import Sentence
from holdfast.wire import errors
from holdfast.wire.errors import ApiError
from holdfast.wire.sse import Splitter

SPENT = taxonomy.BudgetExhausted(
    Sentence("The budget is spent.", ko="예산을 모두 썼습니다."),
    retry_after=12.2,
    request_id="req_error",
    details={"scope": "team", "error_code": "forged"},
)


def read(body: bytes) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(body)
    return document


def test_a_refusal_is_written_as_the_apis_envelope() -> None:
    assert read(errors.envelope(SPENT, "req_1")) == {
        "type": "error",
        "error": {
            "type": "rate_limit_error",
            "message": "The budget is spent.",
            "details": {"scope": "team", "error_code": "holdfast_budget_exhausted"},
        },
        "request_id": "req_1",
    }


def test_an_envelope_speaks_the_readers_language() -> None:
    assert read(errors.envelope(SPENT, None, language="ko"))["error"]["message"] == "예산을 모두 썼습니다."


def test_an_envelope_falls_back_on_the_request_the_error_knows() -> None:
    assert read(errors.envelope(SPENT, None))["request_id"] == "req_error"


def test_an_envelope_without_a_request_has_no_request_id() -> None:
    assert "request_id" not in read(errors.envelope(taxonomy.Stopped("stopped"), None))


def test_details_that_json_cannot_say_are_written_as_text() -> None:
    error = taxonomy.Refused("no", details={"limit": complex(1, 2)})
    assert read(errors.envelope(error, None))["error"]["details"]["limit"] == "(1+2j)"


@pytest.mark.parametrize(
    ("error", "extra"),
    [
        (SPENT, (("x-should-retry", "false"), ("retry-after", "13"))),
        (taxonomy.RateLimited("slow"), (("x-should-retry", "true"),)),
        (taxonomy.RateLimited("slow", retry_after=0.0), (("x-should-retry", "true"), ("retry-after", "1"))),
        (taxonomy.RateLimited("slow", retry_after=float("inf")), (("x-should-retry", "true"),)),
    ],
)
def test_the_headers_say_whether_and_when_to_come_back(
    error: taxonomy.HoldfastError, extra: tuple[tuple[str, str], ...]
) -> None:
    assert errors.error_headers(error) == (("content-type", "application/json"), *extra)


def test_an_error_that_leaves_it_to_the_caller_says_nothing_of_retries() -> None:
    class Undecided(taxonomy.HoldfastError):
        should_retry = None

    assert errors.error_headers(Undecided("?")) == (("content-type", "application/json"),)


def test_an_error_event_is_one_event_with_an_envelope() -> None:
    raw = errors.error_event("overloaded_error", "line one\nline two", "overloaded", "req_1")
    (event,) = Splitter().feed(raw)
    assert event.name == "error"
    assert read(event.data) == {
        "type": "error",
        "error": {
            "type": "overloaded_error",
            "message": "line one\nline two",
            "details": {"error_code": "overloaded"},
        },
        "request_id": "req_1",
    }


def test_an_error_event_says_no_more_than_it_knows() -> None:
    (event,) = Splitter().feed(errors.error_event("api_error", "broken"))
    assert read(event.data) == {"type": "error", "error": {"type": "api_error", "message": "broken"}}


def test_an_error_of_ours_reads_the_same_from_its_envelope() -> None:
    assert errors.from_holdfast(SPENT) == ApiError(
        "rate_limit_error", "The budget is spent.", "holdfast_budget_exhausted", 429
    )
    assert errors.read_envelope(errors.envelope(SPENT, None), 429) == errors.from_holdfast(SPENT)


def test_the_code_of_an_upstream_error_is_read() -> None:
    body = b'{"type":"error","error":{"type":"rate_limit_error","message":"m","details":{"error_code":"c"}}}'
    assert errors.read_envelope(body, 429) == ApiError("rate_limit_error", "m", "c", 429)


@pytest.mark.parametrize("details", [b"null", b"[]", b'{"error_code":5}', b'"x"'])
def test_details_of_another_shape_hold_no_code(details: bytes) -> None:
    body = b'{"error":{"type":"api_error","message":"m","details":%s}}' % details
    assert errors.read_envelope(body, 500) == ApiError("api_error", "m", None, 500)


@pytest.mark.parametrize(
    "body", [b"", b"  ", b"<html><h1>Bad gateway</h1></html>", b"{", b"{}", b"[1]", b'{"error":{}}']
)
def test_a_body_that_says_nothing_is_told_by_its_status(body: bytes) -> None:
    error = errors.read_envelope(body, 502)
    assert (error.type, error.error_code, error.status) == ("api_error", None, 502)
    assert error.message.startswith("The upstream failed with status 502")
    assert "502" in errors.read_envelope(body, 502, language="ko").message


def test_a_deeply_nested_body_says_nothing() -> None:
    assert errors.read_envelope(b"[" * 100_000, 500).type == "api_error"


def test_plain_text_is_the_message_but_not_more_than_a_line_of_it() -> None:
    error = errors.read_envelope(b"upstream connect\nerror " + b"x" * 5000, 503)
    assert error.message.startswith("upstream connect error xxx")
    assert len(error.message) == 300


def test_an_error_that_is_a_mere_string_is_its_message() -> None:
    assert errors.read_envelope(b'{"error":"no such route"}', 404) == ApiError(
        "not_found_error", "no such route", None, 404
    )


@pytest.mark.parametrize(("type", "status"), errors.STATUS_OF_TYPE.items())
def test_every_type_has_its_status_and_comes_back_from_it(type: str, status: int) -> None:
    assert errors.status_of(type) == status
    assert errors.type_of(status) == ("invalid_request_error" if type == "policy_blocked" else type)


@pytest.mark.parametrize(
    ("status", "type"),
    [(418, "invalid_request_error"), (422, "invalid_request_error"), (503, "api_error"), (599, "api_error")],
)
def test_a_status_without_a_type_of_its_own_is_told_by_its_hundred(status: int, type: str) -> None:
    assert errors.type_of(status) == type


def test_an_unknown_type_is_the_servers_fault() -> None:
    assert errors.status_of("novel_error") == 500


@given(st.binary(max_size=60), st.integers(min_value=100, max_value=599))
def test_no_error_body_is_beyond_reading(body: bytes, status: int) -> None:
    error = errors.read_envelope(body, status)
    assert error.status == status
    assert error.message
