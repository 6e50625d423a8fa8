"""The price book as a user holds it."""

import json
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal, localcontext
from importlib import resources
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from anthropic.types import Usage as SdkUsage

from holdfast.errors import ConfigError, UnknownModel
from holdfast.parts.prices import PriceBook
from holdfast.policy.pricing import PricingConfig
from holdfast.testing import FakeClock
from holdfast.wire.demand import Demand
from holdfast.wire.messages import MessagesRequest
from holdfast.wire.usage import Usage

BOOK = PriceBook.default()
NOW = datetime(2026, 11, 22, tzinfo=UTC)
RAW = resources.files("holdfast.policy").joinpath("prices.json").read_bytes()


def test_a_usage_mapping_costs_exact_dollars() -> None:
    usage = {"input_tokens": 1_234, "output_tokens": 567}
    cost = BOOK.cost("claude-sonnet-5-5", usage, at=NOW)
    assert isinstance(cost, Decimal)
    assert cost == Decimal("0.008138")


def test_a_usage_value_and_the_usage_of_the_official_sdk_cost_the_same() -> None:
    raw = {
        "input_tokens": 10,
        "output_tokens": 20,
        "cache_creation": {"ephemeral_5m_input_tokens": 1, "ephemeral_1h_input_tokens": 2},
        "cache_creation_input_tokens": 3,
        "service_tier": "batch",
    }
    costs = {
        BOOK.cost("claude-opus-5-5", usage, at=NOW)
        for usage in (raw, Usage.of(raw), SdkUsage.model_validate(raw))
    }
    assert len(costs) == 1


def test_no_digit_is_lost_in_a_small_decimal_context() -> None:
    with localcontext() as context:
        context.prec = 2
        cost = BOOK.cost("claude-haiku-5-5", {"input_tokens": 123_457}, at=NOW)
    assert cost == Decimal("0.0617285")


def test_today_is_what_the_clock_says() -> None:
    clock = FakeClock(datetime(2026, 10, 6, 12, tzinfo=UTC))
    book = PriceBook.default(clock=clock)
    read = {"cache_read_input_tokens": 1_000_000}
    assert book.cost("claude-sonnet-5-5", read) == Decimal("0.20")
    clock.advance(timedelta(days=1))
    assert book.cost("claude-sonnet-5-5", read) == Decimal("0.10")


def test_without_a_clock_today_is_today() -> None:
    assert BOOK.cost("claude-3-opus-20240229", {"input_tokens": 1_000_000}) == Decimal("15.00")


def test_an_unknown_model_is_refused() -> None:
    with pytest.raises(UnknownModel, match="claude-opus-5-5"):
        BOOK.cost("claude-opus-55", {"input_tokens": 1}, at=NOW)


def test_an_unknown_model_is_assumed_dearest_where_so_wished() -> None:
    assert BOOK.assuming("dearest").cost("new", {"output_tokens": 1_000_000}, at=NOW) == Decimal("50.00")
    assert BOOK.assuming("dearest").version == BOOK.version


def test_the_pipeline_gets_integers_and_free_refusals() -> None:
    usage = {"input_tokens": 535, "output_tokens": 1}
    assert BOOK.cost_pico("claude-fable-5-2", usage, at=NOW) == 535 * 8_000_000 + 40_000_000
    assert BOOK.cost_pico("claude-fable-5-2", usage, at=NOW, refused_empty=True) == 0


def test_an_explanation_is_plain_data_whose_terms_add_up() -> None:
    usage: Mapping[str, Any] = {
        "input_tokens": 1_000,
        "output_tokens": 10,
        "inference_geo": "us",
        "service_tier": "batch",
        "server_tool_use": {"web_search_requests": 3},
    }
    told: dict[str, Any] = json.loads(
        json.dumps(BOOK.explain("claude-haiku-4-5", usage, at=date(2026, 11, 22)))
    )
    assert told["model"] == "claude-haiku-4-5-20251001"
    assert told["day"] == "2026-11-22"
    assert told["price_version"] == BOOK.version
    assert told["assumed"] is False
    assert told["cost"] == "0.030525"
    assert [term["name"] for term in told["terms"]] == ["input", "output", "web_search"]
    assert told["terms"][0] == {
        "name": "input",
        "source": "message",
        "model": "claude-haiku-4-5-20251001",
        "card": "standard",
        "scale": "0.5",
        "quantity": 1_000,
        "unit_cost": "0.0000005",
        "cost": "0.0005",
        "cost_pico": 500_000_000,
    }
    assert sum(term["cost_pico"] for term in told["terms"]) == told["cost_pico"]


def test_a_ceiling_is_in_pico_dollars_of_today() -> None:
    book = PriceBook.default(clock=FakeClock())
    request = MessagesRequest(text_bytes=400_000, max_tokens=4_000, demand=Demand(geo="global"))
    assert book.ceiling("claude-haiku-5-5", request).pico == 110_000_000_000
    assert book.ceiling("claude-haiku-5-5", request, at=NOW, max_tokens=0).pico == 100_000_000_000
    assert book.ceiling("claude-haiku-5-5", request, max_tokens=0, input_tokens=10).pico == 1_000_000


def test_the_longest_affordable_answer_is_in_pico_dollars_of_today() -> None:
    book = PriceBook.default(clock=FakeClock())
    request = MessagesRequest(text_bytes=400_000, max_tokens=4_000, demand=Demand(geo="global"))
    assert book.affordable_max_tokens("claude-haiku-5-5", request, 105_000_000_000) == 2_000
    assert book.affordable_max_tokens("claude-haiku-5-5", request, 105_000_000_000, at=NOW) == 2_000
    assert book.affordable_max_tokens("claude-haiku-5-5", request, 1_000_000, input_tokens=5) == 1


def test_models_and_their_facts_are_found_by_id_and_by_alias() -> None:
    assert len(BOOK.models()) == 27
    assert BOOK.facts("claude-haiku-4-5") == BOOK.facts("claude-haiku-4-5-20251001")
    assert BOOK.facts("claude-haiku-4-5").context_window == 200_000


def test_facts_of_an_unknown_model_are_refused_even_where_prices_are_assumed() -> None:
    with pytest.raises(UnknownModel):
        BOOK.assuming("dearest").facts("new")


def test_retirements_ahead_are_listed_from_today_on() -> None:
    clock = FakeClock(NOW)
    book = PriceBook.default(clock=clock)
    assert [m.id for m in book.retiring(within=timedelta(days=30))] == ["claude-sonnet-4-5-20250929"]
    assert book.retiring(within=timedelta(days=30), on=date(2026, 12, 1)) == ()


def test_the_version_and_the_day_of_the_prices_can_be_told() -> None:
    assert BOOK.as_of == date(2026, 11, 22)
    assert BOOK.version.startswith("2026-11-22.")
    assert BOOK.version in repr(BOOK)


def test_a_configuration_changes_prices_and_version() -> None:
    book = PriceBook.default(config=PricingConfig(multiplier=Decimal("0.9")))
    assert book.cost("claude-opus-5-5", {"input_tokens": 1_000_000}, at=NOW) == Decimal("3.60")
    assert book.version != BOOK.version


def test_a_list_of_ones_own_is_loaded_from_a_file(tmp_path: Path) -> None:
    document: dict[str, Any] = json.loads(RAW)
    document["models"] = [row for row in document["models"] if row["id"] == "claude-opus-5-5"]
    document["models"][0]["prices"][0]["input"] = "3"
    path = tmp_path / "prices.json"
    path.write_text(json.dumps(document))
    book = PriceBook.load(path, clock=FakeClock())
    assert book.models() == ("claude-opus-5-5",)
    assert book.cost("claude-opus-5-5", {"input_tokens": 1_000_000}) == Decimal("3.00")
    assert PriceBook.load(path, config=PricingConfig(multiplier=Decimal(2))).version != book.version


def test_a_missing_list_is_a_config_error_in_both_languages(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read") as caught:
        PriceBook.load(tmp_path / "none.json")
    assert "요금표" in caught.value.say("ko")


def test_a_broken_list_is_a_config_error(tmp_path: Path) -> None:
    path = tmp_path / "prices.json"
    path.write_bytes(b"{")
    with pytest.raises(ConfigError, match="cannot be used"):
        PriceBook.load(path)


def test_threads_that_ask_first_share_one_reading() -> None:
    books: list[PriceBook] = []
    threads = [Thread(target=lambda: books.append(PriceBook.default())) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {book.version for book in books} == {BOOK.version}
