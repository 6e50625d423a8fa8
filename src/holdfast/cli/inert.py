"""Texts from outside on their way to a terminal: nothing in them moves a cursor, turns a direction or hides."""

import json
from collections.abc import Mapping

import msgspec

from holdfast.cli.table import printable

__all__ = ["indented", "json_text", "printable", "quiet"]


def json_text(facts: object) -> str:
    """One JSON value on one line; what a terminal might obey is escaped, so that nothing is lost."""
    text = msgspec.json.encode(facts).decode()
    return text if text.isprintable() else json_line(text)


def indented(facts: object) -> str:
    """One JSON value over many lines, for people; escaped as in `json_text`."""
    lines = json.dumps(facts, ensure_ascii=False, indent=2).split("\n")
    return "\n".join(line if line.isprintable() else json_line(line) for line in lines)


def json_line(line: str) -> str:
    """A line of JSON with the escapes of what a terminal might obey."""
    return "".join(letter if letter.isprintable() else json.dumps(letter)[1:-1] for letter in line)


def quiet(facts: Mapping[str, object]) -> dict[str, object]:
    """The same facts with every text as `printable` shows it: for files that have no escapes, such as CSV."""
    return {name: printable(value) if isinstance(value, str) else value for name, value in facts.items()}
