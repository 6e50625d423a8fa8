"""How much may be asked for in a time: requests, tokens in, tokens out, and calls under way, by whom.

What counts as how much is said here; how full a bucket is, and when it has room, in `counters`.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Literal
from urllib.parse import quote, unquote

from holdfast.errors import ConfigError
from holdfast.language import Sentence
from holdfast.policy.counters import Ask, Dimension, Rate, Slot, Take, rate_of
from holdfast.policy.retry import check_time

Name = Literal["key", "user", "model", "run"]
Names = Mapping[Name, str | None]
DIMENSIONS: tuple[Dimension, ...] = ("requests", "input_tokens", "output_tokens")
"""Those that have a rate."""

LARGEST = 10**12
"""The highest limit: beyond it a level is no longer an exact number in every store."""
PER_MAX = 366 * 86_400.0
PART_MAX = 64
"""Letters of a name in a key; of a longer one its fingerprint stands there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QuotaConfig:
    """Limits of one scope; `None` for none of that kind.

    Attributes:
        requests: calls in `per` seconds.
        per: the time of requests, input tokens and output tokens alike, in seconds.
        input_tokens: tokens in `per` that are not read from the prompt cache, as the API's own limits count.
        output_tokens: tokens in `per`.
        concurrency: calls under way at once.
        scope: whom a limit holds for, each apart: `organisation` (everybody together), or any of `key`, `user`,
            `model` and `run`, joined by `+`. Who is not named, such as a call without a run, is its key.
        burst: requests that may come at once, by default a whole `per` of them; tokens may always, because
            one call may need most of them.
    """

    requests: int | None = None
    per: float = 60.0
    input_tokens: int | None = None
    output_tokens: int | None = None
    concurrency: int | None = None
    scope: str = "user"
    burst: int | None = None

    def __post_init__(self) -> None:
        for key in ("requests", "input_tokens", "output_tokens", "concurrency", "burst"):
            _check_limit(key, getattr(self, key))
        check_time("per", self.per)
        if not 0.001 <= self.per <= PER_MAX:
            raise _wrong("per", "from 0.001 seconds to 366 days", "0.001초~366일 범위여야")
        if self.burst is not None and self.requests is None:
            raise _wrong("burst", "set together with requests, which it counts", "requests와 함께 적어야")
        if self.burst is not None and self.burst * self.per > PER_MAX * (self.requests or 1):
            raise _wrong(
                "burst", "what requests and per let through in a year", "1년 동안 허용되는 양 이하여야"
            )
        _names(self.scope)

    def rate(self, dimension: Dimension) -> "Rate | None":
        """The limit of one kind as a rate; `None` for none, and for calls under way, which have no rate."""
        limit = self.limit(dimension)
        if limit is None or dimension == "concurrency":
            return None
        return rate_of(limit, self.per, self.burst if dimension == "requests" and self.burst else limit)

    def limit(self, dimension: Dimension) -> int | None:
        """The limit of one kind."""
        limits: dict[Dimension, int | None] = {
            "requests": self.requests,
            "input_tokens": self.input_tokens,
            "output_tokens": self.output_tokens,
            "concurrency": self.concurrency,
        }
        return limits[dimension]

    def subject(self, names: Names) -> str:
        """Whom a call counts for in this scope, as a word that no other subject is called by."""
        return "/".join(_part(name, names) for name in _names(self.scope))


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """What a call is reckoned to use: one request, and tokens.

    `certain_input` and `certain_output` are those that it will use whatever happens. An estimate above them is
    cut to what a bucket can ever hold: it may prove too high, and is corrected when the call is over.
    """

    input_tokens: int = 0
    output_tokens: int = 0
    certain_input: int = 0
    certain_output: int = 0

    def cost(self, dimension: Dimension, rate: Rate) -> int:
        """What to take of a bucket of that rate."""
        if dimension == "input_tokens":
            estimate, certain = self.input_tokens, self.certain_input
        elif dimension == "output_tokens":
            estimate, certain = self.output_tokens, self.certain_output
        else:
            return 1
        return max(certain, min(estimate, rate.burst))


def wanted(quotas: Iterable[tuple[str, QuotaConfig, str]], need: Need, *, id: str, lease: float) -> Ask:
    """What a call needs of every quota: its name, its limits, and whom the call counts for in it."""
    takes: list[Take] = []
    slots: list[Slot] = []
    for name, config, subject in quotas:
        for dimension in DIMENSIONS:
            rate = config.rate(dimension)
            if rate is not None:
                key, cost = _key(name, dimension, subject), need.cost(dimension, rate)
                takes.append(Take(key=key, dimension=dimension, rate=rate, cost=cost))
        if config.concurrency is not None:
            slots.append(Slot(key=_key(name, "concurrency", subject), limit=config.concurrency))
    return Ask(id=id, takes=tuple(takes), slots=tuple(slots), lease=lease)


def corrections(ask: Ask, *, input_tokens: int, output_tokens: int) -> tuple[Take, ...]:
    """What to add to each bucket, or give back to it, now that it is known what a call has used."""
    actual = {"input_tokens": input_tokens, "output_tokens": output_tokens}
    return tuple(
        replace(take, cost=actual[take.dimension] - take.cost)
        for take in ask.takes
        if actual.get(take.dimension, take.cost) != take.cost
    )


def _key(quota: str, dimension: Dimension, subject: str) -> str:
    return f"{quote(quota, safe='')}/{dimension}/{subject}"


def owner(key: str) -> tuple[str, Dimension, str]:
    """The quota, the kind of limit and, for people, the subject that a key stands for."""
    name, dimension, subject = key.split("/", 2)
    parts = [unquote(part.replace("=", " ", 1), errors="replace") for part in subject.split("/")]
    return unquote(name), _KINDS[dimension], ", ".join(parts)


_KINDS: dict[str, Dimension] = {name: name for name in (*DIMENSIONS, "concurrency")}
_NAMES: dict[str, Name] = {"key": "key", "user": "user", "model": "model", "run": "run"}


def _names(scope: str) -> tuple[Name, ...]:
    if scope == "organisation":
        return ()
    parts = scope.split("+")
    if not all(part in _NAMES for part in parts) or len(set(parts)) < len(parts):
        raise _wrong(
            "scope",
            'organisation, or key, user, model, run joined by "+"',
            'organisation이거나 key, user, model, run을 "+"로 이은 값이어야',
        )
    return tuple(_NAMES[part] for part in parts)


def _part(name: Name, names: Names) -> str:
    value = names.get(name)
    if value is None and name != "key":
        return f"key={word(names.get('key') or '')}"
    return f"{name}={word(value or '')}"


def word(text: str) -> str:
    """A name as part of a key: callers choose it, so it can neither break the key up nor make it long."""
    plain = quote(text, safe="", errors="surrogatepass")
    if len(plain) <= PART_MAX:
        return plain
    # A colon is never part of a plain word, so nobody can take the place of a fingerprint.
    return f"sha256:{sha256(text.encode(errors='surrogatepass')).hexdigest()}"


def _check_limit(key: str, value: int | None) -> None:
    if value is not None and not 1 <= value <= LARGEST:
        raise _wrong(
            key,
            f"1 to {LARGEST:,}; leave it out for no limit",
            f"1~{LARGEST:,}이어야(제한이 없으면 생략해야)",
        )


def _wrong(key: str, english: str, korean: str) -> ConfigError:
    return ConfigError(
        Sentence(
            f"{key}: must be {english}; correct this setting", ko=f"{key}: {korean} 합니다. 설정을 고치세요"
        )
    )
