"""What an operator can change about prices."""

from datetime import date
from decimal import Decimal
from importlib import resources
from typing import Any

import pytest

from holdfast.errors import ConfigError, UnknownModel
from holdfast.policy import price_table, pricing
from holdfast.policy.charge import Charge
from holdfast.policy.pricing import CardOverride, PricingConfig
from holdfast.wire.usage import Usage

TABLE = price_table.read(resources.files("holdfast.policy").joinpath("prices.json").read_bytes())
TODAY = date(2026, 11, 22)
DEAREST = pricing.configured(TABLE, PricingConfig(unknown_model="dearest"))


def charge(config: PricingConfig, model: str, usage: dict[str, Any], at: date = TODAY) -> Charge:
    return pricing.cost(pricing.configured(TABLE, config), model, Usage.of(usage), at=at)


def card(given: str, out: str, **more: Any) -> CardOverride:
    return CardOverride(input=Decimal(given), output=Decimal(out), **more)


def test_without_changes_the_table_and_its_version_stay_the_same() -> None:
    assert pricing.configured(TABLE, PricingConfig()) == TABLE


def test_a_multiplier_scales_tokens_and_searches_exactly() -> None:
    usage = {"input_tokens": 1_000_000, "server_tool_use": {"web_search_requests": 100}}
    assert charge(PricingConfig(multiplier=Decimal("0.85")), "claude-opus-5-5", usage).usd == Decimal("4.25")


def test_a_price_that_a_multiplier_makes_fractional_is_rounded_up_and_never_down() -> None:
    usage = {"cache_read_input_tokens": 1, "service_tier": "batch", "inference_geo": "us"}
    # 10,000 x 0.5 x 1.1 x 0.815 = 4,482.5 pico-dollars
    assert charge(PricingConfig(multiplier=Decimal("0.815")), "claude-haiku-5-5", usage).pico == 4_483


def test_an_override_replaces_the_price_on_every_day_and_for_every_length() -> None:
    config = PricingConfig(overrides={"claude-haiku-5-5": card("0.08", "0.40")})
    usage = {"input_tokens": 1_000_000, "output_tokens": 1_000_000}
    assert charge(config, "claude-haiku-5-5", usage).usd == Decimal("0.48")
    assert charge(config, "claude-haiku-5-5", usage, date(2026, 10, 8)).usd == Decimal("0.48")


def test_an_override_by_alias_holds_for_the_model() -> None:
    config = PricingConfig(overrides={"claude-opus-4-5": card("4", "20")})
    assert charge(config, "claude-opus-4-5-20251101", {"input_tokens": 1_000_000}).usd == Decimal("4.00")


def test_an_override_leaves_fast_mode_batch_and_place_as_listed() -> None:
    config = PricingConfig(overrides={"claude-opus-5-5": card("3", "15")})
    million = {"input_tokens": 1_000_000}
    assert charge(config, "claude-opus-5-5", {**million, "speed": "fast"}).usd == Decimal("8.00")
    assert charge(config, "claude-opus-5-5", {**million, "service_tier": "batch"}).usd == Decimal("1.50")
    assert charge(config, "claude-opus-5-5", {**million, "inference_geo": "us"}).usd == Decimal("3.30")


def test_cache_prices_left_out_of_an_override_follow_the_usual_ratios() -> None:
    config = PricingConfig(overrides={"claude-next": card("2", "10")})
    usage = {
        "cache_read_input_tokens": 1_000_000,
        "cache_creation_input_tokens": 2_000_000,
        "cache_creation": {"ephemeral_1h_input_tokens": 1_000_000},
    }
    assert charge(config, "claude-next", usage).usd == Decimal("6.70")


def test_cache_prices_of_an_override_are_taken_as_given() -> None:
    own = card("2", "10", cache_read=Decimal("0.1"), cache_write_5m=Decimal(3), cache_write_1h=Decimal(5))
    usage = {
        "cache_read_input_tokens": 1_000_000,
        "cache_creation_input_tokens": 2_000_000,
        "cache_creation": {"ephemeral_1h_input_tokens": 1_000_000},
    }
    assert charge(PricingConfig(overrides={"m": own}), "m", usage).usd == Decimal("8.10")


def test_an_override_gives_an_unlisted_or_unpriced_model_a_price() -> None:
    config = PricingConfig(
        overrides={"local-model": card("0", "0"), "claude-mythos-preview": card("10", "50")}
    )
    assert charge(config, "local-model", {"input_tokens": 10}).usd == 0
    assert charge(config, "claude-mythos-preview", {"input_tokens": 1_000_000}).usd == Decimal("10.00")


def test_changed_prices_have_another_version_and_the_same_change_has_the_same() -> None:
    changed = PricingConfig(overrides={"claude-opus-5-5": card("3", "15")})
    again = PricingConfig(overrides={"claude-opus-5-5": card("3", "15")})
    first = pricing.configured(TABLE, changed).version
    assert first != TABLE.version
    assert first == pricing.configured(TABLE, again).version
    assert first != pricing.configured(TABLE, PricingConfig(multiplier=Decimal(2))).version


@pytest.mark.parametrize("multiplier", [0, -1, "NaN", 0.9, True])
def test_a_multiplier_that_is_no_exact_number_above_zero_is_refused(multiplier: Any) -> None:
    with pytest.raises(ConfigError, match="multiplier"):
        PricingConfig(multiplier=multiplier)


def test_a_multiplier_may_be_written_as_text() -> None:
    written: Any = "0.85"
    assert PricingConfig(multiplier=written).multiplier == Decimal("0.85")


def test_an_unknown_policy_for_unknown_models_is_refused() -> None:
    wrong: Any = "zero"
    with pytest.raises(ConfigError, match=r"refuse.*dearest") as caught:
        PricingConfig(unknown_model=wrong)
    assert "zero" in caught.value.say("ko")


@pytest.mark.parametrize("price", ["-1", "0.0000001", 2.5])
def test_an_override_that_is_no_exact_price_is_refused(price: Any) -> None:
    with pytest.raises(ConfigError, match="input"):
        CardOverride(input=price, output=Decimal(1))


# ---- unknown models at the dearest price


def dearest(usage: dict[str, Any], at: date = TODAY) -> Charge:
    return pricing.cost(DEAREST, "claude-unheard-of", Usage.of(usage), at=at)


@pytest.mark.parametrize(
    ("usage", "dollars"),
    [
        ({"input_tokens": 1_000_000}, "10.00"),
        ({"output_tokens": 1_000_000}, "50.00"),
        ({"cache_read_input_tokens": 1_000_000}, "1.00"),
        ({"cache_creation_input_tokens": 1_000_000}, "12.50"),
        ({"input_tokens": 1_000_000, "speed": "fast"}, "16.00"),
        ({"input_tokens": 1_000_000, "inference_geo": "us"}, "11.00"),
        ({"input_tokens": 1_000_000, "service_tier": "batch"}, "5.00"),
    ],
)
def test_an_unknown_model_may_be_taken_at_the_dearest_price_of_each_kind(
    usage: dict[str, Any], dollars: str
) -> None:
    assert dearest(usage).usd == Decimal(dollars)


def test_such_a_charge_is_marked_and_shows_the_name_that_was_asked_for() -> None:
    charged = dearest({"input_tokens": 1})
    assert charged.assumed
    assert charged.model == "claude-unheard-of"
    assert charged.terms[0].card == "dearest"


def test_models_that_no_longer_or_not_yet_answer_do_not_set_the_dearest_price() -> None:
    # opus-4-1 at 15 a million retired on 2026-08-05
    assert dearest({"input_tokens": 1_000_000}, date(2026, 8, 4)).usd == Decimal("15.00")
    assert dearest({"input_tokens": 1_000_000}, date(2026, 8, 5)).usd == Decimal("10.00")


def test_a_model_without_a_public_price_is_taken_at_the_dearest_too() -> None:
    usage = Usage.of({"input_tokens": 1_000_000})
    assert pricing.cost(DEAREST, "claude-mythos-preview", usage, at=TODAY).usd == Decimal("10.00")


def test_a_known_model_keeps_its_price() -> None:
    usage = Usage.of({"input_tokens": 1_000_000})
    assert pricing.cost(DEAREST, "claude-sonnet-5-5", usage, at=TODAY).usd == Decimal("2.00")


def test_where_no_model_is_in_service_there_is_no_dearest_price() -> None:
    bare = pricing.configured(
        price_table.read(
            b'{"as_of": "2026-11-22", "server_tools": {"web_search_per_1000": "10"}, "models": []}'
        ),
        PricingConfig(unknown_model="dearest"),
    )
    with pytest.raises(UnknownModel):
        pricing.cost(bare, "claude-opus-5-5", Usage(), at=TODAY)
