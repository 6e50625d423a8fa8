"""A sink writes lines to one stream from one thread, so that nobody who logs ever waits for it."""

import atexit
import json
import os
import re
import sys
from collections import deque
from collections.abc import Callable
from threading import Condition, Lock, Thread, current_thread
from typing import Protocol
from weakref import WeakSet, WeakValueDictionary

Line = Callable[[], str]
"""Renders one line without its newline; called on the writer's thread."""

CAPACITY = 5_000
IDLE = 2.0
"""Seconds after which a writer with nothing to do goes home; the next line starts another."""
EXIT_DEADLINE = 2.0
BATCH = 128


class Stream(Protocol):
    """What a sink asks of a text stream; if it has a `flush`, that is called after every batch."""

    def write(self, text: str, /) -> object:
        """Take `text`."""
        ...


class Sink:
    """A bounded queue and its writer; when the queue is full or the stream fails, lines are dropped and counted."""

    def __init__(
        self,
        stream: Stream | None,
        *,
        report: Callable[[int], str],
        capacity: int = CAPACITY,
        idle: float = IDLE,
    ) -> None:
        self._stream = stream
        self._report = report
        self._capacity = capacity
        self._idle = idle
        self._dropped = 0
        self.reset()

    def reset(self) -> None:
        """Begin anew in a forked child: the lines that wait here are the parent's to write."""
        self._changed = Condition()
        self._waiting: deque[Line] = deque()
        self._writer: Thread | None = None
        self._listening = False
        self._taken = 0
        self._done = 0
        self._unreported = 0

    @property
    def dropped(self) -> int:
        """How many lines were lost since the start."""
        return self._dropped

    def put(self, line: Line) -> None:
        """Queue a line; never waits for the stream, never raises."""
        with self._changed:
            if len(self._waiting) >= self._capacity:
                self._lose(1)
                return
            self._waiting.append(line)
            self._taken += 1
            if self._listening:
                self._changed.notify_all()
            elif self._writer is None:
                self._start()

    def flush(self, timeout: float) -> bool:
        """Wait until what was put before is written or lost; `False` if that takes longer than `timeout` seconds."""
        with self._changed:
            goal = self._taken
            if current_thread() is self._writer or not (self._writer or self._start()):
                return self._done >= goal
            return self._changed.wait_for(lambda: self._done >= goal, timeout)

    def _start(self) -> bool:
        """Start the writer if there is anything to write, and a thread to be had: near exit there is none."""
        if not self._waiting:
            return False
        writer = Thread(target=self._serve, name="holdfast-log", daemon=True)
        try:
            writer.start()
        except RuntimeError:
            return False
        self._writer = writer
        _draining.add(self)
        return True

    def _serve(self) -> None:
        while batch := self._take():
            self._deliver(batch)
            with self._changed:
                self._done += len(batch)
                self._changed.notify_all()

    def _take(self) -> list[Line]:
        with self._changed:
            self._listening = True
            self._changed.wait_for(lambda: bool(self._waiting), self._idle)
            self._listening = False
            if not self._waiting:
                self._writer = None
            return [self._waiting.popleft() for _ in range(min(BATCH, len(self._waiting)))]

    def _deliver(self, batch: list[Line]) -> None:
        stream = sys.stderr if self._stream is None else self._stream
        self._tell(stream)
        lost = sum(not _written(stream, line) for line in batch)
        if not _works(getattr(stream, "flush", bool)):
            lost = len(batch)
        if lost:
            with self._changed:
                self._lose(lost)

    def _tell(self, stream: Stream) -> None:
        """Say how many lines are missing here, once the stream takes lines again."""
        with self._changed:
            missing = self._unreported
        if missing and _written(stream, lambda: self._report(missing)):
            with self._changed:
                self._unreported -= missing

    def _lose(self, count: int) -> None:
        self._dropped += count
        self._unreported += count


_BEYOND_ASCII = re.compile(r"[^\x00-\x7f]")


def escaped(found: re.Match[str]) -> str:
    """The JSON escape of what was found."""
    return json.dumps(found.group())[1:-1]


def _written(stream: Stream, line: Line) -> bool:
    return _works(lambda: _write(stream, line() + "\n"))


def _write(stream: Stream, text: str) -> None:
    try:
        stream.write(text)
    except UnicodeEncodeError:  # an old code page; escaped, every JSON line is ASCII
        stream.write(_BEYOND_ASCII.sub(escaped, text))


def _works(action: Callable[[], object]) -> bool:
    """A stream is foreign code: whatever it raises, the line is lost and the process lives on."""
    try:
        action()
    except Exception:
        return False
    return True


_shared: WeakValueDictionary[int, Sink] = WeakValueDictionary()
_draining: WeakSet[Sink] = WeakSet()
_guard = Lock()


def sink_of(stream: Stream | None, report: Callable[[int], str]) -> Sink:
    """The one sink of this stream, shared by all who log to it; `None` is whatever `sys.stderr` then is."""
    with _guard:
        sink = _shared.get(id(stream))
        if sink is None:
            sink = _shared[id(stream)] = Sink(stream, report=report)
        return sink


def drain(deadline: float = EXIT_DEADLINE) -> None:
    """Give every sink its share of `deadline` seconds to write what waits."""
    sinks = list(_draining)
    for sink in sinks:
        sink.flush(deadline / len(sinks))


def _after_fork() -> None:
    global _guard
    _guard = Lock()
    for sink in list(_shared.values()):
        sink.reset()


atexit.register(drain)
os.register_at_fork(after_in_child=_after_fork)
