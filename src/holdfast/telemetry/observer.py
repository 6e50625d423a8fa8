"""From events to log lines."""

from collections.abc import Mapping
from dataclasses import fields
from typing import cast

from holdfast.events import (
    AnswerReused,
    AttemptEnded,
    AttemptFailed,
    BudgetAlerted,
    BudgetLadder,
    BudgetOverrun,
    CallCut,
    CallEnded,
    CircuitChanged,
    Event,
    GateChanged,
    HoldsExpired,
    InputFlagged,
    McpMoved,
    Observer,
    OrderUnreadable,
    OutputFlagged,
    PromptCacheBusted,
    RequestCrashed,
    ResultFenced,
    RouteChosen,
    RunStopped,
    RunUncounted,
    RunWarned,
    SettleFailed,
    ToolChanged,
    ToolHeld,
    ToolRan,
    WouldHaveBlocked,
)
from holdfast.telemetry.logs import AgentLogger, Level

LINES: Mapping[type[Event], tuple[Level, str]] = {
    AttemptFailed: ("warn", "attempt failed"),
    BudgetAlerted: ("warn", "budget alert"),
    BudgetLadder: ("warn", "budget ladder"),
    BudgetOverrun: ("warn", "budget overrun"),
    CallCut: ("warn", "call cut"),
    CircuitChanged: ("warn", "circuit changed"),
    GateChanged: ("warn", "gate changed"),
    HoldsExpired: ("warn", "holds expired"),
    InputFlagged: ("warn", "input flagged"),
    McpMoved: ("info", "mcp server"),
    OrderUnreadable: ("error", "order unreadable"),
    OutputFlagged: ("warn", "output flagged"),
    PromptCacheBusted: ("warn", "prompt cache busted"),
    RequestCrashed: ("error", "request crashed"),
    ResultFenced: ("warn", "result fenced"),
    RunStopped: ("error", "run stopped"),
    RunUncounted: ("error", "run not counted"),
    RunWarned: ("warn", "run warned"),
    SettleFailed: ("error", "settle failed"),
    ToolChanged: ("warn", "tool changed"),
    ToolHeld: ("warn", "tool held"),
    WouldHaveBlocked: ("warn", "would have blocked"),
    ToolRan: ("debug", "tool ran"),
    AnswerReused: ("debug", "answer reused"),
    RouteChosen: ("debug", "route chosen"),
}
NAMES = {"request_id": "call", "retry_after": "retry_after_s", "wait": "wait_s", "level": "step"}
"""Members that a line has another name for: units are said, and a line has a request id and a level of its own."""


def logged(logger: AgentLogger) -> Observer:
    """An observer that writes every event to `logger`."""

    def observe(event: Event) -> None:
        if isinstance(event, CallEnded):
            _log_call(logger, event)
            return
        if isinstance(event, AttemptEnded):
            return  # one that failed has a line of its own, one that did not has the line of its call
        level, message = LINES[type(event)]
        logger.log("error" if _calls_for_a_person(event) else level, message, _members(event))

    return observe


def _calls_for_a_person(event: Event) -> bool:
    """A spent account and a rejected key wait for somebody; the other gates open by themselves."""
    return (
        isinstance(event, GateChanged) and event.state == "closed" and event.gate in ("spend", "credential")
    )


def _members(event: Event) -> dict[str, object]:
    return {NAMES.get(spec.name, spec.name): _plain(getattr(event, spec.name)) for spec in fields(event)}


def _plain(value: object) -> object:
    return list(cast("tuple[object, ...]", value)) if isinstance(value, tuple) else value


def _log_call(logger: AgentLogger, event: CallEnded) -> None:
    with logger.request(event.request_id, trace_id=event.trace_id):
        logger.log_response(
            event.duration_ms,
            {"input": event.input_tokens, "output": event.output_tokens},
            end=event.end,
            model=event.model,
            status=event.status,
            attempts=event.attempts,
            cost=event.cost,
            error_code=event.error_code,
        )
