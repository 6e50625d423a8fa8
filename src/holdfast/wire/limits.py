"""The rate limits of an account, as the Messages API says in the headers of every answer how they stand."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from holdfast.wire.headers import Headers, get, reset_of

LimitName = Literal["requests", "tokens", "input-tokens", "output-tokens"]
NAMES: tuple[LimitName, ...] = ("requests", "tokens", "input-tokens", "output-tokens")
DIGITS_MAX = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class RateLimit:
    """One limit: `remaining` of `limit` may be used now, and all of it again `reset_after` seconds from now."""

    name: LimitName
    limit: int
    remaining: int
    reset_after: float


def read_limits(headers: Headers, *, now: datetime) -> tuple[RateLimit, ...]:
    """Every limit of which all three headers make sense; resets are RFC 3339, measured from `now`.

    From `anthropic-ratelimit-{requests,tokens,input-tokens,output-tokens}-{limit,remaining,reset}`.
    """
    return tuple(_read(headers, now))


def _read(headers: Headers, now: datetime) -> Iterator[RateLimit]:
    for name in NAMES:
        limit = _count(get(headers, f"anthropic-ratelimit-{name}-limit"))
        remaining = _count(get(headers, f"anthropic-ratelimit-{name}-remaining"))
        reset_after = reset_of(headers, name, now=now)
        if limit is None or remaining is None or reset_after is None:
            continue
        if limit > 0 and remaining <= limit:
            yield RateLimit(name=name, limit=limit, remaining=remaining, reset_after=reset_after)


def _count(value: str | None) -> int | None:
    text = (value or "").strip()
    # int() alone would take signs, underscores and digits of any script.
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= DIGITS_MAX else None
