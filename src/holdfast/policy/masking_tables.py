"""Secrets in the columns of tables, in HTML, Markdown and CSV, whose header has the name."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import pairwise

from holdfast.policy.masking_findings import Finding
from holdfast.policy.masking_markup import is_told
from holdfast.policy.masking_names import Strength, judge

_TAG = re.compile(r"<(\\?/)?(table|tr|th|td)\b[^<>]{0,200}>", re.IGNORECASE)
_INNER = re.compile(r"(?:\s*<(?:b|code|em|i|kbd|p|small|span|strong|tt)\b[^<>]{0,80}>)*\s*")
_TEXT = re.compile(r"[^<\n\\]{1,512}")
_RULE = re.compile(r"[ \t>]*+\|?(?:[ \t]*+:?-{1,200}:?[ \t]*+\|)*[ \t]*+:?-{1,200}:?[ \t]*+\|?[ \t]*+\r?")
_CELL_NAME = r"\"?[A-Za-z_가-힣][\w\-]{0,40}+\"?"
_HEADER = re.compile(rf"^{_CELL_NAME}([,;\t]){_CELL_NAME}(?:\1{_CELL_NAME}){{0,98}}\r?$", re.MULTILINE)
_LONGEST_ROW = 8_192
_BORDER = re.compile(r"(?<!\\)\|")


def find_tables(text: str) -> Iterator[Finding]:
    """Every cell of `text` whose column is called like a secret, and that is not empty words."""
    if "<th" in text or "<TH" in text:
        yield from _html(text)
    if "|" in text and "--" in text:
        yield from _markdown(text)
    if "\n" in text and _HEADER.search(text):
        yield from _separated(text)


@dataclass(slots=True)
class _Table:
    """How far a table has been read: the columns of its header, and the cell of its row that comes next."""

    columns: dict[int, tuple[str, Strength]] = field(default_factory=dict[int, tuple[str, Strength]])
    row: dict[int, tuple[str, Strength]] = field(default_factory=dict[int, tuple[str, Strength]])
    cell: int = -1
    has_values: bool = False

    def begin_row(self) -> None:
        """A row of names alone is a header."""
        if self.cell >= 0 and not self.has_values:
            self.columns = self.row
        self.row, self.cell, self.has_values = {}, -1, False


def _html(text: str) -> Iterator[Finding]:
    table = _Table()
    for tag in _TAG.finditer(text):
        match (tag[1] is None, tag[2].lower()):
            case (_, "table"):
                table = _Table()
            case (True, "tr"):
                table.begin_row()
            case (True, "th"):
                table.cell += 1
                if (strength := judge(name := _word(text, tag.end()))) is not None:
                    table.row[table.cell] = name, strength
            case (True, _):
                table.cell += 1
                table.has_values = True
                yield from _html_cell(text, tag.end(), table.columns.get(table.cell))
            case _:
                pass


def _word(text: str, at: int) -> str:
    start, end = _inside(text, at)
    return text[start:end].replace(" ", "_")


def _html_cell(text: str, at: int, column: tuple[str, Strength] | None) -> Iterator[Finding]:
    if column is not None:
        start, end = _inside(text, at)
        yield from _told(text, start, end, column)


def _inside(text: str, at: int) -> tuple[int, int]:
    """Where the text of a cell is, without the tags and the white space around it."""
    inner = _INNER.match(text, at)
    start = inner.end() if inner else at
    found = _TEXT.match(text, start)
    return start, start if found is None else start + len(found.group().rstrip())


def _told(text: str, start: int, end: int, column: tuple[str, Strength]) -> Iterator[Finding]:
    value = text[start:end]
    if value and not any(letter.isspace() for letter in value) and is_told(value, column[1]):
        yield Finding("secret", start, end, rule=f"column {column[0]}")


def _markdown(text: str) -> Iterator[Finding]:
    columns: Mapping[int, tuple[str, Strength]] = {}
    before, place = "", 0
    for line in text.split("\n"):
        if "|" in line and _RULE.fullmatch(line):
            columns = _named(before)
        elif "|" not in line:
            columns = {}
        elif columns:
            yield from _row(text, line, place, columns)
        before, place = line, place + len(line) + 1


def _named(header: str) -> Mapping[int, tuple[str, Strength]]:
    names = [header[start:end].strip(" \t\r*`").replace(" ", "_") for start, end in _cells(header)]
    return _secret(names)


def _secret(names: list[str]) -> Mapping[int, tuple[str, Strength]]:
    """The columns that are called like secrets."""
    found: dict[int, tuple[str, Strength]] = {}
    for place, name in enumerate(names):
        if (strength := judge(name)) is not None:
            found[place] = name, strength
    return found


def _row(text: str, line: str, place: int, columns: Mapping[int, tuple[str, Strength]]) -> Iterator[Finding]:
    for number, (start, end) in enumerate(_cells(line)):
        if number in columns:
            shown = line[start:end]
            left = len(shown) - len(shown.lstrip(" \t*`"))
            right = len(shown.rstrip(" \t\r*`"))
            if left < right:
                yield from _told(text, place + start + left, place + start + right, columns[number])


def _separated(text: str) -> Iterator[Finding]:
    """CSV: a line of names alone, and lines of as many values below it."""
    columns: Mapping[int, tuple[str, Strength]] = {}
    sign, count, place = ",", 0, 0
    for line in text.split("\n"):
        if header := _HEADER.fullmatch(line):
            sign = header[1]
            names = [name.strip('"\r') for name in line.split(sign)]
            columns, count = _secret(names), len(names)
        elif columns and len(values := _values(line, sign)) == count:
            for number, column in columns.items():
                start, end = values[number]
                yield from _told(text, place + start, place + end, column)
        else:
            columns = {}
        place += len(line) + 1


def _values(line: str, sign: str) -> list[tuple[int, int]]:
    """Where the values of a line are, without their quotes; none of a line that is longer than any row."""
    found: list[tuple[int, int]] = []
    start = 0
    for value in line.split(sign) if len(line) <= _LONGEST_ROW else ():
        bare = value.rstrip("\r")
        quoted = len(bare) > 1 and bare[0] == bare[-1] == '"'
        found.append((start + quoted, start + len(bare) - quoted))
        start += len(value) + 1
    return found


def _cells(line: str) -> Iterator[tuple[int, int]]:
    """The places between the borders of a line; one before the first or behind the last border is empty."""
    borders = [found.start() for found in _BORDER.finditer(line)]
    edges = [-1, *borders, len(line)]
    if borders and not line[: borders[0]].strip(" \t>"):
        edges = edges[1:]
    for start, end in pairwise(edges):
        yield start + 1, end
