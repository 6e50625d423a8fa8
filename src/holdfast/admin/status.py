"""The verdict over the Admin API: is it Claude or is it us, with the counts it stands on."""

from datetime import timedelta

from msgspec import Struct

from holdfast.admin.operation import AnyOperation, Asked, Operation
from holdfast.admin.shapes import NoBody, Query, Time
from holdfast.assembly import Runtime
from holdfast.language import Sentence
from holdfast.operations.desk import instant
from holdfast.policy.evidence import Lost, Probed, beside
from holdfast.policy.masking import mask
from holdfast.policy.verdict import CLASSES, WINDOW, Counts
from holdfast.policy.verdict_words import TITLES, evidence, sentence


class Words(Struct, kw_only=True):
    """A sentence in both languages."""

    en: str
    ko: str


class Users(Struct, kw_only=True):
    """What calls came to for their users; `refused` is an error that we chose, or that the caller made."""

    calls: int
    answered: int
    cached: int
    fallbacks: int
    errors: int
    refused: int
    hung_up: int


class Probe(Struct, kw_only=True):
    """What an upstream answered to a free question of holdfast's own, `age_s` seconds ago."""

    upstream: str
    ok: bool
    mark: str
    ms: float
    age_s: float


class Losses(Struct, kw_only=True):
    """What this worker should have kept or told since it began, and has not."""

    log_lines: int
    spans: int
    recordings: int
    alerts: int


class Status(Struct, kw_only=True):
    """How this worker stands: its verdict, since when, and the evidence of the last `window_s` seconds.

    Calls that other workers of the same store have ended are among what is counted. `overhead_p95_ms` is what
    this worker itself takes of a call; `probe` is there while something is wrong.
    """

    verdict: str
    ok: bool
    title: Words
    sentence: Words
    evidence: list[Words]
    since: Time
    for_s: float
    window_s: int
    attempts: int
    good: int
    last_success_s: float | None
    blame: dict[str, int]
    users: Users
    circuits: dict[str, str]
    gates: list[str]
    simulated: bool
    overhead_p95_ms: float | None = None
    probe: Probe | None = None
    lost: Losses


def status_of(runtime: Runtime) -> Status:
    """How things stand here now."""
    verdict = runtime.pulse.verdict()
    # A circuit is named by the model that a caller asked for, whatever that was.
    states = {mask(name): state for name, state in runtime.circuits.states().items() if state != "closed"}
    counts, lost, overhead = verdict.counts, lost_of(runtime), runtime.pulse.overhead()
    probed = None if verdict.is_ok else runtime.probe.last()
    since = instant((runtime.clock.now() - timedelta(seconds=verdict.for_seconds)).replace(microsecond=0))
    return Status(
        verdict=verdict.kind,
        ok=verdict.is_ok,
        title=_words(TITLES[verdict.kind]),
        sentence=_words(sentence(verdict)),
        evidence=[
            *(_words(line) for line in evidence(verdict, sorted(states))),
            *(_words(line) for line in beside(probed, overhead, lost)),
        ],
        since=since or "",
        for_s=round(verdict.for_seconds, 1),
        window_s=WINDOW,
        attempts=counts.attempts,
        good=counts.good,
        last_success_s=None if verdict.success_age is None else round(verdict.success_age, 1),
        blame={blame: counts.blamed(blame) for blame in CLASSES},
        users=_users(counts),
        circuits=states,
        gates=[mask(gate) for gate in runtime.pulse.closed_gates()],
        simulated=runtime.settings.simulated,
        overhead_p95_ms=None if overhead is None else round(overhead.p95, 2),
        probe=None if probed is None else _probe(probed),
        lost=Losses(
            log_lines=lost.log_lines, spans=lost.spans, recordings=lost.recordings, alerts=lost.alerts
        ),
    )


def lost_of(runtime: Runtime) -> Lost:
    """What this worker should have kept or told, and has not."""
    counted = runtime.reporting.metrics.instruments
    return Lost(
        log_lines=counted.lines_dropped(),
        spans=counted.spans_dropped(),
        recordings=counted.recordings_lost(),
        alerts=runtime.alerting.dropped,
    )


async def status(asked: Asked[Query, NoBody]) -> object:
    """How the worker that was asked stands; while something is wrong its upstream is asked, too."""
    if not asked.runtime.pulse.verdict().is_ok:
        await asked.runtime.probe.ask()
    return status_of(asked.runtime)


def _probe(one: Probed) -> Probe:
    return Probe(upstream=one.upstream, ok=one.ok, mark=one.mark, ms=one.ms, age_s=round(one.age, 1))


def _words(said: Sentence) -> Words:
    return Words(en=said.en, ko=said.ko)


def _users(counts: Counts) -> Users:
    return Users(
        calls=counts.calls,
        answered=counts.effect("answered"),
        cached=counts.effect("cached"),
        fallbacks=counts.effect("fallback"),
        errors=counts.effect("failed"),
        refused=counts.effect("refused"),
        hung_up=counts.effect("left"),
    )


OPERATIONS: tuple[AnyOperation, ...] = (
    Operation(
        method="GET",
        path="/api/v1/status",
        name="getStatus",
        summary="Say how this worker stands: one verdict over the last minute, with its evidence",
        work=status,
        gives=Status,
        query=Query,
        body=NoBody,
    ),
)
