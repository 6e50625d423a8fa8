"""Single keys of a person at a terminal, as they are pressed."""

import asyncio
import codecs
import os
import sys
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

if sys.platform != "win32":
    import termios
    import tty


class Keyboard:
    """Tells each key while the block runs; where nobody sits at a terminal it tells nothing."""

    def __init__(self, pressed: Callable[[str], None]) -> None:
        self._pressed = pressed
        self._before: list[Any] | None = None
        self._decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")

    @staticmethod
    def is_there() -> bool:
        """Whether there is somebody whose keys can be heard one by one."""
        return sys.platform != "win32" and sys.stdin.isatty() and sys.stdout.isatty()

    def __enter__(self) -> Self:
        if sys.platform != "win32" and self.is_there():
            self._before = termios.tcgetattr(sys.stdin.fileno())
            # Ctrl-C stays what it is.
            tty.setcbreak(sys.stdin.fileno())
            asyncio.get_running_loop().add_reader(sys.stdin.fileno(), self._read)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if sys.platform != "win32" and self._before is not None:
            asyncio.get_running_loop().remove_reader(sys.stdin.fileno())
            termios.tcsetattr(sys.stdin.fileno(), termios.TCSADRAIN, self._before)

    def _read(self) -> None:
        came = os.read(sys.stdin.fileno(), 64)
        if not came:
            # The terminal is gone: nobody presses anything any more.
            asyncio.get_running_loop().remove_reader(sys.stdin.fileno())
        for key in self._decoder.decode(came):
            self._pressed(key)
