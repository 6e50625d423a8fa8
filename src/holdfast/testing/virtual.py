"""An event loop in virtual time: hours pass in milliseconds, and one seed gives one order of events.

Time stands still while anything can run, and then jumps to the next timer. What is due at the same moment
runs in an order that the seed decides. There is no other world: sockets, threads and subprocesses are
refused, a program that waits for nothing is a `Deadlock`, and a run that leaves tasks or errors behind fails.

    async def main() -> float:
        clock = VirtualClock()
        await clock.sleep(3600)
        return clock.monotonic()

    assert run(main(), seed=1) == 3600.0
"""

import asyncio
import gc
import heapq
import sys
import threading
from collections import deque
from collections.abc import Callable, Coroutine, Generator
from concurrent.futures import Executor
from contextlib import contextmanager
from contextvars import Context
from datetime import datetime, timedelta
from math import inf
from random import Random
from types import CoroutineType
from typing import Any, NoReturn, TypeVar, TypeVarTuple

from holdfast.language import Sentence
from holdfast.testing.clock import START
from holdfast.testing.virtual_errors import (
    Deadlock,
    LeakedTasks,
    Livelock,
    LostErrors,
    NotVirtual,
    Stuck,
    VirtualTimeError,
)

__all__ = [
    "Deadlock",
    "LeakedTasks",
    "Livelock",
    "LostErrors",
    "NotVirtual",
    "Stuck",
    "VirtualClock",
    "VirtualLoop",
    "VirtualTimeError",
    "run",
]

T = TypeVar("T")
Args = TypeVarTuple("Args")

ROUNDS_MAX = 1_000_000
"""Rounds of the loop at one moment; more is a program that spins and lets no time pass."""
SETTLE_ROUNDS = 1_000
"""Rounds after the end of the main coroutine, before the tasks left over are counted."""
LAST_WAIT = 3_600.0
"""Virtual seconds that a cancelled task has for its clean-up."""

INSIDE = Sentence(
    "Another event loop runs in this thread. Call run() from a plain function.",
    ko="이 스레드에서 다른 이벤트 루프가 실행 중입니다. run()은 일반 함수에서 호출하세요.",
)
OUTSIDE = Sentence(
    "No virtual loop runs here. Ask a VirtualClock only inside of run().",
    ko="여기서는 가상 루프가 실행되고 있지 않습니다. VirtualClock은 run() 안에서만 쓰세요.",
)


class _Timer(asyncio.TimerHandle):
    """A timer that knows its turn among those due at the same moment."""

    __slots__ = ("roll",)

    def __init__(
        self,
        when: float,
        callback: Callable[..., object],
        args: tuple[object, ...],
        loop: "VirtualLoop",
        context: Context | None,
    ) -> None:
        super().__init__(when, callback, args, loop, context)
        self._scheduled = True  # as BaseEventLoop marks the timers that it counts when they are cancelled
        self.roll = loop.dice.random()

    def __lt__(self, other: asyncio.TimerHandle) -> bool:
        assert isinstance(other, _Timer)  # `call_at` is the only way into the heap
        return (self.when(), self.roll) < (other.when(), other.roll)


class _Selector:
    """Stands where a loop waits for sockets and the clock: moves the time instead of waiting."""

    def __init__(self, move_on: Callable[[], None], count: Callable[[], None]) -> None:
        self._move_on = move_on
        self._count = count

    def select(self, timeout: float | None) -> list[NoReturn]:
        if timeout != 0:
            self._move_on()
        self._count()
        return []


class VirtualLoop(asyncio.BaseEventLoop):
    """The loop itself; `run` is the usual way to one.

    Timers of one moment run in an order rolled from `seed`; all else in the order that asyncio promises. With
    `inline`, what would run in a thread is done at once instead of refused.
    """

    _ready: deque[asyncio.Handle]
    _scheduled: list[asyncio.TimerHandle]

    def __init__(self, *, seed: int = 0, inline: bool = False) -> None:
        super().__init__()
        self.inline = inline
        self.dice = Random(seed)
        self.refused: list[NotVirtual] = []
        self.lost: list[tuple[str, BaseException | None]] = []
        self._selector = _Selector(self._move_on, self._count)
        self._time = 0.0
        self._rounds = self._tasks = 0
        self._home = threading.get_ident()
        self.set_exception_handler(self._keep_lost)

    def time(self) -> float:
        """Virtual seconds since the loop was made."""
        return self._time

    def advance(self, seconds: float) -> None:
        """Let time pass while nothing runs, as under a call that blocks the thread."""
        if seconds > 0:
            self._time += seconds
            self._rounds = 0

    @property
    def timers(self) -> int:
        """How many timers it holds."""
        return len(self._scheduled)

    def waiting(self) -> list[asyncio.Task[Any]]:
        """The tasks that are not done, in the order of their names."""
        return sorted(asyncio.all_tasks(self), key=lambda task: (len(task.get_name()), task.get_name()))

    def settle(self) -> None:
        """Run what can run without time passing."""
        self._rounds = 0
        rounds = 0
        while self._ready and rounds < SETTLE_ROUNDS:
            rounds += 1
            self.call_soon(self.stop)
            self.run_forever()

    def keep_unraisable(self, unraisable: "sys.UnraisableHookArgs") -> None:
        """Remember an error that a finalizer could not raise."""
        error = unraisable.exc_value
        self.lost.append((f"{unraisable.err_msg or 'unraisable'}: {error!r}", error))

    def refuse(self, what: str) -> NoReturn:
        """Raise `NotVirtual`, and remember it in case somebody swallows it."""
        error = NotVirtual(what)
        self.refused.append(error)
        raise error

    def call_at(
        self,
        when: float,
        callback: Callable[[*Args], object],
        *args: *Args,
        context: Context | None = None,
    ) -> asyncio.TimerHandle:
        self._check_closed()
        timer = _Timer(when, callback, args, self, context)
        heapq.heappush(self._scheduled, timer)
        return timer

    def call_soon_threadsafe(
        self,
        callback: Callable[[*Args], object],
        *args: *Args,
        context: Context | None = None,
    ) -> asyncio.Handle:
        if threading.get_ident() != self._home:
            self.refuse("call_soon_threadsafe() from another thread")
        return self.call_soon(callback, *args, context=context)

    def create_task(
        self,
        coro: Generator[Any, None, T] | Coroutine[Any, Any, T],
        *,
        name: object = None,
        context: Context | None = None,
        **options: Any,
    ) -> asyncio.Task[T]:
        # asyncio numbers the tasks of the whole process; here the same run gives the same names.
        self._tasks += 1
        called = f"task-{self._tasks}" if name is None else name
        return super().create_task(coro, name=called, context=context, **options)

    def run_in_executor(
        self, executor: Executor | None, func: Callable[[*Args], T], *args: *Args
    ) -> asyncio.Future[T]:
        """Do what a thread would do in the loop itself, where that is wanted: no time passes meanwhile."""
        if not self.inline:
            self.refuse("run_in_executor(), as by asyncio.to_thread()")

        async def work() -> T:
            return func(*args)

        return self.create_task(work())

    def _move_on(self) -> None:
        """Jump to the next timer."""
        if not self._scheduled or self._scheduled[0].when() == inf:
            raise Deadlock(map(_described, self.waiting()))
        self._time = max(self._time, self._scheduled[0].when())
        self._rounds = 0

    def _count(self) -> None:
        self._rounds += 1
        if self._rounds > ROUNDS_MAX:
            raise Livelock(map(_described, self.waiting()))

    def _keep_lost(self, _: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        error = context.get("exception")
        said = str(context["message"])
        self.lost.append((said if error is None else f"{said}: {error!r}", error))

    def _check_closed(self) -> None:
        if self.is_closed():
            raise RuntimeError("Event loop is closed")

    def _process_events(self, event_list: list[NoReturn]) -> None:
        """Nothing to do: there are no sockets."""

    def _write_to_self(self) -> None:
        """Nothing to do: nobody waits in a selector."""


REAL = (
    *("add_reader", "remove_reader", "add_writer", "remove_writer", "add_signal_handler"),
    *("connect_accepted_socket", "connect_read_pipe", "connect_write_pipe", "create_connection"),
    *("create_datagram_endpoint", "create_server", "create_unix_connection", "create_unix_server"),
    *("getaddrinfo", "getnameinfo", "sendfile", "start_tls"),
    *("sock_accept", "sock_connect", "sock_recv", "sock_recv_into", "sock_recvfrom", "sock_recvfrom_into"),
    *("sock_sendall", "sock_sendfile", "sock_sendto", "subprocess_exec", "subprocess_shell"),
)
"""What a loop offers that leads out into the real world."""


def _refusing(name: str) -> Callable[..., NoReturn]:
    what = f"{name}()"

    def refuse(self: VirtualLoop, *_: object, **__: object) -> NoReturn:
        self.refuse(what)

    return refuse


for _name in REAL:
    setattr(VirtualLoop, _name, _refusing(_name))


class VirtualClock:
    """The clock of the virtual loop that runs; may be made anywhere, and asked inside of `run` only."""

    __slots__ = ("_start",)

    def __init__(self, start: datetime = START) -> None:
        self._start = start

    def monotonic(self) -> float:
        return _running().time()

    def now(self) -> datetime:
        return self._start + timedelta(seconds=_running().time())

    async def sleep(self, seconds: float) -> None:
        _running()
        await asyncio.sleep(seconds)

    def block(self, seconds: float) -> None:
        _running().advance(seconds)


def run(main: Coroutine[Any, Any, T], *, seed: int = 0, inline: bool = False) -> T:
    """Run a coroutine in virtual time to its end, close everything, and return what it returned.

    With `inline`, work for threads is done at once where it is handed over; without, that is refused.
    Raises what it raises, `Deadlock` or `Livelock` when it cannot end, and after a good end `NotVirtual` for a
    refusal that was swallowed, `LeakedTasks`, or `LostErrors`. After a bad end these are notes of its error.
    """
    if asyncio._get_running_loop() is not None:
        main.close()
        raise VirtualTimeError(INSIDE)
    loop = VirtualLoop(seed=seed, inline=inline)
    with _collecting(loop):
        try:
            result = loop.run_until_complete(main)
        except BaseException as error:
            for problem in _wind_up(loop):
                if problem is not error and not isinstance(error, Stuck):
                    error.add_note(str(problem))
            raise
        problems = _wind_up(loop)
    if problems:
        raise problems[0] from next((error for _, error in loop.lost if error is not None), None)
    return result


def _wind_up(loop: VirtualLoop) -> list[VirtualTimeError]:
    """End what is left over and close the loop; what a good program would not have left."""
    leaked: list[str] = []
    try:
        loop.settle()
        leaked = [_described(task) for task in loop.waiting()]
        loop.run_until_complete(_cancelled(loop.waiting()))
        loop.run_until_complete(loop.shutdown_asyncgens())
    except (Deadlock, Livelock) as error:
        leaked = leaked or list(error.tasks)
    loop.close()
    gc.collect()
    problems: list[VirtualTimeError] = list(loop.refused[:1])
    if leaked:
        problems.append(LeakedTasks(leaked))
    if loop.lost:
        problems.append(LostErrors(text for text, _ in loop.lost))
    return problems


async def _cancelled(tasks: list[asyncio.Task[Any]]) -> None:
    """Cancel them and see them end, but for those that will not."""
    for task in tasks:
        task.cancel()
    if tasks:
        await asyncio.wait(tasks, timeout=LAST_WAIT)


@contextmanager
def _collecting(loop: VirtualLoop) -> Generator[None, None, None]:
    """Keep errors of finalizers, and keep the garbage collector from choosing when finalizers run.

    What was there before is frozen meanwhile, so that it is neither searched nor blamed on this run.
    """
    hook, is_automatic = sys.unraisablehook, gc.isenabled()
    gc.disable()
    gc.freeze()
    sys.unraisablehook = loop.keep_unraisable
    try:
        yield
    finally:
        sys.unraisablehook = hook
        gc.unfreeze()
        if is_automatic:
            gc.enable()


def _running() -> VirtualLoop:
    loop = asyncio._get_running_loop()
    if not isinstance(loop, VirtualLoop):
        raise VirtualTimeError(OUTSIDE)
    return loop


def _described(task: asyncio.Task[Any]) -> str:
    """The name of a task and the coroutines it is in, the innermost with its line."""
    places: list[str] = []
    line = 0
    inner: object = task.get_coro()
    while isinstance(inner, CoroutineType) and inner.cr_frame is not None:
        places.append(inner.cr_code.co_qualname)
        line, inner = inner.cr_frame.f_lineno, inner.cr_await
    return f"{task.get_name()} in {' > '.join(places)}:{line}" if places else task.get_name()
