from decimal import Decimal
from pathlib import Path

import pytest

from holdfast.errors import ConfigError
from holdfast.policy.screening import ScreenConfig
from holdfast.policy.second_opinion import SecondOpinionConfig
from holdfast.settings import Settings

WRITTEN = """
[screen]
mode = "monitor"
monitor = ["ko-role", "detector"]
unexamined = "refuse"

[screen.second_opinion]
kind = "judge"
model = "claude-sonnet-5-5"
band = [0.002, 0.1]
scores = [0.8, 0.95]
timeout = 3
fail = "closed"
budget_usd = 0.25
"""


def load(tmp_path: Path, text: str, environment: dict[str, str] | None = None) -> Settings:
    path = tmp_path / "holdfast.toml"
    path.write_text(text, "utf-8")
    return Settings.load(path, environment=environment or {})


def test_the_screen_can_watch_ask_others_and_refuse_what_it_cannot_read(tmp_path: Path) -> None:
    assert load(tmp_path, WRITTEN).screen == ScreenConfig(
        mode="monitor",
        monitor=("ko-role", "detector"),
        unexamined="refuse",
        second_opinion=SecondOpinionConfig(
            kind="judge",
            model="claude-sonnet-5-5",
            band=(0.002, 0.1),
            scores=(0.8, 0.95),
            timeout=3.0,
            fail="closed",
            budget_usd=Decimal("0.25"),
        ),
    )


def test_the_environment_can_choose_who_is_asked(tmp_path: Path) -> None:
    environment = {
        "HOLDFAST__SCREEN__SECOND_OPINION__KIND": "http",
        "HOLDFAST__SCREEN__SECOND_OPINION__URL": "https://guard.example/v1",
        "HOLDFAST__SCREEN__SECOND_OPINION__BAND": "[0.01, 0.2]",
        "HOLDFAST__SCREEN__MONITOR": "*",
    }
    screen = load(tmp_path, "", environment).screen
    assert (screen.second_opinion.url, screen.second_opinion.band) == (
        "https://guard.example/v1",
        (0.01, 0.2),
    )
    assert screen.only_watches("any-rule")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('[screen.second_opinion]\nkind = "onnx"\n', "needs path"),
        ('[screen.second_opinion]\nkind = "oracle"\n', 'one of "off"'),
        ("[screen.second_opinion]\nband = [0.5, 0.1]\n", "band is 0.5 to 0.1"),
        ("[screen.second_opinion]\nbands = [0.5, 0.1]\n", "did you mean `band`"),
        ('[screen]\nunexamined = "refuse"\nenabled = false\n', "screen.unexamined"),
    ],
)
def test_a_mistake_is_shown_with_its_line(text: str, words: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, text)
    assert words in str(caught.value)
    assert "holdfast.toml:" in str(caught.value)
