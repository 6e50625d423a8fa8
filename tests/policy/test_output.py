"""Settings of the output guard, the words it ends answers with, and its records."""

from pathlib import Path
from typing import get_args

import pytest

from holdfast.errors import ConfigError
from holdfast.policy.coverage import MOST_BLOCKS, Skipped, coverage, of_newest
from holdfast.policy.output import Finding, Kind, OutputConfig, blocked
from holdfast.settings import Settings
from holdfast.wire.messages import read_request
from holdfast.wire.unread import Unread, unread

BODY = (
    b'{"messages": [{"role": "user", "content": [{"type": "text", "text": "Look"},'
    b' {"type": "tool_result", "tool_use_id": "t", "content": "ten"}, {"type": "image", "source": {"type": "url"}}]}]}'
)


def test_by_default_everything_but_personal_data_is_flagged_and_nothing_waits() -> None:
    config = OutputConfig()

    assert {kind: config.mode(kind) for kind in get_args(Kind)} == {
        "leak": "flag",
        "secret": "flag",
        "personal": "off",
        "egress": "flag",
        "unexamined": "off",
    }
    assert (config.is_on, config.holds_back) == (True, False)


@pytest.mark.parametrize("name", ["leak", "secrets", "personal", "egress"])
@pytest.mark.parametrize("mode", ["redact", "stop"])
def test_what_may_change_an_answer_makes_it_wait(name: str, mode: str) -> None:
    assert OutputConfig(**{name: mode}).holds_back  # type: ignore[arg-type]  # each setting by its name


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"canaries": ("long-enough", "a-b-c")}, "canaries"),
        ({"hold_back": 63}, "hold_back"),
        ({"hold_back": 8_193}, "hold_back"),
    ],
)
def test_a_setting_that_makes_no_sense_is_named_in_both_languages(
    settings: dict[str, object], named: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        OutputConfig(**settings)  # type: ignore[arg-type]  # each setting by its name

    assert caught.value.say("en").startswith(named)
    assert caught.value.say("ko").startswith(named)


def test_the_settings_are_read_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "holdfast.toml"
    file.write_text(
        '[output]\nleak = "stop"\ncanaries = ["heron-7731"]\nallowed_hosts = ["cdn.net"]\nhold_back = 512\n'
    )

    output = Settings.load(file, environment={"HOLDFAST__OUTPUT__SECRETS": "redact"}).output

    assert output == OutputConfig(
        leak="stop", secrets="redact", canaries=("heron-7731",), allowed_hosts=("cdn.net",), hold_back=512
    )


def test_a_mode_that_nobody_knows_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "holdfast.toml"
    file.write_text('[output]\nleak = "hide"\n')

    with pytest.raises(ConfigError, match=r"output\.leak"):
        Settings.load(file, environment={})


@pytest.mark.parametrize("kind", get_args(Kind))
def test_what_ends_an_answer_says_of_what_kind_it_was_and_which_setting_decides(kind: Kind) -> None:
    error = blocked(kind, "code_of_it")
    setting = "output.secrets" if kind == "secret" else f"output.{kind}"

    assert (error.status, error.error_type, error.should_retry) == (400, "policy_blocked", False)
    assert error.error_code == "holdfast_output_blocked"
    assert all(word in error.say(language) for language in ("en", "ko") for word in ("code_of_it", setting))


@pytest.mark.parametrize(
    ("finding", "mark"),
    [
        (Finding(kind="leak", code="canary", start=0, end=1), "[REDACTED:system_prompt]"),
        (Finding(kind="egress", code="link_data", start=0, end=1), "[REDACTED:link]"),
        (Finding(kind="secret", code="jwt", start=0, end=1), "[REDACTED:jwt]"),
        (Finding(kind="personal", code="card", start=0, end=1, quote='"'), '"[REDACTED:card]"'),
    ],
)
def test_the_mark_says_what_was_there(finding: Finding, mark: str) -> None:
    assert finding.mark == mark


def test_the_record_of_a_request_names_what_was_read_and_what_was_not() -> None:
    record = of_newest(read_request(BODY), unread(BODY), guard="screen", version="7")

    assert (record.side, record.guard, record.version, record.characters) == ("input", "screen", "7", 7)
    assert record.examined == ("messages.0.content.0.text", "messages.0.content.1.content")
    assert record.skipped == (Skipped(path="messages.0.content.2", reason="image"),)
    assert not record.is_complete


def test_texts_of_channels_that_a_guard_does_not_read_are_named_as_such() -> None:
    record = of_newest(read_request(BODY), (), guard="screen", version="7", channels=("user",))

    assert record.skipped == (Skipped(path="messages.0.content.1.content", reason="channel"),)


def test_a_record_names_a_bounded_number_of_blocks_and_counts_the_others() -> None:
    many = [Unread(f"messages.{at}", "image") for at in range(MOST_BLOCKS + 9)]

    record = coverage(
        "output",
        "output",
        "1",
        examined=((block.path, 2) for block in many),
        skipped=(Skipped(path=block.path, reason=block.reason) for block in many),
        findings=["b", "a", "b"],
    )

    assert (len(record.examined), len(record.skipped), record.further) == (MOST_BLOCKS, MOST_BLOCKS, 18)
    assert (record.characters, record.findings) == (2 * len(many), ("a", "b"))
    assert coverage("output", "output", "1", examined=[("content.0", 3)]).is_complete
