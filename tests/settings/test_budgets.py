"""Budgets in the settings: how they are written, and every mistake with its place."""

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from holdfast import ConfigError, Settings
from holdfast.language import Language
from holdfast.policy.budget import BudgetConfig, Rung

Load = Callable[..., Settings]
Complaint = Callable[..., str]

TEAM = """
[budgets.team]
usd = 12.50
per = "24h"
scope = "tag:team"
timezone = "Asia/Seoul"
alert_at = [0.5, 0.9]
mode = "expected"
presumption = "full"
hard = true
min_tokens = 100

[budgets.team.where]
model = "claude-opus-5-5"
"tag:stage" = "production"

[[budgets.team.ladder]]
at = 0.7
do = "degrade"
model = "claude-haiku-5-5"

[[budgets.team.ladder]]
at = 1
do = "ask"

[budgets.all]
usd = 100
"""


@pytest.fixture
def load(tmp_path: Path) -> Load:
    """Settings from this text and these variables."""

    def load(text: str = "", **environment: str) -> Settings:
        file = tmp_path / "holdfast.toml"
        file.write_text(text)
        return Settings.load(file, environment=environment)

    return load


@pytest.fixture
def complaint(load: Load) -> Complaint:
    """What is wrong with this text and these variables."""

    def complaint(text: str = "", language: Language = "en", **environment: str) -> str:
        with pytest.raises(ConfigError) as caught:
            load(text, **environment)
        return caught.value.say(language)

    return complaint


def test_without_any_there_are_none(load: Load) -> None:
    assert load().budgets == {}


def test_a_budget_is_read_whole(load: Load) -> None:
    assert load(TEAM).budgets == {
        "team": BudgetConfig(
            usd=Decimal("12.50"),
            per=timedelta(hours=24),
            scope="tag:team",
            timezone="Asia/Seoul",
            alert_at=(Decimal("0.5"), Decimal("0.9")),
            mode="expected",
            presumption="full",
            where={"model": "claude-opus-5-5", "tag:stage": "production"},
            ladder=(
                Rung(at=Decimal("0.7"), do="degrade", model="claude-haiku-5-5"),
                Rung(at=Decimal(1), do="ask"),
            ),
            min_tokens=100,
        ),
        "all": BudgetConfig(usd=Decimal(100)),
    }


def test_every_value_knows_who_set_it(load: Load) -> None:
    origins = load(TEAM, HOLDFAST__BUDGETS__TEAM__USD="20").origins
    assert str(origins["budgets.team.usd"]) == "HOLDFAST__BUDGETS__TEAM__USD"
    assert str(origins["budgets.team.per"]).endswith("holdfast.toml:4")
    assert str(origins["budgets.team.ladder.1.do"]).endswith("holdfast.toml:17")
    assert str(origins["budgets.all.per"]) == "default"


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("USD", "0.30", Decimal("0.30")),
        ("USD", '"0.30"', Decimal("0.30")),
        ("PER", "90m", timedelta(minutes=90)),
        ("PER", "day", "day"),
        ("ALERT_AT", "0.5, 1", (Decimal("0.5"), Decimal(1))),
        ("ALERT_AT", "[]", ()),
        ("HARD", "false", False),
        ("PRESUMPTION", "none", None),
    ],
)
def test_a_variable_sets_what_the_file_has_otherwise(load: Load, name: str, text: str, value: object) -> None:
    budget = load(TEAM, **{f"HOLDFAST__BUDGETS__TEAM__{name}": text}).budgets["team"]
    assert getattr(budget, name.lower()) == value


def test_a_budget_can_be_made_of_variables_alone(load: Load) -> None:
    budgets = load(HOLDFAST__BUDGETS__DAILY__USD="5", HOLDFAST__BUDGETS__DAILY__PER="day").budgets
    assert budgets == {"daily": BudgetConfig(usd=Decimal(5), per="day")}


def test_a_variable_changes_one_rung(load: Load) -> None:
    ladder = load(TEAM, HOLDFAST__BUDGETS__TEAM__LADDER__1__AT="0.6").budgets["team"].ladder
    assert [rung.at for rung in ladder] == [Decimal("0.6"), Decimal(1)]


@pytest.mark.parametrize(
    ("line", "place", "words"),
    [
        ("usd = 0", "3:1", "usd: write an amount above 0"),
        ("usd = true", "3:1", "wrong value for `budgets.team.usd`: a number is expected"),
        ("usd = 1\nper = 'week'", "4:1", "per: 'week' is no period; write hour, day"),
        ("usd = 1\nper = 24", "4:1", "wrong value for `budgets.team.per`: text is expected"),
        ("usd = 1\nscope = 'users'", "4:1", "scope: write one of organisation, key, user"),
        ("usd = 1\nper = 'run'", "4:1", 'per: a budget per run is one for each run: add scope = "run"'),
        ("usd = 1\ntimezone = 'Asia/Soul'", "4:1", "timezone: 'Asia/Soul' is no time zone"),
        ("usd = 1\nalert_at = [80]", "4:1", "alert_at: 80 is no part of the limit"),
        ("usd = 1\nmode = 'hard'", "4:1", 'one of "strict", "expected", "clamp" is expected'),
        ("usd = 1\nlader = []", "4:1", "unknown key `lader` in [budgets.team]"),
        ("usd = 1\nlader = []", "4:1", "did you mean `ladder`?"),
        ("usd = 1\nnano = 5", "4:1", "unknown key `nano`"),
        ("per = 'day'", "2:2", "`budgets.team.usd` is missing"),
        ("usd = 1\nwhere = { usr = 'a' }", "4:1", "where: calls are told apart by key, user, run"),
        (
            "usd = 1\nwhere = { user = 5 }",
            "4:1",
            "wrong value for `budgets.team.where`: a table of text is expected",
        ),
        ("usd = 1\nladder = 'degrade'", "4:1", "a list of tables is expected, and this is text"),
        ("usd = 1\nladder = ['degrade']", "4:1", "`budgets.team.ladder.1`: a table is expected"),
        ("usd = 1\nladder = [{ at = 0.5 }]", "4:1", "`budgets.team.ladder.1.do` is missing"),
        ("usd = 1\nladder = [{ at = 0.5, dos = 'ask' }]", "4:1", "did you mean `do`?"),
        ("usd = 1\nladder = [{ at = 0.5, do = 'degrade' }]", "4:1", "degrade needs a model or max_tokens"),
        ("usd = 1\nladder = [{ at = 2, do = 'ask' }]", "4:1", "at: 2 is no part of the limit"),
    ],
)
def test_a_mistake_is_shown_where_it_stands(complaint: Complaint, line: str, place: str, words: str) -> None:
    said = complaint(f"\n[budgets.team]\n{line}\n")
    assert f"holdfast.toml:{place}" in said
    assert words in said


def test_a_ladder_that_climbs_the_wrong_way_is_shown(complaint: Complaint) -> None:
    wrong = TEAM.replace("at = 0.7", "at = 1.0")
    assert "ladder: write the rungs from the lowest part" in complaint(wrong)
    assert "ladder: 단계는 at 값이 작은 것부터" in complaint(wrong, "ko")
    assert "holdfast.toml:17:3" in complaint(wrong)


def test_a_variable_that_names_no_setting_of_a_budget_is_shown(complaint: Complaint) -> None:
    said = complaint(TEAM, HOLDFAST__BUDGETS__TEAM__LADDER="[]")
    assert "HOLDFAST__BUDGETS__TEAM__LADDER names no single setting" in said
