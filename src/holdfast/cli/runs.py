"""`holdfast runs`: who is at work, since when, how far spread and at what cost."""

import click

from holdfast.cli.desk import Book, Noun, local, show, talk, with_book, work
from holdfast.cli.main import language
from holdfast.cli.table import amounts, table
from holdfast.language import Sentence
from holdfast.operations.runs import Standing, View, run, run_facts, runs, view_facts
from holdfast.operations.spend import money

HEADERS = (
    Sentence("run", ko="실행"),
    Sentence("last heard", ko="마지막 호출"),
    Sentence("calls", ko="호출"),
    Sentence("agents", ko="에이전트"),
    Sentence("depth", ko="깊이"),
    Sentence("cost $", ko="비용 $"),
    Sentence("stopped", ko="정지"),
)
MODEL_HEADERS = (
    Sentence("model", ko="모델"),
    Sentence("attempts", ko="시도"),
    Sentence("tokens in", ko="입력 토큰"),
    Sentence("tokens out", ko="출력 토큰"),
    Sentence("cost $", ko="비용 $"),
)
NEWEST = 20


@click.group("runs", cls=Noun, usual="list", epilog="Example: holdfast runs list --limit 50")
def group() -> None:
    """Show the runs that calls belong to."""


@group.command("list", epilog="Example: holdfast runs list --json")
@click.option("--limit", type=click.IntRange(1), default=NEWEST, show_default=True, help="How many.")
@with_book
def list_command(book: Book, *, limit: int) -> None:
    """List the runs heard of last."""
    found = work(book, lambda desk: runs(desk, limit))
    if book.as_json:
        show({"runs": [run_facts(one) for one in found]})
    elif found:
        click.echo(_table(found))
    else:
        talk(
            Sentence(
                "No run yet. Runs appear when calls name theirs: Claude Code does so by itself, others send "
                "x-holdfast-run.",
                ko="아직 실행이 없습니다. 호출이 실행 이름을 알려 주면 나타납니다. Claude Code는 자동으로, "
                "다른 클라이언트는 x-holdfast-run 헤더로 보냅니다.",
            )
        )


@group.command("show", epilog="Example: holdfast runs show 7f2c")
@click.argument("name", metavar="RUN")
@with_book
def show_command(book: Book, *, name: str) -> None:
    """Show one run: its agents, and what it has spent by model."""
    view = work(book, lambda desk: run(desk, name))
    if book.as_json:
        show(view_facts(view))
    else:
        click.echo(_shown(view))


def _table(found: tuple[Standing, ...]) -> str:
    costs = amounts([money(one.record.cost_pico) for one in found])
    rows = [
        [
            one.record.run,
            local(one.record.last_at),
            f"{one.record.calls:,}",
            f"{len(one.record.agents):,}",
            f"{one.record.depth}",
            cost,
            _stopped(one),
        ]
        for one, cost in zip(found, costs, strict=True)
    ]
    return table(HEADERS, rows, right=(2, 3, 4, 5))


def _shown(view: View) -> str:
    parts = [_table((view.standing,))]
    agents = view.standing.record.agents
    if agents:
        headers = (Sentence("agent", ko="에이전트"), Sentence("started by", ko="시작한 에이전트"))
        parts.append(table(headers, [[agent, parent or "-"] for agent, parent in agents.items()]))
    if view.models:
        costs = amounts([money(one.cost_pico) for one in view.models])
        rows = [
            [
                one.group["model"] or "-",
                f"{one.attempts:,}",
                f"{one.input_tokens:,}",
                f"{one.output_tokens:,}",
                cost,
            ]
            for one, cost in zip(view.models, costs, strict=True)
        ]
        parts.append(table(MODEL_HEADERS, rows, right=(1, 2, 3, 4)))
    return "\n\n".join(parts)


def _stopped(one: Standing) -> str:
    if one.stop is None:
        return "-"
    if one.stop.until is None:
        return Sentence("until resumed", ko="재개할 때까지").say(language())
    until = local(one.stop.until)
    return Sentence(f"until {until}", ko=f"{until}까지").say(language())
