"""The OpenTelemetry SDK as the gateway sets it up: traces go out in the background, and the telling ones always.

Needs the extra `holdfast[otel]`. A collector that hangs costs traces and never time: what does not fit into the
queue is dropped and counted.
"""

import threading
from bisect import bisect_left, insort
from collections import OrderedDict, deque
from collections.abc import Sequence
from typing import Any

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, Span, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import SpanExporter
from opentelemetry.sdk.trace.sampling import Decision, ParentBased, SamplingResult, TraceIdRatioBased
from opentelemetry.trace import StatusCode

from holdfast.policy.telemetry import TelemetryConfig
from holdfast.telemetry import names
from holdfast.version import __version__

QUEUE = 4_096
"""Spans that wait to be sent."""
BATCH = 512
DELAY = 1.0
"""Seconds that a span waits for company."""
TRACES = 2_048
"""Traces under way that spans are kept of, and traces decided on that late spans are told apart by."""
SPANS = 256
"""Spans of one trace that are kept until it is decided on."""
SEEN = 1_000
"""Durations that the slowest hundredth is found among."""
FAULTS = (OSError, ValueError, RuntimeError)
"""What an exporter may raise that its spans are lost for, and no more."""
ENOUGH = 100
"""Durations below which nothing counts as slow."""


class RecordAll(ParentBased):
    """Samples a share, or as the caller does, but records everything: what proves worth keeping can still be kept."""

    def __init__(self, ratio: float) -> None:
        super().__init__(TraceIdRatioBased(ratio))

    def should_sample(
        self, parent_context: Context | None, trace_id: int, name: str, *rest: Any, **more: Any
    ) -> SamplingResult:
        found = super().should_sample(parent_context, trace_id, name, *rest, **more)
        if found.decision is not Decision.DROP:
            return found
        attributes = rest[1] if len(rest) > 1 else more.get("attributes")
        return SamplingResult(Decision.RECORD_ONLY, attributes, found.trace_state)


class Slowness:
    """Knows which durations are among the slowest hundredth of the last ones, or beyond a fixed bound."""

    def __init__(self, bound: float | None = None) -> None:
        self._bound = bound
        self._newest: deque[float] = deque()
        self._sorted: list[float] = []

    def is_slow(self, seconds: float) -> bool:
        """Whether this one is, judged by those before it."""
        if self._bound is not None:
            return seconds >= self._bound
        known = self._sorted
        slow = len(known) >= ENOUGH and seconds > known[len(known) * 99 // 100]
        self._newest.append(seconds)
        insort(known, seconds)
        if len(self._newest) > SEEN:
            del known[bisect_left(known, self._newest.popleft())]
        return slow


class Tail(SpanProcessor):
    """Decides on a whole trace when its root here has ended: sampled, or worth keeping all the same."""

    def __init__(self, shipping: "Shipping", slowness: Slowness) -> None:
        self._shipping = shipping
        self._slowness = slowness
        self._lock = threading.Lock()
        self._waiting: OrderedDict[int, list[ReadableSpan]] = OrderedDict()
        self._decided: OrderedDict[int, bool] = OrderedDict()

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        """Nothing is known of it yet."""

    def on_end(self, span: ReadableSpan) -> None:
        context = span.get_span_context()
        if context is None:
            return
        with self._lock:
            kept = self._judge(context.trace_id, span)
        for each in kept:
            self._shipping.put(each)

    def shutdown(self) -> None:
        """What waits for its root is given up."""

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        return self._shipping.flush(timeout_millis / 1000)

    def _judge(self, trace_id: int, span: ReadableSpan) -> Sequence[ReadableSpan]:
        if span.parent is None or span.parent.is_remote:
            spans = [*self._waiting.pop(trace_id, ()), span]
            kept = self._decided[trace_id] = self._is_kept(span, spans)
            if len(self._decided) > TRACES:
                self._decided.popitem(last=False)
            return spans if kept else ()
        if trace_id in self._decided:
            return (span,) if self._decided[trace_id] else ()
        waiting = self._waiting.setdefault(trace_id, [])
        if len(waiting) < SPANS:
            waiting.append(span)
        if len(self._waiting) > TRACES:
            self._waiting.popitem(last=False)
        return ()

    def _is_kept(self, root: ReadableSpan, spans: Sequence[ReadableSpan]) -> bool:
        slow = self._slowness.is_slow(((root.end_time or 0) - (root.start_time or 0)) / 1e9)
        context = root.get_span_context()
        return slow or (context is not None and context.trace_flags.sampled) or any(map(_is_telling, spans))


def _is_telling(span: ReadableSpan) -> bool:
    """An error, a refusal, or a move of a circuit."""
    attributes = span.attributes or {}
    return (
        span.status.status_code is StatusCode.ERROR
        or names.ERROR_TYPE in attributes
        or any(event.name == names.CIRCUIT_EVENT for event in span.events)
    )


class Shipping:
    """Sends spans from a thread of its own; `put` never waits."""

    def __init__(self, exporter: SpanExporter, *, delay: float = DELAY, queue: int = QUEUE) -> None:
        self._exporter = exporter
        self._delay = delay
        self._room = queue
        self._changed = threading.Condition()
        self._queue: deque[ReadableSpan] = deque()
        self._dropped = 0
        self._is_sending = self._is_hurried = self._is_over = False
        self._thread = threading.Thread(target=self._run, name="holdfast-traces", daemon=True)
        self._thread.start()

    @property
    def dropped(self) -> int:
        """How many spans were lost, because the collector was slow or away."""
        return self._dropped

    def put(self, span: ReadableSpan) -> None:
        """Send it when its turn comes; dropped and counted when too many wait already."""
        with self._changed:
            if len(self._queue) >= self._room or self._is_over:
                self._dropped += 1
                return
            self._queue.append(span)
            if len(self._queue) in (1, BATCH):
                self._changed.notify_all()

    def flush(self, timeout: float) -> bool:
        """Wait until everything is sent; `False` if that takes longer than `timeout` seconds."""
        with self._changed:
            self._is_hurried = True
            self._changed.notify_all()
            return self._changed.wait_for(self._is_idle, timeout)

    def close(self, timeout: float) -> None:
        """Send what waits for `timeout` seconds at most, then no more."""
        self.flush(timeout)
        with self._changed:
            self._is_over = True
            self._dropped += len(self._queue)
            self._queue.clear()
            self._changed.notify_all()
        # Also while it is still sending: then it stops trying again.
        self._exporter.shutdown()

    def _is_idle(self) -> bool:
        return not (self._queue or self._is_sending)

    def _run(self) -> None:
        while (batch := self._next()) is not None:
            self._send(batch)
            with self._changed:
                self._is_sending = False
                self._changed.notify_all()

    def _next(self) -> list[ReadableSpan] | None:
        with self._changed:
            self._changed.wait_for(lambda: bool(self._queue) or self._is_over)
            self._changed.wait_for(self._is_due, self._delay)
            if self._is_over:
                return None
            self._is_hurried = self._is_hurried and len(self._queue) > BATCH
            self._is_sending = True
            return [self._queue.popleft() for _ in range(min(BATCH, len(self._queue)))]

    def _is_due(self) -> bool:
        return self._is_hurried or self._is_over or len(self._queue) >= BATCH

    def _send(self, batch: Sequence[ReadableSpan]) -> None:
        try:
            result = self._exporter.export(batch)
        except FAULTS:
            self._dropped += len(batch)
        else:
            self._dropped += 0 if result.value == 0 else len(batch)


def provider(config: TelemetryConfig, shipping: Shipping) -> TracerProvider:
    """A provider of tracers that keeps what `config` says, and sends it by `shipping`."""
    resource = Resource.create({"service.name": config.service_name, "service.version": __version__})
    provider = TracerProvider(
        sampler=RecordAll(config.sample_ratio), resource=resource, shutdown_on_exit=False
    )
    provider.add_span_processor(Tail(shipping, Slowness(config.slow_after)))
    return provider


def install(made: TracerProvider) -> None:
    """Make it the one of this process; one that somebody has set before stays."""
    trace.set_tracer_provider(made)
