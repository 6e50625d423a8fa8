"""When a circuit opens and how long it stays so."""

from dataclasses import dataclass
from math import isfinite

from holdfast.errors import ConfigError
from holdfast.language import Sentence

JITTER = 0.2
"""The open time is stretched by up to this share, never shortened: no probe before its time."""
COUNT_MAX = 10_000
DOUBLINGS_MAX = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakerConfig:
    """When a circuit opens and how it recovers; times in seconds, rates in (0, 1].

    Attributes:
        failure_threshold: failures in a row that open; `None` for no such rule.
        failure_rate_threshold: share of failed calls in the window that opens; `None` for no such rule.
        minimum_calls: calls the window must hold before a rate means anything.
        window: length of the window, kept in ten buckets.
        slow_call_rate_threshold: share of slow calls that opens; `None` for no such rule.
        slow_call_duration_threshold: a good call that took longer is slow.
        success_threshold: successful probes that close.
        permitted_calls_in_half_open: probes out at the same time.
        recovery_timeout: the first time in open; doubles with every opening in a row.
        recovery_timeout_max: where doubling ends; `None` for four times `recovery_timeout`.
        permit_lease: a probe unheard of for so long is lost; set it above the longest honest call.
    """

    failure_threshold: int | None = 5
    failure_rate_threshold: float | None = 0.5
    minimum_calls: int = 10
    window: float = 30.0
    slow_call_rate_threshold: float | None = None
    slow_call_duration_threshold: float = 60.0
    success_threshold: int = 2
    permitted_calls_in_half_open: int = 2
    recovery_timeout: float = 5.0
    recovery_timeout_max: float | None = None
    permit_lease: float = 60.0

    def __post_init__(self) -> None:
        for key in ("minimum_calls", "success_threshold", "permitted_calls_in_half_open"):
            _check_count(key, getattr(self, key))
        if self.failure_threshold is not None:
            _check_count("failure_threshold", self.failure_threshold)
        for key in ("failure_rate_threshold", "slow_call_rate_threshold"):
            _check_rate(key, getattr(self, key))
        for key in ("window", "slow_call_duration_threshold", "recovery_timeout", "permit_lease"):
            _check_duration(key, getattr(self, key))
        if not self.recovery_timeout <= self.wait_max < float("inf"):
            raise _wrong(
                "recovery_timeout_max",
                "a finite time, not shorter than the first recovery time",
                "첫 복구 시간보다 짧지 않은 유한한 시간이어야 합니다",
            )

    @property
    def wait_max(self) -> float:
        """Seconds in open beyond which only jitter is added."""
        return 4 * self.recovery_timeout if self.recovery_timeout_max is None else self.recovery_timeout_max

    def wait(self, opening: int, *, roll: float, retry_after: float | None = None) -> float:
        """Seconds to stay open at the `opening`-th time in a row; an upstream's wish can only lengthen it."""
        doubled = self.recovery_timeout * 2.0 ** min(opening - 1, DOUBLINGS_MAX)
        wait = min(self.wait_max, doubled) * (1.0 + JITTER * roll)
        return max(wait, min(self.wait_max, retry_after)) if retry_after and retry_after > 0 else wait


def _check_count(key: str, value: object) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= COUNT_MAX:
        raise _wrong(key, f"a whole number, 1 to {COUNT_MAX}", f"1~{COUNT_MAX} 범위의 정수여야 합니다")


def _check_rate(key: str, value: float | None) -> None:
    if value is not None and not 0 < value <= 1:
        raise _wrong(key, "a share above 0 and up to 1", "0보다 크고 1 이하인 비율이어야 합니다")


def _check_duration(key: str, value: float) -> None:
    if not (isfinite(value) and value > 0):
        raise _wrong(key, "a finite time above 0 seconds", "0초보다 긴 유한한 시간이어야 합니다")


def _wrong(key: str, must_be: str, ko: str) -> ConfigError:
    return ConfigError(
        Sentence(f"{key}: must be {must_be}; correct this setting", ko=f"{key}: {ko}. 설정을 고치세요")
    )
