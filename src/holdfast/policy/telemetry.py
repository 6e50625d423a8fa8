"""What holdfast tells other systems about itself: metrics for Prometheus, traces for a collector."""

from dataclasses import dataclass
from math import inf
from typing import Literal

from holdfast.errors import ConfigError
from holdfast.language import Sentence

Metrics = Literal["open", "admin", "off"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TelemetryConfig:
    """Who may read `/metrics`, and where traces go.

    Attributes:
        metrics: `open` for anybody who reaches the port, `admin` for the admin token and keys with the scope
            `admin:read`, `off` for nobody; by default open until there are keys, and `admin` from then on.
        otlp_endpoint: the address of a collector that takes OTLP over HTTP, such as `http://localhost:4318`; needs
            the extra `holdfast[otel]`. The variables `OTEL_EXPORTER_OTLP_ENDPOINT` and the like work, too.
        service_name: what the traces are filed under, where `OTEL_SERVICE_NAME` says nothing.
        sample_ratio: the share of traces that is kept, from 0 to 1, where the caller has not decided already;
            errors, refusals, moves of circuits and the slowest hundredth are kept in any case.
        slow_after: seconds from which a request counts as slow instead; `None` for the slowest hundredth.
        shutdown_timeout: seconds that the last traces may take when the gateway stops.

    Raises:
        ConfigError: a share that is none, a time that is none, an address that is none.
    """

    metrics: Metrics | None = None
    otlp_endpoint: str | None = None
    service_name: str = "holdfast"
    sample_ratio: float = 1.0
    slow_after: float | None = None
    shutdown_timeout: float = 2.0

    def __post_init__(self) -> None:
        if not 0.0 <= self.sample_ratio <= 1.0:
            raise _unfit("sample_ratio", "a share from 0 to 1", "0과 1 사이의 비율이어야")
        if self.slow_after is not None and not 0.0 < self.slow_after < inf:
            raise _unfit("slow_after", "more than 0 seconds", "0초보다 커야")
        if not 0.0 <= self.shutdown_timeout < inf:
            raise _unfit("shutdown_timeout", "0 seconds or more", "0초 이상이어야")
        if self.otlp_endpoint is not None and not self.otlp_endpoint.startswith(("http://", "https://")):
            raise _unfit(
                "otlp_endpoint", "an address with http:// or https://", "http:// 또는 https:// 주소여야"
            )


def _unfit(key: str, english: str, korean: str) -> ConfigError:
    return ConfigError(
        Sentence(
            f"{key}: must be {english}; correct this setting", ko=f"{key}: {korean} 합니다. 설정을 고치세요"
        )
    )
