"""`holdfast check`: errors with exit code 3, advice with the place, nothing asked of anybody."""

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Holdfast

LIVE = """\
[upstreams.default]
url = "https://api.anthropic.com"
key_env = "ANTHROPIC_API_KEY"

[budgets.team]
usd = 5
per = "day"

[alerts.channels.ops]
kind = "webhook"
url = "https://hooks.example/1"
"""


def write(folder: Path, text: str) -> None:
    (folder / "holdfast.toml").write_text(text)
    (folder / "holdfast.toml").chmod(0o600)


@pytest.mark.requirement("cli:check")
def test_a_wrong_key_is_named_with_its_line_and_exits_with_3(holdfast: Holdfast, tmp_path: Path) -> None:
    write(tmp_path, "[breaker]\nfailure_treshold = 5\n")
    ended = holdfast("check")

    assert ended.code == 3
    assert "error[HF112]" in ended.err
    assert "holdfast.toml:2:1" in ended.err
    assert "did you mean `failure_threshold`?" in ended.err


def test_wrong_lines_are_told_as_json_too(holdfast: Holdfast, tmp_path: Path) -> None:
    write(tmp_path, "[breaker]\nfailure_treshold = 5\nwindow = true\n")
    ended = holdfast("check", "--json")

    assert ended.code == 3
    told = json.loads(ended.out)
    assert told["ok"] is False
    assert [error[:12] for error in told["errors"]] == ["error[HF112]", "error[HF113]"]


def test_a_good_configuration_is_called_good(
    holdfast: Holdfast, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-ant-none")
    write(tmp_path, LIVE)
    ended = holdfast("check", "--strict")

    assert (ended.code, ended.out) == (0, "The configuration is good.\n")


@pytest.mark.parametrize(
    ("text", "code", "setting"),
    [
        ('[upstreams.default]\nurl = "https://api.anthropic.com"\n', "HF201", "budgets"),
        (LIVE.replace('per = "day"', 'per = "day"\nhard = false'), "HF202", "budgets"),
        (LIVE + '[models]\nstandard = "claude-3-opus-20240229"\n', "HF203", "models.standard"),
        (LIVE + "[timeouts]\ndeadline = 30\n", "HF204", "timeouts.stall"),
        (
            LIVE + '[failover.models]\nclaude-opus-5-5 = ["claude-opus-5-5"]\n',
            "HF205",
            "failover.models.claude-opus-5-5",
        ),
        (LIVE + '[store]\nurl = "postgresql://me:secret@db/holdfast"\n', "HF206", "store.url"),
        (
            LIVE.replace("https://api.anthropic.com", "http://api.example.com"),
            "HF207",
            "upstreams.default.url",
        ),
        (LIVE + '[screen]\nmode = "monitor"\n', "HF208", "screen.mode"),
        (LIVE + "[screen]\nenabled = false\n", "HF208", "screen.enabled"),
        (LIVE + "[fleet]\nworkers = 3\n", "HF209", "fleet.workers"),
    ],
)
def test_what_is_better_done_otherwise_is_advised(
    holdfast: Holdfast, tmp_path: Path, text: str, code: str, setting: str
) -> None:
    write(tmp_path, text)
    plain, strict = holdfast("check", "--json"), holdfast("check", "--strict")

    assert plain.code == 0
    found = [(item["code"], item["setting"]) for item in json.loads(plain.out)["advice"]]
    assert (code, setting) in found
    assert strict.code == 7
    assert f"warning[{code}]" in strict.out
    assert f"holdfast rule {code}" in strict.out


@pytest.mark.parametrize(
    ("text", "code", "setting"),
    [
        (LIVE, "HF210", "upstreams.default.key_env"),
        (LIVE[: LIVE.index("[alerts")], "HF211", "alerts.channels"),
        (LIVE + '[fleet]\nredis_url_env = "OUR_REDIS"\n', "HF210", "fleet.redis_url_env"),
        (LIVE + '[redaction]\ntag_key_env = "OUR_TAGS"\n', "HF210", "redaction.tag_key_env"),
        (
            LIVE.replace('url = "https://hooks', 'secret_env = "OUR_SIGN"\nurl = "https://hooks'),
            "HF210",
            "alerts.channels.ops.secret_env",
        ),
    ],
)
def test_what_is_only_worth_knowing_is_a_note_that_strict_lets_pass(
    holdfast: Holdfast, tmp_path: Path, text: str, code: str, setting: str
) -> None:
    write(tmp_path, text)
    found = json.loads(holdfast("check", "--json").out)["advice"]

    assert (code, setting, "note") in [(item["code"], item["setting"], item["level"]) for item in found]
    assert holdfast("check", "--strict").code == 0


def test_a_file_with_a_secret_that_all_can_read_is_a_warning_and_the_secret_is_not_said(
    holdfast: Holdfast, tmp_path: Path
) -> None:
    write(tmp_path, LIVE + '[store]\nurl = "postgresql://me:hunter2secret@db/holdfast"\n')
    (tmp_path / "holdfast.toml").chmod(0o644)
    ended = holdfast("check")

    assert "HF212" in ended.out
    assert "hunter2secret" not in ended.out + ended.err


def test_the_place_of_advice_is_the_line_of_the_setting(holdfast: Holdfast, tmp_path: Path) -> None:
    write(tmp_path, '[screen]\nmode = "monitor"\n')
    told = json.loads(holdfast("check", "--json").out)["advice"]

    assert [item["place"] for item in told if item["code"] == "HF208"] == ["holdfast.toml:2"]
