"""Typed facts that parts of holdfast announce and sinks write down."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

from holdfast.policy.holds import NANO, Crossing
from holdfast.policy.money import dollars, plain


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
class OutputFlagged:
    """An answer held what it must not carry out; `code` says of what sort, `action` what was done about it."""

    request_id: str
    kind: str
    code: str
    action: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolHeld:
    """A model wanted to do something that is not seen to be its user's wish; `action` is what became of it.

    `code` says why, `argument` which member of the input it is about, if it is about one.
    """

    request_id: str
    tool: str
    code: str
    argument: str
    action: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolChanged:
    """A tool on offer is not as it was pinned, or not as it should be; `code` says how, `action` what became of it."""

    request_id: str
    scope: str
    tool: str
    code: str
    fingerprint: str
    action: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ResultFenced:
    """Results of tools read like attacks, and were put in fences for the model."""

    request_id: str
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetAlerted:
    """What a budget has paid passed a threshold, for the first time in its window; amounts in dollars."""

    budget: str
    subject: str
    window: str
    threshold: str
    limit: str | None
    settled: str
    resets_at: str | None

    @classmethod
    def of(cls, crossing: Crossing) -> Self:
        """The same as it is announced."""
        return cls(
            budget=crossing.budget,
            subject=crossing.subject,
            window=crossing.window,
            threshold=_dollars(crossing.threshold),
            limit=None if crossing.limit is None else _dollars(crossing.limit),
            settled=_dollars(crossing.settled),
            resets_at=None if crossing.resets_at is None else crossing.resets_at.isoformat(),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetLadder:
    """A call met a rung of a budget's ladder: it was degraded, or has to wait for a person, or was refused."""

    request_id: str
    budget: str
    subject: str
    act: str
    at: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CallCut:
    """A call under way was ended by a stop."""

    request_id: str
    scope: str
    value: str
    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderUnreadable:
    """A document of the register makes no sense; what stood there before goes on to hold."""

    kind: str
    name: str
    error: str


def _dollars(nano: int) -> str:
    return plain(dollars(nano * NANO))


@dataclass(frozen=True, slots=True, kw_only=True)
class RunWarned:
    """An agent repeats itself; from the level `notice` on, the model is told so in its own answer.

    `kind` is same_call, cycle or same_error; `evidence` names tools and counts, never what they were given.
    """

    request_id: str
    run: str | None
    agent: str | None
    level: str
    kind: str
    count: int
    evidence: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RunStopped:
    """A call of a run was refused: `cause` is the cap it reached, or the kind of repetition."""

    request_id: str
    run: str | None
    agent: str | None
    cause: str
    evidence: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RunUncounted:
    """The store did not count a call of a run in time: the caps of the run let it pass."""

    request_id: str
    run: str
    error: str


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
    CircuitChanged
    | GateChanged
    | AttemptFailed
    | InputFlagged
    | BudgetAlerted
    | BudgetLadder
    | CallCut
    | OrderUnreadable
    | OutputFlagged
    | ResultFenced
    | RunWarned
    | RunStopped
    | RunUncounted
    | CallEnded
    | SettleFailed
    | ToolChanged
    | ToolHeld
    | RequestCrashed
)
Observer = Callable[[Event], None]


def unobserved(event: Event) -> None:
    """The observer of those who do not want to know."""
