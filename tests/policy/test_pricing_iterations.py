"""Iterations, fallbacks and refusals, by figures worked out by hand."""

from datetime import date
from decimal import Decimal
from importlib import resources
from typing import Any

import pytest

from holdfast.errors import UnknownModel
from holdfast.policy import price_table, pricing
from holdfast.wire.usage import Usage

TABLE = price_table.read(resources.files("holdfast.policy").joinpath("prices.json").read_bytes())
TODAY = date(2026, 11, 22)


def usd(model: str, usage: dict[str, Any], *, refused_empty: bool = False) -> Decimal:
    return pricing.cost(TABLE, model, Usage.of(usage), at=TODAY, refused_empty=refused_empty).usd


def counts(given: int = 0, out: int = 0, **more: Any) -> dict[str, Any]:
    return {"input_tokens": given, "output_tokens": out, **more}


def step(kind: str, given: int, out: int, **more: Any) -> dict[str, Any]:
    return {"type": kind, "input_tokens": given, "output_tokens": out, **more}


def test_bands_go_by_iteration_where_the_entries_add_up() -> None:
    usage = counts(
        120_000, 2_000, iterations=[step("message", 60_000, 1_000), step("message", 60_000, 1_000)]
    )
    assert usd("claude-haiku-5-5", usage) == Decimal("0.013")


def test_one_long_iteration_among_short_ones_moves_alone_to_the_band() -> None:
    usage = counts(
        160_001, 2_000, iterations=[step("message", 60_000, 1_000), step("message", 100_001, 1_000)]
    )
    # 0.006 + 0.0005 at the low card, 0.0500005 + 0.0025 at the high one
    assert usd("claude-haiku-5-5", usage) == Decimal("0.0590005")


@pytest.mark.parametrize(
    "entries",
    [
        [step("message", 60_000, 1_000), step("message", 60_000, 999)],
        [step("message", 60_000, 1_000)],
        [step("compaction", 0, 0)],
    ],
)
def test_entries_that_do_not_add_up_leave_the_top_level_counts(entries: list[dict[str, Any]]) -> None:
    assert usd("claude-haiku-5-5", counts(120_000, 2_000, iterations=entries)) == Decimal("0.065")


def test_entries_that_lose_the_one_hour_split_do_not_make_it_cheaper() -> None:
    usage = counts(
        cache_creation_input_tokens=1_000_000,
        cache_creation={"ephemeral_1h_input_tokens": 1_000_000},
        iterations=[step("message", 0, 0, cache_creation_input_tokens=1_000_000)],
    )
    assert usd("claude-opus-5-5", usage) == Decimal("8.00")


def test_compaction_comes_on_top_of_the_top_level_counts() -> None:
    usage = counts(
        23_000, 1_000, iterations=[step("compaction", 180_000, 3_500), step("message", 23_000, 1_000)]
    )
    # 0.046 + 0.01 for the message, 0.36 + 0.035 for the compaction
    assert usd("claude-sonnet-5-5", usage) == Decimal("0.451")


@pytest.mark.parametrize("kind", ["advisor_message", "advisor"])
def test_an_advisor_comes_on_top_at_its_own_price(kind: str) -> None:
    usage = counts(
        1_000_000,
        0,
        iterations=[step("message", 1_000_000, 0), step(kind, 1_000_000, 100_000, model="claude-opus-5-5")],
    )
    assert usd("claude-sonnet-5-5", usage) == Decimal("8.00")


def test_compaction_and_advisor_count_even_where_the_entries_do_not_add_up() -> None:
    usage = counts(
        412,
        531,
        iterations=[
            step("message", 412, 89),
            step("advisor_message", 823, 1_612, model="claude-opus-4-7"),
            step("message", 1_348, 442, cache_read_input_tokens=412),
        ],
    )
    # sonnet-4-6: 412*3 + 531*15; opus-4-7: 823*5 + 1612*25, per million
    assert usd("claude-sonnet-4-6", usage) == Decimal("0.053616")


def test_an_entry_of_an_unknown_type_is_billed_where_the_counts_prove_it_comes_on_top() -> None:
    on_top = counts(1_000_000, 0, iterations=[step("message", 1_000_000, 0), step("critic", 1_000_000, 0)])
    unclear = counts(1_500_000, 0, iterations=[step("message", 1_000_000, 0), step("critic", 500_000, 0)])
    assert usd("claude-opus-5-5", on_top) == Decimal("8.00")
    assert usd("claude-opus-5-5", unclear) == Decimal("6.00")


def fallback(declined_output: int, **top: Any) -> dict[str, Any]:
    hops = [
        step("message", 535, declined_output, model="claude-fable-5"),
        step("fallback_message", 412, 264, model="claude-opus-4-8"),
    ]
    return {**counts(412, 264, iterations=hops), **top}


def test_a_fallback_is_billed_at_the_price_of_the_model_that_answered() -> None:
    # 412 * 5 + 264 * 25 per million; the hop that declined before any output is free
    assert usd("claude-opus-4-8", fallback(0)) == Decimal("0.00866")


def test_it_does_not_matter_whether_the_caller_names_the_model_it_asked_or_the_one_that_answered() -> None:
    assert usd("claude-fable-5", fallback(0)) == usd("claude-opus-4-8", fallback(0))


def test_a_hop_that_declined_in_the_middle_is_billed_at_its_own_price() -> None:
    # 535 * 10 + 10 * 50 per million on top
    assert usd("claude-opus-4-8", fallback(10)) == Decimal("0.01451")


def test_hops_inside_the_top_level_counts_are_not_billed_twice() -> None:
    usage = fallback(10, input_tokens=412 + 535, output_tokens=264 + 10)
    assert usd("claude-opus-4-8", usage) == Decimal("0.01451")


def test_tool_iterations_of_the_serving_model_belong_to_the_answer() -> None:
    usage = counts(
        120_000,
        20,
        iterations=[
            step("message", 50_000, 0, model="claude-fable-5-2"),
            step("message", 60_000, 10, model="claude-haiku-5-5"),
            step("fallback_message", 60_000, 10, model="claude-haiku-5-5"),
        ],
    )
    assert usd("claude-fable-5-2", usage) == Decimal("0.01201")


def test_an_alias_and_its_id_are_the_same_model_among_iterations() -> None:
    usage = counts(1_000_000, 0, iterations=[step("message", 1_000_000, 0, model="claude-opus-4-5-20251101")])
    assert usd("claude-opus-4-5", usage) == Decimal("5.00")


def test_iterations_of_another_model_that_add_up_are_billed_at_that_model() -> None:
    usage = counts(1_000_000, 1, iterations=[step("message", 1_000_000, 1, model="claude-opus-5-5")])
    assert usd("claude-sonnet-5-5", usage) == Decimal("4.00002")


def test_iterations_of_another_model_that_do_not_add_up_are_left_aside() -> None:
    usage = counts(1_000_000, 0, iterations=[step("message", 5, 5, model="claude-opus-5-5")])
    assert usd("claude-sonnet-5-5", usage) == Decimal("2.00")


# ---- refusals


def test_a_refusal_before_any_output_is_free_though_usage_shows_tokens() -> None:
    assert usd("claude-fable-5-2", counts(535, 1), refused_empty=True) == 0


def test_a_refusal_with_no_content_is_told_from_one_with_some() -> None:
    assert pricing.is_unbilled_refusal("refusal", empty=True)
    assert not pricing.is_unbilled_refusal("refusal", empty=False)
    assert not pricing.is_unbilled_refusal("end_turn", empty=True)
    assert not pricing.is_unbilled_refusal(None, empty=True)


def test_when_every_model_of_a_chain_declines_only_output_is_billed() -> None:
    assert usd("claude-opus-4-8", fallback(0), refused_empty=True) == 0
    assert usd("claude-opus-4-8", fallback(10), refused_empty=True) == Decimal("0.00585")


def test_an_unknown_advisor_is_refused_too() -> None:
    usage = counts(
        1, 1, iterations=[step("message", 1, 1), step("advisor_message", 1, 1, model="claude-new")]
    )
    with pytest.raises(UnknownModel, match="claude-new"):
        usd("claude-opus-5-5", usage)
