"""What exceptions of any library say about the service behind them."""

import asyncio
import concurrent.futures
import socket
import ssl
import urllib.error
from datetime import UTC, datetime, timedelta
from email.message import Message

import anthropic
import httpx2
import pytest

from holdfast.errors import (
    BudgetExhausted,
    CallNotPermitted,
    ConfigError,
    InputRejected,
    RateLimited,
    StoreUnavailable,
    UpstreamUnavailable,
)
from holdfast.parts.failure import is_retryable, outcome_of, retry_after_of, should_retry_of, status_of
from holdfast.policy.permit import Outcome

OK, FAIL, NEUTRAL = Outcome.OK, Outcome.FAIL, Outcome.NEUTRAL
NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
REQUEST = httpx2.Request("POST", "https://api.example.com/v1/messages")


class Says(Exception):
    """An exception with whatever attributes."""

    def __init__(self, **said: object) -> None:
        super().__init__(str(said))
        self.__dict__.update(said)


def sdk(status: int, **headers: str) -> anthropic.APIStatusError:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    response = httpx2.Response(status, headers=named, request=REQUEST)
    return anthropic.APIStatusError("failed", response=response, body=None)


@pytest.mark.parametrize("status", [500, 501, 502, 503, 504, 529, 599, 408])
def test_a_fault_of_the_service_is_a_failure_worth_another_try(status: int) -> None:
    for error in (Says(status_code=status), Says(status=status), sdk(status)):
        assert (outcome_of(error), is_retryable(error)) == (FAIL, True)


@pytest.mark.parametrize("status", [400, 401, 402, 403, 404, 413, 418, 422, 431, 499])
def test_a_fault_of_the_caller_is_neutral_and_not_worth_another_try(status: int) -> None:
    for error in (Says(status_code=status), Says(status=status), sdk(status)):
        assert (outcome_of(error), is_retryable(error)) == (NEUTRAL, False)


@pytest.mark.parametrize("status", [429, 409])
def test_a_rate_limit_or_a_conflict_is_neutral_and_worth_another_try(status: int) -> None:
    assert (outcome_of(sdk(status)), is_retryable(sdk(status))) == (NEUTRAL, True)


@pytest.mark.parametrize(
    "error",
    [
        TimeoutError(),
        ConnectionResetError(),
        BrokenPipeError(),
        socket.gaierror(),
        ssl.SSLError(),
        urllib.error.URLError("no route"),
        httpx2.ConnectError("refused"),
        httpx2.ReadTimeout("slow"),
        httpx2.RemoteProtocolError("cut"),
        anthropic.APIConnectionError(request=REQUEST),
        anthropic.APITimeoutError(request=REQUEST),
    ],
    ids=repr,
)
def test_no_answer_is_a_failure_worth_another_try(error: Exception) -> None:
    assert (outcome_of(error), is_retryable(error)) == (FAIL, True)


@pytest.mark.parametrize(
    "error",
    [
        ValueError(),
        FileNotFoundError(),
        ssl.SSLCertVerificationError(),
        httpx2.UnsupportedProtocol("gopher"),
        Says(status_code=True),
        Says(status="503"),
        Says(status_code=302),
        StoreUnavailable("gone"),
        UpstreamUnavailable("tried often enough"),
    ],
    ids=repr,
)
def test_anything_else_is_a_failure_that_the_same_call_would_meet_again(error: Exception) -> None:
    assert (outcome_of(error), is_retryable(error)) == (FAIL, False)


@pytest.mark.parametrize(
    "error",
    [
        asyncio.CancelledError(),
        concurrent.futures.CancelledError(),
        KeyboardInterrupt(),
        GeneratorExit(),
        SystemExit(),
    ],
    ids=repr,
)
def test_cancellation_is_neutral_and_never_tried_again(error: BaseException) -> None:
    assert (outcome_of(error), is_retryable(error)) == (NEUTRAL, False)


@pytest.mark.parametrize(
    ("error", "retryable"),
    [
        (RateLimited("slow down"), True),
        (CallNotPermitted("open"), False),
        (BudgetExhausted("spent"), False),
        (InputRejected("no"), False),
        (ConfigError("wrong"), False),
    ],
)
def test_our_own_refusals_are_neutral_and_say_themselves_whether_to_try_again(
    error: Exception, retryable: bool
) -> None:
    assert (outcome_of(error), is_retryable(error)) == (NEUTRAL, retryable)


@pytest.mark.parametrize(
    ("kind", "outcome", "retryable"),
    [
        ("overloaded_error", FAIL, True),
        ("rate_limit_error", NEUTRAL, True),
        ("invalid_request_error", NEUTRAL, False),
    ],
)
def test_an_error_inside_a_stream_is_judged_by_its_type(kind: str, outcome: Outcome, retryable: bool) -> None:
    error = Says(status_code=200, type=kind)
    assert (outcome_of(error), is_retryable(error)) == (outcome, retryable)


def test_a_veto_of_the_service_is_heard() -> None:
    assert not is_retryable(sdk(503, x_should_retry="false"))
    assert not is_retryable(Says(status_code=503, should_retry=False))
    assert is_retryable(sdk(503, x_should_retry="true"))
    assert should_retry_of(sdk(503)) is None


def test_a_group_fails_when_one_member_does_and_passes_when_all_may() -> None:
    mixed = BaseExceptionGroup("both", [asyncio.CancelledError(), TimeoutError()])
    assert (outcome_of(mixed), is_retryable(mixed)) == (FAIL, False)
    assert is_retryable(ExceptionGroup("all", [TimeoutError(), sdk(503)]))
    assert outcome_of(ExceptionGroup("callers", [sdk(400), sdk(404)])) is NEUTRAL


def test_the_status_may_be_that_of_the_response() -> None:
    response = httpx2.Response(503, request=REQUEST)
    assert status_of(httpx2.HTTPStatusError("failed", request=REQUEST, response=response)) == 503


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (Says(retry_after=7), 7.0),
        (Says(retry_after=timedelta(minutes=1)), 60.0),
        (Says(retry_after=-7), None),
        (Says(retry_after=float("nan")), None),
        (Says(retry_after=float("inf")), None),
        (Says(retry_after="7"), None),
        (Says(), None),
        (sdk(503, retry_after="12"), 12.0),
        (sdk(503, retry_after="12", retry_after_ms="1500"), 1.5),
        (sdk(503, retry_after="Sun, 22 Nov 2026 12:00:30 GMT"), 30.0),
        (sdk(503, retry_after="Sun, 22 Nov 2026 11:00:00 GMT"), None),
        (Says(headers={"Retry-After": "3"}), 3.0),
        (Says(headers="Retry-After: 3"), None),
    ],
    ids=repr,
)
def test_the_time_to_come_back_is_read_where_libraries_put_it(
    error: Exception, expected: float | None
) -> None:
    assert retry_after_of(error, now=NOW) == expected


def test_the_headers_of_the_standard_library_are_read_too() -> None:
    headers = Message()
    headers["Retry-After"] = "5"
    error = urllib.error.HTTPError("https://api.example.com", 503, "down", headers, None)
    with error:
        assert (status_of(error), retry_after_of(error, now=NOW)) == (503, 5.0)
