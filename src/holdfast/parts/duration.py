"""Times as users give them: seconds or a `timedelta`."""

from datetime import timedelta
from math import isfinite

from holdfast.errors import ConfigError
from holdfast.language import Sentence

Duration = float | timedelta


def seconds(key: str, value: Duration) -> float:
    """The seconds of a time above 0; anything else raises `ConfigError` that names `key`."""
    amount = value.total_seconds() if isinstance(value, timedelta) else float(value)
    if isfinite(amount) and amount > 0:
        return amount
    raise ConfigError(
        Sentence(
            f"{key}: {value} is no time above 0 seconds; give seconds or a timedelta, None for no limit",
            ko=f"{key}: {value}은(는) 0초보다 긴 시간이 아닙니다. 초나 timedelta로 적으세요(None: 제한 없음)",
        )
    )
