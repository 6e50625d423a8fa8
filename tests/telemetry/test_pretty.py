"""At a terminal the log is for a person; everywhere else, and in memory, it is JSON."""

import io
import json
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.telemetry.logs import AgentLogger
from holdfast.telemetry.pretty import is_terminal, pretty
from holdfast.testing import FakeClock


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def _without_colours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")


def test_a_person_reads_the_time_the_level_the_message_and_what_belongs_to_it() -> None:
    stream = Terminal()
    logger = AgentLogger("shop", stream=stream, clock=FakeClock())
    with logger.request("r1"):
        logger.warn("attempt failed", status=529, upstream="anthropic", note="two words")
    assert logger.flush()
    line = stream.getvalue().rstrip("\n")
    assert line[2:9] == ":00:00." or line[8] == "."
    assert line[13:] == (
        'warn  attempt failed agent_id=shop request_id=r1 status=529 upstream=anthropic note="two words"'
    )


def test_the_same_line_is_json_in_memory_and_in_a_file() -> None:
    for stream in (Terminal(), io.StringIO()):
        logger = AgentLogger(stream=stream)
        logger.info("hello", key="value")
        assert logger.flush()
        assert logger.entries[0]["metadata"] == {"key": "value"}
    assert json.loads(stream.getvalue())["message"] == "hello"


def test_levels_have_colours_unless_somebody_wants_none(monkeypatch: pytest.MonkeyPatch) -> None:
    line = '{"timestamp": "2026-11-22T12:00:00.000Z", "level": "error", "message": "x"}'
    assert "\x1b" not in pretty(line)
    monkeypatch.delenv("NO_COLOR")
    assert "\x1b[31merror\x1b[0m x" in pretty(line)


def test_without_a_stream_it_is_whatever_standard_error_is_then(monkeypatch: pytest.MonkeyPatch) -> None:
    logger = AgentLogger()
    for stream in (Terminal(), io.StringIO()):
        monkeypatch.setattr(sys, "stderr", stream)
        logger.info("hello")
        assert logger.flush()
        assert stream.getvalue().startswith("{") is not isinstance(stream, Terminal)


def test_secrets_are_masked_at_a_terminal_too() -> None:
    stream = Terminal()
    logger = AgentLogger(stream=stream)
    secret = "sk-" + "ant-api03-Qx93kdLwPz81mNvB72hsYtR5uGqWe04cXaJf6iZoKlT8bVnM"
    logger.info(f"key {secret}", note=secret, password="hunter2")
    assert logger.flush()
    assert secret[14:30] not in stream.getvalue()
    assert "hunter2" not in stream.getvalue()


@given(st.text(), st.dictionaries(st.text(min_size=1), st.text() | st.integers() | st.lists(st.text())))
def test_nothing_that_is_logged_commands_the_terminal_or_begins_a_line(
    message: str, metadata: dict[str, object]
) -> None:
    entry = {"timestamp": "2026-11-22T12:00:00.000Z", "level": "info", "message": message}
    line = pretty(json.dumps({**entry, "metadata": metadata}))
    assert not any(
        letter < " " or "\x7f" <= letter <= "\x9f" or letter in "\u2028\u2029\u202e" for letter in line
    )


def test_a_closed_stream_is_no_terminal() -> None:
    stream = io.StringIO()
    stream.close()
    assert not is_terminal(stream)
    assert not is_terminal(object())


@pytest.mark.parametrize(
    ("wanted", "at_a_terminal", "in_a_file"),
    [("json", False, False), ("pretty", True, True), ("auto", True, False), ("", True, False)],
)
def test_the_environment_may_choose_the_form(
    monkeypatch: pytest.MonkeyPatch, wanted: str, at_a_terminal: bool, in_a_file: bool
) -> None:
    monkeypatch.setenv("HOLDFAST_LOG_FORMAT", wanted)
    for stream, is_pretty in ((Terminal(), at_a_terminal), (io.StringIO(), in_a_file)):
        logger = AgentLogger(stream=stream)
        logger.info("hello")
        assert logger.flush()
        assert stream.getvalue().startswith("{") is not is_pretty
