"""`holdfast keys` as an operator uses it."""

import json
from pathlib import Path

import pytest

from holdfast.policy.keys import is_whole
from tests.cli.conftest import Holdfast
from tests.cli.test_spend import at_a_terminal


@pytest.fixture(autouse=True)
def own_pepper(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HOLDFAST_PEPPER", "HOLDFAST_PEPPER_FILE"):
        monkeypatch.delenv(name, raising=False)


def listed(holdfast: Holdfast, *options: str) -> list[dict[str, object]]:
    keys: list[dict[str, object]] = json.loads(holdfast("keys", "list", "--json", *options).out)["keys"]
    return keys


def test_a_new_key_is_all_there_is_on_stdout_and_is_never_shown_again(
    holdfast: Holdfast, tmp_path: Path
) -> None:
    made = holdfast("keys", "create", "web-prod", "--expires", "90d")
    key = made.out.removesuffix("\n")
    table = holdfast("keys", "list")
    (facts,) = listed(holdfast)

    assert is_whole(key)
    assert "shown only now" in made.err
    assert key not in made.err + table.out
    assert f"hf_live_{facts['prefix']}..." in table.out
    assert all(key.encode() not in file.read_bytes() for file in tmp_path.iterdir())
    assert (tmp_path / "holdfast.db.pepper").stat().st_mode & 0o777 == 0o600


def test_a_key_carries_what_it_was_made_with(holdfast: Holdfast) -> None:
    made = json.loads(
        holdfast(
            *("keys", "create", "alice", "--json", "--user", "alice", "--tag", "team=a", "--model", "m1,m2"),
            *("--scope", "messages", "--scope", "admin:read"),
        ).out
    )
    (facts,) = listed(holdfast)

    assert is_whole(made.pop("key"))
    assert made == facts
    assert (facts["user"], facts["tags"], facts["models"]) == ("alice", {"team": "a"}, ["m1", "m2"])
    assert (facts["scopes"], facts["ends_at"], facts["state"]) == (["messages", "admin:read"], None, "good")


def test_rotation_hands_over_and_says_how_long_the_old_one_opens(holdfast: Holdfast) -> None:
    old = json.loads(holdfast("keys", "create", "web", "--json").out)
    new = holdfast("keys", "rotate", "web", "--overlap", "2h")

    assert is_whole(new.out.strip())
    assert "The old key opens until" in new.err
    assert {key["name"] for key in listed(holdfast)} == {"web"}
    assert len(listed(holdfast)) == 2
    assert next(key for key in listed(holdfast) if key["id"] == old["id"])["ends_at"] is not None


def test_a_revoked_key_leaves_the_list_and_stays_on_record(holdfast: Holdfast) -> None:
    made = json.loads(holdfast("keys", "create", "web", "--json").out)
    told = holdfast("keys", "revoke", "web", "--reason", "leaked")
    again = json.loads(holdfast("keys", "revoke", made["id"], "--json").out)
    empty = holdfast("keys", "list")

    assert "opens nothing any more" in told.err
    assert (again["id"], again["state"]) == (made["id"], "revoked")
    assert (empty.out, "There is no good key" in empty.err) == ("", True)
    assert [key["state"] for key in listed(holdfast, "--all")] == ["revoked"]
    assert "revoked" in holdfast("keys", "list", "--all").out


def test_at_a_terminal_revoking_asks_first(holdfast: Holdfast, monkeypatch: pytest.MonkeyPatch) -> None:
    holdfast("keys", "create", "web")
    at_a_terminal(monkeypatch, "n")
    refused = holdfast("keys", "revoke", "web")
    still = len(listed(holdfast))
    at_a_terminal(monkeypatch, "y")

    assert (refused.code, still) == (130, 1)
    assert holdfast("keys", "revoke", "web").code == 0
    assert listed(holdfast) == []


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("create", "two\nlines"), "name"),
        (("create", "web", "--expires", "soon"), "is no length of time"),
        (("create", "web", "--scope", "root"), "root"),
        (("create", "web", "--tag", "x"), "NAME=VALUE"),
        (("revoke", "web"), "There is no key `web`"),
        (("rotate", "web"), "There is no key `web`"),
    ],
)
def test_what_makes_no_sense_ends_with_2(holdfast: Holdfast, arguments: tuple[str, ...], told: str) -> None:
    ended = holdfast("keys", *arguments)

    assert (ended.code, told in ended.err, ended.out) == (2, True, ""), ended.err


def test_a_pepper_that_could_be_guessed_makes_no_key(
    holdfast: Holdfast, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOLDFAST_PEPPER", "salt")
    ended = holdfast("keys", "create", "web")

    assert (ended.code, ended.out, "16 or more" in ended.err) == (2, "", True)
    assert listed(holdfast) == []


def test_every_answer_is_there_in_korean(holdfast: Holdfast, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOLDFAST_LANG", "ko")
    none = holdfast("keys", "list")
    made = holdfast("keys", "create", "web")
    rotated = holdfast("keys", "rotate", "web", "--overlap", "0s")
    wrong = holdfast("keys", "create", "web", "--expires", "곧")

    assert "유효한 키가 없습니다" in none.err
    assert "지금 한 번만" in made.err
    assert "이전 키는" in rotated.err
    assert "시간 길이가 아닙니다" in wrong.err


def test_a_key_is_made_with_limits_that_are_checked_at_once(holdfast: Holdfast) -> None:
    limits = ("--rpm", "60", "--tpm", "100000", "--usd-per-day", "2.50")
    made = json.loads(holdfast("keys", "create", "alice", "--json", *limits).out)
    (facts,) = listed(holdfast)
    assert made["limits"] == facts["limits"] == {"rpm": 60, "tpm": 100_000, "usd_per_day": "2.50"}
    for wrong in (("--rpm", "0"), ("--usd-per-day", "-1"), ("--usd-per-day", "much")):
        assert holdfast("keys", "create", "bob", *wrong).code != 0
    assert len(listed(holdfast)) == 1
