"""`holdfast config`: every value with its origin, every setting explained, a schema that fits the file."""

import json
import tomllib
from pathlib import Path

import pytest

from holdfast.operations.reference import reference, spelled
from tests.cli.conftest import Holdfast


@pytest.mark.requirement("cli:config")
def test_every_value_is_shown_with_its_origin(
    holdfast: Holdfast, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "holdfast.toml").write_text("[breaker]\nwindow = 12\n")
    monkeypatch.setenv("HOLDFAST__RETRY__ATTEMPTS", "2")
    rows = {row["setting"]: row for row in json.loads(holdfast("config", "--json").out)}

    assert rows["breaker.window"] == {
        "setting": "breaker.window",
        "value": "12.0",
        "origin": "holdfast.toml:2",
    }
    assert rows["retry.attempts"]["origin"] == "HOLDFAST__RETRY__ATTEMPTS"
    assert rows["retry.wait_max"]["origin"] == "default"


def test_only_what_was_changed_is_shown_when_asked(holdfast: Holdfast, tmp_path: Path) -> None:
    (tmp_path / "holdfast.toml").write_text("[breaker]\nwindow = 12\n")
    shown = holdfast("config", "show", "--changed").out

    assert "breaker.window" in shown
    assert "breaker.minimum_calls" not in shown


def test_passwords_in_addresses_are_masked(holdfast: Holdfast, tmp_path: Path) -> None:
    (tmp_path / "holdfast.toml").write_text('[store]\nurl = "postgresql://me:hunter2secret@db/x"\n')
    shown = holdfast("config").out

    assert "postgresql://" in shown
    assert "hunter2secret" not in shown


def test_settings_below_names_and_in_lists_are_shown(holdfast: Holdfast, tmp_path: Path) -> None:
    (tmp_path / "holdfast.toml").write_text(
        '[budgets.team]\nusd = 5\n[[budgets.team.ladder]]\nat = 0.5\ndo = "alert"\n'
    )
    rows = {row["setting"]: row["value"] for row in json.loads(holdfast("config", "--json").out)}

    assert (rows["budgets.team.usd"], rows["budgets.team.ladder.1.do"]) == ("5", '"alert"')


def test_a_setting_is_explained_with_what_it_is_now(holdfast: Holdfast, tmp_path: Path) -> None:
    (tmp_path / "holdfast.toml").write_text("[budgets.team]\nusd = 5\n")
    told = holdfast("config", "explain", "budgets.team.usd").out

    assert told.startswith("budgets.team.usd: Dollars")
    assert "from: holdfast.toml:2" in told
    assert "HOLDFAST__BUDGETS__NAME__USD" in told


def test_a_section_is_explained_whole_and_in_korean(
    holdfast: Holdfast, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOLDFAST_LANG", "ko")
    told = holdfast("config", "explain", "retry").out

    assert "retry.attempts: 첫 시도를 포함한 총 시도 수." in told
    assert "retry.patience" in told
    assert "breaker" not in told


def test_everything_is_explained_as_json(holdfast: Holdfast) -> None:
    told = json.loads(holdfast("config", "explain", "--json").out)
    assert len(told) == len(reference())


def test_an_unknown_setting_is_wrong_usage(holdfast: Holdfast) -> None:
    assert "did you mean breaker.window" in holdfast("config", "explain", "breaker.windw").err
    ended = holdfast("config", "explain", "zzz")
    assert (ended.code, "lists them all" in ended.err) == (2, True)


def test_the_schema_knows_every_setting_and_refuses_others(holdfast: Holdfast) -> None:
    schema = json.loads(holdfast("config", "schema").out)
    budget = schema["properties"]["budgets"]["additionalProperties"]["properties"]

    assert schema["additionalProperties"] is False
    assert budget["mode"]["enum"] == ["strict", "expected", "clamp"]
    assert budget["ladder"]["items"]["properties"]["at"]["type"] == "number"
    assert {"const": "none"} in schema["properties"]["breaker"]["properties"]["failure_threshold"]["anyOf"]
    assert budget["per"] == {"description": budget["per"]["description"], "type": "string"}


def test_defaults_are_spelled_as_the_file_would() -> None:
    for entry in reference():
        if entry.default:
            tomllib.loads(f"value = {entry.default}")
    assert spelled('a "b" \\ c') == r'"a \"b\" \\ c"'
    assert spelled({"a": (1, True)}) == '{"a" = [1, true]}'
