"""Typed facts that parts of holdfast announce and sinks write down."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

from holdfast.policy.chunk_times import ChunkCounts
from holdfast.policy.holds import NANO, Crossing
from holdfast.policy.money import dollars, plain
from holdfast.policy.request_filter import Filterable
from holdfast.wire.usage import Usage

UNUSED = Usage()


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
class AttemptEnded:
    """One attempt of a call is over, well or not: each is announced once; times in milliseconds since it was sent.

    Attributes:
        kind: `answered`, `abandoned`, `cut` for a stream that broke while it was released, or as `AttemptFailed`.
        blame: whose doing a failure was; `None` for an attempt that did not fail.
        status: of its answer; of an error inside a stream the one it would have had.
        first_ms, chunks: when its first content, or whole answer, was there, and how the rest came, or `None`.
    """

    request_id: str
    upstream: str
    model: str
    attempt: int
    kind: str
    status: int | None
    blame: str | None
    duration_ms: float
    first_ms: float | None
    chunks: ChunkCounts | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class InputFlagged:
    """The screen saw something in a text and let it pass."""

    request_id: str
    rules: tuple[str, ...]
    score: float


@dataclass(frozen=True, slots=True, kw_only=True)
class WouldHaveBlocked:
    """A text was let through because these rules only watch; else it would have been refused."""

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
class ToolRan:
    """An agent ran a tool; `ending` is ok, error, timeout, invalid, refused, or what went wrong."""

    request_id: str
    tool: str
    ms: float
    ending: str


@dataclass(frozen=True, slots=True, kw_only=True)
class McpMoved:
    """The line to an MCP server: connected, lost, failed or closed; `why` is what its process or the network said."""

    server: str
    state: str
    why: str


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
    """A call is over and settled; `label` says where its answer came from: `answered`, `cached` or `fallback`.

    `record` is its row of the ledger, for those who follow calls as they end.
    """

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
    label: str = "answered"
    record: Filterable | None = None
    door: str = "library"
    upstream: str | None = None
    served_model: str | None = None
    stream: bool = False
    usage: Usage = UNUSED
    cost_pico: int | None = None
    trace_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetOverrun:
    """An attempt has cost more than was held for it, by so many pico-dollars."""

    request_id: str
    attempt: int
    over_pico: int


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldsExpired:
    """Holds of workers that were never heard of again were given back, less what they are presumed to have cost."""

    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SettleFailed:
    """A guard could not settle: the call is over, the books may miss a row."""

    guard: str
    error: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteChosen:
    """A call was sent to the model that a rule chose; in `shadow` it was not, and would have been.

    `saved` are the dollars that the choice has saved against the model asked for, by what was really used: less
    than none where it cost more, `None` where one of the two has no price.
    """

    request_id: str
    asked: str
    chosen: str
    rule: str
    shadow: bool
    saved: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerReused:
    """A call was answered from the cache; `saved` are the dollars that the answer had cost, `None` if unknown.

    `how`: `exact`, `waited` for one that was under way, `similar` for one to a question that means the same.
    """

    request_id: str
    model: str
    how: str
    age: float
    saved: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestCrashed:
    """A bug met a request at a door; its client heard only that something went wrong."""

    request_id: str
    place: str
    error: str
    trace: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptCacheBusted:
    """A prompt changed at `block` where the cache still knew it; `cost` are the dollars more, `None` if unknown."""

    request_id: str
    conversation: str
    block: str
    lost_tokens: int
    cost: str | None


Event = (
    AnswerReused
    | CircuitChanged
    | GateChanged
    | HoldsExpired
    | McpMoved
    | AttemptEnded
    | AttemptFailed
    | InputFlagged
    | BudgetAlerted
    | BudgetLadder
    | BudgetOverrun
    | CallCut
    | OrderUnreadable
    | OutputFlagged
    | PromptCacheBusted
    | ResultFenced
    | RouteChosen
    | RunWarned
    | RunStopped
    | RunUncounted
    | CallEnded
    | SettleFailed
    | ToolChanged
    | ToolHeld
    | ToolRan
    | RequestCrashed
    | WouldHaveBlocked
)
Observer = Callable[[Event], None]


def unobserved(event: Event) -> None:
    """The observer of those who do not want to know."""


def together(*observers: Observer) -> Observer:
    """An observer that tells all of them, in this order."""

    def observe(event: Event) -> None:
        for each in observers:
            each(event)

    return observe
