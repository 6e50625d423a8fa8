"""From events to log lines."""

from holdfast.events import (
    AttemptFailed,
    CallEnded,
    CircuitChanged,
    Event,
    GateChanged,
    InputFlagged,
    Observer,
    RequestCrashed,
    SettleFailed,
)
from holdfast.telemetry.logs import AgentLogger


def logged(logger: AgentLogger) -> Observer:
    """An observer that writes every event to `logger`."""

    def observe(event: Event) -> None:
        match event:
            case CallEnded():
                _log_call(logger, event)
            case AttemptFailed():
                logger.warn(
                    "attempt failed",
                    call=event.request_id,
                    upstream=event.upstream,
                    attempt=event.attempt,
                    kind=event.kind,
                    status=event.status,
                    blame=event.blame,
                    wait_s=event.wait,
                )
            case CircuitChanged() | GateChanged():
                _log_change(logger, event)
            case InputFlagged():
                logger.warn(
                    "input flagged", call=event.request_id, rules=list(event.rules), score=event.score
                )
            case SettleFailed():
                logger.error("settle failed", guard=event.guard, error=event.error)
            case RequestCrashed():
                logger.error(
                    "request crashed",
                    call=event.request_id,
                    place=event.place,
                    error=event.error,
                    trace=event.trace,
                )

    return observe


def _log_change(logger: AgentLogger, event: CircuitChanged | GateChanged) -> None:
    match event:
        case CircuitChanged():
            logger.warn(
                "circuit changed",
                circuit=event.circuit,
                before=event.before,
                after=event.after,
                reason=event.reason,
                retry_after_s=event.retry_after,
            )
        case GateChanged():
            # A spent account and a rejected key wait for a person; the other gates open by themselves.
            calls_for_a_person = event.state == "closed" and event.gate in ("spend", "credential")
            logger.log(
                "error" if calls_for_a_person else "warn",
                "gate changed",
                {
                    "gate": event.gate,
                    "place": event.place,
                    "state": event.state,
                    "reason": event.reason,
                    "retry_after_s": event.retry_after,
                },
            )


def _log_call(logger: AgentLogger, event: CallEnded) -> None:
    with logger.request(event.request_id):
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
