"""Whether traces are sent anywhere, and the end of sending them."""

from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager

from holdfast.errors import ConfigError
from holdfast.language import Sentence
from holdfast.policy.telemetry import TelemetryConfig

ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
TRACES = "/v1/traces"


def is_wanted(config: TelemetryConfig, environment: Mapping[str, str]) -> bool:
    """Whether traces go anywhere; `OTEL_SDK_DISABLED` and `OTEL_TRACES_EXPORTER=none` have the last word."""
    if environment.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return False
    if environment.get("OTEL_TRACES_EXPORTER", "").strip().lower() == "none":
        return False
    return config.otlp_endpoint is not None or any(environment.get(name) for name in ENDPOINTS)


@contextmanager
def exporting(config: TelemetryConfig, environment: Mapping[str, str]) -> Generator[Callable[[], int]]:
    """Send traces while inside, if they are wanted; hands over what counts the spans that were lost.

    Raises `ConfigError` when they are wanted and the extra `holdfast[otel]` is not installed.
    """
    if not is_wanted(config, environment):
        yield _nothing
        return
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

        from holdfast.telemetry.otel import Shipping, install, provider
    except ImportError as error:
        raise _not_installed() from error
    endpoint = None if config.otlp_endpoint is None else config.otlp_endpoint.rstrip("/") + TRACES
    shipping = Shipping(OTLPSpanExporter(endpoint=endpoint))
    install(provider(config, shipping))
    try:
        yield lambda: shipping.dropped
    finally:
        shipping.close(config.shutdown_timeout)


def _nothing() -> int:
    return 0


def _not_installed() -> ConfigError:
    return ConfigError(
        Sentence(
            'telemetry.otlp_endpoint: sending traces needs an extra; run: pip install "holdfast[otel]"',
            ko="telemetry.otlp_endpoint: 트레이스를 보내려면 추가 패키지가 필요합니다. 다음을 실행하세요: "
            'pip install "holdfast[otel]"',
        )
    )
