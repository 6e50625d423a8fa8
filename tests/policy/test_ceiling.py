"""Ceilings worked out by hand, in dollars."""

from dataclasses import replace
from datetime import date
from decimal import Decimal
from importlib import resources
from typing import Any

import pytest

from holdfast.errors import UnknownModel
from holdfast.policy import ceiling as bounds
from holdfast.policy import price_table, pricing
from holdfast.policy.ceiling import Ceiling, affordable_max_tokens
from holdfast.policy.estimate import used_in_vain
from holdfast.policy.pricing import CardOverride, PricingConfig
from holdfast.wire.demand import CacheUse, Demand, ServerTool, Substitute
from holdfast.wire.messages import MessagesRequest

TABLE = price_table.read(resources.files("holdfast.policy").joinpath("prices.json").read_bytes())
TODAY = date(2026, 11, 22)
OPUS = "claude-opus-5-5"
MILLION = 2_000_000
"""Bytes that are reckoned as a million tokens."""


def asking(
    text_bytes: int = 0, max_tokens: int | None = 0, geo: str | None = "global", **more: Any
) -> MessagesRequest:
    demand = Demand(geo=geo, **more)
    return MessagesRequest(text_bytes=text_bytes, max_tokens=max_tokens, demand=demand)


def ceiling(request: MessagesRequest, model: str = OPUS, **more: int) -> Ceiling:
    return bounds.ceiling(TABLE, model, request, at=TODAY, **more)


def usd(request: MessagesRequest, model: str = OPUS, **more: int) -> Decimal:
    return ceiling(request, model, **more).pico / Decimal(10**12)


def test_a_ceiling_is_the_prompt_and_the_whole_of_max_tokens() -> None:
    assert usd(asking(MILLION, 100_000)) == Decimal(6)


def test_what_is_presumed_is_the_prompt_alone() -> None:
    assert ceiling(asking(MILLION, 100_000)).presumed_pico == 4 * 10**12


def test_max_tokens_can_be_replaced_and_the_prompt_counted() -> None:
    request = asking(MILLION, 100_000)
    assert usd(request, max_tokens=50_000) == Decimal(5)
    assert usd(request, input_tokens=500_000) == Decimal(4)


def test_without_max_tokens_the_answer_may_be_as_long_as_the_model_writes() -> None:
    assert usd(asking(0, None)) == 128_000 * Decimal(20) / 10**6
    assert usd(asking(0, None), "claude-opus-4-5") == 64_000 * Decimal(25) / 10**6


def test_where_the_place_is_not_asked_for_it_may_be_the_us() -> None:
    assert usd(asking(MILLION, geo=None)) == Decimal("4.4")
    assert usd(asking(MILLION, geo="us")) == Decimal("4.4")
    assert usd(asking(MILLION, geo=None), "claude-opus-4-5") == Decimal(5)


@pytest.mark.parametrize(("cache", "dollars"), [("none", "4"), ("5m", "5"), ("1h", "8")])
def test_cache_control_makes_the_whole_prompt_a_possible_write(cache: CacheUse, dollars: str) -> None:
    assert usd(asking(MILLION, cache=cache)) == Decimal(dollars)


def test_a_prompt_that_may_pass_the_limit_is_held_at_the_band_with_its_answer() -> None:
    assert usd(asking(200_000, 4_000), "claude-haiku-5-5") == Decimal("0.012")
    assert usd(asking(200_002, 4_000), "claude-haiku-5-5") == Decimal("0.0600005")


def test_fast_is_held_at_the_fast_card_while_there_is_one() -> None:
    request = asking(0, 1_000_000, fast=True)
    assert usd(request) == Decimal(40)
    assert usd(request, "claude-haiku-4-5") == Decimal(5)


def test_every_search_makes_the_model_read_the_prompt_again_with_what_was_found() -> None:
    request = asking(2_000, 0, server_tools=(ServerTool(kind="search", max_uses=2),))
    prompts = 1_000 + (1_000 + 25_000) + (1_000 + 50_000)
    assert usd(request) == prompts * Decimal(4) / 10**6 + Decimal("0.02")


def test_a_tool_that_may_not_be_used_makes_no_turn() -> None:
    assert usd(asking(2_000, 0, server_tools=(ServerTool(kind="search", max_uses=0),))) == Decimal("0.004")


def test_the_answer_so_far_is_read_again_too() -> None:
    request = asking(2_000, 500, server_tools=(ServerTool(max_uses=1),))
    assert usd(request) == (1_000 + 26_500) * Decimal(4) / 10**6 + 500 * Decimal(20) / 10**6


def test_without_max_uses_a_tool_is_used_in_each_of_the_ten_turns() -> None:
    request = asking(2_000, 0, server_tools=(ServerTool(kind="search"),))
    prompts = 11 * 1_000 + sum(range(1, 11)) * 25_000
    assert usd(request) == prompts * Decimal(4) / 10**6 + Decimal("0.10")
    assert usd(asking(2_000, 0, mcp_servers=1)) == (prompts + 11 * 50_000) * Decimal(4) / 10**6


def test_uses_beyond_the_ten_turns_come_in_the_first() -> None:
    request = asking(2_000, 0, server_tools=(ServerTool(max_uses=12),))
    prompts = 11 * 1_000 + sum(range(3, 13)) * 25_000
    assert usd(request) == prompts * Decimal(4) / 10**6


def test_a_compaction_that_names_no_model_is_held_at_the_dearest_of_the_chain() -> None:
    chain = (Substitute(model="claude-fable-5-1"),)
    request = asking(400_000, 0, compacts_from=0, substitutes=chain)
    plain = usd(replace(request, demand=replace(request.demand, compacts_from=None)))
    assert usd(request) - plain == 2 * (202_000 * Decimal(10) + 20_000 * Decimal(50)) / 10**6


def test_no_prompt_of_a_loop_outgrows_the_window() -> None:
    request = asking(0, 0, server_tools=(ServerTool(kind="fetch", max_uses=1_000_000),))
    assert usd(request) == 10 * 1_000_000 * Decimal(4) / 10**6


@pytest.mark.parametrize(("limit", "found"), [(None, 125_000), (30_000, 60_000), (100, 25_000)])
def test_a_fetched_page_is_as_long_as_it_may_be(limit: int | None, found: int) -> None:
    tool = ServerTool(kind="fetch", max_uses=1, max_content_tokens=limit)
    assert usd(asking(0, 0, server_tools=(tool,))) == found * Decimal(4) / 10**6


def test_an_advisor_reads_along_at_its_own_price() -> None:
    tool = ServerTool(kind="advisor", max_uses=1, model="claude-fable-5-1", max_tokens=2_048)
    own = (1_000 + 1_000 + 2_048 + 500) * Decimal(2) + 500 * Decimal(10)
    advisor = (1_000 + 2_048 + 500 + 500 + 2_000) * Decimal(10) + 2_048 * Decimal(50)
    assert usd(asking(2_000, 500, server_tools=(tool,)), "claude-sonnet-5-5") == (own + advisor) / 10**6


def test_every_turn_of_an_advisor_writes_and_reads() -> None:
    tool = ServerTool(kind="advisor", max_uses=2, model=OPUS, max_tokens=1_000)
    own = 1_000 + 2_000 + 3_000
    advisor = (3_000 + 2_000) + (2_000 + 2_000)
    assert (
        usd(asking(2_000, server_tools=(tool,)))
        == ((own + advisor) * Decimal(4) + 2_000 * Decimal(20)) / 10**6
    )


def test_an_advisor_may_be_asked_many_times_in_one_turn() -> None:
    tool = ServerTool(kind="advisor", max_uses=14, model=OPUS, max_tokens=0)
    own, advisor = 11 * 1_000, 14 * (1_000 + 2_000)
    assert usd(asking(2_000, server_tools=(tool,))) == (own + advisor) * Decimal(4) / 10**6


def test_an_answer_that_lists_no_iterations_may_be_billed_as_one_long_prompt() -> None:
    request = asking(2_000, server_tools=(ServerTool(kind="search", max_uses=3),))
    total = 1_000 + 26_000 + 51_000 + 76_000
    assert usd(request, "claude-haiku-5-5") == total * Decimal("0.5") / 10**6 + Decimal("0.03")


def test_an_advisor_without_a_price_is_refused() -> None:
    with pytest.raises(UnknownModel, match="gpt-4"):
        ceiling(asking(server_tools=(ServerTool(kind="advisor", model="gpt-4"),)))


def test_every_model_that_may_stand_in_is_held_beside_the_first() -> None:
    request = asking(
        MILLION, 100_000, substitutes=(Substitute(model="claude-sonnet-5-5", max_tokens=50_000),)
    )
    assert usd(request) == Decimal(6) + Decimal("2.5")
    request = asking(MILLION, 100_000, substitutes=(Substitute(model="claude-sonnet-5-5"),))
    assert usd(request, max_tokens=10_000) == Decimal("4.2") + Decimal("2.1")


def test_a_stand_in_that_the_api_chooses_is_held_at_the_dearest_price() -> None:
    assert usd(asking(MILLION, 100_000, substitutes=(Substitute(),))) == Decimal(6) + Decimal(15)


def test_every_hop_may_search() -> None:
    tools = (ServerTool(kind="search", max_uses=1),)
    single = usd(asking(server_tools=tools))
    assert usd(asking(server_tools=tools, substitutes=(Substitute(model=OPUS),))) == 2 * single


def test_a_compaction_reads_the_prompt_once_more_and_writes_a_summary() -> None:
    request = asking(400_000, 1_000, compacts_from=150_000)
    assert usd(request) == (200_000 + 202_000) * Decimal(4) / 10**6 + 21_000 * Decimal(20) / 10**6
    assert usd(asking(200_000, 1_000, compacts_from=150_000)) == Decimal("0.42")
    assert usd(asking(400_000, 30_000, compacts_from=0)) == Decimal("1.608") + Decimal("1.2")


def test_a_pdf_is_as_long_as_its_data_can_make_it_and_at_most_the_window() -> None:
    assert usd(asking(pdf_sizes=(999,))) == 5 * 5_000 * Decimal(4) / 10**6
    assert usd(asking(pdf_sizes=(None,))) == Decimal(4)
    assert usd(asking(MILLION + 2_000, pdf_sizes=(None, 10**6))) == Decimal("4.004")


def test_a_thread_may_fill_the_window_because_its_body_does_not_show_it() -> None:
    assert usd(replace(asking(2_000), thread=True)) == Decimal(4)


def test_definitions_that_are_not_in_the_body_count() -> None:
    assert usd(asking(typed_tools=2)) == 6_000 * Decimal(4) / 10**6


def test_what_a_failed_attempt_is_presumed_to_have_used_never_costs_more() -> None:
    request = asking(3 * MILLION, 5_000, pdf_sizes=(None,))
    used = used_in_vain("presume_full", None, request)
    assert used is not None
    assert pricing.cost(TABLE, OPUS, used[0], at=TODAY).pico <= ceiling(request).pico


def test_a_model_without_a_price_is_refused_or_held_at_the_dearest() -> None:
    with pytest.raises(UnknownModel):
        ceiling(asking(), "gpt-4")
    assumed = pricing.configured(TABLE, PricingConfig(unknown_model="dearest"))
    held = bounds.ceiling(assumed, "gpt-4", asking(MILLION, None), at=TODAY)
    assert held.pico == 10 * 10**12 + 128_000 * 50 * 10**6


def test_the_operators_own_prices_and_multiplier_hold() -> None:
    config = PricingConfig(
        multiplier=Decimal(2), overrides={"house-model": CardOverride(input=Decimal(1), output=Decimal(3))}
    )
    held = bounds.ceiling(
        pricing.configured(TABLE, config), "house-model", asking(MILLION, 1_000_000), at=TODAY
    )
    assert held.pico == 8 * 10**12


# ---- what fits


def fitting(request: MessagesRequest, usd: str, **more: int) -> int | None:
    return affordable_max_tokens(TABLE, OPUS, request, int(Decimal(usd) * 10**12), at=TODAY, **more)


def test_as_much_output_as_the_money_is_for_may_be_asked() -> None:
    request = asking(2_000, 50_000)
    assert fitting(request, "0.024") == 1_000
    assert fitting(request, "0.02401") == 1_000
    assert fitting(request, "10") == 50_000


def test_where_not_even_the_prompt_is_affordable_nothing_fits() -> None:
    assert fitting(asking(2_000, 50_000), "0.004") is None


def test_without_max_tokens_up_to_the_longest_answer_fits() -> None:
    assert fitting(asking(2_000, None), "100") == 128_000


def test_thinking_keeps_its_budget_or_nothing_fits() -> None:
    request = asking(2_000, 5_000, thinking_budget=2_000)
    assert fitting(request, "0.05") == 2_300
    assert fitting(request, "0.04") is None


def test_warming_the_cache_asks_for_no_output() -> None:
    assert fitting(asking(2_000, 0), "0.004") == 0


def test_a_counted_prompt_leaves_more_room() -> None:
    assert fitting(asking(2_000, 50_000), "0.024", input_tokens=500) == 1_100
