"""A program that we start, wait for, pass signals on to, and do not leave behind."""

import contextlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Generator, Mapping, Sequence
from types import FrameType
from typing import Any

from holdfast.errors import HoldfastError
from holdfast.language import Sentence

GRACE = 10.0
"""Seconds that a program has for ending once it was told to."""
NOT_FOUND, NOT_EXECUTABLE, KILLED = 127, 126, 128
"""The exit codes of a shell: no such program, none that can be started, and by which signal it ended."""
PASSED_ON = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2)
ENDING = frozenset((signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT))


class CannotStart(HoldfastError):
    """The program could not be started; `code` is what a shell would end with."""

    error_code = "holdfast_program_not_started"

    def __init__(self, sentence: Sentence, *, code: int) -> None:
        super().__init__(sentence)
        self.code = code


class Child:
    """A program with a process group of its own, unless it shares our terminal, which sends its keys to one group."""

    def __init__(
        self, command: Sequence[str], environment: Mapping[str, str], *, grace: float = GRACE
    ) -> None:
        self._shares = sys.stdin is not None and sys.stdin.isatty()
        self._grace = grace
        self._told: list[int] = []
        self._process = _started(command, environment, group=None if self._shares else 0)

    def wait(self) -> int:
        """How it ended, as a shell would say it; no signal of `PASSED_ON` ends us before it has."""
        with _handling(self._pass_on):
            code = self._process.wait()
        if self._told and not self._shares:
            self._send(signal.SIGKILL)  # what it has started and left behind
        return code if code >= 0 else KILLED - code

    def _pass_on(self, number: int, _: FrameType | None) -> None:
        is_ending = number in ENDING
        if is_ending:
            self._told.append(number)
        if len(self._told) > 1 and is_ending:
            self._send(signal.SIGKILL)
            return
        if is_ending:
            last = threading.Timer(self._grace, self._send, (signal.SIGKILL,))
            last.daemon = True
            last.start()
        # What is typed at a terminal that we share, the program has heard itself.
        if not (self._shares and number in (signal.SIGINT, signal.SIGQUIT)):
            self._send(number)

    def _send(self, number: int) -> None:
        with contextlib.suppress(ProcessLookupError):
            if self._shares:
                self._process.send_signal(number)
            else:
                os.killpg(self._process.pid, number)


@contextlib.contextmanager
def _handling(handler: Callable[[int, FrameType | None], Any]) -> Generator[None]:
    before = {number: signal.signal(number, handler) for number in PASSED_ON}
    try:
        yield
    finally:
        for number, known in before.items():
            signal.signal(number, known)


def _started(
    command: Sequence[str], environment: Mapping[str, str], *, group: int | None
) -> "subprocess.Popen[bytes]":
    try:
        return subprocess.Popen([*command], env=dict(environment), process_group=group)
    except FileNotFoundError as error:
        raise CannotStart(
            _cannot(command[0], "there is no such program", "그런 프로그램이 없습니다"), code=NOT_FOUND
        ) from error
    except OSError as error:
        why = error.strerror or str(error)
        raise CannotStart(_cannot(command[0], why, why), code=NOT_EXECUTABLE) from error


def _cannot(program: str, why: str, ko: str) -> Sentence:
    return Sentence(
        f"{program} cannot be started: {why}. Check how it is spelled and that it can be run.",
        ko=f"{program}을(를) 시작할 수 없습니다: {ko}. 철자와 실행 권한을 확인하세요.",
    )
