"""Recordings: on for somebody, for a while, and never for ever."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from holdfast.errors import ConfigError
from holdfast.policy.recording import (
    MOST_BYTES,
    RecorderConfig,
    Recording,
    binding,
    decoded,
    encoded,
)

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
WEB = Recording(scope="key", value="web", by="kim", at=NOW, until=NOW + timedelta(minutes=15))


def test_a_recording_survives_being_written_down() -> None:
    assert decoded(encoded(WEB)) == WEB
    assert WEB.name == "key:web"


@pytest.mark.parametrize(
    "change",
    [
        {"value": ""},
        {"scope": "everything"},
        {"until": NOW},
        {"until": NOW + timedelta(hours=25)},
        {"at": NOW.replace(tzinfo=None), "until": NOW.replace(tzinfo=None) + timedelta(hours=1)},
        {"max_bytes": 1},
        {"max_bytes": MOST_BYTES + 1},
    ],
)
def test_what_makes_no_sense_is_refused_in_both_languages(change: dict[str, Any]) -> None:
    with pytest.raises(ConfigError) as caught:
        replace(WEB, **change)
    assert caught.value.say("en") != caught.value.say("ko")


@pytest.mark.parametrize("body", [b"", b"{}", b"\xff", b'{"scope":"key"}'])
def test_a_document_that_is_no_recording_is_told(body: bytes) -> None:
    with pytest.raises(ConfigError, match="record off"):
        decoded(body)


def test_it_binds_whom_it_names_until_it_is_over() -> None:
    said = {"key": "web", "user": None, "run": None}
    assert binding((WEB,), said, NOW) is WEB
    assert binding((WEB,), said, WEB.until - timedelta(seconds=1)) is WEB
    assert binding((WEB,), said, WEB.until) is None
    assert binding((WEB,), {**said, "key": "other"}, NOW) is None
    assert binding((), said, NOW) is None


def test_of_several_the_most_generous_counts() -> None:
    kim = replace(WEB, scope="user", value="kim", max_bytes=MOST_BYTES)
    assert binding((WEB, kim), {"key": "web", "user": "kim"}, NOW) is kim


def test_the_usual_settings_make_sense() -> None:
    assert RecorderConfig(keep_days=30).max_bytes == 256 * 1024 * 1024


@pytest.mark.parametrize("change", [{"keep_days": 0}, {"keep_days": 401}, {"max_bytes": 1}])
def test_a_setting_that_makes_no_sense_is_refused(change: dict[str, int]) -> None:
    with pytest.raises(ConfigError):
        RecorderConfig(**change)
