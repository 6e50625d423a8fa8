"""Every rule of the calculator, by figures worked out by hand."""

from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from importlib import resources
from typing import Any

import pytest

from holdfast.errors import UnknownModel
from holdfast.policy import price_table, pricing
from holdfast.wire.usage import Usage

TABLE = price_table.read(resources.files("holdfast.policy").joinpath("prices.json").read_bytes())
NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


def usd(
    model: str, usage: dict[str, Any], at: datetime | date = NOW, *, refused_empty: bool = False
) -> Decimal:
    return pricing.cost(TABLE, model, Usage.of(usage), at=at, refused_empty=refused_empty).usd


def counts(given: int = 0, out: int = 0, **more: Any) -> dict[str, Any]:
    return {"input_tokens": given, "output_tokens": out, **more}


# ---- kinds of tokens


def test_input_and_output() -> None:
    assert usd("claude-sonnet-5-5", counts(1_000_000, 100_000)) == Decimal("3.00")


def test_all_five_kinds_of_tokens_of_one_message() -> None:
    usage = counts(
        1_000,
        500,
        cache_read_input_tokens=10_000,
        cache_creation_input_tokens=3_000,
        cache_creation={"ephemeral_5m_input_tokens": 2_000, "ephemeral_1h_input_tokens": 1_000},
    )
    # opus-5-5 per million: 4 / 20 / read 0.20 / 5 min 5 / 1 h 8
    # 0.004 + 0.010 + 0.002 + 0.010 + 0.008
    assert usd("claude-opus-5-5", usage) == Decimal("0.034")


def test_cache_writes_without_a_split_are_five_minute_writes() -> None:
    assert usd("claude-opus-5-5", counts(cache_creation_input_tokens=1_000_000)) == Decimal("5.00")


def test_a_usage_whose_one_hour_writes_exceed_its_writes_is_never_paid_back() -> None:
    odd = Usage(cache_creation_input_tokens=10, cache_creation_1h_input_tokens=20)
    assert pricing.cost(TABLE, "claude-opus-5-5", odd, at=NOW).pico == 20 * 8_000_000


def test_fable_reads_its_cache_at_a_fortieth_of_input() -> None:
    assert usd("claude-fable-5-2", counts(cache_read_input_tokens=1_000_000)) == Decimal("0.20")
    assert usd("claude-fable-5-1", counts(cache_read_input_tokens=1_000_000)) == Decimal("0.25")
    assert usd("claude-fable-5", counts(cache_read_input_tokens=1_000_000)) == Decimal("1.00")


def test_thinking_is_output_and_never_added_again() -> None:
    usage = counts(0, 1_000_000, output_tokens_details={"thinking_tokens": 900_000})
    assert usd("claude-opus-5-5", usage) == Decimal("20.00")


def test_warming_the_cache_with_max_tokens_0_costs_input_and_write() -> None:
    assert usd("claude-haiku-4-5", counts(100, 0, cache_creation_input_tokens=1_000)) == Decimal("0.00135")


def test_nothing_used_costs_nothing() -> None:
    assert usd("claude-opus-5-5", {}) == 0


# ---- bands


@pytest.mark.parametrize(
    ("usage", "dollars"),
    [
        (counts(100_000, 1_000), "0.0105"),
        (counts(100_001, 1_000), "0.0525005"),
        (counts(0, 1_000, cache_read_input_tokens=100_000), "0.0015"),
        (counts(0, 1_000, cache_read_input_tokens=100_001), "0.00750005"),
        (counts(40_000, 0, cache_read_input_tokens=30_000, cache_creation_input_tokens=30_000), "0.00805"),
        (
            counts(40_000, 0, cache_read_input_tokens=30_000, cache_creation_input_tokens=30_001),
            "0.040250625",
        ),
    ],
)
def test_haiku_steps_up_strictly_above_100_000_tokens_of_prompt(usage: dict[str, Any], dollars: str) -> None:
    assert usd("claude-haiku-5-5", usage) == Decimal(dollars)


def test_output_alone_never_reaches_the_band() -> None:
    assert usd("claude-haiku-5-5", counts(1, 200_000)) == Decimal("0.1000001")


def test_the_long_context_card_of_the_4_6_models_ended_in_march_2026() -> None:
    long = counts(200_001, 1_000)
    assert usd("claude-sonnet-4-6", long, date(2026, 3, 12)) == Decimal("1.222506")
    assert usd("claude-sonnet-4-6", long, date(2026, 3, 13)) == Decimal("0.615003")


# ---- days


def test_a_card_ends_at_midnight_utc_when_the_next_one_begins() -> None:
    read = counts(cache_read_input_tokens=1_000_000)
    assert usd("claude-sonnet-5-5", read, datetime(2026, 10, 6, 23, 59, 59, tzinfo=UTC)) == Decimal("0.20")
    assert usd("claude-sonnet-5-5", read, datetime(2026, 10, 7, tzinfo=UTC)) == Decimal("0.10")


def test_a_local_time_is_taken_to_utc_first() -> None:
    read = counts(cache_read_input_tokens=1_000_000)
    seoul = timezone(timedelta(hours=9))
    assert usd("claude-sonnet-5-5", read, datetime(2026, 10, 7, 8, 59, tzinfo=seoul)) == Decimal("0.20")
    assert usd("claude-sonnet-5-5", read, datetime(2026, 10, 7, 9, 0, tzinfo=seoul)) == Decimal("0.10")


def test_a_naive_time_is_utc() -> None:
    read = counts(cache_read_input_tokens=1_000_000)
    assert usd("claude-sonnet-5-5", read, datetime(2026, 10, 7, tzinfo=UTC).replace(tzinfo=None)) == Decimal(
        "0.10"
    )


def test_a_day_before_the_first_card_takes_the_first_card() -> None:
    assert usd("claude-opus-5-5", counts(1_000_000), date(2020, 1, 1)) == Decimal("4.00")


def test_a_retired_model_keeps_its_price_so_that_old_rows_can_be_computed_again() -> None:
    assert usd("claude-3-5-sonnet-20241022", counts(1_000_000, 1_000_000)) == Decimal("18.00")
    assert usd("claude-3-haiku-20240307", counts(1_000_000, 1_000_000)) == Decimal("1.50")


def test_an_alias_has_the_dated_cards_of_its_model() -> None:
    long = counts(200_001, 0)
    assert usd("claude-opus-4-6-20260205", long, date(2026, 3, 12)) == usd(
        "claude-opus-4-6", long, date(2026, 3, 12)
    )
    assert usd("claude-opus-4-6-20260205", long) == Decimal("1.000005")


# ---- batch, place, speed


def test_batch_halves_every_kind_of_token_bands_included() -> None:
    usage = counts(100_001, 1_000, service_tier="batch")
    assert usd("claude-haiku-5-5", usage) == Decimal("0.02625025")


def test_priority_and_standard_are_list_price() -> None:
    for tier in ("priority", "standard"):
        assert usd("claude-opus-5-5", counts(1_000_000, service_tier=tier)) == Decimal("4.00")


def test_inference_in_the_us_costs_a_tenth_more_where_the_model_has_it() -> None:
    assert usd("claude-opus-4-6", counts(1_000_000, inference_geo="us")) == Decimal("5.50")
    assert usd("claude-opus-4-5", counts(1_000_000, inference_geo="us")) == Decimal("5.00")
    assert usd("claude-opus-4-6", counts(1_000_000, inference_geo="global")) == Decimal("5.00")


def test_batch_in_the_us_is_both() -> None:
    usage = counts(1_000_000, 1_000_000, inference_geo="us", service_tier="batch")
    assert usd("claude-haiku-5-5", usage) == Decimal("1.65")


def test_fast_goes_by_the_speed_that_was_served() -> None:
    assert usd("claude-opus-5-5", counts(1_000, 1_000, speed="fast")) == Decimal("0.048")
    assert usd("claude-opus-5-5", counts(1_000, 1_000, speed="standard")) == Decimal("0.024")


def test_fast_in_the_us_is_both() -> None:
    usage = counts(0, 0, cache_read_input_tokens=1_000_000, speed="fast", inference_geo="us")
    assert usd("claude-fable-5-2", usage) == Decimal("0.44")


def test_fast_on_a_model_without_a_fast_card_is_billed_at_standard_rates() -> None:
    assert usd("claude-opus-4-6", counts(1_000_000, speed="fast")) == Decimal("5.00")


def test_a_fast_card_ends_on_its_day() -> None:
    assert usd("claude-opus-4-8", counts(1_000_000, speed="fast"), date(2026, 11, 29)) == Decimal("10.00")
    assert usd("claude-opus-4-8", counts(1_000_000, speed="fast"), date(2026, 11, 30)) == Decimal("5.00")


# ---- server tools


def test_a_thousand_web_searches_cost_ten_dollars_and_fetches_nothing() -> None:
    tools = {"web_search_requests": 1_000, "web_fetch_requests": 1_000}
    assert usd("claude-opus-5-5", {"server_tool_use": tools}) == Decimal("10.00")


def test_neither_batch_nor_place_nor_speed_touches_a_web_search() -> None:
    usage = {"server_tool_use": {"web_search_requests": 1}, "service_tier": "batch", "inference_geo": "us"}
    assert usd("claude-opus-5-5", {**usage, "speed": "fast"}) == Decimal("0.01")


# ---- the breakdown


def test_the_terms_say_what_was_billed_and_add_up_to_the_charge() -> None:
    usage = counts(
        100_001, 10, cache_read_input_tokens=5, server_tool_use={"web_search_requests": 2}, inference_geo="us"
    )
    charge = pricing.cost(TABLE, "claude-haiku-5-5", Usage.of(usage), at=NOW)
    assert [(t.name, t.card, t.quantity, t.unit_pico) for t in charge.terms] == [
        ("input", "above_100000", 100_001, 550_000),
        ("output", "above_100000", 10, 2_750_000),
        ("cache_read", "above_100000", 5, 55_000),
        ("web_search", "server_tool", 2, 10**10),
    ]
    assert sum(term.pico for term in charge.terms) == charge.pico
    assert (charge.version, charge.day, charge.assumed) == (TABLE.version, date(2026, 11, 22), False)


# ---- unknown models


def test_an_unknown_model_is_refused_with_a_guess_at_what_was_meant() -> None:
    with pytest.raises(UnknownModel, match=r"did you mean claude-sonnet-5-5\?") as caught:
        usd("claude-sonet-5-5", counts(1))
    assert caught.value.details == {"model": "claude-sonet-5-5", "did_you_mean": "claude-sonnet-5-5"}
    assert "혹시 claude-sonnet-5-5인가요?" in caught.value.say("ko")


def test_a_name_like_none_of_ours_gets_no_guess() -> None:
    with pytest.raises(UnknownModel) as caught:
        usd("gpt-4", counts(1))
    assert "did you mean" not in str(caught.value)
    assert "혹시" not in caught.value.say("ko")


def test_a_dated_spelling_that_is_not_listed_is_never_priced_as_its_neighbour() -> None:
    with pytest.raises(UnknownModel):
        usd("claude-opus-5-5-20260922", counts(1))


def test_a_very_long_name_is_cut_in_the_error() -> None:
    with pytest.raises(UnknownModel) as caught:
        usd("x" * 100_000, counts(1))
    assert len(str(caught.value)) < 500


def test_a_model_whose_price_is_not_public_is_refused_with_another_sentence() -> None:
    with pytest.raises(UnknownModel, match="not public") as caught:
        usd("claude-mythos-preview", counts(1))
    assert "공개되지 않아" in caught.value.say("ko")
