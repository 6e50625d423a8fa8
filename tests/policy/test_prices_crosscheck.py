"""The price book against `genai-prices`, a second opinion: every difference is known, and still there."""

from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from importlib import resources
from typing import Any

import pytest
from genai_prices import Usage as TheirUsage
from genai_prices import calc_price
from genai_prices.types import PriceContext

from holdfast.policy import price_table, pricing
from holdfast.wire.usage import Usage

TABLE = price_table.read(resources.files("holdfast.policy").joinpath("prices.json").read_bytes())
PRICED = frozenset(name for name, model in TABLE.models.items() if model.periods)
US = frozenset(name for name in PRICED if TABLE.models[name].scales.us != 1)
MILLION = 1_000_000

TODAY = date(2026, 11, 22)
DAYS = (date(2026, 3, 1), date(2026, 7, 1), date(2026, 10, 6), TODAY)


@dataclass(frozen=True, kw_only=True)
class Case:
    """One dimension of a bill, in our words and in theirs."""

    ours: dict[str, Any]
    theirs: dict[str, int]
    context: PriceContext = field(default_factory=PriceContext)


def case(theirs: dict[str, int], context: PriceContext | None = None, **ours: Any) -> Case:
    return Case(ours=ours, theirs=theirs, context=context or {})


CASES = {
    "input": case({"input_tokens": 1_000}, input_tokens=1_000),
    "output": case({"input_tokens": 0, "output_tokens": 1_000}, output_tokens=1_000),
    "cache read": case({"input_tokens": 1_000, "cache_read_tokens": 1_000}, cache_read_input_tokens=1_000),
    "cache write 5m": case(
        {"input_tokens": 1_000, "cache_write_tokens": 1_000}, cache_creation_input_tokens=1_000
    ),
    "cache write 1h": case(
        {"input_tokens": 1_000, "cache_write_tokens": 1_000, "cache_write_1h_tokens": 1_000},
        cache_creation={"ephemeral_1h_input_tokens": 1_000},
    ),
    "at the limit": case(
        {"input_tokens": 100_000, "output_tokens": 1_000, "cache_read_tokens": 60_000},
        input_tokens=40_000,
        output_tokens=1_000,
        cache_read_input_tokens=60_000,
    ),
    "above the limit": case(
        {"input_tokens": 100_001, "output_tokens": 1_000, "cache_read_tokens": 60_000},
        input_tokens=40_001,
        output_tokens=1_000,
        cache_read_input_tokens=60_000,
    ),
    "above 200k": case(
        {"input_tokens": 200_001, "output_tokens": 1_000}, input_tokens=200_001, output_tokens=1_000
    ),
    "fast": case(
        {"input_tokens": 1_000, "output_tokens": 1_000},
        {"speed": "fast"},
        input_tokens=1_000,
        output_tokens=1_000,
        speed="fast",
    ),
    "batch": case(
        {"input_tokens": 1_000, "output_tokens": 1_000},
        {"processing": "batch"},
        input_tokens=1_000,
        output_tokens=1_000,
        service_tier="batch",
    ),
    "US inference": case({"input_tokens": 1_000}, input_tokens=1_000, inference_geo="us"),
    "web search": case({"input_tokens": 0, "web_searches": 3}, server_tool_use={"web_search_requests": 3}),
}


@dataclass(frozen=True, kw_only=True)
class Difference:
    """Where the two books differ, and why ours stands."""

    reason: str
    models: frozenset[str]
    dimensions: frozenset[str]
    days: frozenset[date]

    def cells(self) -> set[tuple[str, str, date]]:
        return {(model, name, day) for model in self.models for name in self.dimensions for day in self.days}


ALL_DAYS = frozenset(DAYS)
ALL_CASES = frozenset(CASES)
UNBATCHED = frozenset(
    {
        "claude-3-haiku-20240307",
        "claude-3-opus-20240229",
        "claude-3-5-haiku-20241022",
        "claude-3-5-sonnet-20241022",
        "claude-3-7-sonnet-20250219",
        "claude-opus-4-20250514",
        "claude-sonnet-4-20250514",
        "claude-opus-4-1-20250805",
    }
)

KNOWN = (
    Difference(
        reason="they do not know these models at all",
        models=frozenset({"claude-mythos-5", "claude-mythos-5-1"}),
        dimensions=ALL_CASES,
        days=ALL_DAYS,
    ),
    Difference(
        reason="they do not model US inference, 1.1 times the price from Claude 4.6 on (their issue 429)",
        models=US,
        dimensions=frozenset({"US inference"}),
        days=ALL_DAYS,
    ),
    Difference(
        reason="they lack the dearer cache reads of Sonnet 5.5 before 2026-10-07",
        models=frozenset({"claude-sonnet-5-5"}),
        dimensions=frozenset({"cache read", "at the limit", "above the limit"}),
        days=frozenset({date(2026, 10, 6)}),
    ),
    Difference(
        reason="they lack the fast mode of Opus 4.7, which ended on 2026-07-24",
        models=frozenset({"claude-opus-4-7"}),
        dimensions=frozenset({"fast"}),
        days=frozenset({date(2026, 7, 1)}),
    ),
    Difference(
        reason="they keep the long-context card of Sonnet 4.5, whose beta ended on 2026-04-30",
        models=frozenset({"claude-sonnet-4-5-20250929"}),
        dimensions=frozenset({"above 200k"}),
        days=frozenset({date(2026, 7, 1), date(2026, 10, 6), TODAY}),
    ),
    Difference(
        reason="they halve batches on recent days alone; the halving is as old as batches are",
        models=PRICED,
        dimensions=frozenset({"batch"}),
        days=ALL_DAYS - {TODAY},
    ),
    Difference(
        reason="they do not halve batches of models that are retired",
        models=UNBATCHED,
        dimensions=frozenset({"batch"}),
        days=frozenset({TODAY}),
    ),
    Difference(
        reason="they price no web search of the oldest models, which had none; ours never makes one free",
        models=frozenset({"claude-3-haiku-20240307", "claude-3-opus-20240229"}),
        dimensions=frozenset({"web search"}),
        days=ALL_DAYS,
    ),
)


def theirs(model: str, compared: Case, day: date) -> Decimal | None:
    moment = datetime(day.year, day.month, day.day, 12, tzinfo=UTC)
    try:
        found = calc_price(
            TheirUsage(**compared.theirs),
            model,
            provider_id="anthropic",
            genai_request_timestamp=moment,
            price_context=compared.context,
        )
    except LookupError:
        return None
    return found.total_price


def ours(model: str, compared: Case, day: date) -> Decimal:
    return pricing.cost(TABLE, model, Usage.of(compared.ours), at=day).usd


def is_released(model: str, day: date) -> bool:
    return (TABLE.models[model].facts.released or day) <= day


@pytest.fixture(scope="module")
def different() -> set[tuple[str, str, date]]:
    """Every (model, dimension, day) on which the two books do not say the same."""
    return {
        (model, name, day)
        for model in PRICED
        for name, compared in CASES.items()
        for day in DAYS
        if is_released(model, day) and ours(model, compared, day) != theirs(model, compared, day)
    }


@pytest.mark.requirement("money:cross-check")
def test_the_books_differ_nowhere_but_where_it_is_known(different: set[tuple[str, str, date]]) -> None:
    known = {cell for difference in KNOWN for cell in difference.cells()}
    assert different - known == set()


@pytest.mark.parametrize("difference", KNOWN, ids=lambda difference: str(difference.reason)[:40])
@pytest.mark.requirement("money:cross-check")
def test_a_known_difference_is_still_there(
    different: set[tuple[str, str, date]], difference: Difference
) -> None:
    gone = {cell for cell in difference.cells() if is_released(cell[0], cell[2])} - different
    assert gone == set(), f"no longer a difference: take it off the list ({difference.reason})"


def test_most_of_what_both_know_is_compared() -> None:
    assert len([model for model in PRICED if theirs(model, CASES["input"], TODAY) is not None]) >= 23
