"""What a failed attempt means: the decision table, row by row, as data.

The first row that fits decides. An `error_code` is asked before the status, and the type of an error
inside a stream stands for the status it would have had. Four rules come on top: a stream is paid for as
far as it came, one that could not be read in full; what has been released to the consumer is never tried
again; `x-should-retry: false` is final; a wait longer than our patience is the caller's to make.

Rates and caps of credential, account and organisation are not the breaker's business: they close gates.
"""

import re
from dataclasses import dataclass, field, replace
from typing import Literal

from holdfast.policy.permit import Outcome
from holdfast.policy.retry import PATIENCE, Backoff
from holdfast.wire.errors import status_of

Phase = Literal["connect", "sent", "response", "held", "collected", "released", "finished"]
"""How far the attempt had come.

connect: nothing on the wire. sent: no byte of an answer yet. response: an answer that is no stream.
held: a stream of which nothing was released. collected: content came and was kept back, no tool ran.
released: the consumer has seen content, or acted on it. finished: the stop reason was seen.
"""
Kind = Literal[
    "connect_error",
    "reset",
    "first_byte_timeout",
    "http",
    "unreadable_body",
    "stream_error",
    "truncated",
    "stall",
    "client_gone",
    "draining",
]
Gate = Literal["rate", "spend", "credential", "ramp"]
Failover = Literal["no", "yes", "model", "alias", "credential", "organisation"]
Charge = Literal["release", "presume_input", "presume_full", "settle_start", "settle_said", "settle_partial"]
"""What becomes of the money held for an attempt.

release: it is free. presume_input: it is presumed to have cost its input. presume_full: and all output asked
for. settle_start: what `message_start` said, else presume_input. settle_said: the same, else it is free.
settle_partial: what was said and delivered, else presume_input.
"""
Blame = Literal["client", "us", "network", "account", "claude"]
Form = Literal["unchanged", "envelope", "event", "nothing"]
Hint = Literal["thinking_changed", "use_streaming", "missing_message_stop"]

OK, FAIL, NEUTRAL = Outcome.OK, Outcome.FAIL, Outcome.NEUTRAL


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """One attempt that did not end well, as it was seen.

    Attributes:
        phase: how far it had come.
        kind: what was seen.
        status: of the HTTP answer; an error inside a stream has none.
        error_type: `error.type`; `None` where there was no envelope.
        error_code: `error.details.error_code`.
        message: `error.message`, where only the wording tells two cases apart.
        retry_after: seconds, from the answer's headers.
        should_retry: what `x-should-retry` said.
    """

    phase: Phase
    kind: Kind
    status: int | None = None
    error_type: str | None = None
    error_code: str | None = None
    message: str = ""
    retry_after: float | None = None
    should_retry: bool | None = None

    @property
    def as_status(self) -> int | None:
        """The HTTP status, of an error inside a stream the one it would have had."""
        return status_of(self.error_type or "api_error") if self.kind == "stream_error" else self.status


@dataclass(frozen=True, slots=True, kw_only=True)
class Final:
    """What the client gets when no attempt is left.

    Attributes:
        form: the upstream's answer unchanged, an envelope of ours, an event in the stream, or nothing.
        status: of the answer; with an event, the one it would have had.
        error_type: of the envelope or event; `None` where the upstream's stands.
        should_retry: what `x-should-retry` says.
        retry_after: seconds for `retry-after`, as the upstream gave them; subtract what has passed since.
        hint: an advice to add.
    """

    form: Form = "unchanged"
    status: int | None = None
    error_type: str | None = None
    should_retry: bool = False
    retry_after: float | None = None
    hint: Hint | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Ruling:
    """What to do about a failure.

    Attributes:
        outcome: what the breaker hears.
        gate: the gate to close.
        retries: attempts that may still follow on the same route because of this failure, at most.
        failover: where else the call may go.
        charge: what becomes of the money held for this attempt.
        backoff: which waiting times apply before the next attempt.
        blame: whose doing it was, for the operator.
        final: what the client gets when nothing is left to try.
    """

    outcome: Outcome
    gate: Gate | None = None
    retries: int = 0
    failover: Failover = "no"
    charge: Charge = "release"
    backoff: Backoff = "transient"
    blame: Blame
    final: Final = field(default_factory=Final)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line of the table; an empty condition fits everything."""

    name: str
    kinds: tuple[Kind, ...] = ()
    phases: tuple[Phase, ...] = ()
    codes: tuple[str, ...] = ()
    statuses: tuple[int, ...] = ()
    types: tuple[str | None, ...] = ()
    says: re.Pattern[str] | None = None
    ruling: Ruling

    def fits(self, failure: Failure) -> bool:
        """Whether this line speaks about the failure."""
        asked: tuple[tuple[object, tuple[object, ...]], ...] = (
            (failure.kind, self.kinds),
            (failure.phase, self.phases),
            (failure.error_code, self.codes),
            (failure.as_status, self.statuses),
            (failure.error_type, self.types),
        )
        heard = self.says is None or self.says.search(failure.message) is not None
        return heard and all(value in allowed for value, allowed in asked if allowed)


LONGEST_WAIT = 600.0
"""Seconds that a caller is told to wait and come back; a longer wish tells him not to."""
ANSWERED: tuple[Kind, ...] = ("http", "stream_error")
STREAMING: tuple[Phase, ...] = ("held", "collected", "released")
THINKING_CHANGED = re.compile(
    r"signature.{0,500}thinking|thinking.{0,500}(signature|prefix|modified)", re.I | re.S
)

_NOT_OURS = Ruling(outcome=NEUTRAL, blame="client")
_SPENT = Ruling(outcome=NEUTRAL, gate="spend", failover="organisation", blame="account")
_THROTTLED = Ruling(
    outcome=NEUTRAL,
    gate="rate",
    retries=2,
    failover="yes",
    backoff="throttle",
    blame="account",
    final=Final(should_retry=True),
)
_BROKEN = Ruling(outcome=FAIL, retries=2, failover="yes", blame="claude")
_ONCE = replace(_BROKEN, retries=1)


def _says(status: int, error_type: str) -> Final:
    return Final(form="envelope", status=status, error_type=error_type)


TABLE: tuple[Row, ...] = (
    Row(
        name="client went away",
        kinds=("client_gone",),
        ruling=Ruling(outcome=NEUTRAL, blame="client", final=Final(form="nothing")),
    ),
    Row(
        name="draining",
        kinds=("draining",),
        ruling=Ruling(
            outcome=NEUTRAL,
            blame="us",
            final=replace(_says(503, "overloaded_error"), should_retry=True, retry_after=1.0),
        ),
    ),
    Row(
        name="connect, DNS or TLS error",
        kinds=("connect_error",),
        ruling=replace(_BROKEN, backoff="immediate", blame="network", final=_says(503, "overloaded_error")),
    ),
    Row(
        name="no first byte in time",
        kinds=("first_byte_timeout",),
        ruling=replace(_ONCE, charge="presume_input", final=_says(504, "timeout_error")),
    ),
    Row(
        # Headers of a 200 mean that the model has answered: nobody knows how long the answer is.
        name="body stalled",
        kinds=("stall",),
        phases=("response",),
        ruling=replace(_ONCE, charge="presume_full", final=_says(504, "timeout_error")),
    ),
    Row(
        name="content stalled",
        kinds=("stall",),
        ruling=replace(_ONCE, charge="presume_input", final=_says(504, "timeout_error")),
    ),
    Row(
        name="body cut short",
        kinds=("reset", "truncated"),
        phases=("response",),
        ruling=replace(_ONCE, charge="presume_full", blame="network", final=_says(502, "api_error")),
    ),
    Row(
        name="reset or cut short",
        kinds=("reset", "truncated"),
        ruling=replace(_ONCE, charge="presume_input", blame="network", final=_says(502, "api_error")),
    ),
    Row(
        name="unreadable body",
        kinds=("unreadable_body",),
        ruling=replace(_ONCE, charge="presume_full", final=_says(502, "api_error")),
    ),
    Row(
        name="spend limit reached",
        kinds=ANSWERED,
        codes=(
            "enforced_spend_limit_reached",
            "contract_spend_limit_reached",
            "linked_organization_spend_limit_reached",
            "linked_organization_billing_unavailable",
        ),
        ruling=_SPENT,
    ),
    Row(
        name="ramp limit",
        kinds=ANSWERED,
        codes=("ramp_limit_exceeded",),
        ruling=replace(_THROTTLED, gate="ramp"),
    ),
    Row(
        name="organization on hold",
        kinds=ANSWERED,
        codes=("organization_on_hold",),
        ruling=Ruling(outcome=NEUTRAL, gate="credential", blame="account"),
    ),
    Row(
        name="customer key unreachable",
        kinds=ANSWERED,
        codes=("cmek_key_unreachable",),
        ruling=Ruling(outcome=NEUTRAL, retries=1, blame="account"),
    ),
    Row(
        name="customer key context unavailable",
        kinds=ANSWERED,
        codes=("cmek_context_unavailable",),
        ruling=Ruling(outcome=NEUTRAL, blame="account", final=Final(retry_after=120.0)),
    ),
    Row(
        name="compaction unavailable",
        kinds=ANSWERED,
        codes=("compaction_unavailable",),
        ruling=Ruling(outcome=NEUTRAL, retries=1, blame="claude"),
    ),
    Row(
        name="thinking changed",
        kinds=ANSWERED,
        statuses=(400,),
        says=THINKING_CHANGED,
        ruling=replace(_NOT_OURS, final=Final(hint="thinking_changed")),
    ),
    Row(
        name="unauthorized",
        kinds=ANSWERED,
        statuses=(401,),
        ruling=Ruling(outcome=NEUTRAL, gate="credential", failover="credential", blame="account"),
    ),
    Row(name="payment required", kinds=ANSWERED, statuses=(402,), ruling=_SPENT),
    Row(
        name="forbidden",
        kinds=ANSWERED,
        statuses=(403,),
        ruling=Ruling(outcome=NEUTRAL, blame="account"),
    ),
    Row(name="not found", kinds=ANSWERED, statuses=(404,), ruling=replace(_NOT_OURS, failover="alias")),
    Row(name="request timeout", kinds=ANSWERED, statuses=(408,), ruling=_ONCE),
    Row(name="conflict", kinds=ANSWERED, statuses=(409,), ruling=replace(_NOT_OURS, retries=1)),
    Row(name="rate limited", kinds=ANSWERED, statuses=(429,), ruling=_THROTTLED),
    Row(
        name="caller's fault",
        kinds=ANSWERED,
        statuses=(*range(400, 500), 501),
        ruling=_NOT_OURS,
    ),
    Row(
        name="overloaded",
        kinds=ANSWERED,
        statuses=(529,),
        ruling=replace(_BROKEN, failover="model", backoff="throttle"),
    ),
    Row(
        name="gateway timeout without envelope",
        kinds=("http",),
        statuses=(504,),
        types=(None,),
        ruling=replace(_BROKEN, charge="presume_input", final=_says(504, "timeout_error")),
    ),
    Row(
        name="timeout",
        kinds=ANSWERED,
        statuses=(504,),
        ruling=replace(_ONCE, charge="presume_input", final=Final(hint="use_streaming")),
    ),
    Row(
        name="bad gateway without envelope",
        kinds=("http",),
        statuses=(502, 503),
        types=(None,),
        ruling=replace(_BROKEN, final=_says(503, "overloaded_error")),
    ),
    Row(name="server error", kinds=ANSWERED, statuses=tuple(range(500, 600)), ruling=_BROKEN),
)

UNEXPECTED = Row(
    name="unexpected answer",
    ruling=Ruling(outcome=FAIL, failover="yes", blame="claude", final=_says(502, "api_error")),
)
"""A redirect, a status that HTTP does not know: nothing to wait for here."""


def find(failure: Failure) -> Row:
    """The line of the table that speaks about the failure."""
    return next((row for row in TABLE if row.fits(failure)), UNEXPECTED)


def rule(failure: Failure, *, patience: float = PATIENCE) -> Ruling:
    """What to do about a failure; `patience` is the lesser of 60 s and what is left of the deadline."""
    if failure.phase == "finished" and failure.kind != "client_gone":
        final = Final(form="nothing", hint="missing_message_stop")
        return Ruling(outcome=OK, charge="settle_partial", blame="claude", final=final)
    ruling = _addressed(find(failure).ruling, failure)
    if failure.phase != "connect" and failure.kind == "client_gone":
        return replace(ruling, charge="presume_input" if failure.phase == "sent" else "settle_partial")
    if failure.phase in STREAMING:
        ruling = _streamed(ruling, failure)
    if failure.should_retry is False:
        return replace(ruling, retries=0, failover="no", final=replace(ruling.final, should_retry=False))
    if failure.retry_after is not None and failure.retry_after > patience:
        # The official SDKs sleep for as long as they are told to, be it a day, without a word to anybody.
        retry = ruling.final.should_retry and failure.retry_after <= LONGEST_WAIT
        return replace(ruling, retries=0, final=replace(ruling.final, should_retry=retry))
    return ruling


def _addressed(ruling: Ruling, failure: Failure) -> Ruling:
    """The final answer with what is known of this failure filled in."""
    final = ruling.final
    return replace(
        ruling,
        final=replace(
            final,
            status=failure.as_status if final.form == "unchanged" else final.status,
            retry_after=failure.retry_after if final.retry_after is None else final.retry_after,
        ),
    )


def _streamed(ruling: Ruling, failure: Failure) -> Ruling:
    """In a stream the tokens seen are paid for, and the client hears of the end by an event."""
    final = replace(
        ruling.final,
        form="event",
        error_type=failure.error_type or ruling.final.error_type or "api_error",
    )
    match failure.phase:
        case "released":
            closed = replace(final, should_retry=False)
            return replace(ruling, retries=0, failover="no", charge="settle_partial", final=closed)
        case "collected":
            return replace(ruling, retries=min(1, ruling.retries), charge="settle_partial", final=final)
        case _ if failure.kind == "first_byte_timeout" or ruling.charge == "presume_full":
            return replace(ruling, final=final)
        case _:
            # An error instead of any answer is as free as it would be without a stream.
            free = ruling.charge == "release"
            return replace(ruling, charge="settle_said" if free else "settle_start", final=final)
