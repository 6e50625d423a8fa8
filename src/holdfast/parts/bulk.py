"""Work on many things at once: results in the order of their inputs, and an end when the money is spent."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Final, Generic, TypeVar

from holdfast.clock import Clock
from holdfast.errors import BudgetExhausted, ConfigError, HoldfastError, RunCapReached, Stopped
from holdfast.language import Sentence

T = TypeVar("T")
R = TypeVar("R")

AHEAD = 4
"""How many times as many things as are worked on may wait behind one that takes long."""
MOST_AT_ONCE = 1_000
PATIENCE = 900.0
"""Seconds in all that one thing waits for quotas, circuits and stores to let it through."""


async def in_order(
    inputs: Iterable[T] | AsyncIterable[T], work: Callable[[int, T], Awaitable[R]], *, concurrency: int
) -> AsyncGenerator[R, None]:
    """What `work` makes of each input and its number, in the order of the inputs.

    At most `concurrency` are worked on at once, and at most `AHEAD` times as many are begun or wait to be handed
    over, however many there are. Left early, everything under way is cancelled and awaited. Raises what `work` or
    the inputs raise, and `ConfigError` for a concurrency that makes no sense.
    """
    if not 1 <= concurrency <= MOST_AT_ONCE:
        raise _concurrency(concurrency)
    line = _Line(_pulled(inputs), work, concurrency)
    try:
        while (task := await line.next()) is not None:
            yield task.result()
    finally:
        await line.aclose()


class _End:
    """Behind the last input."""


_END: Final = _End()


class _Line(Generic[T, R]):
    """Tasks in the order of their inputs, the next of which is being fetched meanwhile."""

    def __init__(
        self, source: AsyncIterator[T], work: Callable[[int, T], Awaitable[R]], concurrency: int
    ) -> None:
        self._source = source
        self._work = work
        self._places = asyncio.Semaphore(concurrency)
        self._room = concurrency * AHEAD
        self._begun = 0
        self._is_over = False
        self._fetching: asyncio.Task[T | _End] | None = None
        self._tasks: deque[asyncio.Task[R]] = deque()

    async def next(self) -> "asyncio.Task[R] | None":
        """The oldest task, done; `None` when there are no more."""
        while not (self._tasks and self._tasks[0].done()):
            if self._fetching is None and not self._is_over and len(self._tasks) < self._room:
                self._fetching = asyncio.ensure_future(self._fetch())
            waiting = self._waiting()
            if not waiting:
                return None
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            self._take()
        return self._tasks.popleft()

    async def aclose(self) -> None:
        """Cancel what is under way, and wait until it has put its house in order."""
        tasks: list[asyncio.Task[Any]] = list(self._tasks)
        tasks += [] if self._fetching is None else [self._fetching]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _waiting(self) -> "list[asyncio.Task[Any]]":
        fetching = [] if self._fetching is None else [self._fetching]
        return [*fetching, self._tasks[0]] if self._tasks else [*fetching]

    def _take(self) -> None:
        """Begin on an input that has come."""
        if self._fetching is None or not self._fetching.done():
            return
        fetched, self._fetching = self._fetching, None
        found = fetched.result()
        if isinstance(found, _End):
            self._is_over = True
        else:
            number, self._begun = self._begun, self._begun + 1
            self._tasks.append(asyncio.ensure_future(self._placed(number, found)))

    async def _fetch(self) -> T | _End:
        return await anext(self._source, _END)

    async def _placed(self, number: int, one: T) -> R:
        async with self._places:
            return await self._work(number, one)


async def _pulled(inputs: Iterable[T] | AsyncIterable[T]) -> AsyncGenerator[T, None]:
    if isinstance(inputs, AsyncIterable):
        async for one in inputs:
            yield one
    else:
        for one in inputs:
            yield one


@dataclass(slots=True, kw_only=True)
class Spree:
    """Many pieces of work that spend the same money.

    One that is told to come back does so, up to `PATIENCE`. One that finds no money left waits for those under
    way, which may give some back; when none is, nothing more is begun.

    Attributes:
        over: the error that has ended it, once it is over: a budget, or an operator.
    """

    clock: Clock
    over: HoldfastError | None = None
    _under_way: int = 0
    _ends: int = 0
    _changed: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def is_busy(self) -> bool:
        """Whether something is under way."""
        return self._under_way > 0

    async def run(self, work: Callable[[], Awaitable[R]]) -> R | None:
        """What the work comes to; `None` when it was not done, for everything is over. Raises what it raises."""
        patience = PATIENCE
        while self.over is None:
            ends = self._ends
            denied = await self._tried(work)
            if not isinstance(denied, HoldfastError):
                return denied
            if _ends_all(denied):
                await self._hope(denied, ends)
            else:
                patience -= await self._waited(denied, patience)
        return None

    async def _tried(self, work: Callable[[], Awaitable[R]]) -> R | HoldfastError:
        """What the work comes to, or what kept it from being done and may pass."""
        self._under_way += 1
        ended = 1
        try:
            return await work()
        except HoldfastError as error:
            if not (_ends_all(error) or _passes(error)):
                raise
            ended = 0
            return error
        finally:
            self._under_way -= 1
            self._ends += ended
            self._tell()

    async def _hope(self, denied: HoldfastError, ends: int) -> None:
        """Return when something has ended behind the first `ends`, or everything is over."""
        may_pass = not isinstance(denied, Stopped)
        while self.over is None and not (may_pass and self._ends > ends):
            if may_pass and self._under_way:
                await self._changed.wait()
            else:
                self.over = denied
                self._tell()

    async def _waited(self, denied: HoldfastError, patience: float) -> float:
        """Wait until it makes sense to try again, and say for how long; raises when that is too long."""
        seconds = denied.retry_after or 0.0
        if seconds > patience:
            raise denied
        await self.clock.sleep(seconds)
        return max(seconds, 1.0)

    def _tell(self) -> None:
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()


def _ends_all(error: HoldfastError) -> bool:
    """Whether others would meet the same: a cap of one run is met by that one alone."""
    return isinstance(error, BudgetExhausted | Stopped) and not isinstance(error, RunCapReached)


def _passes(error: HoldfastError) -> bool:
    """Whether time helps, and nothing has been spent."""
    return error.should_retry is True and error.retry_after is not None and error.attempts == 0


def _concurrency(value: int) -> ConfigError:
    return ConfigError(
        Sentence(
            f"concurrency is {value!r}: write a number from 1 to {MOST_AT_ONCE}",
            ko=f"concurrency 값이 {value!r}입니다. 1부터 {MOST_AT_ONCE} 사이의 수를 적으세요",
        )
    )
