"""A frozen database, in real time: a short freeze; the whole incident is in `test_incidents` for those who explore."""

from dataclasses import replace
from pathlib import Path

import pytest

from holdfast import Settings
from holdfast.cli.serve import with_starter_budget
from holdfast.drill import Sheet, drill, read_scenario

BRIEF = """
name = "brief"
title = "The database is locked for a second and a half"
expect = [
  "spent_while_frozen <= emergency",
  "slowest >= 0.5",
  "answered == 6",
  "billed == settled",
  "held == 0",
]

[[load]]
users = 2
calls = 3
every = 0.8

[[step]]
do = "freeze_store"
at = 0.3
until = 1.8
"""
STARTER = with_starter_budget(Settings())


@pytest.fixture
def brief(tmp_path: Path) -> Path:
    file = tmp_path / "brief.toml"
    file.write_text(BRIEF, encoding="utf-8")
    return file


def played(file: Path, settings: Settings) -> Sheet:
    return drill(read_scenario(file), settings)


@pytest.mark.requirement("drill:frozen")
def test_calls_wait_for_a_database_that_is_locked_and_every_dollar_is_settled(brief: Path) -> None:
    sheet = played(brief, STARTER)
    assert sheet.passed, sheet.said()


@pytest.mark.requirement("drill:frozen")
def test_without_a_budget_money_is_spent_that_nobody_could_count(brief: Path) -> None:
    sheet = played(brief, replace(STARTER, budgets={}))
    assert not sheet.lines[0].passed, sheet.said()


def test_a_freeze_without_an_end_is_over_when_the_drill_has_waited_long_enough(
    brief: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("holdfast.drill.playing.LONGEST", 0.5)
    brief.write_text(BRIEF.replace("until = 1.8\n", "").replace('"slowest >= 0.5",', ""), encoding="utf-8")
    assert played(brief, STARTER).passed
