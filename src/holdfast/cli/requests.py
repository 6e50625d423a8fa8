"""`holdfast requests`: which calls there were, what befell one, and all of them as a file."""

import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import click

from holdfast.cli.desk import Book, Noun, listed, talk, with_book
from holdfast.cli.inert import indented, json_text, quiet
from holdfast.cli.main import language
from holdfast.cli.recordings import bodies_of
from holdfast.cli.recordings import group as record
from holdfast.cli.replay import replay
from holdfast.cli.request_rows import chosen, listing, members, picked
from holdfast.cli.request_source import source
from holdfast.cli.waterfall import waterfall
from holdfast.language import Sentence
from holdfast.operations.export import csv_line, csv_row

NEWEST, MOST = 20, 1_000
FILTER = "Which: outcome:fallback model:claude-sonnet* cost>0.05 since:1h -user:kim."
Facts = Mapping[str, Any]


@click.group(
    "requests",
    cls=Noun,
    usual="list",
    epilog="Example: holdfast requests list --filter 'outcome:failed since:1h'",
)
def group() -> None:
    """Show the calls that are over: a list, one of them, or all as a file."""


@group.command("list", epilog="Example: holdfast requests list --filter 'cost>0.05 -user:kim' --limit 50")
@click.option("--filter", "wanted", default="", metavar="TEXT", help=FILTER)
@click.option("--limit", type=click.IntRange(1, MOST), default=NEWEST, show_default=True, help="How many.")
@click.option("--after", metavar="CURSOR", help="Go on behind a page: what it said at its end.")
@click.option("--fields", multiple=True, metavar="A,B", help="Only these members.")
@click.option("--jsonl", "as_lines", is_flag=True, help="Print a line of JSON for each.")
@click.option("--csv", "as_csv", is_flag=True, help="Print CSV.")
@with_book
def list_command(
    book: Book, *, wanted: str, limit: int, after: str | None, fields: tuple[str, ...], **form: bool
) -> None:
    """List calls that are over, newest first."""
    form_of = _form(as_json=book.as_json, **form)
    names = listed(fields)
    shown = members(names)
    page = source(book).page(wanted, limit=limit, after=after)
    rows: list[Facts] = page["data"]
    match form_of:
        case "json":
            click.echo(json_text({**page, "data": [picked(row, shown) for row in rows]}))
        case "jsonl" | "csv":
            for line in _lines(rows, shown, form_of):
                click.echo(line, nl=False)
        case _ if rows:
            click.echo(chosen(rows, shown) if names else listing(rows))
        case _:
            talk(_nothing(wanted))
    if page["next_page"] is not None:
        more = page["next_page"]
        talk(Sentence(f"More: --after {more}", ko=f"더 보기: --after {more}"))


@group.command("show", epilog="Example: holdfast requests show hfr_0f3a")
@click.argument("name", metavar="ID")
@click.option("--body", "with_body", is_flag=True, help="Show its bodies, too, if they were recorded.")
@with_book
def show_command(book: Book, *, name: str, with_body: bool) -> None:
    """Show one call: what every guard decided, every attempt, the money and the tokens."""
    view = source(book).one(name)
    kept = bodies_of(book, name) if with_body else None
    if book.as_json:
        click.echo(json_text(view if kept is None else {**view, "body": kept}))
        return
    click.echo(waterfall(view))
    for part in () if kept is None else ("request", "answer"):
        click.echo(f"\n{part}\n{indented(kept[part]) if kept else ''}")


@group.command("export", epilog="Example: holdfast requests export --filter since:7d > requests.csv")
@click.option("--filter", "wanted", default="", metavar="TEXT", help=FILTER)
@click.option("--fields", multiple=True, metavar="A,B", help="Only these members.")
@click.option("--jsonl", "as_lines", is_flag=True, help="Write a line of JSON for each, as --json does.")
@click.option("--csv", "as_csv", is_flag=True, help="Write CSV, as is usual.")
@with_book
def export_command(book: Book, *, wanted: str, fields: tuple[str, ...], **form: bool) -> None:
    """Write all calls that are over, newest first: CSV, or JSON lines."""
    shown = members(listed(fields))
    form_of = "csv" if _form(as_json=book.as_json, **form) in ("csv", "") else "jsonl"
    writer = _Writer(shown, form_of)
    source(book).all(wanted, writer)
    if not writer.count:
        talk(_nothing(wanted))


group.add_command(record)
group.add_command(replay)


class _Writer:
    """Writes requests one by one, so that a million of them need no more room than one."""

    def __init__(self, fields: Sequence[str], form: str) -> None:
        self._fields = fields
        self._form = form
        self.count = 0

    def __call__(self, facts: Facts) -> None:
        if not self.count and self._form == "csv":
            sys.stdout.write(csv_line(self._fields).decode())
        sys.stdout.write(_WRITE[self._form](picked(facts, self._fields)))
        self.count += 1


def _lines(rows: Iterable[Facts], fields: Sequence[str], form: str) -> Iterable[str]:
    if form == "csv":
        yield csv_line(fields).decode()
    for row in rows:
        yield _WRITE[form](picked(row, fields))


_WRITE: Mapping[str, Callable[[dict[str, object]], str]] = {
    "csv": lambda facts: csv_row(quiet(facts)).decode(),
    "jsonl": lambda facts: json_text(facts) + "\n",
}


def _form(*, as_json: bool, as_lines: bool, as_csv: bool) -> str:
    """What is printed; raises `UsageError` for two forms at once."""
    asked = [name for name, is_so in (("json", as_json), ("jsonl", as_lines), ("csv", as_csv)) if is_so]
    if len(asked) > 1:
        both = " --".join(asked)
        said = Sentence(f"--{both}: choose one of them", ko=f"--{both}: 하나만 고르세요")
        raise click.UsageError(said.say(language()))
    return asked[0] if asked else ""


def _nothing(wanted: str) -> Sentence:
    if not wanted.strip():
        return Sentence(
            "No request yet. Requests appear when their calls are over; those of a simulated gateway with --simulate.",
            ko="아직 요청이 없습니다. 호출이 끝나면 나타납니다. 시뮬레이션 게이트웨이의 요청은 --simulate로 봅니다.",
        )
    return Sentence(
        "No request is like that. `field:value` wants the whole value; `field:value*` its beginning and "
        "`field~value` a part of it.",
        ko="조건에 맞는 요청이 없습니다. `필드:값`은 값 전체, `필드:값*`은 앞부분, `필드~값`은 일부가 같은 요청을 찾습니다.",
    )
