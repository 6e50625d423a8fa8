"""`[alerts]` in a file: rules in words, channels without secrets, and mistakes at their place."""

from pathlib import Path

import pytest

from holdfast.errors import ConfigError
from holdfast.policy.alert_rules import AlertRuleConfig, ChannelConfig
from holdfast.settings import Settings

FILE = """
[alerts.channels.slack]
kind = "slack"
url_env = "SLACK_URL"

[alerts.rules.crowded]
when = "verdict is overloaded for 2m"
channels = ["slack"]
again_every = 3600
"""


def loaded(tmp_path: Path, text: str) -> Settings:
    file = tmp_path / "holdfast.toml"
    file.write_text(text, "utf-8")
    return Settings.load(file, environment={})


def test_rules_and_channels_are_read_by_name(tmp_path: Path) -> None:
    alerts = loaded(tmp_path, FILE).alerts
    assert alerts.channels == {"slack": ChannelConfig(kind="slack", url_env="SLACK_URL")}
    assert alerts.rules == {
        "crowded": AlertRuleConfig(
            when="verdict is overloaded for 2m", channels=("slack",), again_every=3600.0
        )
    }


def test_a_rule_that_is_none_is_told_with_its_line_and_what_was_meant(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as refused:
        loaded(tmp_path, FILE.replace("overloaded for", "overload for"))
    said = refused.value.say("en")
    assert ":7:" in said
    assert "did you mean `verdict is overloaded for 2m`?" in said


def test_a_rule_for_a_channel_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="did you mean `slack`"):
        loaded(tmp_path, FILE.replace('["slack"]', '["slak"]'))
