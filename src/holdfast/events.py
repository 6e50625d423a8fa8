"""Typed facts that parts of holdfast announce and sinks write down."""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class CircuitChanged:
    """A circuit went from one state to another."""

    circuit: str
    before: str
    after: str
    reason: str
    retry_after: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class GateChanged:
    """A gate opened or closed; `gate` is rate, spend, credential or ramp, `place` names what it stands before.

    A closed gate opens after `retry_after` seconds; `None`: when an operator says so or a probe comes through.
    """

    gate: str
    place: str
    state: str
    reason: str
    retry_after: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptFailed:
    """One attempt of a call failed; `wait` is the pause before the next, `None` when there is none."""

    request_id: str
    upstream: str
    attempt: int
    kind: str
    status: int | None
    blame: str
    wait: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class InputFlagged:
    """The screen saw something in a text and let it pass."""

    request_id: str
    rules: tuple[str, ...]
    score: float


@dataclass(frozen=True, slots=True, kw_only=True)
class CallEnded:
    """A call is over and settled."""

    request_id: str
    end: str
    model: str
    status: int
    attempts: int
    duration_ms: float
    input_tokens: int
    output_tokens: int
    cost: str | None
    error_code: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SettleFailed:
    """A guard could not settle: the call is over, the books may miss a row."""

    guard: str
    error: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestCrashed:
    """A bug met a request at a door; its client heard only that something went wrong."""

    request_id: str
    place: str
    error: str
    trace: str


Event = (
    CircuitChanged | GateChanged | AttemptFailed | InputFlagged | CallEnded | SettleFailed | RequestCrashed
)
Observer = Callable[[Event], None]


def unobserved(event: Event) -> None:
    """The observer of those who do not want to know."""
