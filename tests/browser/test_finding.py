"""How the tests find a Chromium, and how Debian is asked for one."""

import os
from pathlib import Path

import pytest

import dev_browser


@pytest.fixture
def bare_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Debian as root with apt, and without any browser; what apt is told to do leaves a line in `asked`."""
    monkeypatch.delenv(dev_browser.VARIABLE, raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    apt, chromium = tmp_path / "apt-get", tmp_path / "chromium"
    made = f"echo > {chromium}; test -x /bin/chmod && /bin/chmod 755 {chromium}"
    apt.write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/asked\ntest "$1" = update || {{ {made}; }}\n')
    apt.chmod(0o755)
    return tmp_path


def test_a_browser_that_is_missing_is_installed_with_the_letters_of_korean(bare_machine: Path) -> None:
    assert dev_browser.find() is None
    assert dev_browser.install_with_apt()
    assert dev_browser.find() == bare_machine / "chromium"
    (asked,) = (bare_machine / "asked").read_text().splitlines()
    assert asked == "install -y --no-install-recommends chromium fonts-noto-cjk"


def test_a_browser_that_the_environment_names_is_taken(
    bare_machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(dev_browser.VARIABLE, "/somewhere/chrome")
    assert dev_browser.find() == Path("/somewhere/chrome")
    assert dev_browser.install_with_apt()
    assert not (bare_machine / "asked").exists()


def test_without_root_nothing_is_tried_and_the_cure_is_told(
    bare_machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert not dev_browser.install_with_apt()
    assert not (bare_machine / "asked").exists()
    assert "sudo apt install chromium" in dev_browser.CURE
