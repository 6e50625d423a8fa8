"""A bridge carries another logger's lines over, and leaves that logger as it was."""

import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest

from holdfast.telemetry.logs import AgentLogger


@pytest.fixture
def source() -> Iterator[logging.Logger]:
    logger = logging.getLogger("holdfast_tests.sdk")
    logger.setLevel(logging.INFO)
    yield logger
    logger.handlers.clear()
    logger.setLevel(logging.NOTSET)


@pytest.fixture
def logger() -> AgentLogger:
    return AgentLogger("shop", level="debug", stream=io.StringIO())


def only(logger: AgentLogger) -> dict[str, Any]:
    (entry,) = logger.entries
    return dict(entry)


def test_a_line_comes_over_with_its_source_and_with_the_request_it_belongs_to(
    source: logging.Logger, logger: AgentLogger
) -> None:
    with logger.bridge("holdfast_tests"), logger.request("r1"):
        source.warning("retrying in %s s", 2)
    entry = only(logger)
    assert (entry["level"], entry["message"], entry["request_id"]) == ("warn", "retrying in 2 s", "r1")
    assert entry["metadata"] == {"source": "holdfast_tests.sdk"}


def test_the_logger_keeps_its_level_its_handlers_and_its_way_up(
    source: logging.Logger, logger: AgentLogger, caplog: pytest.LogCaptureFixture
) -> None:
    own = logging.StreamHandler(io.StringIO())
    source.addHandler(own)
    with logger.bridge(source.name):
        source.debug("below its level")
        source.info("hello")
        assert source.handlers[0] is own
        assert (source.level, source.propagate) == (logging.INFO, True)
    assert [entry["message"] for entry in logger.entries] == ["hello"]
    assert caplog.messages == ["hello"]
    assert own.stream.getvalue() == "hello\n"


def test_a_closed_bridge_carries_no_more(source: logging.Logger, logger: AgentLogger) -> None:
    bridge = logger.bridge(source.name)
    bridge.close()
    bridge.close()
    source.error("x")
    assert logger.entries == []
    assert source.handlers == []


@pytest.mark.parametrize(
    ("number", "level"),
    [(logging.DEBUG, "debug"), (25, "info"), (logging.WARNING, "warn"), (logging.CRITICAL, "error")],
)
def test_every_level_has_one_of_ours(
    source: logging.Logger, logger: AgentLogger, number: int, level: str
) -> None:
    source.setLevel(logging.DEBUG)
    with logger.bridge(source.name):
        source.log(number, "x")
    assert only(logger)["level"] == level


def test_an_error_comes_with_its_trace_and_secrets_are_masked_in_it(
    source: logging.Logger, logger: AgentLogger
) -> None:
    secret = "sk-" + "ant-api03-Qx93kdLwPz81mNvB72hsYtR5uGqWe04cXaJf6iZoKlT8bVnM"
    with logger.bridge(source.name):
        try:
            raise ValueError(f"bad key {secret}")
        except ValueError:
            source.exception("failed with %s", secret)
    entry = only(logger)
    assert "ValueError: bad key [key]" in entry["metadata"]["trace"]
    assert secret[14:30] not in json.dumps(entry)


def test_arguments_that_do_not_fit_cost_nobody_the_line(
    source: logging.Logger, logger: AgentLogger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(source, "propagate", False)
    with logger.bridge(source.name):
        source.info("%d apples", "no number")
        source.info("no trace", exc_info=(None, None, None))
    assert [entry["message"] for entry in logger.entries] == ["%d apples", "no trace"]
