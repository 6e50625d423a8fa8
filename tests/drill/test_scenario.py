"""Scenarios of one's own: what a file may say, and what is said of mistakes in it."""

from pathlib import Path

import pytest

from holdfast import Settings
from holdfast.drill import drill, incident, read_scenario
from holdfast.drill.expectation import expectation
from holdfast.drill.facts import FACTS, shown
from holdfast.errors import ConfigError
from holdfast.policy.routing import UpstreamConfig

GOOD = """
name = "mine"
title = "Mine"
expect = ["answered == 2"]

[[load]]
users = 1
calls = 2
"""


def written(folder: Path, text: str) -> Path:
    file = folder / "mine.toml"
    file.write_text(text, encoding="utf-8")
    return file


def complaint(folder: Path, text: str) -> str:
    with pytest.raises(ConfigError) as caught:
        read_scenario(written(folder, text))
    assert "mine.toml" in caught.value.sentence.en
    assert "mine.toml" in caught.value.sentence.ko
    return caught.value.sentence.en


def test_a_scenario_with_a_load_and_an_expectation_is_enough(tmp_path: Path) -> None:
    assert drill(read_scenario(written(tmp_path, GOOD)), Settings()).passed


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("users = 1", "user = 1"), "unknown field `user`"),
        (("users = 1", "users = 0"), "`$.load[0].users`"),
        (("users = 1", "users = [1"), "at line"),
        (('["answered == 2"]', "[]"), "at least one"),
        (('"answered == 2"', '"answerd == 2"'), "did you mean `answered`?"),
        (('"answered == 2"', '"answered"'), "is no expectation"),
        (('"answered == 2"', '"nothing == 2"'), "knows no fact `nothing`"),
        (('title = "Mine"', 'title = "Mine"\nstarts_at = 2026-01-01T00:00:00'), "time zone"),
        (("[[load]]", '[[step]]\ndo = "revoke_key"\nat = 5.0\nuntil = 2.0\n[[load]]'), "before it begins"),
        (("[[load]]", '[[step]]\ndo = "explode"\n[[load]]'), "explode"),
    ],
)
def test_a_mistake_is_named_with_its_place(tmp_path: Path, change: tuple[str, str], said: str) -> None:
    assert said in complaint(tmp_path, GOOD.replace(*change))


def test_a_file_that_is_not_there_is_said_to_be_unreadable(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="No such file"):
        read_scenario(tmp_path / "nothing.toml")


def test_an_incident_that_there_is_not_is_answered_with_the_one_that_was_meant() -> None:
    with pytest.raises(ConfigError, match="did you mean `529-storm`"):
        incident("529-strom")
    with pytest.raises(ConfigError, match="there are: 429-window"):
        incident("earthquake")


def test_a_step_on_an_upstream_that_there_is_not_is_refused(tmp_path: Path) -> None:
    text = GOOD.replace("[[load]]", '[[step]]\ndo = "revoke_key"\non = "moon"\n[[load]]')
    with pytest.raises(ConfigError, match="`moon`"):
        drill(read_scenario(written(tmp_path, text)), Settings())


TWO = Settings(
    upstreams={
        "first": UpstreamConfig(url="https://api.anthropic.com", key_env="A_KEY"),
        "second": UpstreamConfig(url="https://elsewhere.invalid", key_env="B_KEY"),
    }
)
SPARE = Settings(
    upstreams={"only": UpstreamConfig(url="https://a.invalid", key_env="A_KEY", key_envs=("B_KEY",))}
)


def test_a_second_upstream_saves_the_users_from_a_storm_over_the_first() -> None:
    sheet = drill(incident("529-storm"), TWO)
    assert sheet.passed, sheet.said()
    assert sheet.facts["users_saw_errors"] == 0


def test_a_spare_key_stands_in_for_the_one_that_was_revoked() -> None:
    sheet = drill(incident("key-revoked"), SPARE)
    assert sheet.passed, sheet.said()
    assert sheet.facts["spare_keys"] == 1
    assert int(sheet.facts["users_saw_errors"] or 0) <= 1


def test_trouble_on_all_upstreams_and_slowness_are_felt_and_keys_come_back(tmp_path: Path) -> None:
    steps = """
[[step]]
do = "slow"
on = "all"
at = 0.0
until = 30.0
factor = 20.0

[[step]]
do = "revoke_key"
on = "second"
at = 0.0
until = 10.0

[[load]]"""
    plain = drill(read_scenario(written(tmp_path, GOOD)), TWO)
    slow = drill(read_scenario(written(tmp_path, GOOD.replace("[[load]]", steps))), TWO)
    assert slow.passed, slow.said()
    assert float(slow.facts["slowest"] or 0) > 3 * float(plain.facts["slowest"] or 0)


def test_the_same_seed_gives_the_same_facts_and_another_seed_others() -> None:
    first, again = (drill(incident("mid-stream-errors"), Settings(), seed=5) for _ in range(2))
    assert first.facts == again.facts
    assert drill(incident("mid-stream-errors"), Settings(), seed=6).facts != first.facts


def test_one_of_several_comparisons_is_enough_and_nothing_holds_of_what_is_not_there() -> None:
    facts = {**dict.fromkeys(FACTS, 0), "budget": None, "spent": 1}
    assert expectation("spent > 5 or spent >= 1").holds(facts)
    assert expectation("circuit_opened == false and".removesuffix(" and")).holds(facts)
    assert not expectation("spent <= budget").holds(facts)
    assert not expectation("budget != 3").holds(facts)


def test_no_budget_is_shown_as_none() -> None:
    assert shown(None) == "none"
