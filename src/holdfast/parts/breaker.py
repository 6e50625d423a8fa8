"""A circuit breaker to hold in the hand: one circuit with a lock, a clock and dice."""

import inspect
from collections.abc import Callable, Coroutine
from contextvars import ContextVar
from dataclasses import KW_ONLY, dataclass, field
from functools import wraps
from itertools import count
from threading import Lock
from types import TracebackType
from typing import Any, Literal, ParamSpec, Self, TypeVar, cast, overload

from holdfast.clock import SYSTEM_CLOCK, Clock, Dice
from holdfast.errors import CallNotPermitted, ConfigError
from holdfast.language import Sentence
from holdfast.parts.duration import Duration, seconds
from holdfast.parts.failure import outcome_of, retry_after_of
from holdfast.policy.breaker import (
    BreakerConfig,
    Circuit,
    NotPermitted,
    Outcome,
    Permit,
    Permitted,
    Snapshot,
    State,
    Transition,
    Word,
)

P = ParamSpec("P")
T = TypeVar("T")

REMEMBERED_MAX = 32
"""Permits that one task or thread holds at once without naming them; the oldest are forgotten first."""

_keys = count()
# Immutable, so that tasks which inherit a context cannot change each other's memory.
_remembered: ContextVar[tuple[tuple[int, Permit], ...]] = ContextVar("holdfast_permits", default=())


@dataclass(eq=False, repr=False)
class CircuitBreaker:
    """Stops calling a service that keeps failing, and finds out gently when it is well again.

    Use it as a decorator, with `with` or `async with`, by `execute`, or by hand: `can_execute()`, then
    `record_success()` or `record_failure()`. Safe among threads and tasks, on any event loop.

    What counts as a failure: 5xx, 529, 408, timeouts, connection errors and any other exception. Neutral
    are 429, every other 4xx (looked up in `.status_code` or `.status`) and cancellation.

    Attributes:
        name: what errors and metrics call it.
        failure_threshold: failures in a row that open it; `None` for no such rule.
        success_threshold: successful probes that close it.
        recovery_timeout: seconds or `timedelta` in open; up to 20 % more by jitter, doubled by every
            opening in a row up to `recovery_timeout_max`, which is four times as long if not given.
        permitted_calls_in_half_open: probes out at the same time.
        failure_rate_threshold: share of failed calls in the window that opens it, in (0, 1].
        window: length of the window, seconds or `timedelta`.
        minimum_calls: calls the window must hold before a rate means anything.
        slow_call_rate_threshold: share of slow calls that opens it, in (0, 1].
        slow_call_duration_threshold: a good call that took longer is slow.
        permit_lease: a probe unheard of for so long is lost, and the circuit opens again; set it above
            your longest call.
        clock: where time comes from.
        dice: where jitter comes from.
        on_transition: told of every change of state, by the thread that caused it, outside of any lock;
            must neither block nor raise.

    Raises `ConfigError` for a setting that makes no sense.

    Example:
        >>> breaker = CircuitBreaker("inventory", failure_threshold=2)
        >>> breaker.record_failure()
        >>> breaker.record_failure()
        >>> breaker.state
        'open'
    """

    name: str = "default"
    _: KW_ONLY
    failure_threshold: int | None = 5
    success_threshold: int = 2
    recovery_timeout: Duration = 30.0
    recovery_timeout_max: Duration | None = None
    permitted_calls_in_half_open: int = 2
    failure_rate_threshold: float | None = None
    window: Duration = 30.0
    minimum_calls: int = 10
    slow_call_rate_threshold: float | None = None
    slow_call_duration_threshold: Duration = 60.0
    permit_lease: Duration = 60.0
    clock: Clock | None = None
    dice: Dice | None = None
    on_transition: Callable[[Transition], None] | None = None
    _circuit: Circuit = field(init=False)

    def __post_init__(self) -> None:
        self._circuit = Circuit(_config(self))
        self._lock = Lock()
        self._key = next(_keys)
        self._now = (self.clock or SYSTEM_CLOCK).monotonic
        self._roll = (self.dice or Dice()).random

    def __repr__(self) -> str:
        return f"CircuitBreaker({self.name!r}, state={self.state!r})"

    @property
    def state(self) -> State:
        """The state at this moment; `half_open` as soon as the time in open is over."""
        return self.snapshot().state

    @property
    def retry_after(self) -> float | None:
        """Seconds until a call may go; 0 when it may go now, `None` when only an operator can tell."""
        return self.snapshot().retry_after

    def snapshot(self) -> Snapshot:
        """State, window and counters at this moment."""
        return self._ask(lambda circuit, now, roll: circuit.snapshot(now=now, roll=roll))

    def can_execute(self) -> bool:
        """Whether a call may go now; if so, the next outcome recorded in this task or thread is its own."""
        answer = self.try_acquire()
        if isinstance(answer, NotPermitted):
            return False
        self._remember(answer.permit)
        return True

    def record_success(self) -> None:
        """The call went well."""
        self._record(Outcome.OK)

    def record_failure(self, *, retry_after: float | None = None) -> None:
        """The call failed; `retry_after`, in seconds, is how long the service asked to be left alone."""
        self._record(Outcome.FAIL, retry_after)

    def record_neutral(self) -> None:
        """The call ended in a way that says nothing about the service."""
        self._record(Outcome.NEUTRAL)

    @overload
    async def execute(
        self, fn: Callable[P, Coroutine[Any, Any, T]], *args: P.args, **kwargs: P.kwargs
    ) -> T: ...

    @overload
    async def execute(self, fn: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T: ...

    async def execute(self, fn: Callable[P, object], *args: P.args, **kwargs: P.kwargs) -> object:
        """Call `fn`, sync or async, if the circuit lets it; raises `CallNotPermitted` if not."""
        permit = self.acquire()
        try:
            result = fn(*args, **kwargs)
            value = await result if inspect.isawaitable(result) else result
        except BaseException as error:
            self._report_error(permit, error)
            raise
        self.report(permit, Outcome.OK)
        return value

    def __call__(self, fn: Callable[P, T]) -> Callable[P, T]:
        """Guard every call of a function or coroutine function."""
        _refuse_generator(fn)
        if inspect.iscoroutinefunction(fn):

            @wraps(fn)
            async def guarded_async(*args: P.args, **kwargs: P.kwargs) -> object:
                return await self.execute(fn, *args, **kwargs)

            return cast("Callable[P, T]", guarded_async)

        @wraps(fn)
        def guarded(*args: P.args, **kwargs: P.kwargs) -> T:
            permit = self.acquire()
            try:
                value = fn(*args, **kwargs)
            except BaseException as error:
                self._report_error(permit, error)
                raise
            self.report(permit, Outcome.OK)
            return value

        return guarded

    def __enter__(self) -> Self:
        self._remember(self.acquire())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            self._record(Outcome.OK)
        else:
            self._record(outcome_of(error), self._wish(error))

    async def __aenter__(self) -> Self:
        return self.__enter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.__exit__(kind, error, trace)

    def try_acquire(self) -> Permitted | NotPermitted:
        """Ask for leave to make one call."""
        return self._ask(_acquire)

    def acquire(self) -> Permit:
        """Leave to make one call, to be given back by `report`; raises `CallNotPermitted`."""
        answer = self.try_acquire()
        if isinstance(answer, NotPermitted):
            raise _not_permitted(self.name, answer.retry_after)
        return answer.permit

    def report(self, permit: Permit, outcome: Outcome, *, retry_after: float | None = None) -> None:
        """Give a permit back; one of an older generation, or given back before, changes nothing."""
        self._ask(
            lambda circuit, now, roll: circuit.report(
                permit, outcome, now=now, roll=roll, retry_after=retry_after
            )
        )

    def begin(self, permit: Permit) -> None:
        """The first content of a stream came: counts as success now; `report` its end as well."""
        self._ask(lambda circuit, now, roll: circuit.begin(permit, now=now, roll=roll))

    def reset(self) -> None:
        """Close it and forget what was counted; also ends every operator's order."""
        self._ask(lambda circuit, now, _: circuit.order("closed", now=now))

    def force_open(self) -> None:
        """Refuse every call until `reset`."""
        self._ask(lambda circuit, now, _: circuit.order("forced_open", now=now))

    def disable(self) -> None:
        """Let every call go and count nothing until `reset`."""
        self._ask(lambda circuit, now, _: circuit.order("disabled", now=now))

    def observe_only(self) -> None:
        """Let every call go, but count, until `reset`."""
        self._ask(lambda circuit, now, _: circuit.order("metrics_only", now=now))

    def adopt(self, state: Literal["open", "closed"], *, retry_after: float = 0.0) -> None:
        """Follow a peer of the fleet that saw the same service fail or recover just now."""
        self.follow(Word(state=state, at=self._now(), retry_after=retry_after))

    def follow(self, word: Word) -> None:
        """Follow what a peer saw at a moment of this circuit's clock; older news than its own changes nothing."""
        self._ask(lambda circuit, now, roll: circuit.adopt(word, now=now, roll=roll))

    def _ask(self, act: Callable[[Circuit, float, float], T]) -> T:
        now, roll = self._now(), self._roll()
        with self._lock:
            answer = act(self._circuit, now, roll)
            changes = self._circuit.take_changes()
        if changes and self.on_transition is not None:
            for change in changes:
                self.on_transition(change)
        return answer

    def _record(self, outcome: Outcome, retry_after: float | None = None) -> None:
        permit = self._recall()

        def settle(circuit: Circuit, now: float, roll: float) -> None:
            # A task may inherit a permit that the task which took it has settled: its outcome is one more.
            if permit is None or circuit.is_settled(permit):
                circuit.record(outcome, now=now, roll=roll, retry_after=retry_after)
            else:
                circuit.report(permit, outcome, now=now, roll=roll, retry_after=retry_after)

        self._ask(settle)

    def _report_error(self, permit: Permit, error: BaseException) -> None:
        self.report(permit, outcome_of(error), retry_after=self._wish(error))

    def _wish(self, error: BaseException) -> float | None:
        return retry_after_of(error, now=(self.clock or SYSTEM_CLOCK).now())

    def _remember(self, permit: Permit) -> None:
        _remembered.set((*_remembered.get()[1 - REMEMBERED_MAX :], (self._key, permit)))

    def _recall(self) -> Permit | None:
        held = _remembered.get()
        for index in range(len(held) - 1, -1, -1):
            key, permit = held[index]
            if key == self._key:
                _remembered.set(held[:index] + held[index + 1 :])
                return permit
        return None


def _acquire(circuit: Circuit, now: float, roll: float) -> Permitted | NotPermitted:
    return circuit.acquire(now=now, roll=roll)


def _config(breaker: CircuitBreaker) -> BreakerConfig:
    return BreakerConfig(
        failure_threshold=breaker.failure_threshold,
        failure_rate_threshold=breaker.failure_rate_threshold,
        minimum_calls=breaker.minimum_calls,
        window=seconds("window", breaker.window),
        slow_call_rate_threshold=breaker.slow_call_rate_threshold,
        slow_call_duration_threshold=seconds(
            "slow_call_duration_threshold", breaker.slow_call_duration_threshold
        ),
        success_threshold=breaker.success_threshold,
        permitted_calls_in_half_open=breaker.permitted_calls_in_half_open,
        recovery_timeout=seconds("recovery_timeout", breaker.recovery_timeout),
        recovery_timeout_max=None
        if breaker.recovery_timeout_max is None
        else seconds("recovery_timeout_max", breaker.recovery_timeout_max),
        permit_lease=seconds("permit_lease", breaker.permit_lease),
    )


def _refuse_generator(fn: Callable[..., object]) -> None:
    if inspect.isgeneratorfunction(fn) or inspect.isasyncgenfunction(fn):
        raise ConfigError(
            Sentence(
                f"{fn.__name__}: a generator runs long after its call; use `with breaker:` inside of it",
                ko=f"{fn.__name__}: 제너레이터는 호출 뒤에도 실행되므로, 그 안에서 `with breaker:`를 쓰세요",
            )
        )


def _not_permitted(name: str, retry_after: float | None) -> CallNotPermitted:
    if retry_after is None:
        sentence = Sentence(
            f"The circuit {name!r} was opened by an operator: no call goes through until it is reset.",
            ko=f"운영자가 서킷 {name!r}을(를) 열어 두었습니다. 초기화할 때까지 호출할 수 없습니다.",
        )
    else:
        sentence = Sentence(
            f"The circuit {name!r} is open because the service behind it kept failing; it is tried again"
            f" in {retry_after:.1f} s. Use a fallback until then, or come back later.",
            ko=f"서킷 {name!r}의 대상 서비스가 계속 실패하여 호출을 막았습니다. {retry_after:.1f}초 뒤에"
            " 다시 시도합니다. 그때까지 대체 응답을 쓰거나 나중에 다시 호출하세요.",
        )
    return CallNotPermitted(sentence, retry_after=retry_after, details={"circuit": name})
