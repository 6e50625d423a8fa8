"""`holdfast budgets`: what may be spent, how it stands, and who has let it go on."""

from typing import Any

import click

from holdfast.cli.desk import Book, Noun, listed, local, named, show, talk, with_book, work
from holdfast.cli.main import language
from holdfast.cli.table import amounts, table
from holdfast.language import Sentence
from holdfast.operations.budgets import (
    Known,
    Removed,
    Standing,
    approve,
    budget_facts,
    budgets,
    drop_budget,
    put_budget,
    standing_facts,
    standings,
)
from holdfast.operations.desk import Desk, instant
from holdfast.policy.budget import usd
from holdfast.policy.period import written

HEADERS = (
    Sentence("budget", ko="예산"),
    Sentence("for", ko="대상"),
    Sentence("per", ko="기간"),
    Sentence("limit $", ko="한도 $"),
    Sentence("spent $", ko="사용 $"),
    Sentence("held $", ko="예약 $"),
    Sentence("left $", ko="남음 $"),
    Sentence("resets", ko="초기화"),
    Sentence("set by", ko="설정한 곳"),
)
NUMBERS = (3, 4, 5, 6)


@click.group(
    "budgets", cls=Noun, usual="list", epilog="Example: holdfast budgets set team --usd 50 --per day"
)
def group() -> None:
    """Set what may be spent, and see how it stands."""


@group.command("list", epilog="Example: holdfast budgets list --json")
@with_book
def list_command(book: Book) -> None:
    """List every budget with what is spent, held and left, for everybody known."""

    async def verb(desk: Desk) -> tuple[tuple[Known, ...], tuple[Standing, ...]]:
        return await budgets(desk), await standings(desk)

    known, stand = work(book, verb)
    if book.as_json:
        show({"budgets": [_with_standings(one, stand) for one in known]})
    elif known:
        click.echo(_table(known, stand))
    else:
        talk(
            Sentence(
                "No budget is set. Set one: holdfast budgets set everybody --usd 50 --per day",
                ko="설정된 예산이 없습니다. 이렇게 설정하세요: holdfast budgets set everybody --usd 50 --per day",
            )
        )


@group.command("set", epilog="Example: holdfast budgets set people --usd 5 --per day --scope user")
@click.argument("name")
@click.option("--usd", help="The limit in dollars.")
@click.option("--per", help="hour, day, month, total, run, or a length such as 24h, which rolls.")
@click.option("--scope", help="organisation, key, user, model, run, agent or tag:NAME: each has the limit.")
@click.option("--timezone", help="Whose hours, days and months.")
@click.option(
    "--alert-at", multiple=True, metavar="SHARE", help="Alert at these parts of it, such as 0.5,0.8."
)
@click.option(
    "--mode", type=click.Choice(["strict", "expected", "clamp"]), help="How much is held for a call."
)
@click.option(
    "--where", multiple=True, metavar="NAME=VALUE", help="Count only such calls; replaces what was."
)
@click.option("--rung", multiple=True, metavar="'SHARE ACT'", help="Such as '0.9 ask'; replaces the ladder.")
@click.option("--hard/--soft", default=None, help="Refuse calls beyond it, or only count and alert.")
@with_book
def set_command(book: Book, *, name: str, **members: Any) -> None:
    """Set the budget NAME; what is left out stays as it was."""
    given = {key: value for key, value in members.items() if value is not None and value != ()}
    if "alert_at" in given:
        given["alert_at"] = [_number("--alert-at", share) for share in listed(given["alert_at"])]
    if "where" in given:
        given["where"] = named("--where", given["where"])
    if "rung" in given:
        given["ladder"] = [_rung(text) for text in given.pop("rung")]
    known = work(book, lambda desk: put_budget(desk, name, given))
    if book.as_json:
        show(budget_facts(known))
    else:
        talk(_said(known))


@group.command("rm", epilog="Example: holdfast budgets rm people")
@click.argument("name")
@with_book
def rm_command(book: Book, *, name: str) -> None:
    """Take the budget NAME back that was set at run time."""
    removed = work(book, lambda desk: drop_budget(desk, name))
    if book.as_json:
        instead = None if removed.instead is None else budget_facts(removed.instead)
        show({"name": name, "instead": instead})
    else:
        talk(_removed(removed))


@group.command("approve", epilog="Example: holdfast budgets approve people --for alice")
@click.argument("name")
@click.option("--for", "subject", metavar="NAME", help="The user, key, run ... that may go on.")
@click.option("--reason", default="", help="Goes to the audit.")
@with_book
def approve_command(book: Book, *, name: str, subject: str | None, reason: str) -> None:
    """Let the budget NAME go on past its rung `ask` until its window ends."""
    limit = work(book, lambda desk: approve(desk, name, subject, note=reason))
    if book.as_json:
        show(
            {
                "budget": limit.budget,
                "subject": limit.subject,
                "window": limit.window,
                "resets_at": instant(limit.resets_at),
            }
        )
        return
    whom = f" ({limit.subject})" if limit.subject else ""
    talk(
        Sentence(
            f"The budget `{name}`{whom} may go on past `ask`, up to its limit of ${usd(limit.nano or 0)}.",
            ko=f"`{name}` 예산{whom}이(가) `ask` 단계를 지나 한도 ${usd(limit.nano or 0)}까지 계속 쓸 수 있습니다.",
        )
    )


def _with_standings(known: Known, stand: tuple[Standing, ...]) -> dict[str, object]:
    own = [standing_facts(one) for one in stand if one.budget.name == known.name]
    return {**budget_facts(known), "standings": own}


def _table(known: tuple[Known, ...], stand: tuple[Standing, ...]) -> str:
    lines: list[tuple[Known, Standing | None]] = []
    for budget in known:
        own = [one for one in stand if one.budget.name == budget.name]
        lines += [(budget, one) for one in own] or [(budget, None)]
    columns = zip(
        amounts([usd(budget.config.nano) for budget, _ in lines]),
        amounts([None if one is None else usd(one.settled) for _, one in lines]),
        amounts([None if one is None else usd(one.reserved) for _, one in lines]),
        amounts([None if one is None else usd(one.remaining) for _, one in lines]),
        strict=True,
    )
    rows = [
        [
            budget.name,
            budget.config.scope if one is None else one.limit.subject or "-",
            written(budget.config.per),
            *sums,
            local(None if one is None else one.limit.resets_at),
            _place(budget),
        ]
        for (budget, one), sums in zip(lines, columns, strict=True)
    ]
    return table(HEADERS, rows, right=NUMBERS)


def _place(known: Known) -> str:
    return known.place if known.origin == "file" else "holdfast budgets set"


def _said(known: Known) -> Sentence:
    config = known.config
    limit, per = usd(config.nano), written(config.per)
    over = Sentence("", ko="")
    if known.covers is not None:
        over = Sentence(
            f" It stands before the one in the settings ({known.covers}).",
            ko=f" 설정({known.covers})에 있는 예산 대신 적용됩니다.",
        )
    return Sentence(
        f"The budget `{known.name}` is ${limit} per {per} for {config.scope}; every worker knows it at once.{over.en}",
        ko=f"`{known.name}` 예산: {config.scope} 기준, {per} 단위, 한도 ${limit}. 모든 워커에 바로 적용됩니다.{over.ko}",
    )


def _removed(removed: Removed) -> Sentence:
    if removed.instead is None:
        return Sentence(f"The budget `{removed.name}` is no more.", ko=f"`{removed.name}` 예산을 없앴습니다.")
    limit, place = usd(removed.instead.config.nano), removed.instead.place
    return Sentence(
        f"The budget `{removed.name}` of the settings holds again: ${limit} ({place}).",
        ko=f"설정에 있는 `{removed.name}` 예산 ${limit}이(가) 다시 적용됩니다({place}).",
    )


def _rung(text: str) -> dict[str, object]:
    """`0.9 degrade model=M max_tokens=N` as a document."""
    words = text.split()
    if len(words) < 2:
        said = Sentence(
            f"--rung {text!r}: write a part of the limit and what to do then, such as '0.9 ask'",
            ko=f"--rung {text!r}: '0.9 ask'처럼 한도의 비율과 할 일을 적으세요",
        )
        raise click.UsageError(said.say(language()))
    more = named("--rung", words[2:])
    rung: dict[str, object] = {"at": _number("--rung", words[0]), "do": words[1], **more}
    if "max_tokens" in more:
        rung["max_tokens"] = _number("--rung", more["max_tokens"])
    return rung


def _number(option: str, text: str) -> float:
    try:
        number = float(text)
    except ValueError as error:
        said = Sentence(f"{option}: {text!r} is no number", ko=f"{option}: {text!r}은(는) 숫자가 아닙니다")
        raise click.UsageError(said.say(language())) from error
    return int(number) if number.is_integer() else number
