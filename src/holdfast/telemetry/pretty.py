"""A log line as a person reads it at a terminal; everywhere else it stays JSON."""

import json
import os
import re
from collections.abc import Iterator, Mapping
from typing import Any, cast

from holdfast.telemetry.lines import UNSAFE
from holdfast.telemetry.sink import escaped

_COLOURS = {"debug": "2", "info": "36", "warn": "33", "error": "31"}
_HEAD = frozenset({"timestamp", "level", "message"})
_PLAIN = re.compile(r"[^\s\"=\\]+")
_PLACE_OF_TIME = slice(11, 23)
"""Hours to milliseconds in an RFC 3339 moment: nobody who watches needs the date."""


def pretty(line: str) -> str:
    """A line of JSON as `12:00:00.000 warn  message  name=value ...`; nothing in it can command the terminal."""
    entry = json.loads(line)
    level = str(entry["level"])
    parts = [
        _tinted(str(entry["timestamp"])[_PLACE_OF_TIME], "2"),
        _tinted(f"{level:<5}", _COLOURS.get(level, "0")),
        _inert(json.dumps(entry["message"], ensure_ascii=False)[1:-1]),
        *(f"{_tinted(name, '2')}={value}" for name, value in _members(entry)),
    ]
    return " ".join(parts)


def is_for_people(stream: object) -> bool:
    """Whether lines go to a person: `HOLDFAST_LOG_FORMAT` may say `json` or `pretty`, else a terminal decides."""
    wanted = os.environ.get("HOLDFAST_LOG_FORMAT", "auto").strip().lower()
    return wanted == "pretty" if wanted in ("json", "pretty") else is_terminal(stream)


def is_terminal(stream: object) -> bool:
    """Whether a person sits at the other end of a stream."""
    is_a_tty = getattr(stream, "isatty", None)
    try:
        return bool(is_a_tty and is_a_tty())
    except (OSError, ValueError):  # closed meanwhile
        return False


def _members(entry: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Everything but the head; what belongs to the message stands beside the rest."""
    for name, value in entry.items():
        if name == "metadata" and isinstance(value, dict):
            known = cast("dict[str, object]", value)
            yield from ((_text(member), _text(inner)) for member, inner in known.items())
        elif name not in _HEAD:
            yield _text(name), _text(value)


def _text(value: object) -> str:
    """A value as JSON; a word as it is."""
    if isinstance(value, str) and _PLAIN.fullmatch(value) and value.isprintable():
        return _inert(value)
    return _inert(json.dumps(value, ensure_ascii=False))


def _inert(text: str) -> str:
    return UNSAFE.sub(escaped, text)


def _tinted(text: str, colour: str) -> str:
    return text if os.environ.get("NO_COLOR") else f"\x1b[{colour}m{text}\x1b[0m"
