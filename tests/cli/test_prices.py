"""`holdfast prices`: the list, the check with its exit code, and the bill of one message with every term."""

import io
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Ended, Holdfast

USAGE = '{"input_tokens": 1000, "output_tokens": 200}'


def explained(ended: Ended) -> dict[str, Any]:
    assert ended.code == 0, ended.err
    return dict(json.loads(ended.out))


def test_a_bill_is_explained_term_by_term(holdfast: Holdfast) -> None:
    told = explained(holdfast("prices", "explain", "--model", "claude-sonnet-5-5", "--usage", USAGE))

    assert (told["model"], told["cost"], told["assumed"]) == ("claude-sonnet-5-5", "0.004", False)
    assert [(term["name"], term["cost"]) for term in told["terms"]] == [
        ("input", "0.002"),
        ("output", "0.002"),
    ]


@pytest.mark.parametrize(
    ("at", "cost"),
    [
        ("2026-10-06", "0.2"),
        ("2026-10-07", "0.1"),
        ("2026-10-06T23:59:59Z", "0.2"),
        ("2026-10-07T08:00:00+09:00", "0.2"),
    ],
)
def test_a_bill_is_explained_at_the_price_of_a_day_in_utc(holdfast: Holdfast, at: str, cost: str) -> None:
    usage = '{"cache_read_input_tokens": 1000000}'
    ended = holdfast("prices", "explain", "--model", "claude-sonnet-5-5", "--usage", usage, "--at", at)

    assert explained(ended)["cost"] == cost


def test_the_usage_may_come_from_stdin(holdfast: Holdfast, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO(USAGE))
    ended = holdfast("prices", "explain", "--model", "claude-sonnet-5-5", "--usage", "-")

    assert explained(ended)["cost"] == "0.004"


def test_the_operators_prices_apply(holdfast: Holdfast, tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text('[pricing]\nmultiplier = "2"\n')
    arguments = ("--model", "claude-sonnet-5-5", "--usage", USAGE, "--config", "mine.toml")

    assert explained(holdfast("prices", "explain", *arguments))["cost"] == "0.008"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--model", "m", "--usage", "{"), "this is not JSON"),
        (("--model", "m", "--usage", "[" * 100_000), "this is not JSON"),
        (("--model", "m", "--usage", "[]"), "this is no JSON object"),
        (("--model", "m", "--usage", '{"input_tokens": -1}'), "input_tokens is no number of tokens"),
        (("--model", "m", "--usage", '{"output_tokens": 1e30}'), "output_tokens is no number of tokens"),
        (("--model", "m", "--usage", "{}", "--at", "yesterday"), "this is no day"),
        (("--model", "m"), "Missing option '--usage'"),
    ],
)
def test_a_slip_in_the_arguments_is_a_usage_error(
    holdfast: Holdfast, arguments: tuple[str, ...], said: str
) -> None:
    ended = holdfast("prices", "explain", *arguments)

    assert (ended.code, ended.out) == (2, "")
    assert said in ended.err


def test_a_slip_is_told_in_korean(holdfast: Holdfast, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOLDFAST_LANG", "ko")

    assert "JSON이 아닙니다" in holdfast("prices", "explain", "--model", "m", "--usage", "{").err


def test_an_unknown_model_fails_and_is_never_free(holdfast: Holdfast) -> None:
    ended = holdfast("prices", "explain", "--model", "claude-sonet-5-5", "--usage", USAGE)

    assert (ended.code, ended.out) == (1, "")
    assert "did you mean claude-sonnet-5-5" in ended.err


# ---- list


def test_the_list_shows_every_card_of_a_day(holdfast: Holdfast) -> None:
    ended = holdfast("prices", "list", "--at", "2026-11-22")

    assert ended.code == 0
    lines = [line.split() for line in ended.out.splitlines()]
    assert ["claude-sonnet-5-5", "standard", "2", "10", "0.1", "2.5", "4", "2026-10-07", "active"] in lines
    assert "above 100,000 tokens" in ended.out
    assert ["claude-opus-5-5", "fast", "8", "40", "0.4", "10", "16", "2026-09-22", "active"] in lines
    assert "deprecated  2026-11-30" in ended.out
    assert "claude-mythos-preview" in ended.out
    assert "A web search is 0.01 dollars" in ended.out


def test_the_columns_of_the_list_stand_under_each_other_in_korean(
    holdfast: Holdfast, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOLDFAST_LANG", "ko")
    ended = holdfast("prices", "list")

    assert ended.out.startswith("모델")
    assert "100,000토큰 초과" in ended.out
    assert "웹 검색은 한 번에 0.01달러" in ended.out


def test_the_list_as_json_has_prices_as_text_and_the_operators_changes(
    holdfast: Holdfast, tmp_path: Path
) -> None:
    (tmp_path / "holdfast.toml").write_text('[pricing]\nmultiplier = "1.5"\n')
    told = explained(holdfast("prices", "list", "--json", "--at", "2026-12-01"))
    rows = {(row["model"], row["card"]): row for row in told["models"]}

    assert told["day"] == "2026-12-01"
    assert rows["claude-haiku-5-5", "long prompt"]["above_prompt_tokens"] == 100_000
    assert rows["claude-haiku-5-5", "standard"]["input"] == "0.15"
    assert rows["claude-sonnet-4-5-20250929", "standard"]["status"] == "retired"
    assert rows["claude-mythos-preview", "not public"]["input"] is None
    assert ("claude-opus-4-8", "fast") not in rows


# ---- check


def checked(holdfast: Holdfast, *arguments: str) -> tuple[object, dict[str, tuple[str, str | None]]]:
    ended = holdfast("prices", "check", "--json", *arguments)
    found = json.loads(ended.out)["findings"]
    return ended.code, {finding["code"]: (finding["level"], finding["model"]) for finding in found}


def test_the_book_as_it_ships_fits_the_default_models(holdfast: Holdfast) -> None:
    ended = holdfast("prices", "check", "--at", "2026-11-22")

    assert ended.code == 0
    assert "fits: nothing to do" in ended.out


def test_an_old_book_is_a_problem(holdfast: Holdfast) -> None:
    assert checked(holdfast, "--at", "2027-02-20") == (0, {})
    assert checked(holdfast, "--at", "2027-02-21") == (1, {"book_old": ("problem", None)})


MODELS = """
[models]
small = "claude-3-5-haiku-20241022"
large = "claude-next-9"
[failover.models]
claude-sonnet-5-5 = ["claude-sonnet-4-5"]
[budgets.team]
usd = "5"
ladder = [{ at = 0.5, do = "degrade", model = "claude-3-opus-20240229" }]
[upstreams.main]
url = "https://api.anthropic.com"
models = ["claude-sonnet-5-5", "claude-opus-4-20250514"]
"""


def test_models_in_use_that_are_gone_going_or_unknown_are_problems(
    holdfast: Holdfast, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "holdfast.toml").write_text(MODELS)
    ended = holdfast("prices", "check", "--at", "2026-11-22")
    monkeypatch.setenv("HOLDFAST_LANG", "ko")
    korean = holdfast("prices", "check", "--at", "2026-11-22")

    assert (ended.code, korean.code) == (1, 1)
    assert "problem: models.small: claude-3-5-haiku-20241022 was retired on 2026-02-19" in ended.out
    assert "problem: models.large: No price is known for the model 'claude-next-9'" in ended.out
    assert "failover.models: claude-sonnet-4-5-20250929 is retired on 2026-11-30; use" in ended.out
    assert "budgets.team.ladder: claude-3-opus-20240229 was retired" in ended.out
    assert "upstreams.main.models: claude-opus-4-20250514 was retired" in ended.out
    assert "문제: models.small: claude-3-5-haiku-20241022 모델은 2026-02-19에 종료되어" in korean.out
    assert "2026-11-30에 종료됩니다" in korean.out


OWN = """
[pricing]
multiplier = "1.1"
[pricing.overrides."claude-opus-5-5"]
input = "3"
output = "15"
[pricing.overrides."claude-sonnet-5-5"]
input = "2"
output = "10"
[pricing.overrides."house-model"]
input = "1"
output = "2"
"""


def test_prices_of_ones_own_are_noted_and_no_problem(holdfast: Holdfast, tmp_path: Path) -> None:
    (tmp_path / "holdfast.toml").write_text(OWN)
    ended = holdfast("prices", "check", "--at", "2026-11-22")

    assert ended.code == 0
    assert ended.out.splitlines() == [
        "note: every price is multiplied by 1.1 (pricing.multiplier)",
        "note: claude-opus-5-5 has a price of your own, which is not the listed one "
        "(pricing.overrides.claude-opus-5-5)",
        "note: house-model is known by your own price alone (pricing.overrides.house-model)",
    ]


def test_where_unknown_models_are_held_at_the_dearest_price_they_are_a_note(
    holdfast: Holdfast, tmp_path: Path
) -> None:
    (tmp_path / "holdfast.toml").write_text(
        '[models]\nlarge = "claude-next-9"\n[pricing]\nunknown_model = "dearest"\n'
    )

    assert checked(holdfast, "--at", "2026-11-22") == (0, {"model_assumed": ("note", "claude-next-9")})
