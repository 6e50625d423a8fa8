"""HTTP headers of the Messages API: which may travel on, what they say about time and identity."""

import math
import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

Headers = tuple[tuple[str, str], ...]
"""Names in lower case; order and duplicates as received."""
DEGRADED = "x-holdfast-degraded"
"""Says what an answer lacks that came from another target than it should have: `model`, `thinking-dropped`."""

# RFC 9110 section 7.6.1, with the older names that proxies still send.
_HOP_BY_HOP = frozenset(
    {
        "connection",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
_CREDENTIALS = frozenset({"x-api-key", "api-key", "authorization", "cookie"})
_NOT_UPSTREAM = (
    _HOP_BY_HOP
    | _CREDENTIALS
    | frozenset(
        {
            "host",
            "content-length",
            "expect",
            "accept-encoding",
            "forwarded",
            "via",
            "x-real-ip",
            "x-client-ip",
        }
    )
)
_NOT_UPSTREAM_PREFIXES = ("x-holdfast-", "x-forwarded-", ":")
_NOT_TO_CLIENT = _HOP_BY_HOP | frozenset(
    {"content-length", "set-cookie", "server", "date", "via", "alt-svc", "strict-transport-security"}
)
_NOT_TO_CLIENT_PREFIXES = ("x-holdfast-", ":")

_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_UNSAFE_IN_VALUE = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]+")
_DECIMAL = re.compile(r"[0-9]+(?:\.[0-9]*)?")
_RFC_3339 = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]+)?(?:Z|[+-][0-9]{2}:[0-9]{2})", re.I
)
RATE_LIMITS = ("requests", "tokens", "input-tokens", "output-tokens")


def get(headers: Headers, name: str) -> str | None:
    """The first value of `name` (lower case), or `None`."""
    for key, value in headers:
        if key == name:
            return value
    return None


def without(headers: Headers, *names: str) -> Headers:
    """The same headers less every one called one of `names` (lower case)."""
    return tuple(pair for pair in headers if pair[0] not in names)


def merged(headers: Headers, extra: Mapping[str, str]) -> Headers:
    """The same headers with each of `extra` in the place of its namesake, or at the end."""
    missing = {name.lower(): value for name, value in extra.items()}
    replaced = frozenset(missing)
    kept: list[tuple[str, str]] = []
    for name, value in headers:
        if name not in replaced:
            kept.append((name, value))
        elif name in missing:
            kept.append((name, missing.pop(name)))
    return (*kept, *missing.items())


def from_raw(raw: Iterable[tuple[bytes, bytes]]) -> Headers:
    """Headers as an HTTP library or ASGI hands them over: latin-1 (RFC 9110 section 5.5)."""
    return tuple((name.decode("latin-1").lower(), value.decode("latin-1")) for name, value in raw)


def to_raw(headers: Headers) -> list[tuple[bytes, bytes]]:
    """Headers for an HTTP library; no value can start a header of its own.

    Control characters are taken out of values, since servers and clients raise on them (RFC 9110 section 5.5),
    and a header whose name is no token is left out.
    What latin-1 cannot say goes out as UTF-8.
    """
    return [
        (name.encode("ascii"), _encoded(_UNSAFE_IN_VALUE.sub("", value)))
        for name, value in headers
        if _NAME.fullmatch(name)
    ]


def _encoded(value: str) -> bytes:
    try:
        return value.encode("latin-1")
    except UnicodeEncodeError:
        return value.encode("utf-8", errors="replace")


def request_headers(headers: Headers) -> Headers:
    """What of a caller's headers may be sent upstream.

    Left behind: what belongs to one connection, who the caller is and where from, every credential, and what
    is meant for holdfast. The upstream is asked for `identity`, so that events can be read as they come.
    """
    dropped = _NOT_UPSTREAM | _named_in_connection(headers)
    kept = (
        pair for pair in headers if pair[0] not in dropped and not pair[0].startswith(_NOT_UPSTREAM_PREFIXES)
    )
    return (*kept, ("accept-encoding", "identity"))


def response_headers(headers: Headers, *, decoded: bool = True) -> Headers:
    """What of the upstream's headers may be handed to the caller; `decoded`: the body is no longer coded."""
    dropped = _NOT_TO_CLIENT | _named_in_connection(headers)
    if decoded:
        dropped |= {"content-encoding"}
    return tuple(
        pair for pair in headers if pair[0] not in dropped and not pair[0].startswith(_NOT_TO_CLIENT_PREFIXES)
    )


def _named_in_connection(headers: Headers) -> frozenset[str]:
    return frozenset(
        token.strip().lower() for name, value in headers if name == "connection" for token in value.split(",")
    )


def retry_after(headers: Headers, *, now: datetime) -> float | None:
    """Seconds until the upstream wants to be asked again, or `None` when it says nothing that makes sense.

    `retry-after-ms` comes before `retry-after`, as in the official SDK; a date is measured from `now`
    (timezone-aware). Zero, the past, and what is no finite number count as silence.
    """
    milliseconds = _positive(get(headers, "retry-after-ms"))
    if milliseconds is not None:
        return milliseconds / 1000
    value = get(headers, "retry-after")
    if value is None:
        return None
    seconds = _positive(value)
    return seconds if seconds is not None else _seconds_until(value, now)


def reset_after(headers: Headers, *, now: datetime) -> float | None:
    """Seconds until the rate limits that are used up are whole again, or `None` when the headers do not say.

    From `anthropic-ratelimit-{requests,tokens,input-tokens,output-tokens}-{remaining,reset}`, for a 429
    without `retry-after`; resets are RFC 3339, measured from `now` (timezone-aware). When no limit says that
    nothing remains, the slowest of them counts: a request can need more than is left.
    """
    waits = {name: reset_of(headers, name, now=now) for name in RATE_LIMITS}
    known = {name: wait for name, wait in waits.items() if wait is not None}
    spent = [wait for name, wait in known.items() if _is_spent(headers, name)]
    return max(spent or known.values(), default=None)


def should_retry(headers: Headers) -> bool | None:
    """What `x-should-retry` says, or `None` when it says neither `true` nor `false`."""
    match (get(headers, "x-should-retry") or "").strip().lower():
        case "true":
            return True
        case "false":
            return False
        case _:
            return None


def patience(headers: Headers) -> float | None:
    """Seconds the calling SDK waits for the next byte, or `None`; SDKs also write the literal `NOT_GIVEN`."""
    for name in ("x-stainless-read-timeout", "x-stainless-timeout"):
        seconds = _positive(get(headers, name))
        if seconds is not None:
            return seconds
    return None


def credential(headers: Headers) -> str | None:
    """The key the caller shows: `x-api-key`, else the token of `Authorization: Bearer`."""
    key = (get(headers, "x-api-key") or "").strip()
    if key:
        return key
    scheme, _, token = (get(headers, "authorization") or "").strip().partition(" ")
    return token.strip() or None if scheme.lower() == "bearer" else None


def _positive(value: str | None) -> float | None:
    # float() alone would take "nan", "infinity", "1_000" and digits of any script.
    if value is None or not _DECIMAL.fullmatch(value.strip()):
        return None
    number = float(value)
    return number if 0 < number < math.inf else None


def _seconds_until(value: str, now: datetime) -> float | None:
    try:
        moment = parsedate_to_datetime(value)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    # "-0000" makes a naive datetime; HTTP dates are UTC whatever they say.
    aware = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
    seconds = (aware - now).total_seconds()
    return seconds if seconds > 0 else None


def _is_spent(headers: Headers, name: str) -> bool:
    remaining = get(headers, f"anthropic-ratelimit-{name}-remaining")
    return remaining is not None and remaining.strip() == "0"


def reset_of(headers: Headers, name: str, *, now: datetime) -> float | None:
    """Seconds until one of `RATE_LIMITS` is whole again, or `None` for the past and what makes no sense."""
    value = (get(headers, f"anthropic-ratelimit-{name}-reset") or "").strip()
    # fromisoformat() alone would take week dates, days without a time and times without a zone.
    if not _RFC_3339.fullmatch(value):
        return None
    try:
        seconds = (datetime.fromisoformat(value.upper()) - now).total_seconds()
    except ValueError:
        return None
    return seconds if seconds > 0 else None
