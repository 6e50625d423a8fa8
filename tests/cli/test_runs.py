"""`holdfast runs` as somebody who wonders what is at work uses it."""

import json
from pathlib import Path

import pytest

from tests.cli.book import an_attempt, begin, write
from tests.cli.conftest import Holdfast


@pytest.fixture(autouse=True)
def book(tmp_path: Path) -> None:
    write(
        tmp_path / "holdfast.db",
        an_attempt("q1", 1_500_000, run="old", hours_ago=3),
        an_attempt("q2", 2_000_000, run="busy", agent="lead", hours_ago=1),
        an_attempt("q3", 2_000_000, run="busy", agent="helper\x1b[31m"),
    )


def test_runs_are_listed_the_one_heard_of_last_first(holdfast: Holdfast) -> None:
    ended = holdfast("runs", "list")
    lines = [line.split() for line in ended.out.splitlines()]

    assert ended.code == 0
    assert [(line[0], *line[3:]) for line in lines[1:]] == [
        ("busy", "2", "2", "1", "0.0040", "-"),
        ("old", "1", "0", "0", "0.0015", "-"),
    ]
    assert [
        one["run"] for one in json.loads(holdfast("runs", "list", "--json", "--limit", "1").out)["runs"]
    ] == ["busy"]


def test_the_usual_verb_of_a_noun_may_be_left_out(holdfast: Holdfast) -> None:
    assert holdfast("runs").out == holdfast("runs", "list").out
    assert (
        holdfast("runs", "--json", "--limit", "1").out
        == holdfast("runs", "list", "--json", "--limit", "1").out
    )
    assert holdfast("spend", "--since", "all").out == holdfast("spend", "report", "--since", "all").out
    assert holdfast("keys").code == holdfast("budgets", "--json").code == 0
    assert "Commands" in holdfast("runs", "-h").out


def test_a_stopped_run_is_marked(holdfast: Holdfast) -> None:
    holdfast("stop", "run", "old", "--for", "2h")
    holdfast("stop", "run", "busy")
    ended = holdfast("runs", "list")

    assert "until resumed" in ended.out.splitlines()[1]
    assert "until 20" in ended.out.splitlines()[2]


def test_one_run_shows_its_agents_and_models(holdfast: Holdfast) -> None:
    ended = holdfast("runs", "show", "busy")
    facts = json.loads(holdfast("runs", "show", "busy", "--json").out)

    assert "started by" in ended.out
    assert "\x1b" not in ended.out
    assert "claude-sonnet-5-5" in ended.out
    assert [model["cost"] for model in facts["models"]] == ["0.004"]
    assert [agent["agent"] for agent in facts["agents"]] == ["lead", "helper\x1b[31m"]
    assert "started by" not in holdfast("runs", "show", "old").out


def test_a_run_that_was_only_begun_has_nothing_more_to_show(holdfast: Holdfast, tmp_path: Path) -> None:
    begin(tmp_path / "holdfast.db", "fresh")

    assert len(holdfast("runs", "show", "fresh").out.splitlines()) == 2


def test_a_run_that_is_not_there_ends_with_2(holdfast: Holdfast) -> None:
    ended = holdfast("runs", "show", "nobody")

    assert (ended.code, "There is no run `nobody`" in ended.err) == (2, True)


def test_without_runs_it_says_how_they_come_about(holdfast: Holdfast) -> None:
    ended = holdfast("runs", "list", "--simulate")

    assert (ended.code, ended.out) == (0, "")
    assert "x-holdfast-run" in ended.err
