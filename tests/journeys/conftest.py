"""Fixtures of the journeys."""

from pathlib import Path

import pytest

from tests.journeys.commands import Desk


@pytest.fixture
def desk(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Desk:
    return Desk(monkeypatch, capsys, tmp_path)
