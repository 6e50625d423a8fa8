"""Passwords in SQL statements."""

import re
from collections.abc import Iterator, Sequence

from holdfast.policy.masking_findings import Finding
from holdfast.policy.masking_names import Strength, is_placeholder, judge

_SQL = re.compile(
    r"(?i:\bidentified\s+(?:by|with\s+\S{1,40}\s+(?:by|as))(?:\s+password)?|\b(?:encrypted\s+)?password|\bset\s+password\s+for\s+[^=\n]{1,80}=)\s+"
    r"(?:'((?:[^'\n]|'')*+)'|\"([^\"\n]*+)\")"
)
_INSERT = re.compile(
    r"(?i:\binsert\s+into|\breplace\s+into)\s+[\w.`\"\[\]]{1,80}\s*\(([^()]{1,2000})\)\s*(?i:values)\s*"
)
_ROW = re.compile(r"\(((?:'(?:[^'\\\n]|''|\\.)*+'|[^()'])*+)\)\s*,?\s*")
_CELL = re.compile(r"\s*('(?:[^'\\\n]|''|\\.)*+'|[^,']*+)\s*(?:,|\Z)")


def find_sql(text: str) -> Iterator[Finding]:
    """Passwords in SQL: `IDENTIFIED BY 'x'`, and by column in `INSERT INTO t (..., password) VALUES (...)`."""
    lower = text.lower()
    if "identified" in lower or "password" in lower:
        for found in _SQL.finditer(text):
            group = 1 if found.group(1) is not None else 2
            if not is_placeholder(found.group(group)):
                yield Finding("secret", *found.span(group), rule="password in SQL")
    if " into " in lower:
        yield from _inserts(text)


def _inserts(text: str) -> Iterator[Finding]:
    for found in _INSERT.finditer(text):
        secret: list[Strength | None] = [judge(column.strip(' `"[]')) for column in found.group(1).split(",")]
        place = found.end()
        while any(secret) and (row := _ROW.match(text, place)):
            yield from _cells(text, row, secret)
            place = row.end()


def _cells(text: str, row: re.Match[str], secret: Sequence[Strength | None]) -> Iterator[Finding]:
    place = row.start(1)
    for strength in secret:
        cell = _CELL.match(text, place, row.end(1))
        if not cell or cell.end() == place:
            return
        place = cell.end()
        if strength and len(cell.group(1)) > 2 and cell.group(1)[0] == "'":
            yield Finding("secret", cell.start(1) + 1, cell.end(1) - 1, rule="column in SQL")
