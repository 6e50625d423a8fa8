"""`holdfast drill`: its list, its sheet in both languages, its exit code, its JSON."""

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Holdfast

MINE = """
name = "mine"
title = { en = "Mine", ko = "내 것" }
expect = [{ that = "answered == 9", cure = { en = "ask more", ko = "더 물어보세요" } }]

[[load]]
users = 1
calls = 2
"""


@pytest.fixture
def mine(tmp_path: Path) -> str:
    (tmp_path / "mine.toml").write_text(MINE, encoding="utf-8")
    return "mine.toml"


def test_the_list_names_every_incident(holdfast: Holdfast) -> None:
    listed = holdfast("drill", "--list")
    assert "529-storm" in listed.out
    assert "every request gets a 529" in listed.out
    found = json.loads(holdfast("drill", "--list", "--json").out)["incidents"]
    assert [one["incident"] for one in found][:2] == ["429-window", "529-storm"]


@pytest.mark.requirement("drill:sheet")
def test_a_drill_that_passes_ends_with_0_and_shows_both_ledgers(holdfast: Holdfast) -> None:
    ended = holdfast("drill", "price-change")
    assert ended.code == 0, ended.out
    assert ended.out.startswith("PASS  price-change")
    assert "ok    billed == settled" in ended.out
    assert "billed $0.1510929, settled $0.1510929" in ended.out
    assert "1 of 1 drills passed" in ended.out


@pytest.mark.requirement("drill:sheet")
def test_a_drill_that_fails_ends_with_1_and_says_what_to_do(holdfast: Holdfast, mine: str) -> None:
    ended = holdfast("drill", mine)
    assert ended.code == 1
    assert "FAIL  answered == 9   (answered = 2)" in ended.out
    assert "-> ask more" in ended.out
    assert "failed: mine" in ended.out


def test_the_sheet_speaks_korean(holdfast: Holdfast, mine: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOLDFAST_LANG", "ko")
    said = holdfast("drill", mine).out
    assert said.startswith("실패  mine · 내 것")
    assert "-> 더 물어보세요" in said
    assert "훈련 1건 중 0건 통과" in said
    assert "모두 통과" in holdfast("drill", "price-change").out


def test_the_sheet_is_json_for_programs(holdfast: Holdfast, mine: str) -> None:
    ended = holdfast("drill", mine, "--json", "--seed", "3")
    (sheet,) = json.loads(ended.out)["drills"]
    assert (ended.code, sheet["passed"], sheet["seed"]) == (1, False, 3)
    assert sheet["expectations"][0]["found"] == {"answered": 2}
    assert sheet["facts"]["billed"] == sheet["facts"]["settled"]


def test_the_settings_of_a_file_are_drilled(holdfast: Holdfast, tmp_path: Path) -> None:
    bad = '[pricing.overrides."claude-sonnet-5-5"]\ninput = 2\noutput = 10\n'
    (tmp_path / "bad.toml").write_text(bad, encoding="utf-8")
    assert holdfast("drill", "price-change", "--config", "bad.toml").code == 1


def test_an_unknown_incident_is_a_mistake_of_configuration(holdfast: Holdfast) -> None:
    ended = holdfast("drill", "529-strom")
    assert ended.code == 3
    assert "did you mean `529-storm`" in ended.err


def test_the_list_leaves_out_nothing_that_is_named(holdfast: Holdfast, mine: str) -> None:
    assert "Mine" in holdfast("drill", mine, "--list").out
