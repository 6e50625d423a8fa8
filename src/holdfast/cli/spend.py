"""`holdfast spend`: what was spent, what the month will come to, every attempt, and other prices for them."""

import sys
from contextlib import aclosing

import click

from holdfast.cli.desk import Book, Noun, confirm, listed, local, named, show, talk, with_book, work
from holdfast.cli.main import language
from holdfast.cli.table import amounts, table
from holdfast.language import Sentence
from holdfast.operations.desk import Desk, instant
from holdfast.operations.export import csv_line, csv_row, json_line
from holdfast.operations.forecast import Exhaustion, Forecast, forecast, forecast_facts
from holdfast.operations.repricing import Repricing, reprice, repricing_facts
from holdfast.operations.span import Span, span
from holdfast.operations.spend import DIMENSIONS, Report, attempts, money, report, report_facts
from holdfast.parts.prices import PriceBook
from holdfast.policy.budget import usd
from holdfast.ports import Spend

WHEN = "today, yesterday, month, all, 7d, a day or a moment"
SUMS = (
    Sentence("attempts", ko="시도"),
    Sentence("tokens in", ko="입력 토큰"),
    Sentence("tokens out", ko="출력 토큰"),
    Sentence("cost $", ko="비용 $"),
    Sentence("of it estimated $", ko="이 중 추정 $"),
)


@click.group(
    "spend", cls=Noun, usual="report", epilog="Example: holdfast spend report --since 7d --by day,model"
)
def group() -> None:
    """Show what was spent and what it will come to."""


@group.command("report", epilog="Example: holdfast spend report --since today --by key")
@click.option("--since", default="month", show_default=True, help=f"From when: {WHEN}.")
@click.option("--until", help="Until when; now when left out.")
@click.option("--by", multiple=True, help=f"Group by {', '.join(DIMENSIONS)}; several after commas.")
@click.option("--where", multiple=True, metavar="NAME=VALUE", help="Only what has this value.")
@click.option("--timezone", default="UTC", show_default=True, help="Whose days and months.")
@with_book
def report_command(
    book: Book, *, since: str, until: str | None, by: tuple[str, ...], where: tuple[str, ...], timezone: str
) -> None:
    """Sum up attempts; without --by, by model."""
    only = named("--where", where)

    async def verb(desk: Desk) -> Report:
        within = span(since, until, timezone=timezone, now=desk.now)
        return await report(desk, within, by=listed(by) or ("model",), where=only)

    made = work(book, verb)
    if book.as_json:
        show(report_facts(made))
    else:
        _print_report(made)


@group.command("forecast", epilog="Example: holdfast spend forecast --timezone Asia/Seoul")
@click.option("--timezone", default="UTC", show_default=True, help="Whose days and months.")
@with_book
def forecast_command(book: Book, *, timezone: str) -> None:
    """Foretell this month by the last seven full days, and when budgets will be used up."""
    made = work(book, lambda desk: forecast(desk, timezone=timezone))
    if book.as_json:
        show(forecast_facts(made))
        return
    click.echo(_foretold(made).say(language()))
    if made.budgets:
        click.echo("\n" + _exhaustions(made.budgets))


@group.command("export", epilog="Example: holdfast spend export --since month > attempts.csv")
@click.option("--since", default="all", show_default=True, help=f"From when: {WHEN}.")
@click.option("--until", help="Until when; now when left out.")
@click.option("--timezone", default="UTC", show_default=True, help="Whose days and months.")
@with_book
def export_command(book: Book, *, since: str, until: str | None, timezone: str) -> None:
    """Write every attempt, oldest first: CSV, or JSON lines with --json."""

    async def verb(desk: Desk) -> None:
        within = span(since, until, timezone=timezone, now=desk.now)
        is_empty = True
        async with aclosing(attempts(desk, within)) as rows:
            async for facts in rows:
                if is_empty and not book.as_json:
                    sys.stdout.write(csv_line(facts).decode())
                line = json_line(facts) if book.as_json else csv_row(facts)
                sys.stdout.write(line.decode())
                is_empty = False
        if is_empty:
            talk(Sentence("There are no attempts in that time.", ko="그 기간에는 시도가 없습니다."))

    work(book, verb)


@group.command("reprice", epilog="Example: holdfast spend reprice --dry-run")
@click.option("--dry-run", is_flag=True, help="Only show what would change.")
@click.option("--since", default="all", show_default=True, help=f"From when: {WHEN}.")
@click.option("--until", help="Until when; now when left out.")
@click.option("--timezone", default="UTC", show_default=True, help="Whose days and months.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@with_book
def reprice_command(
    book: Book, *, dry_run: bool, since: str, until: str | None, timezone: str, yes: bool
) -> None:
    """Price settled attempts by today's list for their own days, and write the difference."""

    async def verb(desk: Desk) -> Repricing:
        prices = PriceBook.default(config=desk.settings.pricing, clock=desk.clock)
        within = span(since, until, timezone=timezone, now=desk.now)
        if not dry_run and not yes and sys.stdin.isatty():
            planned = await reprice(desk, prices, within, dry_run=True)
            talk(_repriced(planned, dry_run=True))
            confirm(
                Sentence("Write these costs into the ledger?", ko="이 비용을 원장에 기록할까요?"), yes=yes
            )
        return await reprice(desk, prices, within, dry_run=dry_run)

    told = work(book, verb)
    if book.as_json:
        show({**repricing_facts(told), "dry_run": dry_run})
    else:
        click.echo(_repriced(told, dry_run=dry_run).say(language()))


def _print_report(made: Report) -> None:
    talk(_title(made.span))
    rows = [*made.groups, made.total]
    costs = amounts([money(one.cost_pico) for one in rows])
    estimated = amounts([money(one.estimated_pico) for one in rows])
    total = Sentence("total", ko="합계").say(language())
    names = [[one.group[name] or "-" for name in made.by] for one in made.groups]
    names.append([total, *[""] * (len(made.by) - 1)])
    cells = [
        [*name, f"{one.attempts:,}", f"{one.input_tokens:,}", f"{one.output_tokens:,}", cost, guess]
        for name, one, cost, guess in zip(names, rows, costs, estimated, strict=True)
    ]
    headers = [*(Sentence(name, ko=name) for name in made.by), *SUMS]
    click.echo(table(headers, cells, right=range(len(made.by), len(headers))))
    _warn_of_unpriced(made.total)


def _title(within: Span) -> Sentence:
    since, until = instant(within.since), instant(within.until)
    begin = Sentence("from the beginning", ko="처음부터")
    if since is not None:
        begin = Sentence(f"from {since}", ko=f"{since}부터")
    end = Sentence("until now", ko="지금까지")
    if until is not None:
        end = Sentence(f"until {until}", ko=f"{until}까지")
    return Sentence(f"Spent {begin.en} {end.en}:", ko=f"{begin.ko} {end.ko}의 지출:")


def _warn_of_unpriced(total: Spend) -> None:
    if total.unpriced:
        talk(
            Sentence(
                f"{total.unpriced} attempts have no price and count as nothing here. Add their models to "
                "[pricing.overrides], then run `holdfast spend reprice`.",
                ko=f"시도 {total.unpriced}건은 가격을 몰라 0으로 계산했습니다. [pricing.overrides]에 모델 가격을 추가한 뒤 "
                "`holdfast spend reprice`를 실행하세요.",
            )
        )


def _foretold(made: Forecast) -> Sentence:
    spent = money(made.spent)
    if made.per_day is None:
        return Sentence(
            f"${spent} spent this month. There is no full day to go by yet: come back tomorrow.",
            ko=f"이번 달 지출은 ${spent}입니다. 아직 온전한 하루의 기록이 없어 예측할 수 없습니다. 내일 다시 확인하세요.",
        )
    facts = forecast_facts(made)
    return Sentence(
        f"${spent} spent this month; about ${facts['total']} by {instant(made.until)}.\n"
        f"This assumes that every further day costs ${facts['per_day']}, the mean of the last "
        f"{made.basis_days} full days ({made.timezone}).",
        ko=f"이번 달 지출은 ${spent}이며, {instant(made.until)}까지 약 ${facts['total']}이(가) 될 것으로 보입니다.\n"
        f"남은 날마다 최근 {made.basis_days}일({made.timezone} 기준)의 평균인 ${facts['per_day']}이(가) 든다고 "
        "가정한 값입니다.",
    )


def _exhaustions(budgets: tuple[Exhaustion, ...]) -> str:
    left = amounts([usd(one.standing.remaining) for one in budgets])
    never = Sentence("not in this window", ko="이번 기간에는 아님").say(language())
    unknown = Sentence("unknown", ko="알 수 없음").say(language())
    rows = [
        [
            one.standing.budget.name,
            one.standing.limit.subject or "-",
            amount,
            local(one.standing.limit.resets_at),
            local(one.at) if one.at is not None else unknown if one.per_day is None else never,
        ]
        for one, amount in zip(budgets, left, strict=True)
    ]
    headers = (
        Sentence("budget", ko="예산"),
        Sentence("for", ko="대상"),
        Sentence("left $", ko="남은 금액 $"),
        Sentence("resets", ko="초기화"),
        Sentence("used up", ko="소진 예상"),
    )
    return table(headers, rows, right=(2,))


def _repriced(told: Repricing, *, dry_run: bool) -> Sentence:
    before, after, difference = amounts([money(told.before), money(told.after), money(told.difference)])
    done = (
        Sentence("would change", ko="바뀔 예정입니다") if dry_run else Sentence("changed", ko="바뀌었습니다")
    )
    count = told.changed if dry_run else told.written
    return Sentence(
        f"Of {told.seen} settled attempts {count} {done.en} by the prices {told.version}: ${before} -> "
        f"${after}, a difference of ${difference}. {told.newly_priced} had no price before, "
        f"{told.unpriced} still have none; {told.estimated} of those that change were estimated.",
        ko=f"정산된 시도 {told.seen}건 중 {count}건의 비용이 {done.ko}(요금표 {told.version}): ${before} -> "
        f"${after}, 차이 ${difference}. 새로 가격이 매겨진 것 {told.newly_priced}건, "
        f"아직 가격을 모르는 것 {told.unpriced}건, 바뀌는 것 중 추정치 {told.estimated}건.",
    )
