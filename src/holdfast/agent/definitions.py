"""Definitions inside a JSON Schema, brought to its root, where its references look for them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, cast

import msgspec

_AT = "#/$defs/"


@dataclass(slots=True)
class Definitions:
    """The definitions of one schema; `known` begins with those that stand at its root already.

    A pydantic model brings its own, and two models may give one name to different things: the later gets a number.
    """

    known: dict[str, Any]
    _names: dict[tuple[str, bytes], str] = field(default_factory=dict[tuple[str, bytes], str])

    def hoisted(self, schema: Any) -> Any:
        """The schema without the definitions inside it, which are known from now on."""
        if isinstance(schema, list):
            return [self.hoisted(one) for one in cast("list[object]", schema)]
        if not isinstance(schema, dict):
            return schema
        members = cast("dict[str, Any]", schema)
        inner = members.get("$defs")
        if isinstance(inner, dict):
            rest = {key: value for key, value in members.items() if key != "$defs"}
            members = _renamed(rest, self._taken_in(cast("dict[str, Any]", inner)))
        return {key: self.hoisted(value) for key, value in members.items()}

    def _taken_in(self, inner: Mapping[str, Any]) -> dict[str, str]:
        """Make these known; the references to them, old and new."""
        marks = {name: (name, _all_of(name, inner)) for name in inner}
        fresh = [name for name, mark in marks.items() if mark not in self._names]
        for name in fresh:
            self._names[marks[name]] = chosen = self._free(name)
            self.known[chosen] = {}
        moved = {_AT + name: _AT + self._names[mark] for name, mark in marks.items()}
        for name in fresh:
            self.known[self._names[marks[name]]] = self.hoisted(_renamed(inner[name], moved))
        return moved

    def _free(self, name: str) -> str:
        number, free = 2, name
        while free in self.known:
            number, free = number + 1, f"{name}_{number}"
        return free


def _renamed(schema: Any, moved: Mapping[str, str]) -> Any:
    """The schema with its references to where the definitions are now."""
    match schema:
        case str():
            return moved.get(schema, schema)
        case list():
            return [_renamed(one, moved) for one in cast("list[object]", schema)]
        case dict():
            members = cast("dict[str, Any]", schema)
            return {key: _renamed(value, moved) for key, value in members.items()}
        case _:
            return schema


def _all_of(name: str, inner: Mapping[str, Any]) -> bytes:
    """A definition with everything that it refers to: two that agree in this are the same."""
    found: dict[str, Any] = {}
    ahead = [name]
    while ahead:
        current = ahead.pop()
        if current in inner and current not in found:
            found[current] = inner[current]
            ahead.extend(text.removeprefix(_AT) for text in _texts(inner[current]) if text.startswith(_AT))
    return msgspec.json.encode(found, order="deterministic")


def _texts(schema: Any) -> Iterator[str]:
    match schema:
        case str():
            yield schema
        case list():
            for one in cast("list[object]", schema):
                yield from _texts(one)
        case dict():
            for one in cast("dict[str, Any]", schema).values():
                yield from _texts(one)
        case _:
            return
