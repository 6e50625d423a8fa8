"""Requests as rows: the table and the live line for people, and the members that a program asks for."""

import difflib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, get_type_hints

import click

from holdfast.admin.spending import Call
from holdfast.cli.inert import printable
from holdfast.cli.main import language
from holdfast.cli.table import amounts, table, width
from holdfast.language import Sentence

Facts = Mapping[str, Any]
"""A request as the Admin API tells it."""
FIELDS: tuple[str, ...] = tuple(get_type_hints(Call))
MARKS = {
    "answered": "●",
    "cached": "◆",
    "fallback": "◆",
    "refused": "■",
    "failed": "▲",
    "abandoned": "○",
}
SECOND = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One column of the table; one that is empty in every row is left out unless it `stays`."""

    header: Sentence
    cell: Callable[[Facts], str]
    stays: bool = True
    is_right: bool = False


def listing(rows: Sequence[Facts]) -> str:
    """Requests as a table for people."""
    shown = [
        column for column in COLUMNS if column.stays or any(column.cell(row) not in ("", "-") for row in rows)
    ]
    cells = [[column.cell(row) for column in shown] for row in rows]
    at = next(number for number, column in enumerate(shown) if column is _COST)
    for line, cost in zip(cells, amounts([row["cost"] for row in rows]), strict=True):
        line[at] = cost
    right = [number for number, column in enumerate(shown) if column.is_right]
    return table([column.header for column in shown], cells, right=right)


def chosen(rows: Sequence[Facts], fields: Sequence[str]) -> str:
    """Some members of requests as a table, as they are."""
    return table(
        [Sentence(name, ko=name) for name in fields],
        [[text(row.get(name)) for name in fields] for row in rows],
    )


def live(facts: Facts) -> str:
    """A request on one line of about a hundred columns, as it has just ended."""
    cost = facts["cost"]
    cells = (
        _cut(_clock(facts["at"]), 12),
        _cut(f"{_mark(facts)} {facts['outcome']}", 11),
        _cut(text(facts["status"]), 3),
        _cut(_models(facts), 34),
        _cut(text(facts["key"]), 14),
        _cut(_tokens(facts), 13),
        _cut("-" if cost is None else f"${_short(cost)}", 10),
        _cut(length(facts["duration_ms"]), 8),
        printable(_decided(facts)),
        printable(text(facts["request_id"])),
    )
    return "  ".join(cells)


def members(listed: Sequence[str]) -> tuple[str, ...]:
    """The names of members that were asked for, all where none were; raises `UsageError` for one that is none."""
    for name in listed:
        if name not in FIELDS:
            raise click.UsageError(_no_member(name).say(language()))
    return tuple(listed) or FIELDS


def picked(facts: Facts, fields: Sequence[str]) -> dict[str, object]:
    """A request with these members only."""
    return {name: facts.get(name) for name in fields}


def text(value: object) -> str:
    """A member as people read it."""
    match value:
        case None | "":
            return "-"
        case bool():
            return str(value).lower()
        case _:
            return str(value)


def length(ms: float | None) -> str:
    """Milliseconds as people say them."""
    if ms is None:
        return "-"
    return f"{ms / SECOND:.2f} s" if ms >= SECOND else f"{ms:.0f} ms" if ms >= 10 else f"{ms:.1f} ms"


def moment(at: str) -> str:
    """A moment of the Admin API as people here read it."""
    return f"{datetime.fromisoformat(at).astimezone():%Y-%m-%d %H:%M:%S}"


def _clock(at: str) -> str:
    here = datetime.fromisoformat(at).astimezone()
    return f"{here:%H:%M:%S}.{here.microsecond // SECOND:03}"


def _mark(facts: Facts) -> str:
    return MARKS.get(facts["outcome"], "?")


def _outcome(facts: Facts) -> str:
    return f"{_mark(facts)} {facts['outcome']}"


def _models(facts: Facts) -> str:
    asked, served = facts["model"], facts["served_model"]
    return text(asked) if served in (None, asked) else f"{asked} -> {served}"


def _tokens(facts: Facts) -> str:
    prompt = facts["input_tokens"] + facts["cache_read_input_tokens"] + facts["cache_creation_input_tokens"]
    return f"{prompt:,}/{facts['output_tokens']:,}"


def _decided(facts: Facts) -> str:
    by, code = facts["decided_by"], facts["error_code"]
    return " ".join(str(one) for one in (by, code) if one and one != "upstream") or "-"


def _short(cost: str) -> str:
    """Dollars to a hundredth of a cent; more places only for what would read as nothing."""
    whole, _, part = cost.partition(".")
    is_small = whole == "0" and not part[:4].strip("0") and part
    return f"{whole}.{part}" if is_small else f"{whole}.{part[:4].ljust(2, '0')}"


def _cut(cell: str, columns: int) -> str:
    """A cell exactly so wide."""
    shown = printable(cell)
    while width(shown) > columns:
        shown = f"{shown[:-2]}\N{HORIZONTAL ELLIPSIS}"
    return shown + " " * (columns - width(shown))


def _no_member(name: str) -> Sentence:
    shown = printable(name[:80])
    near = difflib.get_close_matches(name.lower(), FIELDS, n=1)
    if near:
        return Sentence(
            f"--fields: a request has no `{shown}`; did you mean `{near[0]}`?",
            ko=f"--fields: 요청에 `{shown}` 항목이 없습니다. 혹시 `{near[0]}`인가요?",
        )
    known = ", ".join(FIELDS)
    return Sentence(
        f"--fields: a request has no `{shown}`; there are: {known}",
        ko=f"--fields: 요청에 `{shown}` 항목이 없습니다. 쓸 수 있는 항목: {known}",
    )


_COST = Column(header=Sentence("cost $", ko="비용 $"), cell=lambda row: text(row["cost"]), is_right=True)
COLUMNS: tuple[Column, ...] = (
    Column(header=Sentence("time", ko="시각"), cell=lambda row: moment(row["at"])),
    Column(header=Sentence("outcome", ko="결과"), cell=_outcome),
    Column(header=Sentence("status", ko="상태"), cell=lambda row: text(row["status"]), is_right=True),
    Column(header=Sentence("model", ko="모델"), cell=_models),
    Column(header=Sentence("key", ko="키"), cell=lambda row: text(row["key"])),
    Column(header=Sentence("user", ko="사용자"), cell=lambda row: text(row["user"]), stays=False),
    Column(header=Sentence("run", ko="실행"), cell=lambda row: text(row["run"]), stays=False),
    Column(header=Sentence("tokens in/out", ko="토큰 입력/출력"), cell=_tokens, is_right=True),
    _COST,
    Column(header=Sentence("took", ko="소요"), cell=lambda row: length(row["duration_ms"]), is_right=True),
    Column(header=Sentence("decided by", ko="결정"), cell=_decided, stays=False),
    Column(header=Sentence("id", ko="요청 ID"), cell=lambda row: text(row["request_id"])),
)
