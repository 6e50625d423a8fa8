"""Spans of calls: told while they run, so that callers, we and upstreams stand in one trace.

Without an OpenTelemetry SDK in the process every span is one that goes nowhere, and next to nothing is done.
Nothing that anybody said is ever in an attribute.
"""

from asyncio import CancelledError
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime, timedelta
from typing import Any

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace import Span, SpanKind, Status, StatusCode, Tracer, TracerProvider
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from opentelemetry.util.types import AttributeValue

from holdfast.call import Call, Outcome
from holdfast.clock import Clock
from holdfast.errors import HoldfastError
from holdfast.events import AttemptEnded, CallEnded, CircuitChanged, Event
from holdfast.identity import harmless
from holdfast.pipeline import Proceed
from holdfast.policy.holds import NANO
from holdfast.policy.story import GuardStep
from holdfast.telemetry import names
from holdfast.telemetry.labels import attempt_class
from holdfast.version import __version__
from holdfast.wire.headers import Headers, get, merged

SDK_SCOPE = "com.anthropic.sdk.python"
"""The instrumentation scope of the official SDK, which opens a span for every call by itself."""
WORTH_TELLING_MS = 1.0
"""A guard that took no longer than this, and let the call pass, gets no span."""
ENDINGS = ("refused", "failed")
TRACEPARENT = "traceparent"
LONGEST = 200
"""Characters of a name that a caller chose."""

_W3C = TraceContextTextMapPropagator()
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_current: ContextVar["Journey | None"] = ContextVar("holdfast_journey", default=None)


class Journey:
    """The spans of one call under way: the one it is part of, and one for each attempt."""

    __slots__ = ("attempts", "call", "context", "is_joined", "is_over", "owned", "span")

    def __init__(self, call: Call, span: Span, *, owned: bool, is_joined: bool) -> None:
        self.call = call
        self.span = span
        self.owned = owned
        self.is_joined = is_joined
        self.is_over = False
        self.context = trace.set_span_in_context(span)
        self.attempts: dict[int, tuple[Span, int | None]] = {}

    @property
    def trace_id(self) -> str:
        """The id of the trace, as W3C writes it."""
        return trace.format_trace_id(self.span.get_span_context().trace_id)


class Tracing:
    """Opens and closes the spans of calls; an observer of events, and the outermost guard."""

    def __init__(self, clock: Clock, provider: TracerProvider | None = None) -> None:
        self._clock = clock
        self._tracer: Tracer = trace.get_tracer(names.SCOPE, __version__, tracer_provider=provider)
        self._open: dict[str, Journey] = {}
        self._seen: Mapping[type[Event], Callable[[Any], None]] = {
            AttemptEnded: self._attempt_ended,
            CallEnded: self._call_ended,
            CircuitChanged: self._circuit_changed,
        }

    def observe(self, event: Event) -> None:
        """Tell the spans of a call what is known of it now."""
        if self._open:
            seen = self._seen.get(type(event))
            if seen is not None:
                seen(event)

    @contextmanager
    def server(self, headers: Headers, left: type[Exception]) -> Generator[None]:
        """The span of a request at the gateway, in the trace that its headers name; current inside.

        `left` is raised when the caller has hung up, which is no error: many do so right behind the last byte.
        """
        span = self._tracer.start_span(
            names.SERVER_SPAN,
            context=_parent(headers),
            kind=SpanKind.SERVER,
            attributes=_SERVER,
            start_time=self._now(),
        )
        if not span.get_span_context().is_valid:
            yield
            return
        with trace.use_span(span, record_exception=False, set_status_on_exception=False):
            try:
                yield
            except (left, CancelledError):
                raise
            except BaseException as error:
                _failed_at_the_door(span, error)
                raise
            finally:
                span.end(self._now())

    async def guard(self, call: Call) -> Proceed:
        """The outermost guard: finds or opens the span that a call is part of, and closes it when all is settled."""
        journey = self._begun(call)
        if journey is None:
            return Proceed(call)
        self._open[call.request_id] = journey
        call.tally.trace_id = journey.trace_id
        _current.set(journey)

        async def close(outcome: Outcome) -> None:
            self._close(journey)

        return Proceed(call, close)

    def outgoing(self, upstream: str, headers: Headers) -> Headers:
        """The headers of a request to an upstream, with the trace that it is part of."""
        journey = _current.get()
        if journey is None or journey.is_over or journey.is_joined:
            return headers
        span = self._attempt(journey, upstream)
        carrier: dict[str, str] = {}
        _W3C.inject(carrier, trace.set_span_in_context(span))
        return merged(headers, carrier)

    def _begun(self, call: Call) -> Journey | None:
        span = trace.get_current_span()
        if call.principal.door == "sdk" and _is_of_sdk(span, call.headers):
            return Journey(call, _joined(span, call.headers), owned=False, is_joined=True)
        owned = call.principal.door != "gateway"
        if owned:
            span = self._agent_span(call)
        if not span.get_span_context().is_valid:
            return None
        _set(span, {names.REQUEST_ID: call.request_id, names.CONVERSATION_ID: call.principal.run})
        return Journey(call, span, owned=owned, is_joined=False)

    def _agent_span(self, call: Call) -> Span:
        """The span of a call that comes from no gateway."""
        agent = None if call.principal.agent is None else call.principal.agent[:LONGEST]
        attributes: dict[str, AttributeValue] = {names.OPERATION_NAME: names.INVOKE_AGENT}
        if agent is not None:
            attributes[names.AGENT_NAME] = agent
        name = names.INVOKE_AGENT if agent is None else f"{names.INVOKE_AGENT} {agent}"
        return self._tracer.start_span(
            name, kind=SpanKind.INTERNAL, attributes=attributes, start_time=_nanoseconds(call.arrived)
        )

    def _attempt(self, journey: Journey, upstream: str) -> Span:
        call = journey.call
        model = harmless(call.tally.asked_model or call.request.model)[:LONGEST]
        number = max(1, call.tally.attempts)
        attributes: dict[str, AttributeValue] = {
            names.OPERATION_NAME: names.CHAT,
            names.PROVIDER_NAME: names.ANTHROPIC,
            names.REQUEST_MODEL: model,
            names.UPSTREAM: upstream,
        }
        if number > 1:
            attributes[names.RESEND_COUNT] = number - 1
        span = self._tracer.start_span(
            f"{names.CHAT} {model}",
            context=journey.context,
            kind=SpanKind.CLIENT,
            attributes=attributes,
            start_time=self._now(),
        )
        journey.attempts[number] = (span, None)
        return span

    def _attempt_ended(self, event: AttemptEnded) -> None:
        journey = self._open.get(event.request_id)
        if journey is None or event.attempt not in journey.attempts:
            return
        span, _ = journey.attempts[event.attempt]
        journey.attempts[event.attempt] = (span, self._now())
        first = None if event.first_ms is None else event.first_ms / 1000
        _set(span, {names.KIND: event.kind, names.HTTP_STATUS: event.status, names.FIRST_CHUNK: first})
        if event.blame is not None:
            _set(span, {names.BLAME: event.blame})
            _fail(span, attempt_class(event.kind, event.status))

    def _call_ended(self, event: CallEnded) -> None:
        journey = self._open.get(event.request_id)
        if journey is None:
            return
        cost = None if event.cost_pico is None else event.cost_pico / NANO
        _set(journey.span, {names.OUTCOME: event.end, names.ATTEMPTS: event.attempts, names.COST: cost})
        if journey.is_joined:
            return
        status = None if journey.owned else event.status
        _set(journey.span, {names.REQUEST_MODEL: event.model[:LONGEST], names.HTTP_STATUS: status})
        if event.end in ("failed", "refused"):
            _set(journey.span, {names.ERROR_TYPE: event.error_code or event.end})
        if event.end == "failed":
            journey.span.set_status(Status(StatusCode.ERROR))
        if journey.attempts:
            span, _ = journey.attempts[max(journey.attempts)]
            _set(span, _used(event))

    def _circuit_changed(self, event: CircuitChanged) -> None:
        """A move belongs to the call that set it off, if there is one."""
        journey = _current.get()
        if journey is not None and not journey.is_over:
            moved: dict[str, AttributeValue] = {
                names.CIRCUIT: event.circuit[:LONGEST],
                "before": event.before,
                "after": event.after,
                "reason": event.reason,
            }
            journey.span.add_event(names.CIRCUIT_EVENT, moved)

    def _close(self, journey: Journey) -> None:
        journey.is_over = True
        self._open.pop(journey.call.request_id, None)
        self._tell_guards(journey)
        for span, ended in journey.attempts.values():
            span.end(self._now() if ended is None else ended)
        if journey.owned:
            journey.span.end(self._now())

    def _tell_guards(self, journey: Journey) -> None:
        """Spans of the guards that took long or ended the call; they ran one after the other from its arrival."""
        began = _nanoseconds(journey.call.arrived)
        for step in journey.call.tally.steps:
            ended = began + round(step.ms * 1_000_000)
            if step.did in ENDINGS or step.ms > WORTH_TELLING_MS:
                self._tell_guard(journey, step, began, ended)
            began = ended

    def _tell_guard(self, journey: Journey, step: GuardStep, began: int, ended: int) -> None:
        span = self._tracer.start_span(
            f"{names.GUARD_SPAN} {step.guard}",
            context=journey.context,
            kind=SpanKind.INTERNAL,
            start_time=began,
        )
        error = step.code if step.did in ENDINGS else None
        _set(span, {names.GUARD: step.guard, names.DECISION: step.did, names.ERROR_TYPE: error})
        if step.did == "failed" and span.is_recording():
            span.set_status(Status(StatusCode.ERROR))
        span.end(ended)

    def _now(self) -> int:
        return _nanoseconds(self._clock.now())


_SERVER: Mapping[str, AttributeValue] = {
    names.HTTP_METHOD: "POST",
    names.HTTP_ROUTE: "/v1/messages",
    names.URL_PATH: "/v1/messages",
}


def _nanoseconds(moment: datetime) -> int:
    """Since the epoch; a float would not hold them."""
    return (moment - _EPOCH) // timedelta(microseconds=1) * 1_000


def _is_of_sdk(span: Span, headers: Headers) -> bool:
    """Whether the official SDK has opened a span for this call: a second one would be counted twice."""
    scope = getattr(span, "instrumentation_scope", None)
    return getattr(scope, "name", None) == SDK_SCOPE or _is_traced(headers)


def _is_traced(headers: Headers) -> bool:
    return get(headers, TRACEPARENT) is not None and _named_in(headers).get_span_context().is_valid


def _joined(span: Span, headers: Headers) -> Span:
    """The span of the SDK: the current one, else that which its headers name."""
    return span if span.get_span_context().is_valid else _named_in(headers)


def _named_in(headers: Headers) -> Span:
    return trace.get_current_span(_parent(headers))


def _parent(headers: Headers) -> Context:
    """What W3C Trace Context says in headers; few have any."""
    return Context() if get(headers, TRACEPARENT) is None else _W3C.extract(dict(headers), Context())


def _set(span: Span, attributes: Mapping[str, AttributeValue | None]) -> None:
    """Set what is known, on a span that still listens: the SDK ends its own when it pleases."""
    if span.is_recording():
        span.set_attributes({name: value for name, value in attributes.items() if value is not None})


def _fail(span: Span, error: str) -> None:
    _set(span, {names.ERROR_TYPE: error})
    if span.is_recording():
        span.set_status(Status(StatusCode.ERROR))


def _failed_at_the_door(span: Span, error: BaseException) -> None:
    """A request that its caller is told an error for: ours from 500 on, his own below."""
    match error:
        case HoldfastError():
            _set(span, {names.HTTP_STATUS: error.status, names.ERROR_TYPE: error.error_code})
            if error.status >= 500:
                span.set_status(Status(StatusCode.ERROR))
        case _:
            _set(span, {names.ERROR_TYPE: type(error).__name__})
            span.set_status(Status(StatusCode.ERROR))


def _used(event: CallEnded) -> Mapping[str, AttributeValue | None]:
    """What the attempt that answered used; cache writes under both names, until the conventions have one."""
    usage = event.usage
    return {
        names.RESPONSE_MODEL: None if event.served_model is None else event.served_model[:LONGEST],
        names.INPUT_TOKENS: usage.prompt_tokens,
        names.OUTPUT_TOKENS: usage.output_tokens,
        names.CACHE_READ_TOKENS: usage.cache_read_input_tokens,
        names.CACHE_WRITE_TOKENS: usage.cache_creation_input_tokens,
        names.CACHE_CREATION_TOKENS: usage.cache_creation_input_tokens,
        names.REASONING_TOKENS: usage.thinking_tokens,
    }
