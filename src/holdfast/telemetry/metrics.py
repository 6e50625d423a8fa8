"""Prometheus metrics, counted from events; no label ever holds a user, a key, a run or words of a call."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import Any

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric

from holdfast.events import (
    AttemptEnded,
    BudgetAlerted,
    BudgetLadder,
    BudgetOverrun,
    CallEnded,
    CircuitChanged,
    Event,
    HoldsExpired,
    InputFlagged,
    OutputFlagged,
    PromptCacheBusted,
    RequestCrashed,
    ResultFenced,
    RunWarned,
    SettleFailed,
    ToolChanged,
    ToolHeld,
    WouldHaveBlocked,
)
from holdfast.policy.holds import NANO
from holdfast.policy.vitals import Vitals
from holdfast.telemetry import names
from holdfast.telemetry.chunks import Chunks
from holdfast.telemetry.instruments import Instruments
from holdfast.telemetry.labels import attempt_class, blocker, cause_of, decision

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
OTHER = "other"
"""Stands for every model that no price list and no setting names: callers do not choose how many series there are."""
BREAKER_STATES: Mapping[str, int] = {"half_open": 1, "open": 2, "forced_open": 2}
"""Every other state lets all calls through, which is 0."""


class Metrics:
    """Counts what is announced, and shows it as Prometheus reads it; safe from any thread.

    `models` are the ids that may stand in a label; `vitals` is asked at every scrape, once somebody has set it.
    """

    def __init__(self, models: Collection[str] = ()) -> None:
        self._models = frozenset(models)
        self._registry = CollectorRegistry(auto_describe=False)
        self.vitals: Callable[[], Vitals] = Vitals
        self.instruments = Instruments.of(self._registry)
        self.chunks = Chunks()
        self._registry.register(_Live(self))
        self._seen: Mapping[type[Event], Callable[[Any], None]] = {
            AttemptEnded: self._attempt,
            BudgetAlerted: lambda _: self.instruments.alerts.inc(),
            BudgetLadder: lambda event: self._decided("budget", decision(event.act)),
            BudgetOverrun: lambda event: self.instruments.overrun.inc(event.over_pico / NANO),
            CallEnded: self._call,
            CircuitChanged: self._circuit,
            HoldsExpired: lambda event: self.instruments.expired.inc(event.count),
            InputFlagged: lambda _: self._decided("screen", "flagged"),
            OutputFlagged: lambda event: self._decided("output", decision(event.action)),
            PromptCacheBusted: self._busted,
            RequestCrashed: lambda _: self.instruments.crashes.inc(),
            ResultFenced: lambda event: self._decided("fence", "changed", event.count),
            RunWarned: lambda _: self._decided("run", "flagged"),
            SettleFailed: lambda _: self.instruments.settle_failures.inc(),
            ToolChanged: lambda event: self._changed("pins", event.action),
            ToolHeld: lambda event: self._would_have("tools", event.action),
            WouldHaveBlocked: lambda _: self._decided("screen", "would_have_blocked"),
        }

    def observe(self, event: Event) -> None:
        """Count an event."""
        seen = self._seen.get(type(event))
        if seen is not None:
            seen(event)

    def model(self, name: str | None) -> str:
        """The label of a model."""
        return name if name is not None and name in self._models else OTHER

    def render(self, reserved: int | None = None) -> bytes:
        """Everything in the text format; `reserved` are the nano-dollars held by now, left out where unknown."""
        self.instruments.reserved = reserved
        return generate_latest(_Shown(self._registry))

    def _call(self, event: CallEnded) -> None:
        count, model = self.instruments, self.model(event.model)
        outcome = event.label if event.end == "answered" else event.end
        count.requests.labels(event.door, model, outcome).inc()
        count.durations.labels(event.door, outcome).observe(event.duration_ms / 1000)
        upstream = event.upstream or "none"
        served = self.model(event.served_model or event.model)
        if event.cost_pico is None:
            count.unpriced.labels(upstream, served).inc()
        elif event.cost_pico:
            count.cost.labels(upstream, served).inc(event.cost_pico / NANO)
        for kind, tokens in (("input", event.input_tokens), ("output", event.output_tokens)):
            if tokens:
                count.tokens.labels(names.CHAT, names.ANTHROPIC, kind, model, served).observe(tokens)
        if event.end == "refused":
            self._decided(blocker(event.error_code), "blocked")
        elif event.stream and event.end != "answered" and event.attempts:
            phase = "released" if event.status == 200 else "held"
            count.aborts.labels(phase, cause_of(event.end, event.error_code)).inc()

    def _attempt(self, event: AttemptEnded) -> None:
        count, model = self.instruments, self.model(event.model)
        how = attempt_class(event.kind, event.status)
        count.attempts.labels(event.upstream, model, how).inc()
        error = "" if how in ("answered", "abandoned") else how
        named = (names.CHAT, names.ANTHROPIC, model)
        count.operations.labels(*named, error).observe(event.duration_ms / 1000)
        if event.first_ms is not None:
            count.first_chunks.labels(*named).observe(event.first_ms / 1000)
        if event.chunks is not None:
            self.chunks.add(named, event.chunks)

    def _busted(self, event: PromptCacheBusted) -> None:
        place = event.block.partition(".")[0]
        self.instruments.cache_busts.labels(place).inc()
        self.instruments.cache_lost.labels(place).inc(event.lost_tokens)

    def _circuit(self, event: CircuitChanged) -> None:
        upstream, _, model = event.circuit.partition("/")
        self.instruments.transitions.labels(upstream, self.model(model), event.before, event.after).inc()

    def _changed(self, guard: str, action: str) -> None:
        """A refusal is counted when its call ends."""
        if action != "refuse":
            self._decided(guard, decision(action))

    def _would_have(self, guard: str, action: str) -> None:
        """What only flags would have held the call back, had it been told to."""
        self._decided(guard, "would_have_blocked" if action == "flag" else decision(action))

    def _decided(self, guard: str, what: str, times: int = 1) -> None:
        self.instruments.decisions.labels(guard, what).inc(times)


class _Live:
    """What is no count of events: looked up whenever somebody scrapes."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    def collect(self) -> Iterator[Metric]:
        """One family after the other."""
        standing, instruments = self._metrics.vitals(), self._metrics.instruments
        yield from self._circuits(standing)
        gates = GaugeMetricFamily(
            names.GATE_CLOSED, "Gates that let nothing through.", labels=["upstream", "gate"]
        )
        for place, count in standing.gates.items():
            gates.add_metric(place, count)
        yield gates
        tokens = GaugeMetricFamily(names.RETRY_TOKENS, "What retries may still cost.", labels=["upstream"])
        for upstream, left in standing.tokens.items():
            tokens.add_metric((upstream,), left)
        yield tokens
        if instruments.reserved is not None:
            said = "Nano-dollars held for attempts under way, of all workers of the store."
            yield GaugeMetricFamily(names.RESERVED, said, value=instruments.reserved)
        yield CounterMetricFamily(names.LOG_DROPPED, "Log lines lost.", value=instruments.lines_dropped())
        yield CounterMetricFamily(names.SPANS_DROPPED, "Spans lost.", value=instruments.spans_dropped())
        said = "Calls that should have been recorded and were not."
        yield CounterMetricFamily(names.RECORDINGS_LOST, said, value=instruments.recordings_lost())
        yield self._metrics.chunks.family()
        said = "How late the event loop was at worst in the last seconds."
        yield GaugeMetricFamily(names.LOOP_LAG, said, value=instruments.lag())

    def _circuits(self, standing: Vitals) -> Iterable[Metric]:
        states: dict[tuple[str, str], int] = {}
        outcomes: dict[tuple[str, str], int] = {}
        for (upstream, model), (state, late) in standing.circuits.items():
            place = (upstream, self._metrics.model(model))
            states[place] = max(states.get(place, 0), BREAKER_STATES.get(state, 0))
            outcomes[place] = outcomes.get(place, 0) + late
        labels = ["upstream", "model"]
        shown = GaugeMetricFamily(names.BREAKER_STATE, "0 closed, 1 half open, 2 open.", labels=labels)
        stale = CounterMetricFamily(names.BREAKER_STALE, "Outcomes too late to count.", labels=labels)
        for place, worst in states.items():
            shown.add_metric(place, worst)
            stale.add_metric(place, outcomes[place])
        return shown, stale


class _Shown(CollectorRegistry):
    """A registry without the times at which its series began: they double what is sent, and nobody asks."""

    def __init__(self, registry: CollectorRegistry) -> None:
        super().__init__(auto_describe=False)
        self._registry = registry

    def collect(self) -> Iterator[Metric]:
        """Every family but those times."""
        for family in self._registry.collect():
            family.samples = [one for one in family.samples if not one.name.endswith("_created")]
            yield family
