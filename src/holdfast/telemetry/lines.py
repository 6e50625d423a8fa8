"""A log event on its way to a line: copied at the call, masked and rendered where the caller does not wait."""

import json
import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import PurePath
from typing import Any, cast
from uuid import UUID

import structlog.processors
from structlog.typing import EventDict, Processor

from holdfast.policy.masking import MaskingConfig, mask
from holdfast.policy.masking_values import Walk
from holdfast.policy.masking_values import shown as readable
from holdfast.telemetry.sink import escaped

KEPT = 32_768
"""Characters of one text that are copied; far more than shown, so that masking sees past the cut."""
SHOWN = 8_192
ROOM = 65_536
"""Characters of all texts of one event."""
MEMBERS = 1_000

EVERYTHING = MaskingConfig()
_OURS = frozenset({"timestamp", "level"})
_SCALARS = frozenset({int, float, bool, type(None)})

# C1 controls, line separators, bidirectional and invisible letters, half surrogates: harmless once escaped.
UNSAFE = re.compile(
    "[\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff\ufff9-\ufffb\U000e0000-\U000e007f]"
)


class Record:
    """One event; its line is rendered once, by whoever asks first, and only ever masked."""

    __slots__ = ("_event", "_line", "_render")

    def __init__(self, event: EventDict, render: Sequence[Processor]) -> None:
        self._event: EventDict | None = event
        self._render = render
        self._line: str | None = None

    def line(self) -> str:
        """The line, without its end."""
        event = self._event
        if self._line is None and event is not None:
            rendered: Any = event
            for processor in self._render:
                rendered = processor(None, "", rendered)
            self._line = str(rendered)
            self._event = None
        return self._line or ""


@dataclass(slots=True)
class _Copying:
    """Copies texts while there is room for them."""

    room: int = ROOM * 4

    def __call__(self, text: str) -> str:
        kept = text if len(text) <= KEPT else _before_cut(text)
        kept = kept[: max(self.room, 0)]
        self.room -= len(kept)
        return kept


def _before_cut(text: str) -> str:
    """The beginning of a long text, up to a space: half a key would no longer look like one."""
    cut = max(text.rfind(" ", KEPT - 4_096, KEPT), text.rfind("\n", KEPT - 4_096, KEPT))
    return text[: cut if cut > 0 else KEPT - 4_096]


def snapshot(metadata: Mapping[str, object]) -> object:
    """The metadata as it is now, as plain data: what the caller changes later does not change the line."""
    if all(type(value) in _SCALARS or _is_short(value) for value in metadata.values()):
        return dict(metadata)
    walk = Walk(_Copying(), judge=_nothing, nodes=MEMBERS, depth=16, plain=_worded)
    return walk.value(dict(metadata))


def _is_short(value: object) -> bool:
    return type(value) is str and len(value) <= SHOWN


def short(text: object) -> str:
    """A message or an id as text, of bounded length."""
    return _Copying()(text if isinstance(text, str) else _worded(text))


def _nothing(_name: str) -> None:
    return None


def _worded(value: object) -> str:
    """How a value of the standard library reads best."""
    if isinstance(value, Decimal | UUID | PurePath | timedelta):
        return str(value)
    return value.isoformat() if isinstance(value, date) else readable(value)


@dataclass(slots=True)
class _Showing:
    """Masks texts, then cuts them: a cut key must not survive."""

    config: MaskingConfig | None
    room: int = ROOM

    def __call__(self, text: str) -> str:
        shown = text if self.config is None else mask(text, self.config)
        limit = max(0, min(SHOWN, self.room))
        self.room -= min(len(shown), limit)
        return shown if len(shown) <= limit else f"{shown[:limit]}… [+{len(shown) - limit} characters]"


def masking(config: MaskingConfig | None) -> Processor:
    """The last processor before rendering: texts and metadata masked, if there is a `config`, and cut."""
    judge: Callable[[str], Any] = _nothing if config is None else config.judge

    def show(_logger: object, _name: str, event: EventDict) -> EventDict:
        text = _Showing(config)
        shown: EventDict = {}
        for name, value in event.items():
            if isinstance(value, str) and name not in _OURS:
                shown[name] = text(value)
            elif name == "metadata":
                shown[name] = Walk(text, judge=judge, nodes=MEMBERS * 2).value(value)
            else:
                shown[name] = value
        return shown

    return show


def stamp(moment: datetime) -> str:
    """RFC 3339 in UTC with milliseconds."""
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}Z"


def ordered(_logger: object, _name: str, event: EventDict) -> EventDict:
    """The members in the order of the contract; absent ones left out."""
    line: EventDict = {
        "timestamp": stamp(event["timestamp"]),
        "level": event["level"],
        "message": event["event"],
    }
    for name in ("agent_id", "request_id", "trace_id", "duration_ms", "tokens", "metadata"):
        value = event.get(name)
        if value is not None and value != {}:
            line[name] = value
    return line


def _serialise(event: EventDict, **_options: object) -> str:
    try:
        line = json.dumps(event, ensure_ascii=False, allow_nan=False, default=_plain)
    except ValueError:  # NaN, Infinity, or an integer of thousands of digits
        line = json.dumps(_finite(event), ensure_ascii=False, default=_plain)
    return UNSAFE.sub(escaped, line)


def _plain(value: object) -> object:
    if isinstance(value, bytes):
        return value.decode("utf-8", "backslashreplace")
    return sorted(cast("set[object]", value), key=repr) if isinstance(value, set) else repr(value)


def _finite(value: object) -> object:
    match value:
        case float() if not math.isfinite(value):
            return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
        case int() if value.bit_length() > 1_024:
            return f"(an integer of {value.bit_length()} bits)"
        case dict():
            members = cast("dict[object, object]", value).items()
            return {_finite_key(name): _finite(member) for name, member in members}
        case set():
            return _finite(_plain(cast("set[object]", value)))
        case list() | tuple():
            return [_finite(member) for member in cast("list[object]", value)]
        case _:
            return value


def _finite_key(name: object) -> object:
    return _finite(name) if isinstance(name, int | float) else name


RENDER: Processor = structlog.processors.JSONRenderer(serializer=_serialise)
