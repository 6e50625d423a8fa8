"""`holdfast stop` and `holdfast resume` as somebody in a hurry uses them."""

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Holdfast
from tests.cli.test_spend import at_a_terminal


def stopped(holdfast: Holdfast) -> list[str]:
    return [one["name"] for one in json.loads(holdfast("stop", "--list", "--json").out)["stops"]]


def broken(tmp_path: Path) -> None:
    """From now on the database cannot be opened."""
    (tmp_path / "holdfast.db").write_bytes(b"this is no database" * 100)


def test_a_run_is_stopped_and_resumed(holdfast: Holdfast) -> None:
    told = holdfast("stop", "run", "7f2c", "--reason", "turns in circles", "--for", "2h")
    table = holdfast("stop", "--list")
    ended = holdfast("resume", "run", "7f2c")

    assert (told.code, told.out) == (0, "")
    assert told.err.startswith("Calls of the run `7f2c` are stopped until 20")
    assert "To end it: holdfast resume run 7f2c\n" in told.err
    assert told.err.endswith("No call of the run `7f2c` is on record yet: is it spelled right?\n")
    assert table.out.splitlines()[1].startswith("run 7f2c  cli:")
    assert table.out.endswith("turns in circles\n")
    assert ended.err == "run 7f2c is served again, everywhere within a second.\n"
    assert stopped(holdfast) == []


def test_everything_can_be_stopped_by_a_script_without_a_question(holdfast: Holdfast) -> None:
    facts = json.loads(holdfast("stop", "everything", "--json").out)

    assert (facts["scope"], facts["here"], facts["everywhere"], facts["until"]) == (
        "everything",
        True,
        True,
        None,
    )
    assert stopped(holdfast) == ["everything:"]
    refused = holdfast("chat", "Hello", "--simulate")
    assert refused.code == 0  # the simulator has a book of its own
    assert holdfast("stop", "everything", "--simulate").code == 0
    refused = holdfast("chat", "Hello", "--simulate")
    assert (refused.code, "holdfast resume everything" in refused.err) == (6, True)


def test_at_a_terminal_stopping_everything_asks_first(
    holdfast: Holdfast, monkeypatch: pytest.MonkeyPatch
) -> None:
    at_a_terminal(monkeypatch, "n")
    refused = holdfast("stop", "everything")
    nothing = stopped(holdfast)
    unasked = holdfast("stop", "user", "bob")
    sure = holdfast("stop", "everything", "--yes")

    assert (refused.code, nothing) == (130, [])
    assert (unasked.code, sure.code) == (0, 0)
    assert stopped(holdfast) == ["user:bob", "everything:"]


def test_a_resume_says_what_is_still_stopped(holdfast: Holdfast) -> None:
    for scope, name in (("user", "bob"), ("key", "web"), ("model", "claude-opus-5-5")):
        holdfast("stop", scope, name)
    ended = holdfast("resume", "key", "web")
    nothing = json.loads(holdfast("resume", "key", "web", "--json").out)
    said = holdfast("resume", "everything")

    assert "Still stopped: user bob, model claude-opus-5-5." in ended.err
    assert (nothing["resumed"], len(nothing["stops"])) == (False, 2)
    assert said.err.startswith("Nothing was stopped by the name everything.")


def test_while_the_database_is_away_workers_here_are_stopped_and_it_says_that_only_they_are(
    holdfast: Holdfast, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken(tmp_path)
    told = holdfast("stop", "user", "bob")
    facts = json.loads(holdfast("stop", "everything", "--json").out)
    listing = holdfast("stop", "--list")
    resumed = holdfast("resume", "user", "bob")
    monkeypatch.setenv("HOLDFAST_LANG", "ko")
    korean = holdfast("stop", "user", "bob")

    assert told.code == 0
    assert "ONLY BY WORKERS ON THIS MACHINE" in told.err
    assert (facts["here"], facts["everywhere"]) == (True, False)
    assert ("user bob" in listing.out, "ledger" in listing.err) == (True, True)
    assert resumed.code == 1
    assert "이 컴퓨터의 워커에만 적용됩니다" in korean.err


def test_when_nobody_can_be_told_it_fails_loudly(holdfast: Holdfast, tmp_path: Path) -> None:
    (tmp_path / "holdfast.toml").write_text('[store]\nurl = "sqlite:///file/book.db"\n')
    (tmp_path / "file").write_text("")

    assert holdfast("stop", "user", "bob").code == 1


@pytest.mark.parametrize(
    "arguments",
    [(), ("planet", "x"), ("run",), ("everything", "x"), ("run", "x", "--for", "ever"), ("run", "x", "y")],
)
def test_what_makes_no_sense_ends_with_2_and_stops_nothing(
    holdfast: Holdfast, arguments: tuple[str, ...]
) -> None:
    ended = holdfast("stop", *arguments)

    assert (ended.code, ended.out) == (2, "")
    assert stopped(holdfast) == []


def test_a_reason_that_nobody_would_read_ends_with_2(holdfast: Holdfast) -> None:
    assert holdfast("stop", "run", "x", "--reason", "x" * 501).code == 2
    assert stopped(holdfast) == []


def test_every_answer_is_there_in_korean(holdfast: Holdfast, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOLDFAST_LANG", "ko")
    none = holdfast("stop", "--list")
    told = holdfast("stop", "everything", "--for", "1h")
    ended = holdfast("resume", "everything")

    assert none.err == "정지된 것이 없습니다.\n"
    assert "모든 호출을" in told.err
    assert "재개했습니다" in ended.err
