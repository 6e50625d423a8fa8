"""What a message used, as the Messages API counts it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any, Self, cast

MOST_TOKENS = 10**10
"""No message has more, and the price of more would not fit into a column of a ledger."""
MOST_REQUESTS = 10**6
"""The same for searches, of which each one costs as much as thousands of tokens."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenCounts:
    """Tokens by billing kind; `input_tokens` excludes everything read from or written to the prompt cache."""

    input_tokens: int = 0
    output_tokens: int = 0
    cache_read_input_tokens: int = 0
    cache_creation_input_tokens: int = 0
    """All cache writes; those that live one hour are counted again in the next field."""
    cache_creation_1h_input_tokens: int = 0

    @property
    def prompt_tokens(self) -> int:
        """The length of the prompt: input, cache reads and cache writes together."""
        return self.input_tokens + self.cache_read_input_tokens + self.cache_creation_input_tokens


@dataclass(frozen=True, slots=True, kw_only=True)
class Iteration(TokenCounts):
    """One sampling step of a server-tool loop, a compaction or an advisor's turn."""

    type: str = "message"
    model: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage(TokenCounts):
    """The `usage` object of a message; unknown members stay in `extra`, so that a price can be recomputed."""

    web_search_requests: int = 0
    web_fetch_requests: int = 0
    thinking_tokens: int = 0
    service_tier: str | None = None
    speed: str | None = None
    inference_geo: str | None = None
    iterations: tuple[Iteration, ...] = ()
    extra: Mapping[str, Any] = field(default_factory=dict[str, Any], hash=False)

    @classmethod
    def of(cls, usage: "Mapping[str, Any] | Usage | None") -> "Usage":
        """Read a `usage` object; what is missing, null or no plausible count is zero, and nothing here raises."""
        if isinstance(usage, Usage):
            return usage
        return _read(usage or {})

    def merged(self, newer: Mapping[str, Any]) -> "Usage":
        """This usage with the members of a later event laid over it: every count there is cumulative.

        A member that is null or of no known shape leaves what was known standing.
        """
        return _read(
            {
                **self.as_mapping(),
                **{name: value for name, value in newer.items() if _is_readable(name, value)},
            }
        )

    def as_mapping(self) -> dict[str, Any]:
        """The wire shape again."""
        raw: dict[str, Any] = dict(self.extra)
        raw |= {
            "input_tokens": self.input_tokens,
            "output_tokens": self.output_tokens,
            "cache_read_input_tokens": self.cache_read_input_tokens,
            "cache_creation_input_tokens": self.cache_creation_input_tokens,
        }
        return raw

    @classmethod
    def total(cls, parts: "Sequence[Usage]") -> "Usage":
        """All of them together, as far as they are counts."""
        return cls(
            input_tokens=sum(part.input_tokens for part in parts),
            output_tokens=sum(part.output_tokens for part in parts),
            cache_read_input_tokens=sum(part.cache_read_input_tokens for part in parts),
            cache_creation_input_tokens=sum(part.cache_creation_input_tokens for part in parts),
            cache_creation_1h_input_tokens=sum(part.cache_creation_1h_input_tokens for part in parts),
            web_search_requests=sum(part.web_search_requests for part in parts),
            web_fetch_requests=sum(part.web_fetch_requests for part in parts),
            thinking_tokens=sum(part.thinking_tokens for part in parts),
        )

    def with_output(self, output_tokens: int) -> Self:
        """The same usage with another output count."""
        return replace(self, output_tokens=output_tokens)


def is_count(value: object, *, most: int = MOST_TOKENS) -> bool:
    """Whether `value` can be a number of tokens or requests; some JSON writers make 12 to 12.0."""
    whole = value.is_integer() if isinstance(value, float) else type(value) is int
    return whole and 0 <= cast("float", value) <= most


def _count(source: Mapping[str, Any], name: str, *, most: int = MOST_TOKENS) -> int:
    value: Any = source.get(name)
    return int(value) if is_count(value, most=most) else 0


def _word(source: Mapping[str, Any], name: str) -> str | None:
    value = source.get(name)
    return value if isinstance(value, str) else None


def _mapping(source: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = source.get(name)
    return cast("Mapping[str, Any]", value) if isinstance(value, Mapping) else {}


def _counts(source: Mapping[str, Any]) -> dict[str, int]:
    written = _mapping(source, "cache_creation")
    long_lived = _count(written, "ephemeral_1h_input_tokens")
    split = long_lived + _count(written, "ephemeral_5m_input_tokens")
    return {
        "input_tokens": _count(source, "input_tokens"),
        "output_tokens": _count(source, "output_tokens"),
        "cache_read_input_tokens": _count(source, "cache_read_input_tokens"),
        "cache_creation_input_tokens": max(_count(source, "cache_creation_input_tokens"), split),
        "cache_creation_1h_input_tokens": long_lived,
    }


def _iterations(source: Mapping[str, Any]) -> tuple[Iteration, ...]:
    value = source.get("iterations")
    if not isinstance(value, Sequence) or isinstance(value, str | bytes):
        return ()
    steps = [
        cast("Mapping[str, Any]", step)
        for step in cast("Sequence[object]", value)
        if isinstance(step, Mapping)
    ]
    return tuple(
        Iteration(**_counts(step), type=_word(step, "type") or "message", model=_word(step, "model"))
        for step in steps
    )


_SIMPLE = frozenset(f.name for f in fields(TokenCounts)) - {"cache_creation_1h_input_tokens"}

_SHAPES: Mapping[str, type] = {
    "cache_creation": Mapping,
    "server_tool_use": Mapping,
    "output_tokens_details": Mapping,
    "iterations": list,
}


def _is_readable(name: str, value: object) -> bool:
    if name in _SIMPLE:
        return is_count(value)
    return value is not None and isinstance(value, _SHAPES.get(name, object))


def _read(source: Mapping[str, Any]) -> Usage:
    tools = _mapping(source, "server_tool_use")
    return Usage(
        **_counts(source),
        web_search_requests=_count(tools, "web_search_requests", most=MOST_REQUESTS),
        web_fetch_requests=_count(tools, "web_fetch_requests", most=MOST_REQUESTS),
        thinking_tokens=_count(_mapping(source, "output_tokens_details"), "thinking_tokens"),
        service_tier=_word(source, "service_tier"),
        speed=_word(source, "speed"),
        inference_geo=_word(source, "inference_geo"),
        iterations=_iterations(source),
        extra={name: value for name, value in source.items() if name not in _SIMPLE},
    )
