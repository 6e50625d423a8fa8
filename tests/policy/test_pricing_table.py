"""The shipped price list, and what a price list must look like."""

import json
from datetime import date
from fractions import Fraction
from importlib import resources
from typing import Any

import pytest

from holdfast.errors import ConfigError
from holdfast.policy import price_table
from holdfast.policy.price_table import Card, PriceTable

RAW = resources.files("holdfast.policy").joinpath("prices.json").read_bytes()
TABLE = price_table.read(RAW)

IDS = {
    "claude-fable-5-2",
    "claude-mythos-5-2",
    "claude-fable-5-1",
    "claude-mythos-5-1",
    "claude-fable-5",
    "claude-mythos-5",
    "claude-opus-5-5",
    "claude-opus-5",
    "claude-opus-4-8",
    "claude-opus-4-7",
    "claude-opus-4-6",
    "claude-opus-4-5-20251101",
    "claude-sonnet-5-5",
    "claude-sonnet-5",
    "claude-sonnet-4-6",
    "claude-sonnet-4-5-20250929",
    "claude-haiku-5-5",
    "claude-haiku-4-5-20251001",
    "claude-mythos-preview",
    "claude-opus-4-1-20250805",
    "claude-opus-4-20250514",
    "claude-sonnet-4-20250514",
    "claude-3-7-sonnet-20250219",
    "claude-3-5-sonnet-20241022",
    "claude-3-5-haiku-20241022",
    "claude-3-haiku-20240307",
    "claude-3-opus-20240229",
}

ALIASES = {
    "claude-opus-4-6-20260205": "claude-opus-4-6",
    "claude-opus-4-5": "claude-opus-4-5-20251101",
    "claude-sonnet-4-5": "claude-sonnet-4-5-20250929",
    "claude-haiku-4-5": "claude-haiku-4-5-20251001",
    "claude-opus-4-1": "claude-opus-4-1-20250805",
    "claude-opus-4-0": "claude-opus-4-20250514",
    "claude-sonnet-4-0": "claude-sonnet-4-20250514",
    "claude-3-7-sonnet-latest": "claude-3-7-sonnet-20250219",
    "claude-3-5-sonnet-latest": "claude-3-5-sonnet-20241022",
    "claude-3-5-haiku-latest": "claude-3-5-haiku-20241022",
    "claude-3-opus-latest": "claude-3-opus-20240229",
}


def document() -> dict[str, Any]:
    parsed: dict[str, Any] = json.loads(RAW)
    return parsed


def read(changed: dict[str, Any]) -> PriceTable:
    return price_table.read(json.dumps(changed).encode())


def cards(table: PriceTable) -> list[tuple[Card, Fraction]]:
    """Every card with every scale it can have."""
    return [
        (card, scale)
        for model in table.models.values()
        for period in model.periods
        for card in (period.standard, *(c for _, c in period.bands), *([period.fast] if period.fast else []))
        for scale in (model.scales.plain, model.scales.batch, model.scales.us, model.scales.batch_us)
    ]


def test_every_one_of_the_27_models_is_there() -> None:
    assert set(TABLE.models) == IDS
    assert len(IDS) == 27


def test_every_alias_leads_to_its_model() -> None:
    assert {name: known for name, known in TABLE.names.items() if name != known} == ALIASES


def test_no_price_is_a_float_and_none_is_zero() -> None:
    for card, _ in cards(TABLE):
        prices = (card.input, card.output, card.cache_read, card.cache_write_5m, card.cache_write_1h)
        assert all(type(price) is int and price > 0 for price in prices)


def test_batch_and_us_prices_are_whole_pico_dollars_too() -> None:
    for card, scale in cards(TABLE):
        for price in (card.input, card.output, card.cache_read, card.cache_write_5m, card.cache_write_1h):
            assert (price * scale).denominator == 1


def test_the_file_writes_prices_as_text_so_that_no_parser_makes_floats_of_them() -> None:
    def refuse(text: str) -> float:
        raise AssertionError(text)

    json.loads(RAW, parse_float=refuse)


def test_numbers_in_a_price_list_are_read_exactly_as_well() -> None:
    changed = document()
    changed["models"][0]["prices"][0]["cache_read"] = 0.1
    assert read(changed).models["claude-fable-5-2"].periods[0].standard.cache_read == 100_000


def test_the_version_names_the_day_and_changes_with_the_content() -> None:
    changed = document()
    changed["models"][0]["prices"][0]["input"] = "9"
    assert TABLE.version.startswith("2026-11-22.")
    assert read(changed).version != TABLE.version


def test_facts_tell_limits_thinking_and_forced_tools() -> None:
    facts = TABLE.models["claude-sonnet-5-5"].facts
    assert (facts.family, facts.status) == ("sonnet", "active")
    assert (facts.context_window, facts.max_output_tokens) == (1_000_000, 128_000)
    assert facts.forced_tool_choice is False
    assert facts.thinking_is_bound is True


def test_a_retirement_day_and_a_promise_not_to_retire_before_a_day_are_different_facts() -> None:
    ending = TABLE.models["claude-sonnet-4-5-20250929"].facts
    promised = TABLE.models["claude-opus-5"].facts
    assert (ending.retires, ending.retires_not_before) == (date(2026, 11, 30), None)
    assert (promised.retires, promised.retires_not_before) == (None, date(2027, 7, 24))
    assert ending.replacement == "claude-sonnet-5-5"


def test_a_model_is_retired_from_its_retirement_day_on() -> None:
    facts = TABLE.models["claude-sonnet-4-5-20250929"].facts
    assert not facts.is_retired(date(2026, 11, 29))
    assert facts.is_retired(date(2026, 11, 30))
    assert not TABLE.models["claude-opus-5-5"].facts.is_retired(date(2099, 1, 1))


def test_retiring_lists_what_still_answers_and_soon_will_not() -> None:
    today = date(2026, 11, 22)
    assert [m.id for m in price_table.retiring(TABLE, on=today, within=30)] == ["claude-sonnet-4-5-20250929"]
    assert price_table.retiring(TABLE, on=today, within=7) == ()
    assert price_table.retiring(TABLE, on=date(2026, 11, 30), within=30) == ()


def test_retiring_is_sorted_by_the_day() -> None:
    days = [m.retires for m in price_table.retiring(TABLE, on=date(2026, 1, 1), within=400)]
    assert len(days) > 3
    assert days == sorted(day for day in days if day)


def test_a_model_without_a_public_price_is_known_but_has_no_card() -> None:
    assert TABLE.models["claude-mythos-preview"].periods == ()


@pytest.mark.parametrize("raw", [b"", b"[]", b"{", b'{"as_of": "2026-11-22"}'])
def test_what_is_no_price_list_is_a_config_error(raw: bytes) -> None:
    with pytest.raises(ConfigError, match="price list cannot be used"):
        price_table.read(raw)


def test_a_misspelt_member_is_named_with_its_place() -> None:
    changed = document()
    changed["models"][3]["prices"][0]["inptu"] = "1"
    with pytest.raises(ConfigError, match=r"inptu.*models"):
        read(changed)


@pytest.mark.parametrize("price", ["-1", "NaN", "0.0000001", None])
def test_a_price_that_is_none_is_refused(price: str | None) -> None:
    changed = document()
    changed["models"][0]["prices"][0]["output"] = price
    with pytest.raises(ConfigError, match="claude-fable-5-2 output"):
        read(changed)


def test_a_gap_between_two_cards_is_refused() -> None:
    changed = document()
    row = next(m for m in changed["models"] if m["id"] == "claude-sonnet-5-5")
    row["prices"][1]["effective_from"] = "2026-10-08"
    with pytest.raises(ConfigError, match=r"claude-sonnet-5-5: a card must start"):
        read(changed)


def test_a_name_used_twice_is_refused() -> None:
    changed = document()
    changed["models"][0]["aliases"] = ["claude-opus-5-5"]
    with pytest.raises(ConfigError, match=r"claude-opus-5-5: two models"):
        read(changed)


def test_a_retirement_that_is_no_day_is_refused_in_both_languages() -> None:
    changed = document()
    changed["models"][0]["retirement"] = "soon"
    with pytest.raises(ConfigError, match="claude-fable-5-2") as caught:
        read(changed)
    assert "요금표" in caught.value.say("ko")
