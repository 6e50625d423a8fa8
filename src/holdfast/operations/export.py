"""Attempts as a file: CSV for spreadsheets, JSON lines for programs."""

import csv
import io
from collections.abc import Iterable, Mapping

import msgspec

FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""What makes a spreadsheet take a text for a formula."""


def json_line(facts: Mapping[str, object]) -> bytes:
    """One attempt as a line of JSON."""
    return msgspec.json.encode(facts) + b"\n"


def csv_row(facts: Mapping[str, object]) -> bytes:
    """One attempt as a row; no text in it can become a formula."""
    return csv_line(_cell(value) for value in facts.values())


def csv_line(cells: Iterable[object]) -> bytes:
    """Cells as a line of CSV."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(cells)
    return text.getvalue().encode("utf-8", "replace")


def _cell(value: object) -> object:
    match value:
        case None:
            return ""
        case bool():
            return str(value).lower()
        case dict():
            return msgspec.json.encode(value).decode() if value else ""
        case str() if value.startswith(FORMULA):
            return f"'{value}"
        case _:
            return value
