"""AgentLogger writes one JSON object a line, masked, and never makes its caller wait."""

import json
import sys
from collections import deque
from collections.abc import Generator, Mapping
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from functools import partial
from typing import Literal, Self, get_args

import structlog
from opentelemetry import trace
from structlog.typing import EventDict, Processor

from holdfast.clock import SYSTEM_CLOCK, Clock
from holdfast.errors import ConfigError
from holdfast.language import Sentence
from holdfast.parts.redactor import Redactor
from holdfast.policy.masking import MaskingConfig
from holdfast.telemetry.bridge import Bridge
from holdfast.telemetry.lines import EVERYTHING, RENDER, Record, masking, ordered, short, snapshot
from holdfast.telemetry.pretty import is_for_people, pretty
from holdfast.telemetry.sink import Sink, Stream, sink_of
from holdfast.wire.usage import Usage

__all__ = ["AgentLogger", "Level"]

Level = Literal["debug", "info", "warn", "error"]
_RANK: dict[str, int] = {level: rank for rank, level in enumerate(get_args(Level))}

_request: ContextVar[str | None] = ContextVar("holdfast_request", default=None)
_trace: ContextVar[str | None] = ContextVar("holdfast_trace", default=None)


class AgentLogger:
    """A structured logger for agents: levels debug, info, warn and error, one JSON object a line.

    At a terminal a line is written for the person there instead: time, level, message, then `name=value`;
    `HOLDFAST_LOG_FORMAT`, `json` or `pretty`, decides otherwise.

    What is logged is copied at the call and masked before anybody sees it, in messages, keys and values at
    any depth. A bounded queue and one thread per stream do the writing; when the stream is slow or broken,
    lines are dropped and counted, and a line says so once it works again. Logging never raises for what is
    logged or where; audit and cost facts belong into a store, not into a log.

    Args:
        agent_id: stands on every line.
        mask_sensitive: secrets and personal data become marks such as `[key]`; a `Redactor` masks by its own
            rules, `False` shows everything as it is.
        level: the least level that is logged.
        stream: any text stream; by default whatever `sys.stderr` is when the line is written.
        keep: how many of the newest entries stay in memory for `entries`.
        clock: where the timestamps come from.

    Raises:
        ConfigError: the level is unknown, or `keep` is negative.
    """

    def __init__(
        self,
        agent_id: str | None = None,
        *,
        mask_sensitive: bool | Redactor = True,
        level: Level | str = "info",
        stream: Stream | None = None,
        keep: int = 1_000,
        clock: Clock | None = None,
    ) -> None:
        if keep < 0:
            raise ConfigError(
                Sentence(
                    f"AgentLogger(keep={keep}) is negative; give the number of entries to keep, 0 for none.",
                    ko=f"AgentLogger(keep={keep})는 음수입니다. 보관할 항목 수를 주세요. 0이면 보관하지 않습니다.",
                )
            )
        config = _rules(mask_sensitive)
        self._agent_id = agent_id
        self._least = _rank(level)
        self._clock = clock or SYSTEM_CLOCK
        self._kept: deque[Record] = deque(maxlen=keep)
        self._render: tuple[Processor, ...] = (ordered, masking(config), RENDER)
        self._stream = stream
        self._sink: Sink = sink_of(stream, partial(_missing, self._clock))
        self._closed = False
        chain: list[Processor] = [self._identify, _copy, self._hand_over]
        self._bound = _Bound(self, chain, {})

    def __repr__(self) -> str:
        return f"AgentLogger({self._agent_id!r})"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exit: object) -> None:
        self.close()

    def log(self, level: Level | str, message: str, metadata: Mapping[str, object] | None = None) -> None:
        """Log `message` at `level` with what belongs to it; an unknown level is a `ConfigError`."""
        if _rank(level) >= self._least:
            self._bound.emit(level, message, metadata=metadata)

    def debug(self, message: str, **metadata: object) -> None:
        """Log at level debug."""
        self.log("debug", message, metadata)

    def info(self, message: str, **metadata: object) -> None:
        """Log at level info."""
        self.log("info", message, metadata)

    def warn(self, message: str, **metadata: object) -> None:
        """Log at level warn."""
        self.log("warn", message, metadata)

    def error(self, message: str, **metadata: object) -> None:
        """Log at level error."""
        self.log("error", message, metadata)

    def log_response(
        self, duration_ms: float, tokens: Mapping[str, int] | Usage | int, **metadata: object
    ) -> None:
        """Log an answer at level info: how many milliseconds it took and how many tokens it used."""
        if _RANK["info"] >= self._least:
            told = _tokens(tokens)
            self._bound.emit("info", "response", metadata=metadata, duration_ms=duration_ms, tokens=told)

    @contextmanager
    def request(self, request_id: str, *, trace_id: str | None = None) -> Generator[Self]:
        """Inside, every line of this task and of the tasks it starts carries `request_id`.

        So it does `trace_id`, if there is one; else that of the current OpenTelemetry span.
        """
        token, traced = _request.set(short(request_id)), _trace.set(trace_id)
        try:
            yield self
        finally:
            # An async generator may be closed in another context than it ran in; there is nothing to undo there.
            with suppress(ValueError):
                _request.reset(token)
                _trace.reset(traced)

    def bridge(self, name: str) -> Bridge:
        """Log here, too, what the standard library's logger `name` logs, and those below it, such as `anthropic`.

        It keeps its level and its handlers. `close` the bridge, or use it in a `with`, to end that.
        """
        return Bridge(self, name)

    @property
    def entries(self) -> list[dict[str, object]]:
        """The newest entries, oldest first, as the lines say it."""
        return [json.loads(record.line()) for record in list(self._kept)]

    @property
    def dropped(self) -> int:
        """How many lines this stream lost, because it was slow or failed."""
        return self._sink.dropped

    def flush(self, timeout: float = 10.0) -> bool:
        """Wait until what was logged is written; `False` if that takes longer than `timeout` seconds."""
        return self._sink.flush(timeout)

    def close(self) -> None:
        """Write what waits, then write no more; the stream stays open, it is yours."""
        self.flush()
        self._closed = True

    def _identify(self, _logger: object, level: str, event: EventDict) -> EventDict:
        event["timestamp"] = self._clock.now()
        event["level"] = level
        event["agent_id"] = self._agent_id
        event["request_id"] = _request.get()
        event["trace_id"] = _trace.get() or _current_trace()
        return event

    def _hand_over(self, _logger: object, _level: str, event: EventDict) -> tuple[tuple[Record], EventDict]:
        return (Record(event, self._render),), {}

    def keep(self, record: Record) -> None:
        """Take a finished record."""
        self._kept.append(record)
        if not self._closed:
            self._sink.put(partial(_shown, record, self._stream))


def _shown(record: Record, stream: Stream | None) -> str:
    """A record for whoever reads the stream: that may change while `None` stands for `sys.stderr`."""
    line = record.line()
    return pretty(line) if is_for_people(sys.stderr if stream is None else stream) else line


def _current_trace() -> str | None:
    """The trace that this task is part of, as W3C writes it."""
    context = trace.get_current_span().get_span_context()
    return trace.format_trace_id(context.trace_id) if context.is_valid else None


def _missing(clock: Clock, count: int) -> str:
    """The line that says that others are missing."""
    event: EventDict = {
        "timestamp": clock.now(),
        "level": "warn",
        "event": f"{count} log lines were dropped here, because the stream was slow or failed",
        "metadata": {"dropped": count},
    }
    return Record(event, (ordered, RENDER)).line()


class _Bound(structlog.BoundLoggerBase):
    """structlog's logger with processors of its own: the global configuration is neither read nor touched."""

    def emit(self, level: str, message: str, **members: object) -> None:
        args, _ = self._process_event(level, message, members)
        self._logger.keep(*args)


def _copy(_logger: object, _level: str, event: EventDict) -> EventDict:
    event["event"] = short(event["event"])
    if metadata := event.get("metadata"):
        event["metadata"] = snapshot(metadata)
    return event


def _rules(mask_sensitive: bool | Redactor) -> MaskingConfig | None:
    match mask_sensitive:
        case Redactor():
            return mask_sensitive.config
        case True:
            return EVERYTHING
        case False:
            return None


def _rank(level: str) -> int:
    rank = _RANK.get(level)
    if rank is None:
        raise ConfigError(
            Sentence(
                f"AgentLogger does not know the level {level!r}; use debug, info, warn or error.",
                ko=f"AgentLogger가 모르는 로그 수준입니다: {level!r}. debug, info, warn, error 중에서 쓰세요.",
            )
        )
    return rank


_COUNTS = {
    "input": "input_tokens",
    "output": "output_tokens",
    "cache_read": "cache_read_input_tokens",
    "cache_creation": "cache_creation_input_tokens",
}


def _tokens(tokens: Mapping[str, int] | Usage | int) -> dict[str, int]:
    """The counts under short names: `input`, `output`, and what the cache gave and took, where it did."""
    if isinstance(tokens, int):
        return {"total": tokens}
    if isinstance(tokens, Usage):
        counts = {name: getattr(tokens, long) for name, long in _COUNTS.items()}
        return {name: count for name, count in counts.items() if count or name in {"input", "output"}}
    long_names = {long: name for name, long in _COUNTS.items()}
    return {long_names.get(name, name.removesuffix("_tokens")): count for name, count in tokens.items()}
