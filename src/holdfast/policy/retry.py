"""When to try again: how long to wait, and how often an upstream may be asked in vain."""

from dataclasses import dataclass
from math import inf, isfinite
from typing import Literal

from holdfast.errors import ConfigError
from holdfast.language import Sentence

Backoff = Literal["transient", "throttle", "immediate"]
"""transient: a fault. throttle: the upstream asks for less. immediate: nothing was sent, try at once."""

PATIENCE = 60.0
"""Seconds we wait on a caller's behalf; a longer wait is handed on to the caller."""
DOUBLINGS_MAX = 60
FLOOR_JITTER = 0.1
"""A wish of the upstream is met, and overshot by up to this share, so that not all come back at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryConfig:
    """How often a call is tried and how long it waits in between; times in seconds.

    Attributes:
        attempts: all tries of one call over all its targets; 1 never tries again.
        wait_initial: upper bound of the first wait after a fault; doubles with every attempt.
        wait_max: where doubling ends.
        throttle_wait_initial: the same after the upstream asked for less.
        throttle_wait_max: where that doubling ends.
        patience: the longest wait on a caller's behalf; a longer one is handed on to the caller.
    """

    attempts: int = 3
    wait_initial: float = 0.5
    wait_max: float = 8.0
    throttle_wait_initial: float = 1.0
    throttle_wait_max: float = 20.0
    patience: float = PATIENCE

    def __post_init__(self) -> None:
        check_attempts(self.attempts)
        for key in ("wait_initial", "wait_max", "throttle_wait_initial", "throttle_wait_max", "patience"):
            check_time(key, getattr(self, key))

    def delay(
        self, attempt: int, *, backoff: Backoff = "transient", retry_after: float | None = None, roll: float
    ) -> float:
        """Seconds to wait after the `attempt`-th try (from 1) failed; `roll` in [0, 1)."""
        initial, maximum = self.wait_initial, self.wait_max
        if backoff == "throttle":
            initial, maximum = self.throttle_wait_initial, self.throttle_wait_max
        elif backoff == "immediate":
            initial = 0.0 if attempt == 1 else initial
            attempt -= 1
        return next_delay(attempt, initial=initial, maximum=maximum, retry_after=retry_after, roll=roll)


def next_delay(
    attempt: int, *, initial: float, maximum: float, retry_after: float | None = None, roll: float
) -> float:
    """Seconds to wait after the `attempt`-th try (from 1) failed.

    Full jitter: anywhere between nothing and `initial`, doubled per attempt up to `maximum`, so that
    callers who failed together do not come back together. `retry_after` is a floor, overshot by up to
    a tenth; one that is no positive finite number counts for nothing.
    """
    doublings = max(0, min(attempt - 1, DOUBLINGS_MAX))
    delay = roll * min(maximum, initial * 2.0**doublings)
    if retry_after is None or not 0 < retry_after < inf:
        return delay
    return max(delay, retry_after * (1.0 + FLOOR_JITTER * roll))


def check_attempts(attempts: object) -> None:
    """Raise `ConfigError` unless this counts all tries of a call, the first included."""
    if not isinstance(attempts, int) or isinstance(attempts, bool) or attempts < 1:
        raise ConfigError(
            Sentence(
                "attempts: must be a whole number of 1 or more: the first try counts, and 1 never retries",
                ko="attempts: 첫 시도를 포함한 횟수입니다. 1 이상의 정수로 적으세요(1은 재시도 없음)",
            )
        )


def check_time(key: str, seconds: float) -> None:
    """Raise `ConfigError` unless this is a finite time above 0 seconds."""
    if not (isfinite(seconds) and seconds > 0):
        raise ConfigError(
            Sentence(
                f"{key}: must be a finite time above 0 seconds; correct this setting",
                ko=f"{key}: 0초보다 긴 유한한 시간이어야 합니다. 설정을 고치세요",
            )
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryBudgetConfig:
    """The token bucket that ends retrying when an upstream is down altogether.

    The numbers are botocore's: a full outage is met by about 35 retries, then by none.
    """

    capacity: int = 500
    transient_cost: int = 14
    throttle_cost: int = 5
    success_reward: int = 1

    def __post_init__(self) -> None:
        for key in ("capacity", "transient_cost", "throttle_cost", "success_reward"):
            if getattr(self, key) < 0:
                raise ConfigError(
                    Sentence(
                        f"{key}: must be 0 or more; correct this setting",
                        ko=f"{key}: 0 이상이어야 합니다. 설정을 고치세요",
                    )
                )


class RetryBudget:
    """What retrying one upstream may still cost; shared by all its callers, who serialise the access."""

    def __init__(self, config: RetryBudgetConfig | None = None) -> None:
        self.config = config or RetryBudgetConfig()
        self._tokens = self.config.capacity

    def __repr__(self) -> str:
        return f"RetryBudget({self._tokens} of {self.config.capacity})"

    @property
    def tokens(self) -> int:
        """What is left."""
        return self._tokens

    def spend(self, backoff: Backoff) -> int | None:
        """Pay for one retry: what it cost, or `None` when that is not there.

        An attempt that never left this machine (`immediate`) is retried free of charge.
        """
        config = self.config
        cost = {"immediate": 0, "transient": config.transient_cost, "throttle": config.throttle_cost}[backoff]
        if cost > self._tokens:
            return None
        self._tokens -= cost
        return cost

    def succeeded(self, last_cost: int | None = None) -> None:
        """A call went well: a first try earns a little, a retry gets back what its last attempt cost."""
        reward = self.config.success_reward if last_cost is None else last_cost
        self._tokens = min(self.config.capacity, self._tokens + reward)
