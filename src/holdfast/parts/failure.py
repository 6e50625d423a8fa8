"""What an exception says about the service it came from, whatever library raised it."""

from collections.abc import Iterator, Mapping
from concurrent.futures import CancelledError
from datetime import datetime, timedelta
from email.message import Message
from typing import cast

from holdfast.errors import CallNotPermitted, ConfigError, HoldfastError, Refused
from holdfast.policy.permit import Outcome
from holdfast.wire import headers as wire_headers
from holdfast.wire.errors import STATUS_OF_TYPE
from holdfast.wire.headers import Headers

UNREACHABLE = frozenset(
    {
        "socket.gaierror",
        "ssl.SSLError",
        "urllib.URLError",
        "http.IncompleteRead",
        "anthropic.APIConnectionError",
        "httpx.TransportError",
        "httpx2.TransportError",
        "httpcore.NetworkError",
        "httpcore.TimeoutException",
        "aiohttp.ClientConnectionError",
        "aiohttp.ClientPayloadError",
        "requests.ConnectionError",
        "requests.Timeout",
        "requests.ChunkedEncodingError",
        "urllib3.TimeoutError",
        "urllib3.ProtocolError",
    }
)
"""Package and class of errors that mean "no answer"; named, not imported, so that none of them is loaded."""

OWN_FAULT = frozenset(
    {
        "ssl.SSLCertVerificationError",
        "httpx.UnsupportedProtocol",
        "httpx.LocalProtocolError",
        "httpx2.UnsupportedProtocol",
        "httpx2.LocalProtocolError",
        "aiohttp.InvalidURL",
    }
)
"""Errors of those families that the same call would meet again."""


def outcome_of(error: BaseException) -> Outcome:
    """What an exception says about health.

    Failures are 5xx, 529, 408, timeouts, connection errors and every exception that says nothing else.
    Neutral are cancellation and the interpreter's own exits, 429, any other 4xx, and a refusal by
    holdfast itself, for then the service was not asked. A group fails when any of its members does.
    """
    if members := _members_of(error):
        outcomes = {outcome_of(member) for member in members}
        return Outcome.FAIL if Outcome.FAIL in outcomes else Outcome.NEUTRAL
    if not isinstance(error, Exception) or isinstance(error, CancelledError | Refused | ConfigError):
        return Outcome.NEUTRAL
    status = status_of(error)
    is_callers = status is not None and 400 <= status < 500 and status != 408
    return Outcome.NEUTRAL if is_callers else Outcome.FAIL


def is_retryable(error: BaseException) -> bool:
    """Whether the same call may fare better a little later.

    Yes for 408, 409, 429, 5xx and 529, for timeouts and connection errors. No for any other 4xx, for
    cancellation, for an open circuit or a spent budget, and for whatever says so itself by
    `should_retry` or `x-should-retry: false`. A group is retryable when all its members are.
    """
    if members := _members_of(error):
        return all(is_retryable(member) for member in members)
    match error:
        case CallNotPermitted():
            # The circuit knows when the service will be tried again; hammering at it helps nobody.
            return False
        case HoldfastError(should_retry=bool(wish)):
            return wish
        case Exception():
            return should_retry_of(error) is not False and _may_pass(error)
        case _:
            return False


def status_of(error: BaseException) -> int | None:
    """The HTTP status an exception carries, by its own word or by its response's.

    An error inside a stream comes with the status of the stream, which was fine: its type tells more.
    """
    response: object = getattr(error, "response", None)
    named = (
        getattr(error, "status_code", None),
        getattr(error, "status", None),
        getattr(response, "status_code", None),
    )
    status = next((value for value in named if isinstance(value, int) and not isinstance(value, bool)), None)
    kind: object = getattr(error, "type", None)
    if status is not None and status < 300 and isinstance(kind, str):
        return STATUS_OF_TYPE.get(kind, status)
    return status


def retry_after_of(error: BaseException, *, now: datetime) -> float | None:
    """Seconds until the service wants to be asked again, by `.retry_after` or by its answer's headers.

    `now` is the wall clock, for a `retry-after` that is a date. What makes no sense counts as silence.
    """
    wish: object = getattr(error, "retry_after", None)
    if isinstance(wish, timedelta):
        wish = wish.total_seconds()
    if isinstance(wish, int | float) and not isinstance(wish, bool):
        return float(wish) if 0 < wish < float("inf") else None
    return wire_headers.retry_after(_headers_of(error), now=now)


def should_retry_of(error: BaseException) -> bool | None:
    """What the service said about trying again: `.should_retry`, else `x-should-retry`, else `None`."""
    wish: object = getattr(error, "should_retry", None)
    return wish if isinstance(wish, bool) else wire_headers.should_retry(_headers_of(error))


def _may_pass(error: Exception) -> bool:
    status = status_of(error)
    if status is not None and status >= 400:
        return status in (408, 409, 429) or status >= 500
    names = set(_names(error))
    if names & OWN_FAULT:
        return False
    return isinstance(error, TimeoutError | ConnectionError) or bool(names & UNREACHABLE)


def _names(error: Exception) -> Iterator[str]:
    for kind in type(error).__mro__:
        yield f"{kind.__module__.partition('.')[0]}.{kind.__name__}"


def _members_of(error: BaseException) -> tuple[BaseException, ...]:
    """The members of an exception group, of which there is at least one; nothing for any other exception."""
    if isinstance(error, BaseExceptionGroup):
        return cast("BaseExceptionGroup[BaseException]", error).exceptions
    return ()


def _headers_of(error: BaseException) -> Headers:
    response: object = getattr(error, "response", None)
    for owner in (response, error):
        found: object = getattr(owner, "headers", None)
        if isinstance(found, Mapping | Message):
            pairs = cast("Mapping[object, object]", found).items()
            return tuple((str(name).lower(), str(value)) for name, value in pairs)
    return ()
