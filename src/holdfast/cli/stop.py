"""`holdfast stop` and `holdfast resume`: the kill switch, which works while the database is away."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import click

from holdfast.cli.desk import Book, Length, actor, confirm, local, show, talk, with_book, work
from holdfast.cli.main import language
from holdfast.cli.table import table
from holdfast.clock import SYSTEM_CLOCK
from holdfast.errors import ConfigError, StoreUnavailable
from holdfast.language import Sentence
from holdfast.operations.desk import Desk
from holdfast.operations.stops import (
    Stops,
    Told,
    drop_stop,
    has_called,
    put_stop,
    stop_facts,
    stop_here,
    stops,
    stops_here,
)
from holdfast.policy.stops import SCOPES, Stop, StopScope

HEADERS = (
    Sentence("stopped", ko="정지 대상"),
    Sentence("by", ko="정지한 사람"),
    Sentence("since", ko="시작"),
    Sentence("until", ko="종료"),
    Sentence("reason", ko="이유"),
)


@click.command(epilog="Example: holdfast stop run 7f2c --reason 'turns in circles' --for 2h")
@click.argument("scope", type=click.Choice(SCOPES), required=False)
@click.argument("name", required=False)
@click.option("--reason", default="", help="What callers are told, and the audit.")
@click.option("--for", "length", type=Length(), help="How long, such as 2h; until resumed when left out.")
@click.option("--yes", is_flag=True, help="Do not ask before everything is stopped.")
@click.option("--list", "listing", is_flag=True, help="Show what is stopped now.")
@with_book
def stop(
    book: Book,
    *,
    scope: StopScope | None,
    name: str | None,
    reason: str,
    length: timedelta | None,
    **flags: bool,
) -> None:
    """End calls at once, and refuse new ones: everything, or those of one run, key, user or model."""
    if flags["listing"]:
        _list(book)
        return
    word = _word(scope, name, reason, length)
    if word.scope == "everything":
        confirm(Sentence("Stop EVERY call at once?", ko="모든 호출을 지금 멈출까요?"), yes=flags["yes"])
    told, is_known = _tell(book, word)
    if book.as_json:
        show({**stop_facts(word), "here": told.here, "everywhere": told.everywhere})
    else:
        talk(_told(told))
        if not is_known:
            talk(_unheard_of(word))


@click.command(epilog="Example: holdfast resume run 7f2c")
@click.argument("scope", type=click.Choice(SCOPES))
@click.argument("name", required=False)
@click.option("--reason", default="", help="Goes to the audit.")
@with_book
def resume(book: Book, *, scope: StopScope, name: str | None, reason: str) -> None:
    """End a stop, so that its calls are served again."""
    word = _word(scope, name, reason, None)

    async def verb(desk: Desk) -> tuple[Stop | None, Stops]:
        return await drop_stop(desk, word.name, note=reason), await stops(desk)

    ended, left = work(book, verb)
    if book.as_json:
        show({"name": word.name, "resumed": ended is not None, "stops": [stop_facts(one) for one in left]})
    else:
        talk(_resumed(word, ended, left))


def _word(scope: StopScope | None, name: str | None, reason: str, length: timedelta | None) -> Stop:
    now = SYSTEM_CLOCK.now()
    until = None if length is None else now + length
    try:
        # Without a scope nothing is meant, which is no stop either.
        value = (name or "") if scope else "?"
        return Stop(scope=scope or "everything", value=value, reason=reason, by=actor(), at=now, until=until)
    except ConfigError as error:
        raise click.UsageError(error.say(language())) from error


def _title(word: Stop) -> str:
    """What is stopped, as one types it."""
    return f"{word.scope} {word.value}".strip()


def _tell(book: Book, word: Stop) -> tuple[Told, bool]:
    """Who has heard of it, and whether anybody has called by that name."""

    async def verb(desk: Desk) -> tuple[Told, bool]:
        return await put_stop(desk, word), await has_called(desk, word)

    try:
        return work(book, verb)
    except StoreUnavailable as error:
        # The store could not even be opened: whoever works on this machine is told all the same.
        told = asyncio.run(stop_here(book.settings(), word, word.at))
        if not told.here:
            raise
        return replace(told, problem=error), True


def _list(book: Book) -> None:
    try:
        held = work(book, stops)
    except StoreUnavailable as error:
        talk(error.sentence)
        held = stops_here(book.settings(), SYSTEM_CLOCK.now(), talk)
    if book.as_json:
        show({"stops": [stop_facts(one) for one in held]})
    elif held:
        rows = [[_title(one), one.by, local(one.at), local(one.until), one.reason or "-"] for one in held]
        click.echo(table(HEADERS, rows))
    else:
        talk(Sentence("Nothing is stopped.", ko="정지된 것이 없습니다."))


def _told(told: Told) -> Sentence:
    word = told.stop
    what = Sentence("Every call is", ko="모든 호출을")
    if word.scope != "everything":
        what = Sentence(
            f"Calls of the {word.scope} `{word.value}` are", ko=f"{word.scope} `{word.value}`의 호출을"
        )
    until = local(word.until)
    end = Sentence("until resumed", ko="재개할 때까지")
    if word.until is not None:
        end = Sentence(f"until {until}", ko=f"{until}까지")
    cure = f"holdfast resume {_title(word)}"
    if told.everywhere:
        return Sentence(
            f"{what.en} stopped {end.en}, everywhere within a second. To end it: {cure}",
            ko=f"{what.ko} {end.ko} 정지했습니다. 1초 안에 모든 워커에 적용됩니다. 해제하려면: {cure}",
        )
    why = Sentence("", ko="") if told.problem is None else told.problem.sentence
    return Sentence(
        f"{what.en} stopped {end.en}, but ONLY BY WORKERS ON THIS MACHINE: the database did not take it. {why.en} "
        "Say it again once the database answers, or on every machine.",
        ko=f"{what.ko} {end.ko} 정지했지만, 이 컴퓨터의 워커에만 적용됩니다. 데이터베이스에 기록하지 못했습니다. {why.ko} "
        "데이터베이스가 응답하면 다시 실행하거나, 컴퓨터마다 실행하세요.",
    )


def _unheard_of(word: Stop) -> Sentence:
    return Sentence(
        f"No call of the {word.scope} `{word.value}` is on record yet: is it spelled right?",
        ko=f"{word.scope} `{word.value}`의 호출 기록이 아직 없습니다. 철자가 맞는지 확인하세요.",
    )


def _resumed(word: Stop, ended: Stop | None, left: Stops) -> Sentence:
    others = Sentence("", ko="")
    if left:
        names = ", ".join(_title(one) for one in left)
        others = Sentence(f" Still stopped: {names}.", ko=f" 아직 정지된 것: {names}.")
    if ended is None:
        return Sentence(
            f"Nothing was stopped by the name {_title(word)}.{others.en}",
            ko=f"{_title(word)}(으)로 정지된 것이 없습니다.{others.ko}",
        )
    return Sentence(
        f"{_title(word)} is served again, everywhere within a second.{others.en}",
        ko=f"{_title(word)}을(를) 재개했습니다. 1초 안에 모든 워커에 적용됩니다.{others.ko}",
    )
