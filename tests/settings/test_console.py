"""The section of the console in a file of settings."""

from pathlib import Path

import pytest

from holdfast.errors import ConfigError
from holdfast.settings import Settings


def loaded(tmp_path: Path, text: str) -> Settings:
    path = tmp_path / "holdfast.toml"
    path.write_text(text, encoding="utf-8")
    return Settings.load(path, environment={})


def test_the_console_is_told_its_names_and_how_long_a_login_lasts(tmp_path: Path) -> None:
    settings = loaded(tmp_path, '[console]\nhosts = ["agents.example.com"]\nidle = 60\nlongest = 600\n')
    assert settings.console.hosts == ("agents.example.com",)
    assert (settings.console.idle, settings.console.longest) == (60, 600)
    assert settings.origins["console.idle"].kind == "file"


def test_a_name_with_a_scheme_is_refused_with_its_line(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"holdfast\.toml:\d"):
        loaded(tmp_path, '[console]\nhosts = ["https://agents.example.com"]\n')
