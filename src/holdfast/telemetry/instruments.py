"""The counters and histograms of one process, each with its labels."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from holdfast.telemetry import names
from holdfast.version import __version__


def nothing() -> int:
    """What a source counts that nobody has named."""
    return 0


@dataclass(slots=True, kw_only=True)
class Instruments:
    """What is counted; the sources at the end are named by whoever starts what they count.

    Attributes:
        reserved: nano-dollars held by now, as the last scrape saw it; `None` where the store did not tell.
        lines_dropped: how many log lines were lost.
        spans_dropped: how many spans were lost.
        recordings_lost: how many calls should have been recorded and were not.
        lag: seconds that the event loop was late at worst of late.
    """

    requests: Counter
    durations: Histogram
    attempts: Counter
    cost: Counter
    unpriced: Counter
    overrun: Counter
    alerts: Counter
    expired: Counter
    transitions: Counter
    aborts: Counter
    decisions: Counter
    settle_failures: Counter
    crashes: Counter
    cache_busts: Counter
    cache_lost: Counter
    tokens: Histogram
    operations: Histogram
    first_chunks: Histogram
    reserved: int | None = None
    lines_dropped: Callable[[], int] = nothing
    spans_dropped: Callable[[], int] = nothing
    recordings_lost: Callable[[], int] = nothing
    lag: Callable[[], float] = nothing

    @classmethod
    def of(cls, registry: CollectorRegistry) -> Self:
        """All of them, in a registry."""

        def counter(name: str, said: str, *labels: str) -> Counter:
            return Counter(name, said, labels, registry=registry)

        def times(name: str, said: str, *labels: str) -> Histogram:
            return Histogram(name, said, labels, buckets=names.TIME_BUCKETS, registry=registry)

        build = Gauge(names.BUILD_INFO, "Which holdfast this is.", ("version",), registry=registry)
        build.labels(__version__).set(1)
        place = ("upstream", "model")
        chat = ("gen_ai_operation_name", "gen_ai_provider_name")
        asked = (*chat, "gen_ai_request_model")
        return cls(
            requests=counter(names.REQUESTS, "Calls that are over.", "route", "model", "outcome"),
            durations=times(names.REQUEST_DURATION, "How long calls took.", "route", "outcome"),
            attempts=counter(names.ATTEMPTS_MADE, "Attempts that are over.", *place, "class"),
            cost=counter(names.COST_NANODOLLARS, "Nano-dollars that calls have cost.", *place),
            unpriced=counter(names.UNPRICED, "Calls that no price is known for.", *place),
            overrun=counter(names.OVERRUN, "Nano-dollars by which attempts cost more than was held."),
            alerts=counter(names.ALERTS, "Thresholds of budgets that were passed."),
            expired=counter(names.EXPIRED, "Holds of lost workers that were given back."),
            transitions=counter(names.BREAKER_TRANSITIONS, "Moves of circuits.", *place, "before", "after"),
            aborts=counter(names.STREAM_ABORTS, "Streams that broke off.", "phase", "cause"),
            decisions=counter(names.GUARD_DECISIONS, "What guards did.", "guard", "decision"),
            settle_failures=counter(names.SETTLE_FAILURES, "Settlements that failed."),
            crashes=counter(names.CRASHES, "Requests that met a bug."),
            cache_busts=counter(names.CACHE_BUSTS, "Prompts that the cache no longer knew.", "place"),
            cache_lost=counter(names.CACHE_LOST, "Tokens that were not read from the cache for it.", "place"),
            tokens=Histogram(
                names.TOKEN_USAGE,
                "Tokens of a call by type.",
                (*chat, "gen_ai_token_type", "gen_ai_request_model", "gen_ai_response_model"),
                buckets=names.TOKEN_BUCKETS,
                registry=registry,
            ),
            operations=times(names.OPERATION_DURATION, "How long attempts took.", *asked, "error_type"),
            first_chunks=times(names.TIME_TO_FIRST_CHUNK, "How long first content took.", *asked),
        )
