"""A bridge from the standard library's loggers to a log of ours, which takes nothing away from them."""

import logging
import traceback
from types import TracebackType
from typing import Protocol, Self


class Log(Protocol):
    """What a bridge asks of a log."""

    def log(self, level: str, message: str, metadata: dict[str, object] | None = None) -> None:
        """Take a message."""
        ...


class Bridge(logging.Handler):
    """Carries what one logger of the standard library says, and those below it, into a log; `close` ends that.

    The logger keeps its level, its other handlers, and whether it hands on to the root: what it does not log it
    does not log here either. As a context manager it lasts as long as the block.
    """

    def __init__(self, log: Log, name: str) -> None:
        super().__init__()
        self._log = log
        self._source = logging.getLogger(name)
        self._source.addHandler(self)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Carry no more; may be called twice."""
        self._source.removeHandler(self)
        super().close()

    def emit(self, record: logging.LogRecord) -> None:
        """Carry one message, with where it came from, and the trace of its error."""
        try:
            message = record.getMessage()
        except (
            TypeError,
            ValueError,
            KeyError,
        ):  # arguments that do not fit; the line is worth more than they are
            message = str(record.msg)
        metadata: dict[str, object] = {"source": record.name}
        if record.exc_info and record.exc_info[0] is not None:
            metadata["trace"] = "".join(traceback.format_exception(*record.exc_info))
        self._log.log(level_of(record.levelno), message.strip(), metadata)


def level_of(number: int) -> str:
    """The level of ours that stands for a number of the standard library's."""
    if number >= logging.ERROR:
        return "error"
    if number >= logging.WARNING:
        return "warn"
    return "info" if number >= logging.INFO else "debug"
