"""Unified diffs: which lines of which files they show, by the numbers that the lines have afterwards."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

_HUNK = re.compile(r"^@@ -\d+(?:,(\d+))? \+(\d+)(?:,(\d+))? @@")
_OCTAL = re.compile(r"((?:\\[0-7]{3})+)")
GONE = "/dev/null"
NO_NEWLINE = "\\"


@dataclass(slots=True)
class Patch:
    """What a diff shows of one file: its lines by their new numbers, and where it has taken lines away.

    Attributes:
        path: where the file is afterwards.
        lines: as they are afterwards, each with a `+` in front when it is new, else a space.
        removed: lines that are gone, by the number of the line before which they stood.
    """

    path: str
    lines: dict[int, str] = field(default_factory=dict[int, str])
    removed: dict[int, list[str]] = field(default_factory=dict[int, list[str]])


def read_diff(text: str) -> list[Patch]:
    """The files that a unified diff changes, in its order; those that it deletes, and binary ones, have none."""
    patches: dict[str, Patch] = {}
    lines = (line.removesuffix("\r") for line in text.removesuffix("\n").split("\n"))
    patch: Patch | None = None
    for line in lines:
        if line.startswith("+++ "):
            path = _path(line[4:])
            patch = None if path == GONE else patches.setdefault(path, Patch(path))
        elif (hunk := _HUNK.match(line)) is not None:
            before, first, after = int(hunk[1] or 1), int(hunk[2]), int(hunk[3] or 1)
            _read_hunk(lines, patch or Patch(""), first, before, after)
    return [patch for patch in patches.values() if patch.lines]


def _read_hunk(lines: Iterator[str], patch: Patch, number: int, before: int, after: int) -> None:
    """Its lines, by the counts in its head: a line of code may look like the head of a file."""
    while before > 0 or after > 0:
        line = next(lines, None)
        if line is None:
            return
        sign = line[:1]
        if sign == NO_NEWLINE:
            continue
        if sign == "-":
            patch.removed.setdefault(number, []).append(line[1:])
            before -= 1
            continue
        patch.lines[number] = line or " "
        number += 1
        after -= 1
        before -= sign != "+"


def _path(name: str) -> str:
    """The path in the head of a file, without its prefix, its time, and its quotes."""
    name = name.split("\t")[0].rstrip()
    if len(name) > 1 and name[0] == name[-1] == '"':
        name = (
            _OCTAL.sub(lambda found: _octets(found[1]), name[1:-1]).replace('\\"', '"').replace("\\\\", "\\")
        )
    return name[2:] if name[:2] in ("a/", "b/") else name


def _octets(escaped: str) -> str:
    octets = bytes(int(part, 8) & 0xFF for part in escaped.split("\\") if part)
    return octets.decode("utf-8", "replace")
