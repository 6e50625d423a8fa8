"""`holdfast budgets` as an operator uses it."""

import json
from pathlib import Path

import pytest

from tests.cli.book import an_attempt, put, write
from tests.cli.conftest import Ended, Holdfast

FILE = """
[budgets.team]
usd = 5
per = "day"
"""


def listed(holdfast: Holdfast) -> list[dict[str, object]]:
    budgets: list[dict[str, object]] = json.loads(holdfast("budgets", "list", "--json").out)["budgets"]
    return budgets


def test_a_budget_is_set_listed_changed_and_taken_back(holdfast: Holdfast) -> None:
    made = holdfast("budgets", "set", "all", "--usd", "50", "--per", "day", "--alert-at", "0.5,0.9")
    changed = holdfast("budgets", "set", "all", "--usd", "60", "--soft")
    table = holdfast("budgets", "list")
    (facts,) = listed(holdfast)
    gone = holdfast("budgets", "rm", "all")

    assert made.err == "The budget `all` is $50.00 per day for organisation; every worker knows it at once.\n"
    assert (made.code, changed.code, gone.code) == (0, 0, 0)
    assert [line.split()[:7] for line in table.out.splitlines()[1:]] == [
        ["all", "-", "day", "60.00", "0.00", "0.00", "60.00"]
    ]
    assert (facts["usd"], facts["per"], facts["alert_at"], facts["hard"]) == ("60", "day", [0.5, 0.9], False)
    assert gone.err == "The budget `all` is no more.\n"
    assert listed(holdfast) == []


def test_without_a_budget_it_says_how_to_set_one(holdfast: Holdfast) -> None:
    ended = holdfast("budgets", "list")

    assert (ended.code, ended.out) == (0, "")
    assert "holdfast budgets set everybody --usd 50 --per day" in ended.err


def test_a_ladder_is_written_rung_by_rung(holdfast: Holdfast) -> None:
    ended = holdfast(
        *("budgets", "set", "all", "--usd", "50", "--json", "--where", "user=bob", "--mode", "clamp"),
        *("--rung", "0.8 degrade model=claude-haiku-5-5 max_tokens=512", "--rung", "0.9 ask"),
        *("--timezone", "Asia/Seoul", "--scope", "key"),
    )
    facts = json.loads(ended.out)

    assert facts["ladder"] == [
        {"at": 0.8, "do": "degrade", "model": "claude-haiku-5-5", "max_tokens": 512},
        {"at": 0.9, "do": "ask"},
    ]
    assert (facts["where"], facts["mode"], facts["timezone"]) == ({"user": "bob"}, "clamp", "Asia/Seoul")
    assert (facts["scope"], facts["origin"]) == ("key", "register")


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("set", "all"), "say how many dollars"),
        (("set", "all", "--usd", "nothing"), "usd"),
        (("set", "all", "--usd", "5", "--rung", "0.9"), "'0.9 ask'"),
        (("set", "all", "--usd", "5", "--rung", "much ask"), "is no number"),
        (("set", "all", "--usd", "5", "--rung", "0.9 degrade model"), "NAME=VALUE"),
        (("set", "all", "--usd", "5", "--alert-at", "half"), "is no number"),
        (("set", "all", "--usd", "5", "--per", "eon"), "per"),
        (("rm", "all"), "no budget `all`"),
        (("approve", "all"), "no budget `all`"),
    ],
)
def test_what_makes_no_sense_ends_with_2_and_changes_nothing(
    holdfast: Holdfast, arguments: tuple[str, ...], told: str
) -> None:
    ended = holdfast("budgets", *arguments)

    assert (ended.code, told in ended.err, ended.out) == (2, True, ""), ended.err
    assert listed(holdfast) == []


def test_a_budget_of_the_file_names_its_line_and_can_be_covered(holdfast: Holdfast, tmp_path: Path) -> None:
    (tmp_path / "holdfast.toml").write_text(FILE)
    before = holdfast("budgets", "list")
    refused = holdfast("budgets", "rm", "team")
    covered = holdfast("budgets", "set", "team", "--usd", "9")
    (facts,) = listed(holdfast)
    uncovered = holdfast("budgets", "rm", "team")

    assert "holdfast.toml:3" in before.out
    assert (refused.code, "holdfast.toml:3" in refused.err) == (2, True)
    assert "stands before the one in the settings" in covered.err
    assert (facts["usd"], facts["per"], facts["covers"]) == ("9", "day", "holdfast.toml:3")
    assert "of the settings holds again: $5.00 (holdfast.toml:3)" in uncovered.err


def test_as_json_a_budget_taken_back_shows_what_holds_instead(holdfast: Holdfast, tmp_path: Path) -> None:
    (tmp_path / "holdfast.toml").write_text(FILE)
    for name in ("team", "new"):
        holdfast("budgets", "set", name, "--usd", "9")
    covered = json.loads(holdfast("budgets", "rm", "team", "--json").out)
    new = json.loads(holdfast("budgets", "rm", "new", "--json").out)

    assert (covered["instead"]["usd"], new) == ("5", {"name": "new", "instead": None})


def test_a_budget_for_each_shows_those_who_have_spent(holdfast: Holdfast, tmp_path: Path) -> None:
    write(tmp_path / "holdfast.db", an_attempt("q1", 5, user="alice"))
    holdfast("budgets", "set", "people", "--usd", "5", "--scope", "user")
    ended = holdfast("budgets", "list")

    # What was spent before the budget was set does not count against it: nobody has used it yet.
    assert [line.split()[:4] for line in ended.out.splitlines()[1:]] == [["people", "user", "month", "5.00"]]


def test_a_document_that_cannot_be_read_is_told_once_and_hides_no_other(
    holdfast: Holdfast, tmp_path: Path
) -> None:
    holdfast("budgets", "set", "all", "--usd", "5")
    put(tmp_path / "holdfast.db", "budget", "bad", b"{}")
    ended = holdfast("budgets", "list")

    assert (ended.code, ended.err.count("budget `bad`"), len(ended.out.splitlines())) == (0, 1, 2)


def test_an_approval_says_what_may_go_on(holdfast: Holdfast, monkeypatch: pytest.MonkeyPatch) -> None:
    holdfast("budgets", "set", "all", "--usd", "5", "--per", "day", "--rung", "0.5 ask")
    holdfast("budgets", "set", "people", "--usd", "5", "--scope", "user", "--rung", "0.5 ask")
    everybody = holdfast("budgets", "approve", "all", "--reason", "release")
    alice = json.loads(holdfast("budgets", "approve", "people", "--for", "alice", "--json").out)
    nobody = holdfast("budgets", "approve", "people")
    monkeypatch.setenv("HOLDFAST_LANG", "ko")
    korean = holdfast("budgets", "approve", "people", "--for", "alice")

    assert everybody.err == "The budget `all` may go on past `ask`, up to its limit of $5.00.\n"
    assert (alice["budget"], alice["subject"]) == ("people", "user alice")
    assert (nobody.code, "--for NAME" in nobody.err) == (2, True)
    assert "`people` 예산 (user alice)이(가)" in korean.err


def test_every_answer_is_there_in_korean(holdfast: Holdfast, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOLDFAST_LANG", "ko")
    made: Ended = holdfast("budgets", "set", "all", "--usd", "50")
    listing = holdfast("budgets", "list")

    assert "한도 $50.00" in made.err
    assert "예산" in listing.out.splitlines()[0]
