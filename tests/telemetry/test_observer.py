"""Every event becomes one line that says what happened, with nothing secret in it."""

import io
import json
from typing import Any, get_args

import pytest

from holdfast.events import (
    AttemptEnded,
    AttemptFailed,
    CallEnded,
    CircuitChanged,
    Event,
    GateChanged,
    InputFlagged,
    RequestCrashed,
    SettleFailed,
    unobserved,
)
from holdfast.telemetry.logs import AgentLogger
from holdfast.telemetry.observer import LINES, logged

ENDED = CallEnded(
    request_id="hfr_1",
    end="answered",
    model="claude-sonnet-5-5",
    status=200,
    attempts=2,
    duration_ms=12.5,
    input_tokens=10,
    output_tokens=20,
    cost="0.00023",
    error_code=None,
)
FAILED = AttemptFailed(
    request_id="hfr_1", upstream="live", attempt=1, kind="http", status=500, blame="claude", wait=0.5
)
CHANGED = CircuitChanged(
    circuit="live/x", before="closed", after="open", reason="failure_threshold", retry_after=5.0
)
FLAGGED = InputFlagged(request_id="hfr_1", rules=("en-override",), score=0.6)
UNSETTLED = SettleFailed(guard="RecordGuard", error="StoreUnavailable('disk')")
CRASHED = RequestCrashed(request_id="hfr_1", place="GET /x", error="KeyError", trace="...")


def line(event: Event) -> dict[str, Any]:
    """The one line that an event leaves."""
    stream = io.StringIO()
    with AgentLogger("gateway", stream=stream) as logger:
        logged(logger)(event)
    (written,) = stream.getvalue().splitlines()
    entry: dict[str, Any] = json.loads(written)
    return entry


def test_the_end_of_a_call_carries_its_request_tokens_time_and_money() -> None:
    entry = line(ENDED)

    assert (entry["request_id"], entry["agent_id"], entry["level"]) == ("hfr_1", "gateway", "info")
    assert (entry["tokens"]["input"], entry["tokens"]["output"], entry["duration_ms"]) == (10, 20, 12.5)
    assert entry["metadata"]["cost"] == "0.00023"
    assert (entry["metadata"]["end"], entry["metadata"]["attempts"]) == ("answered", 2)


@pytest.mark.parametrize(
    ("event", "level", "message", "facts"),
    [
        (FAILED, "warn", "attempt failed", {"upstream": "live", "attempt": 1, "status": 500, "wait_s": 0.5}),
        (CHANGED, "warn", "circuit changed", {"circuit": "live/x", "after": "open", "retry_after_s": 5.0}),
        (FLAGGED, "warn", "input flagged", {"rules": ["en-override"], "score": 0.6}),
        (UNSETTLED, "error", "settle failed", {"guard": "RecordGuard"}),
        (CRASHED, "error", "request crashed", {"place": "GET /x", "error": "KeyError"}),
    ],
)
def test_every_other_event_is_a_line_of_its_level(
    event: Event, level: str, message: str, facts: dict[str, object]
) -> None:
    entry = line(event)

    assert (entry["level"], entry["message"]) == (level, message)
    assert entry["metadata"].items() >= facts.items()


def test_a_secret_in_an_event_is_masked() -> None:
    entry = line(
        SettleFailed(guard="RecordGuard", error="key sk-ant-api03-abcdefghijklmnopqrstuvwxyz refused")
    )

    assert "abcdefghijklmnop" not in str(entry)


def test_who_does_not_want_to_know_hears_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    unobserved(ENDED)

    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(("gate", "level"), [("spend", "error"), ("credential", "error"), ("rate", "warn")])
def test_a_gate_that_waits_for_a_person_is_an_error(gate: str, level: str) -> None:
    event = GateChanged(gate=gate, place="live", state="closed", reason="429", retry_after=None)

    assert (line(event)["level"], line(event)["message"]) == (level, "gate changed")


def test_no_event_is_without_a_line() -> None:
    assert {*get_args(Event)} == {*LINES, CallEnded, AttemptEnded}


@pytest.mark.parametrize("kind", ["answered", "http"])
def test_the_end_of_an_attempt_is_told_by_the_line_of_its_failure_or_of_its_call(kind: str) -> None:
    stream = io.StringIO()
    with AgentLogger("gateway", stream=stream) as logger:
        logged(logger)(
            AttemptEnded(
                request_id="hfr_1",
                upstream="live",
                model="m",
                attempt=1,
                kind=kind,
                status=500,
                blame="claude",
                duration_ms=1.0,
                first_ms=None,
            )
        )

    assert stream.getvalue() == ""
