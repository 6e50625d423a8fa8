"""One parent and its workers: it starts them, starts anew what dies, and ends them together."""

import os
import select
import signal
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from types import FrameType

from holdfast.clock import SYSTEM_CLOCK, Clock
from holdfast.language import Sentence

Work = Callable[[int, Callable[[], None]], int]
"""Serves as the worker of a number, calls back once it is ready, and returns the exit code of its process."""

LIVED = 10.0
"""Seconds after which a worker that dies was no false start."""
FIRST_WAIT, LONGEST_WAIT = 0.5, 30.0
"""Seconds until a false start is repeated: the first time, and at most."""
PATIENCE = 20.0
"""Seconds beyond the drain that workers may take to end before they are killed."""
FAILED = 1


@dataclass(slots=True, kw_only=True)
class _Worker:
    number: int
    pid: int
    born: float
    signs: int
    """Where it writes a byte once it is ready."""
    is_ready: bool = False
    is_outdated: bool = False


@dataclass(slots=True, kw_only=True)
class Supervisor:
    """Keeps `count` workers serving until it is told to stop; runs in the main thread of a process without others.

    The first SIGTERM or SIGINT lets every worker drain, the second ends them at once. SIGHUP asks `reload` for
    other work, and replaces the workers one by one; where it has none, everything stays as it is. From a terminal
    that is gone, as `is_hung_up` tells, it is a SIGTERM.
    """

    count: int
    work: Work
    ready: Callable[[], None]
    say: Callable[[Sentence], None]
    drain_timeout: float
    reload: Callable[[], Work | None] = lambda: None
    is_hung_up: Callable[[], bool] = lambda: False
    clock: Clock = SYSTEM_CLOCK
    _workers: list[_Worker] = field(default_factory=list[_Worker])
    _due: dict[int, float] = field(default_factory=dict[int, float])
    _false_starts: dict[int, int] = field(default_factory=dict[int, int])
    _signals: list[int] = field(default_factory=list[int])
    _before: Work | None = None
    _is_begun: bool = False
    _stops: int = 0
    _kill_at: float | None = None
    _code: int = 0
    _bell: tuple[int, int] = (-1, -1)
    _life: tuple[int, int] = (-1, -1)

    def run(self) -> int:
        """Serve until every worker has ended; the exit code."""
        self._bell, self._life = os.pipe(), os.pipe()
        for end in self._bell:
            os.set_blocking(end, False)
        signal.set_wakeup_fd(self._bell[1], warn_on_full_buffer=False)
        numbers = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD)
        before = {number: signal.signal(number, self._heard) for number in numbers}
        self._start(1)
        try:
            while self._workers or self._due:
                self._wait()
                self._obey()
                self._reap()
                self._go_on()
        finally:
            signal.set_wakeup_fd(-1)
            for number, handler in before.items():
                signal.signal(number, handler)
            for end in (*self._bell, *self._life):
                os.close(end)
        return self._code

    def _heard(self, number: int, _: FrameType | None) -> None:
        self._signals.append(number)

    def _wait(self) -> None:
        """Until a signal comes, a worker is ready or dead, or another is due."""
        now = self.clock.monotonic()
        moments = [*self._due.values(), *([] if self._kill_at is None else [self._kill_at])]
        patience = max(0.0, min(moments) - now) if moments else None
        signs = {worker.signs: worker for worker in self._workers if not worker.is_ready}
        heard, _, _ = select.select([self._bell[0], *signs], [], [], patience)
        for one in heard:
            if one == self._bell[0]:
                os.read(one, 4096)
            elif os.read(one, 1):
                signs[one].is_ready = True
                self._came_up(signs[one])
            else:
                os.waitid(os.P_PID, signs[one].pid, os.WEXITED | os.WNOWAIT)  # it is about to end

    def _came_up(self, worker: _Worker) -> None:
        for old in self._workers:
            if old.is_outdated and old.number == worker.number and old is not worker:
                _send(old.pid, signal.SIGTERM)
        if not self._is_begun and worker.number == 1:
            for number in range(2, self.count + 1):
                self._start(number)
        if not self._is_begun and sum(one.is_ready for one in self._workers) == self.count:
            self._is_begun = True
            self.ready()

    def _obey(self) -> None:
        signals, self._signals = self._signals, []
        for number in signals:
            if number in (signal.SIGTERM, signal.SIGINT):
                self._stop()
            elif number == signal.SIGHUP and not self._stops:
                self._heard_hangup()

    def _heard_hangup(self) -> None:
        if self.is_hung_up():
            self._stop()
        elif self._is_begun and not self._is_changing:
            self._change()

    def _stop(self) -> None:
        self._stops += 1
        self._due.clear()
        for worker in self._workers:
            _send(worker.pid, signal.SIGTERM)
        self._kill_at = self.clock.monotonic() + self.drain_timeout + PATIENCE

    @property
    def _is_changing(self) -> bool:
        return any(worker.is_outdated for worker in self._workers)

    def _change(self) -> None:
        work = self.reload()
        if work is None:
            return
        self._before, self.work = self.work, work
        for worker in self._workers:
            worker.is_outdated = True

    def _reap(self) -> None:
        for worker in tuple(self._workers):
            pid, status = os.waitpid(worker.pid, os.WNOHANG)
            if pid:
                self._workers.remove(worker)
                os.close(worker.signs)
                self._ended(worker, os.waitstatus_to_exitcode(status))

    def _ended(self, worker: _Worker, code: int) -> None:
        if self._stops:
            return
        if not self._is_begun:
            self._code = code if code > 0 else FAILED
            self._stop()
        elif worker.is_outdated and any(one.number == worker.number for one in self._workers):
            return  # another has taken its place
        elif not worker.is_ready and self._is_changing:
            self._change_back(worker, code)
        else:
            self._replace(worker, code)

    def _change_back(self, worker: _Worker, code: int) -> None:
        """What a worker could not begin with is nothing for the others either."""
        self.work = self._before or self.work
        for one in self._workers:
            one.is_outdated = False
        self.say(
            Sentence(
                f"The new configuration was not taken: worker {worker.number} ended with {_how(code)} before it was "
                "ready. The old one stays.",
                ko=f"새 설정을 적용하지 않았습니다. 워커 {worker.number}이(가) 준비되기 전에 끝났습니다({_how(code)}). "
                "이전 설정을 그대로 씁니다.",
            )
        )

    def _replace(self, worker: _Worker, code: int) -> None:
        now, number = self.clock.monotonic(), worker.number
        is_false = now - worker.born < LIVED
        count = self._false_starts.get(number, 0) + 1 if is_false else 0
        self._false_starts[number] = count
        wait = min(LONGEST_WAIT, FIRST_WAIT * 2 ** min(count - 1, 10)) if count else 0.0
        self._due[number] = now + wait
        self.say(
            Sentence(
                f"Worker {number} (process {worker.pid}) ended with {_how(code)}; another takes its place in "
                f"{wait:g} s. What it held comes back when its leases are over.",
                ko=f"워커 {number}(프로세스 {worker.pid})이(가) 끝났습니다({_how(code)}). {wait:g}초 뒤에 새 워커가 "
                "이어받습니다. 잡아 둔 금액은 임대 기간이 지나면 풀립니다.",
            )
        )

    def _go_on(self) -> None:
        """Start what is due, go on with a change of configuration, kill what does not end."""
        now = self.clock.monotonic()
        for number in [number for number, at in self._due.items() if at <= now]:
            del self._due[number]
            self._start(number)
        if not self._stops and all(worker.is_ready for worker in self._workers):
            numbers = [worker.number for worker in self._workers]
            alone = [one for one in self._workers if one.is_outdated and numbers.count(one.number) == 1]
            if alone:
                self._start(alone[0].number)
        if self._kill_at is not None and now >= self._kill_at:
            self._kill_at = None
            for worker in self._workers:
                _send(worker.pid, signal.SIGKILL)

    def _start(self, number: int) -> None:
        signs, sign = os.pipe()
        pid = os.fork()
        if pid == 0:
            self._serve(number, sign)
        os.close(sign)
        born = self.clock.monotonic()
        self._workers.append(_Worker(number=number, pid=pid, born=born, signs=signs))

    def _serve(self, number: int, sign: int) -> None:
        """Be a worker, in its own process, which ends here."""
        code = FAILED
        try:
            # Of its own, so that Ctrl-C reaches the parent alone, who lets everybody drain.
            os.setpgid(0, 0)
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            signal.signal(signal.SIGINT, signal.default_int_handler)
            signal.signal(signal.SIGHUP, signal.SIG_IGN)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            os.close(self._life[1])
            threading.Thread(target=_end_with_parent, args=(self._life[0],), daemon=True).start()
            code = self.work(number, lambda: _tell(sign))
        finally:
            os._exit(code)


def _tell(sign: int) -> None:
    os.write(sign, b"r")
    os.close(sign)


def _end_with_parent(life: int) -> None:
    """A worker whose parent was killed has nobody to tell it to stop."""
    while os.read(life, 1):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


def _send(pid: int, number: int) -> None:
    # Not reaped yet, so nobody else has its id.
    os.kill(pid, number)


def _how(code: int) -> str:
    return f"signal {-code}" if code < 0 else f"exit code {code}"
