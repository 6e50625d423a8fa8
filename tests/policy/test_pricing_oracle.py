"""The calculator against another one, written from the rules over the raw file in fractions."""

import json
from datetime import date, timedelta
from fractions import Fraction
from importlib import resources
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.policy import price_table, pricing
from holdfast.wire.usage import Usage

RAW = resources.files("holdfast.policy").joinpath("prices.json").read_bytes()
TABLE = price_table.read(RAW)
BOOK: dict[str, Any] = json.loads(RAW)
ROWS: list[dict[str, Any]] = [row for row in BOOK["models"] if row["prices"][0]["input"] is not None]
NAMES = {name: row for row in ROWS for name in (row["id"], *row["aliases"])}

Step = dict[str, Any]

LENGTHS = st.one_of(
    st.integers(0, 300_000),
    st.sampled_from([0, 1, 99_999, 100_000, 100_001, 199_999, 200_000, 200_001, 1_000_000]),
)
DAYS = st.dates(min_value=date(2025, 9, 1), max_value=date(2027, 6, 1))
WORDS = {
    "service_tier": st.sampled_from([None, "standard", "priority", "batch"]),
    "speed": st.sampled_from([None, "standard", "fast"]),
    "inference_geo": st.sampled_from([None, "us", "global", "not_available"]),
}


# ---- the other calculator


def oracle_card(row: dict[str, Any], counts: Step, day: date, speed: str | None) -> dict[str, Any]:
    chosen = row["prices"][0]
    for price in row["prices"]:
        if price["effective_from"] is None or date.fromisoformat(price["effective_from"]) <= day:
            chosen = price
    fast = chosen.get("fast")
    if speed == "fast" and fast and (not fast.get("effective_to") or str(day) < fast["effective_to"]):
        return dict(fast)
    prompt = (
        counts["input_tokens"] + counts["cache_read_input_tokens"] + counts["cache_creation_input_tokens"]
    )
    above = [band for band in chosen.get("bands", []) if prompt > band["above_prompt_tokens"]]
    return dict(above[-1] if above else chosen)


def oracle_step(name: str, counts: Step, usage: Step, day: date) -> Fraction:
    row = NAMES[name]
    card = oracle_card(row, counts, day, usage["speed"])
    hour: int = counts["cache_creation"]["ephemeral_1h_input_tokens"]
    total: Fraction = (
        counts["input_tokens"] * Fraction(card["input"])
        + counts["output_tokens"] * Fraction(card["output"])
        + counts["cache_read_input_tokens"] * Fraction(card["cache_read"])
        + (counts["cache_creation_input_tokens"] - hour) * Fraction(card["cache_write_5m"])
        + hour * Fraction(card["cache_write_1h"])
    ) / 10**6
    if usage["service_tier"] == "batch":
        total *= Fraction(row["batch_multiplier"])
    if usage["inference_geo"] == "us" and row["us_inference_multiplier"]:
        total *= Fraction(row["us_inference_multiplier"])
    return total


def oracle_searches(usage: Step) -> Fraction:
    searches: int = usage["server_tool_use"]["web_search_requests"]
    return searches * Fraction(BOOK["server_tools"]["web_search_per_1000"]) / 1000


def priced(model: str, usage: Step, day: date) -> Fraction:
    return Fraction(pricing.cost(TABLE, model, Usage.of(usage), at=day).pico, 10**12)


# ---- usages


@st.composite
def steps(draw: st.DrawFn, kind: str = "message", model: str | None = None) -> Step:
    five, hour = draw(LENGTHS), draw(st.integers(0, 50_000))
    step: Step = {
        "type": kind,
        "input_tokens": draw(LENGTHS),
        "output_tokens": draw(st.integers(0, 128_000)),
        "cache_read_input_tokens": draw(LENGTHS),
        "cache_creation_input_tokens": five + hour,
        "cache_creation": {"ephemeral_5m_input_tokens": five, "ephemeral_1h_input_tokens": hour},
    }
    return step if model is None else {**step, "model": model}


@st.composite
def heads(draw: st.DrawFn) -> Step:
    """The members that belong to the whole message."""
    words = {name: draw(values) for name, values in WORDS.items()}
    return {**words, "server_tool_use": {"web_search_requests": draw(st.integers(0, 20))}}


def sums(parts: list[Step]) -> Step:
    names = ("input_tokens", "output_tokens", "cache_read_input_tokens", "cache_creation_input_tokens")
    hour = sum(part["cache_creation"]["ephemeral_1h_input_tokens"] for part in parts)
    total: Step = {name: sum(part[name] for part in parts) for name in names}
    five = total["cache_creation_input_tokens"] - hour
    return {
        **total,
        "cache_creation": {"ephemeral_5m_input_tokens": five, "ephemeral_1h_input_tokens": hour},
    }


MODELS = st.sampled_from(sorted(NAMES))


@settings(max_examples=150, deadline=None)
@given(model=MODELS, head=heads(), counts=steps(), day=DAYS)
def test_one_iteration_costs_the_same(model: str, head: Step, counts: Step, day: date) -> None:
    usage = {**head, **counts}
    assert priced(model, usage, day) == oracle_step(model, counts, usage, day) + oracle_searches(usage)


@settings(max_examples=100, deadline=None)
@given(
    model=MODELS,
    head=heads(),
    messages=st.lists(steps(), min_size=1, max_size=4),
    compactions=st.lists(steps("compaction"), max_size=2),
    advisor=MODELS,
    advised=st.booleans(),
    exact=st.booleans(),
    day=DAYS,
    data=st.data(),
)
def test_iterations_compactions_and_advisors_cost_the_same(
    model: str,
    head: Step,
    messages: list[Step],
    compactions: list[Step],
    advisor: str,
    advised: bool,
    exact: bool,
    day: date,
    data: st.DataObject,
) -> None:
    advice = [data.draw(steps("advisor_message", advisor))] if advised else []
    top = sums(messages)
    if not exact:
        top["input_tokens"] += 1
    usage = {**head, **top, "iterations": [*compactions, *messages, *advice]}
    expected = oracle_searches(usage)
    expected += sum((oracle_step(model, s, usage, day) for s in (messages if exact else [top])), Fraction(0))
    expected += sum((oracle_step(model, s, usage, day) for s in compactions), Fraction(0))
    expected += sum((oracle_step(advisor, s, usage, day) for s in advice), Fraction(0))
    assert priced(model, usage, day) == expected


@settings(max_examples=100, deadline=None)
@given(
    asked=st.sampled_from(["claude-fable-5-2", "claude-opus-5-5", "claude-fable-5"]),
    served=st.sampled_from(["claude-opus-4-8", "claude-haiku-5-5", "claude-sonnet-4-6"]),
    head=heads(),
    inside=st.booleans(),
    day=DAYS,
    data=st.data(),
)
def test_fallbacks_cost_the_same(
    asked: str, served: str, head: Step, inside: bool, day: date, data: st.DataObject
) -> None:
    declined = data.draw(steps("message", asked))
    answer = data.draw(steps("fallback_message", served))
    usage = {**head, **sums([declined, answer] if inside else [answer]), "iterations": [declined, answer]}
    expected = oracle_searches(usage) + oracle_step(served, answer, usage, day)
    if declined["output_tokens"]:
        expected += oracle_step(asked, declined, usage, day)
    assert priced(served, usage, day) == expected


@settings(max_examples=60, deadline=None)
@given(model=MODELS, counts=steps(), more=st.integers(1, 50_000), day=DAYS)
def test_more_tokens_never_cost_less(model: str, counts: Step, more: int, day: date) -> None:
    names = ("input_tokens", "output_tokens", "cache_read_input_tokens", "cache_creation_input_tokens")
    before = pricing.cost(TABLE, model, Usage.of(counts), at=day).pico
    for name in names:
        after = pricing.cost(TABLE, model, Usage.of({**counts, name: counts[name] + more}), at=day).pico
        assert after > before


@settings(max_examples=60, deadline=None)
@given(model=MODELS, counts=steps(), day=DAYS, days=st.integers(0, 3))
def test_the_dearest_price_is_never_below_that_of_a_model_in_service(
    model: str, counts: Step, day: date, days: int
) -> None:
    facts = TABLE.models[TABLE.names[model]].facts
    later = day + timedelta(days=days)
    if facts.is_retired(later) or (facts.released or later) > later:
        return
    dearest = pricing.configured(TABLE, pricing.PricingConfig(unknown_model="dearest"))
    assumed = pricing.cost(dearest, "claude-unheard-of", Usage.of(counts), at=later)
    assert assumed.pico >= pricing.cost(TABLE, model, Usage.of(counts), at=later).pico
