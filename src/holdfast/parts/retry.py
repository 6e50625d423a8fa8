"""Trying a call again while that may help, under one deadline."""

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import KW_ONLY, dataclass
from functools import wraps
from threading import Lock
from typing import Any, ParamSpec, TypeVar, cast, overload

from holdfast.clock import SYSTEM_CLOCK, Clock, Dice
from holdfast.errors import ConfigError, DeadlineExceeded
from holdfast.language import Sentence
from holdfast.parts.duration import Duration, seconds
from holdfast.parts.failure import is_retryable, retry_after_of, status_of
from holdfast.policy.retry import RetryBudget, RetryBudgetConfig, check_attempts, next_delay

__all__ = ["On", "Retry", "RetryBudget", "RetryBudgetConfig", "is_retryable"]

P = ParamSpec("P")
T = TypeVar("T")
On = Callable[[BaseException], bool] | type[BaseException] | tuple[type[BaseException], ...]

PATIENCE = 600.0
"""Seconds: a service that asks for a longer pause than this is not waited for."""

# One for all budgets: each is touched for less than a microsecond, and many retries may share it.
_budgets = Lock()


@dataclass(eq=False)
class Retry:
    """Calls again after a failure that may pass, up to `attempts` times in all; the last error comes out.

    Between attempts it waits at random up to `wait_initial`, doubled each time up to `wait_max` (full
    jitter), and at least as long as the error's `retry_after` asks. Cancellation always propagates at
    once. Safe to share among threads, tasks and event loops.

    Attributes:
        attempts: all tries, the first included; 1 never tries again.
        wait_initial: seconds or `timedelta`.
        wait_max: seconds or `timedelta`.
        timeout: one deadline over all attempts and waits, seconds or `timedelta`; `None` for none. A wait
            that would pass it is not begun. In the async form an attempt that runs past it is cancelled
            and `DeadlineExceeded` raised from the last error; a thread cannot be cancelled.
        on: which errors to try again after: a predicate, an exception class or a tuple of them.
        budget: what retrying this service may still cost, shared by all who call it.
        clock: where time comes from.
        dice: where jitter comes from.

    Raises `ConfigError` for a setting that makes no sense.

    Example:
        >>> @Retry(attempts=2, wait_initial=0.001, on=OSError)
        ... def read() -> str:
        ...     return "text"
        >>> read()
        'text'
    """

    attempts: int = 3
    _: KW_ONLY
    wait_initial: Duration = 1.0
    wait_max: Duration = 20.0
    timeout: Duration | None = None
    on: On = is_retryable
    budget: RetryBudget | None = None
    clock: Clock | None = None
    dice: Dice | None = None

    def __post_init__(self) -> None:
        check_attempts(self.attempts)
        self._initial = seconds("wait_initial", self.wait_initial)
        self._maximum = seconds("wait_max", self.wait_max)
        self._timeout = None if self.timeout is None else seconds("timeout", self.timeout)
        self._clock = self.clock or SYSTEM_CLOCK
        self._dice = self.dice or Dice()
        self._is_retryable = _predicate(self.on)

    @overload
    async def execute(
        self, fn: Callable[P, Coroutine[Any, Any, T]], *args: P.args, **kwargs: P.kwargs
    ) -> T: ...

    @overload
    async def execute(self, fn: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T: ...

    async def execute(self, fn: Callable[P, object], *args: P.args, **kwargs: P.kwargs) -> object:
        """Call `fn`, sync or async, until it succeeds or trying again makes no sense.

        Raises the last error, or `DeadlineExceeded` from it when an attempt ran past the deadline.
        """
        trial = self._begin()
        while True:
            try:
                trial.check()
                result = fn(*args, **kwargs)
                value = await trial.bounded(result) if inspect.isawaitable(result) else result
            except BaseException as error:
                wait = trial.failed(error)
                if wait is None:
                    raise
            else:
                trial.succeeded()
                return value
            await self._clock.sleep(wait)

    def execute_sync(self, fn: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """The same for a plain function, blocking this thread while it waits."""
        trial = self._begin()
        while True:
            try:
                trial.check()
                value = fn(*args, **kwargs)
            except BaseException as error:
                wait = trial.failed(error)
                if wait is None:
                    raise
            else:
                trial.succeeded()
                return value
            self._clock.block(wait)

    def __call__(self, fn: Callable[P, T]) -> Callable[P, T]:
        """Try every call of a function or coroutine function again."""
        if inspect.isgeneratorfunction(fn) or inspect.isasyncgenfunction(fn):
            raise ConfigError(
                Sentence(
                    f"{fn.__name__}: a generator that broke off cannot be tried again; retry what it calls",
                    ko=f"{fn.__name__}: 도중에 끊긴 제너레이터는 재시도할 수 없습니다. 내부 호출을 재시도하세요",
                )
            )
        if inspect.iscoroutinefunction(fn):

            @wraps(fn)
            async def retried_async(*args: P.args, **kwargs: P.kwargs) -> object:
                return await self.execute(fn, *args, **kwargs)

            return cast("Callable[P, T]", retried_async)

        @wraps(fn)
        def retried(*args: P.args, **kwargs: P.kwargs) -> T:
            return self.execute_sync(fn, *args, **kwargs)

        return retried

    def _begin(self) -> "_Trial":
        now = self._clock.monotonic()
        return _Trial(
            clock=self._clock,
            deadline=None if self._timeout is None else now + self._timeout,
            attempts=self.attempts,
            delay=self._delay,
            budget=self.budget,
        )

    def _delay(self, attempt: int, error: BaseException) -> float | None:
        """Seconds to wait after this error; `None` when there is no trying again."""
        if not isinstance(error, Exception) or not self._is_retryable(error):
            return None
        wish = retry_after_of(error, now=self._clock.now())
        if wish is not None and wish > PATIENCE:
            return None
        roll = self._dice.random()
        return next_delay(attempt, initial=self._initial, maximum=self._maximum, retry_after=wish, roll=roll)


@dataclass(kw_only=True, slots=True)
class _Trial:
    """One call on its way through its attempts."""

    clock: Clock
    deadline: float | None
    attempts: int
    delay: Callable[[int, BaseException], float | None]
    budget: RetryBudget | None
    attempt: int = 1
    cost: int | None = None
    error: BaseException | None = None
    is_over: bool = False

    def check(self) -> None:
        """Raise `DeadlineExceeded` rather than begin an attempt after the deadline."""
        if self.deadline is not None and self.clock.monotonic() >= self.deadline:
            raise self._exceeded() from self.error

    async def bounded(self, awaitable: Awaitable[T]) -> T:
        """Await it, but not beyond the deadline."""
        if self.deadline is None:
            return await awaitable
        scope = asyncio.timeout(self.deadline - self.clock.monotonic())
        try:
            async with scope:
                value = await awaitable
        except TimeoutError:
            if scope.expired():
                raise self._exceeded() from self.error
            raise
        # The timer follows the event loop's time; the clock has the last word, also when a test moves it.
        if self.clock.monotonic() > self.deadline:
            raise self._exceeded() from self.error
        return value

    def failed(self, error: BaseException) -> float | None:
        """Seconds to wait before the next attempt; `None` when this was the last."""
        if self.is_over or self.attempt >= self.attempts:
            return None
        wait = self.delay(self.attempt, error)
        if wait is None or not self._has_time_for(wait) or not self._pay(error):
            return None
        self.error = error
        self.attempt += 1
        return wait

    def succeeded(self) -> None:
        """Tell the budget."""
        if self.budget is not None:
            with _budgets:
                self.budget.succeeded(self.cost)

    def _has_time_for(self, wait: float) -> bool:
        return self.deadline is None or self.clock.monotonic() + wait < self.deadline

    def _pay(self, error: BaseException) -> bool:
        if self.budget is None:
            return True
        with _budgets:
            self.cost = self.budget.spend("throttle" if status_of(error) in (429, 529) else "transient")
        return self.cost is not None

    def _exceeded(self) -> DeadlineExceeded:
        self.is_over = True
        return DeadlineExceeded(
            Sentence(
                f"The deadline passed during attempt {self.attempt} of {self.attempts}."
                " Allow more time, or ask for less in one call.",
                ko=f"{self.attempts}회 중 {self.attempt}번째 시도에서 제한 시간을 넘겼습니다."
                " 시간을 늘리거나 한 번에 요청하는 양을 줄이세요.",
            )
        )


def _predicate(on: object) -> Callable[[BaseException], bool]:
    kinds = _kinds(on)
    if kinds:
        return lambda error: isinstance(error, kinds)
    if isinstance(on, type) or not callable(on):
        raise ConfigError(
            Sentence(
                f"on: {on!r} names no errors; give a predicate, an exception class or a tuple of them",
                ko=f"on: {on!r}(으)로는 오류를 가려낼 수 없습니다. 판별 함수, 예외 클래스 또는 그 튜플을 쓰세요",
            )
        )
    return cast("Callable[[BaseException], bool]", on)


def _kinds(on: object) -> tuple[type[BaseException], ...]:
    """The exception classes that are named; nothing when anything else is among them."""
    named = cast("tuple[object, ...]", on) if isinstance(on, tuple) else (on,)
    kinds = tuple(kind for kind in named if isinstance(kind, type) and issubclass(kind, BaseException))
    return kinds if len(kinds) == len(named) else ()
