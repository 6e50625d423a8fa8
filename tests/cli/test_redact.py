"""`holdfast redact` as scripts and people call it."""

import io
import json
import sys
from pathlib import Path

import pytest

from holdfast.cli import redact
from tests.cli.conftest import Ended, Holdfast


class Typed:
    """Standard input with these bytes."""

    def __init__(self, data: bytes) -> None:
        self.buffer = io.BytesIO(data)


@pytest.fixture
def typed(monkeypatch: pytest.MonkeyPatch, holdfast: Holdfast) -> Holdfast:
    """Runs `holdfast redact` on the text given first."""

    def run(text: str, *arguments: str) -> Ended:
        monkeypatch.setattr(sys, "stdin", Typed(text.encode("utf-8", "surrogateescape")))
        return holdfast("redact", *arguments)

    return run


def line(text: str, id: object = "1") -> str:
    return json.dumps({"id": id, "text": text}, ensure_ascii=False) + "\n"


def told(ended: Ended) -> list[dict[str, object]]:
    return [json.loads(row) for row in ended.out.splitlines()]


@pytest.mark.requirement("guard:redact-form")
def test_every_line_comes_back_with_its_id_and_without_its_secrets(typed: Holdfast) -> None:
    ended = typed(line("메일 a@example.com") + "\n" + line("password=hunter2!", 7))
    assert ended.code == 0
    assert told(ended) == [{"id": "1", "text": "메일 [email]"}, {"id": 7, "text": "password=[secret]"}]


def test_the_profile_secrets_leaves_personal_data(typed: Holdfast) -> None:
    ended = typed(line("a@example.com password=hunter2!"), "--profile", "secrets")
    assert told(ended)[0]["text"] == "a@example.com password=[secret]"


def test_explain_adds_what_was_found_and_why(typed: Holdfast) -> None:
    ended = typed(line("password=hunter2!"), "--explain")
    assert told(ended)[0]["findings"] == [{"kind": "secret", "start": 9, "end": 17, "rule": "name password"}]


def test_half_a_surrogate_stays_escaped(typed: Holdfast) -> None:
    assert typed('{"id": 1, "text": "x\\ud800"}\n').out == '{"id": 1, "text": "x\\ud800"}\n'


@pytest.mark.parametrize(
    "wrong",
    ["no json", "[1]", '{"id": 1}', '{"text": "x"}', '{"id": 1, "text": 5}', '{"a":' * 100_000, "\udcff"],
    ids=["text", "list", "no text", "no id", "number", "deep", "no UTF-8"],
)
def test_a_line_that_cannot_be_read_is_named_and_the_others_are_done(typed: Holdfast, wrong: str) -> None:
    ended = typed(line("one") + wrong + "\n" + line("two", 2))
    assert ended.code == 1
    assert [row["text"] for row in told(ended)] == ["one", "two"]
    assert ended.err.startswith("line 2: ")
    assert "holdfast_line_unreadable" in ended.err


def test_a_line_that_is_too_long_is_refused_and_skipped_whole(
    typed: Holdfast, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(redact, "LONGEST", 64)
    ended = typed(line("x" * 300) + line("two"))
    assert (ended.code, told(ended)) == (1, [{"id": "1", "text": "two"}])


def test_it_speaks_korean(typed: Holdfast, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOLDFAST_LANG", "ko")
    assert typed("x\n").err.startswith("1번째 줄: ")


def test_plain_text_keeps_its_lines(typed: Holdfast) -> None:
    ended = typed("hi a@example.com\n\nnothing here\nno end", "--text")
    assert (ended.code, ended.out) == (0, "hi [email]\n\nnothing here\nno end")


def test_plain_text_finds_what_goes_on_over_several_lines(typed: Holdfast) -> None:
    key = "-----BEGIN PRIVATE KEY-----\n" + ("Ab1+" * 16 + "\n") * 3 + "-----END PRIVATE KEY-----\n"
    ended = typed(f"db:\n  password:\n    hunter2!x\n  port: 1\nthe key:\n{key}ok\n", "--text", "--explain")
    assert ended.out == "db:\n  password:\n    [secret]\n  port: 1\nthe key:\n[private_key]\nok\n"
    assert ended.err == "3: secret (name password)\n6: private_key (private key block)\n"


def test_what_goes_on_at_the_very_end_is_written_too(typed: Holdfast) -> None:
    assert typed("password:\n", "--text").out == "password:\n"


def test_a_private_key_without_an_end_does_not_hold_back_what_follows_for_ever(typed: Holdfast) -> None:
    ended = typed("-----BEGIN PRIVATE KEY-----\n" + "some words here\n" * 1_000, "--text")
    assert ended.out.count("some words here") == 1_000


def test_rules_of_the_house_come_from_the_settings(
    typed: Holdfast, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "own.toml").write_text(
        '[redaction]\nnames = ["badge"]\nprefixes = ["acme_"]\ntag_key_env = "TAGS"\n', encoding="utf-8"
    )
    monkeypatch.setenv("TAGS", "0123456789abcdef")
    ended = typed(line("badge=77120 acme_a1b2"), "--config", str(tmp_path / "own.toml"))
    text = str(told(ended)[0]["text"])
    assert text.startswith("badge=[REDACTED:secret:")
    assert "[REDACTED:key:" in text
    monkeypatch.delenv("TAGS")
    assert typed("", "--config", str(tmp_path / "own.toml")).code == 3
