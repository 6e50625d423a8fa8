"""Tables of plain text: columns that line up in any script, numbers at the right."""

import unicodedata
from collections.abc import Collection, Iterable, Sequence

from holdfast.cli.main import language
from holdfast.language import Sentence

GAP = "  "


def table(headers: Sequence[Sentence], rows: Iterable[Sequence[str]], *, right: Collection[int] = ()) -> str:
    """Headers and rows as lines; the columns in `right` end at the same place."""
    said = [header.say(language()) for header in headers]
    cells = [said, *([printable(cell) for cell in row] for row in rows)]
    widths = [max(width(cell) for cell in column) for column in zip(*cells, strict=True)]
    lines = (
        GAP.join(_padded(cell, widths[number], is_right=number in right) for number, cell in enumerate(line))
        for line in cells
    )
    return "\n".join(line.rstrip() for line in lines)


def amounts(money: Sequence[str | None]) -> list[str]:
    """Dollars with as many places as the finest of them, so that their points stand below each other."""
    places = max((len(amount.partition(".")[2]) for amount in money if amount is not None), default=0)
    return ["-" if amount is None else _with_places(amount, max(2, places)) for amount in money]


def printable(text: str) -> str:
    """A text from outside without anything that would move the cursor or turn the direction."""
    return "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in text)


def width(text: str) -> int:
    """Columns of a terminal; Korean letters take two, accents none."""
    return sum(
        0 if unicodedata.combining(letter) else 1 + (unicodedata.east_asian_width(letter) in "WF")
        for letter in text
    )


def _padded(cell: str, columns: int, *, is_right: bool) -> str:
    space = " " * (columns - width(cell))
    return space + cell if is_right else cell + space


def _with_places(amount: str, places: int) -> str:
    whole, _, part = amount.partition(".")
    return f"{whole}.{part.ljust(places, '0')}"
