"""An OpenTelemetry SDK for one test: spans end up in memory, and the process is as before afterwards."""

from collections.abc import Generator
from contextlib import contextmanager

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter


class Spans:
    """What was exported."""

    def __init__(self, exporter: InMemorySpanExporter) -> None:
        self._exporter = exporter

    def all(self) -> tuple[ReadableSpan, ...]:
        return self._exporter.get_finished_spans()

    def names(self) -> list[str]:
        return [span.name for span in self.all()]

    def one(self, name: str) -> ReadableSpan:
        (span,) = [span for span in self.all() if span.name == name]
        return span


@contextmanager
def installed(provider: TracerProvider, monkeypatch: pytest.MonkeyPatch) -> Generator[None]:
    """The provider as that of the process, until the end: OpenTelemetry lets nobody set it twice."""
    with monkeypatch.context() as patch:
        patch.setattr(trace, "_TRACER_PROVIDER", provider)
        patch.setattr(trace._TRACER_PROVIDER_SET_ONCE, "_done", True)  # pyright: ignore[reportPrivateUsage]
        yield


@contextmanager
def recorded(monkeypatch: pytest.MonkeyPatch) -> Generator[Spans]:
    """Every span, in memory."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    with installed(provider, monkeypatch):
        yield Spans(exporter)


def attributes(span: ReadableSpan) -> dict[str, object]:
    return dict(span.attributes or {})


def is_child(span: ReadableSpan, parent: ReadableSpan) -> bool:
    """Whether one span hangs directly below another."""
    inner, outer = span.parent, parent.get_span_context()
    return (
        inner is not None
        and outer is not None
        and (inner.trace_id, inner.span_id) == (outer.trace_id, outer.span_id)
    )
