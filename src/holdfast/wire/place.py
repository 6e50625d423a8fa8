"""Where in a JSON text a value stands, so that it can be replaced and every other byte stays."""

import re
from collections.abc import Sequence

import msgspec

_SPACE = re.compile(rb"[ \t\r\n]*")
_STRING = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"', re.DOTALL)
_SCALAR = re.compile(rb"[^\s,\]}]+")
_TOKEN = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"|[{}\[\]]', re.DOTALL)

Span = tuple[int, int]
Path = Sequence[str | int]


def find_value(data: bytes, path: Path) -> Span | None:
    """Where the value at a path of member names and positions begins and ends; `None` if there is none.

    `data` is JSON that a decoder has taken.
    """
    at = _after_space(data, 0)
    for step in path:
        if data[at : at + 1] != (b"{" if isinstance(step, str) else b"["):
            return None
        found = _member(data, at, step) if isinstance(step, str) else _item(data, at, step)
        if found is None:
            return None
        at = found
    return at, _end(data, at)


def _member(data: bytes, at: int, name: str) -> int | None:
    at = _after_space(data, at + 1)
    while data[at : at + 1] == b'"':
        end = _end(data, at)
        value = _after_space(data, _after_space(data, end) + 1)
        if _is_called(data[at:end], name):
            return value
        at = _next(data, value)
    return None


def _is_called(written: bytes, name: str) -> bool:
    """Whether a member is called so; decoders read past the names they do not look for, whatever is in them."""
    try:
        return bool(msgspec.json.decode(written) == name)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return False


def _item(data: bytes, at: int, number: int) -> int | None:
    at = _after_space(data, at + 1)
    for _ in range(number):
        if data[at : at + 1] == b"]":
            return None
        at = _next(data, at)
    return None if data[at : at + 1] == b"]" else at


def _next(data: bytes, at: int) -> int:
    """Where the next member or item begins behind the value at `at`, or what they all end with."""
    at = _after_space(data, _end(data, at))
    return _after_space(data, at + 1) if data[at : at + 1] == b"," else at


def _end(data: bytes, at: int) -> int:
    if data[at : at + 1] not in (b"{", b"["):
        found = _STRING.match(data, at) or _SCALAR.match(data, at)
        return found.end() if found else at
    depth = 0
    for token in _TOKEN.finditer(data, at):
        depth += {b"{": 1, b"[": 1, b"}": -1, b"]": -1}.get(token[0], 0)
        if depth == 0:
            return token.end()
    return len(data)


def _after_space(data: bytes, at: int) -> int:
    found = _SPACE.match(data, at)
    return found.end() if found else at
