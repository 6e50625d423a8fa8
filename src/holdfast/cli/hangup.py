"""SIGHUP: a terminal that is gone ends what it was started for; from anybody else it asks for the configuration anew."""

import contextlib
import os
import signal
from collections.abc import Callable, Generator
from types import FrameType

from holdfast.cli.main import language
from holdfast.language import Sentence

TERMINAL = "/dev/tty"
STDERR = 2


def watched() -> Callable[[], bool]:
    """Tells from now on whether the terminal of this process has been closed; never, where that is not to end it."""
    if (
        signal.getsignal(signal.SIGHUP) is signal.SIG_IGN or not _is_there()
    ):  # as `nohup` and services have it
        return lambda: False
    return lambda: not _is_there()


@contextlib.contextmanager
def explained() -> Generator[None]:
    """A single process lives on when it is asked to read its configuration anew, and says what to do instead."""
    if not hasattr(signal, "SIGHUP"):
        yield
        return
    is_gone = watched()

    def heard(_: int, __: FrameType | None) -> None:
        if is_gone():
            signal.signal(signal.SIGHUP, signal.SIG_IGN)  # the shell says the same once more
            os.kill(os.getpid(), signal.SIGTERM)
        else:
            # Past the buffers, in the middle of whose work we may be.
            with contextlib.suppress(OSError):
                os.write(STDERR, f"{_ONE_PROCESS.say(language())}\n".encode())

    before = signal.signal(signal.SIGHUP, heard)
    try:
        yield
    finally:
        signal.signal(signal.SIGHUP, before)


def _is_there() -> bool:
    try:
        os.close(os.open(TERMINAL, os.O_RDONLY | os.O_NOCTTY))
    except OSError:
        return False
    return True


_ONE_PROCESS = Sentence(
    "SIGHUP was heard, and nothing changed: one process does not read its configuration anew. Restart it, or serve "
    "with --workers 2, whose workers are then replaced one by one.",
    ko="SIGHUP을 받았지만 바뀐 것은 없습니다. 프로세스 하나로는 설정을 다시 읽지 않습니다. 다시 시작하거나 "
    "--workers 2로 실행하면 워커가 하나씩 교체됩니다.",
)
