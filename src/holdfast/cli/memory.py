"""`holdfast memory`: what agents remember of a user."""

import asyncio
import functools
from collections.abc import Awaitable, Callable
from typing import TypeVar

import click

from holdfast.cli.desk import Book, Noun, confirm, local, show, talk, with_book
from holdfast.cli.main import language
from holdfast.cli.table import table
from holdfast.clock import SYSTEM_CLOCK
from holdfast.language import Sentence
from holdfast.operations.memories import everything, fact_facts
from holdfast.recollection import Fact, Owner, Recollections
from holdfast.stores.recollections import open_recollections

T = TypeVar("T")

HEADERS = (
    Sentence("id", ko="식별자"),
    Sentence("since", ko="시각"),
    Sentence("said by", ko="출처"),
    Sentence("used", ko="사용"),
    Sentence("what", ko="내용"),
)
QUARANTINED = Sentence("quarantined", ko="격리됨")


def of_user(function: Callable[..., None]) -> Callable[..., None]:
    """Gives a command `--user` and `--tenant`, and its function an `Owner` in their place."""

    @click.option("--user", metavar="NAME", required=True, help="Whose memory.")
    @click.option("--tenant", metavar="NAME", default="local", show_default=True, help="On whose behalf.")
    @functools.wraps(function)
    def command(*, user: str, tenant: str, **others: object) -> None:
        function(owner=Owner(tenant=tenant, user=user), **others)

    return command


@click.group("memory", cls=Noun, usual="list", epilog="Example: holdfast memory list --user alice")
def group() -> None:
    """See, hand out and delete what agents remember of a user."""


@group.command("list", epilog="Example: holdfast memory list --user alice --json")
@of_user
@with_book
def list_command(book: Book, *, owner: Owner) -> None:
    """List the facts that are remembered of a user, oldest first."""
    facts = _on(book, lambda store: store.facts(owner, now=SYSTEM_CLOCK.now()))
    if book.as_json:
        show({"facts": [fact_facts(fact) for fact in facts]})
    elif facts:
        click.echo(table(HEADERS, [_row(fact) for fact in facts]))
    else:
        talk(
            Sentence(
                f"Nothing is remembered of `{owner.user}`.",
                ko=f"`{owner.user}`에 대해 기억하는 내용이 없습니다.",
            )
        )


@group.command("export", epilog="Example: holdfast memory export --user alice > alice.jsonl")
@of_user
@with_book
def export_command(book: Book, *, owner: Owner) -> None:
    """Write everything that is remembered of a user, one JSON object a line."""
    for row in _on(book, lambda store: everything(store, owner, SYSTEM_CLOCK.now())):
        show(row)


@group.command("forget", epilog="Example: holdfast memory forget --user alice m_5d20ffb46a691d09")
@click.argument("id", required=False)
@click.option("--yes", is_flag=True, help="Do not ask.")
@of_user
@with_book
def forget_command(book: Book, *, owner: Owner, id: str | None, yes: bool) -> None:
    """Delete the fact ID of a user, or everything that is remembered of that user."""
    if id is None:
        confirm(
            Sentence(
                f"Delete everything that is remembered of `{owner.user}`?",
                ko=f"`{owner.user}`에 대해 기억하는 내용을 모두 지울까요?",
            ),
            yes=yes,
        )
    count = _on(book, lambda store: _forgotten(store, owner, id))
    if id is not None and not count:
        raise click.UsageError(_unknown(owner, id).say(language()))
    if book.as_json:
        show({"tenant": owner.tenant, "user": owner.user, "forgotten": count})
    else:
        talk(
            Sentence(
                f"Facts deleted: {count}. What was said stands in the conversations as long as they are kept.",
                ko=f"기억 {count}건을 지웠습니다. 대화 기록에 남은 내용은 그 보관 기간까지 유지됩니다.",
            )
        )


async def _forgotten(store: Recollections, owner: Owner, id: str | None) -> int:
    return await store.forget_all(owner) if id is None else int(await store.forget(owner, id))


def _on(book: Book, verb: Callable[[Recollections], Awaitable[T]]) -> T:
    """Open the memories beside the book, do it, and close them."""

    async def work() -> T:
        store = open_recollections(book.settings().store_url)
        try:
            return await verb(store)
        finally:
            store.close()

    return asyncio.run(work())


def _row(fact: Fact) -> list[str]:
    said = QUARANTINED.say(language()) if fact.quarantined else str(fact.uses)
    return [fact.id, local(fact.at), f"{fact.trust} {fact.source}", said, fact.text]


def _unknown(owner: Owner, id: str) -> Sentence:
    return Sentence(
        f"`{id}` is no fact of `{owner.user}`; `holdfast memory list --user {owner.user}` shows all",
        ko=f"`{owner.user}`의 기억 중에 `{id}`은(는) 없습니다. `holdfast memory list --user {owner.user}`로 확인하세요",
    )
