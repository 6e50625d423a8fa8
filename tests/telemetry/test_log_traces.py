"""A line of the log leads to its trace."""

import io
import json
from dataclasses import replace
from typing import Any

import pytest
from opentelemetry.trace import format_trace_id, get_tracer

from holdfast.telemetry.logs import AgentLogger
from holdfast.telemetry.observer import logged
from tests.telemetry.spans import recorded
from tests.telemetry.test_metrics import CALL

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


def only(logger: AgentLogger) -> dict[str, Any]:
    (entry,) = logger.entries
    return dict(entry)


def test_a_line_inside_of_a_span_says_which_trace_it_belongs_to(monkeypatch: pytest.MonkeyPatch) -> None:
    logger = AgentLogger(stream=io.StringIO())
    with recorded(monkeypatch), get_tracer("test").start_as_current_span("work") as span:
        logger.info("hello")
        assert only(logger)["trace_id"] == format_trace_id(span.get_span_context().trace_id)


def test_a_line_outside_of_one_says_nothing_of_traces() -> None:
    logger = AgentLogger(stream=io.StringIO())
    logger.info("hello")
    assert "trace_id" not in only(logger)


def test_the_line_of_a_call_names_the_trace_of_the_call() -> None:
    stream = io.StringIO()
    logger = AgentLogger(stream=stream)
    event = replace(CALL, trace_id=TRACE)
    logged(logger)(event)
    assert logger.flush(10)
    line = json.loads(stream.getvalue())
    assert (line["request_id"], line["trace_id"]) == (CALL.request_id, TRACE)


def test_a_trace_named_for_one_request_is_not_that_of_the_next() -> None:
    logger = AgentLogger(stream=io.StringIO())
    with logger.request("r1", trace_id=TRACE):
        pass
    with logger.request("r2"):
        logger.info("hello")
    assert "trace_id" not in only(logger)
