"""`holdfast keys`: keys for callers of the gateway, shown once and kept as digests."""

from collections.abc import Mapping
from datetime import timedelta

import click

from holdfast.cli.desk import Book, Length, Noun, confirm, listed, local, named, show, talk, with_book, work
from holdfast.cli.main import language
from holdfast.cli.table import table
from holdfast.language import Sentence
from holdfast.operations.keys import (
    Issued,
    NewKey,
    Standing,
    create,
    key_facts,
    keys,
    revoke,
    rotate,
)
from holdfast.policy.keys import PREFIX, SCOPES, KeyLimits, KeyScope
from holdfast.policy.money import exact

HEADERS = (
    Sentence("id", ko="아이디"),
    Sentence("name", ko="이름"),
    Sentence("key", ko="키"),
    Sentence("state", ko="상태"),
    Sentence("scopes", ko="권한"),
    Sentence("made", ko="생성"),
    Sentence("ends", ko="만료"),
)
STATES = {
    "good": Sentence("good", ko="유효"),
    "expired": Sentence("expired", ko="만료됨"),
    "revoked": Sentence("revoked", ko="폐기됨"),
}


@click.group("keys", cls=Noun, usual="list", epilog="Example: holdfast keys create web-prod")
def group() -> None:
    """Make, list, rotate and revoke the keys of callers."""


@group.command("create", epilog="Example: holdfast keys create alice --user alice --expires 90d")
@click.argument("name")
@click.option(
    "--expires", type=Length(), help="How long it is good for, such as 90d; for ever when left out."
)
@click.option(
    "--scope", "scopes", multiple=True, type=click.Choice(SCOPES), default=("messages",), show_default=True
)
@click.option("--user", help="Whose calls all of its calls are.")
@click.option("--model", "models", multiple=True, help="The only models it may ask for.")
@click.option("--tag", "tags", multiple=True, metavar="NAME=VALUE", help="What its calls are tagged with.")
@click.option("--rpm", type=click.IntRange(min=1), help="Requests a minute.")
@click.option("--tpm", type=click.IntRange(min=1), help="Input tokens a minute, and as many output tokens.")
@click.option("--usd-per-day", metavar="AMOUNT", help="Dollars a day, such as 2.50.")
@with_book
def create_command(
    book: Book,
    *,
    name: str,
    expires: timedelta | None,
    scopes: tuple[KeyScope, ...],
    **more: tuple[str, ...] | str | int | None,
) -> None:
    """Make a key for NAME and show it, once."""
    user, models, tags = more["user"], more["models"], more["tags"]
    assert isinstance(models, tuple)
    assert isinstance(tags, tuple)
    wanted = NewKey(
        name=name,
        lifetime=expires,
        scopes=scopes,
        user=user if isinstance(user, str) else None,
        models=listed(models),
        tags=named("--tag", tags),
        limits=_limits(more),
    )
    _hand_over(book, work(book, lambda desk: create(desk, wanted)))


@group.command("list", epilog="Example: holdfast keys list --all")
@click.option("--all", "every", is_flag=True, help="Those that open nothing any more, too.")
@with_book
def list_command(book: Book, *, every: bool) -> None:
    """List the keys, by the letters that tell them apart."""
    found = [one for one in work(book, keys) if every or one.state == "good"]
    if book.as_json:
        show({"keys": [key_facts(one) for one in found]})
    elif found:
        click.echo(table(HEADERS, [_row(one) for one in found]))
    else:
        talk(
            Sentence(
                "There is no good key. Make one: holdfast keys create NAME",
                ko="유효한 키가 없습니다. 이렇게 만드세요: holdfast keys create 이름",
            )
        )


@group.command("rotate", epilog="Example: holdfast keys rotate web-prod --overlap 24h")
@click.argument("which", metavar="ID|NAME")
@click.option(
    "--overlap", type=Length(), default="24h", show_default=True, help="How long the old one opens yet."
)
@with_book
def rotate_command(book: Book, *, which: str, overlap: timedelta) -> None:
    """Make the key that takes the place of another, and show it, once."""
    issued = work(book, lambda desk: rotate(desk, which, overlap=overlap))
    _hand_over(book, issued)


@group.command("revoke", epilog="Example: holdfast keys revoke key_0a1b2c3d4e5f --reason leaked")
@click.argument("which", metavar="ID|NAME")
@click.option("--reason", default="", help="Goes to the audit.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@with_book
def revoke_command(book: Book, *, which: str, reason: str, yes: bool) -> None:
    """End a key for good, everywhere."""
    confirm(Sentence(f"Revoke `{which}` for good?", ko=f"`{which}` 키를 완전히 폐기할까요?"), yes=yes)
    record = work(book, lambda desk: revoke(desk, which, note=reason))
    if book.as_json:
        ended = Standing(record=record, state="revoked", ends_at=record.expires_at) if record else None
        show({"id": which, "state": "deleted"} if ended is None else key_facts(ended))
    else:
        talk(
            Sentence(
                f"The key `{which}` opens nothing any more; every worker knows within a second.",
                ko=f"`{which}` 키는 더 이상 쓸 수 없습니다. 모든 워커에 1초 안에 적용됩니다.",
            )
        )


def _limits(said: Mapping[str, tuple[str, ...] | str | int | None]) -> KeyLimits:
    rpm, tpm, usd = said["rpm"], said["tpm"], said["usd_per_day"]
    return KeyLimits(
        rpm=rpm if isinstance(rpm, int) else None,
        tpm=tpm if isinstance(tpm, int) else None,
        usd_per_day=exact(usd, name="--usd-per-day") if isinstance(usd, str) else None,
    )


def _hand_over(book: Book, issued: Issued) -> None:
    record = issued.record
    if book.as_json:
        facts = key_facts(Standing(record=record, state="good", ends_at=record.expires_at))
        show({"key": issued.secret, **facts})
        return
    click.echo(issued.secret)
    talk(
        Sentence(
            f"This is the key of `{record.name}` ({record.id}). It is shown only now: keep it safe. Callers send it "
            "as x-api-key.",
            ko=f"`{record.name}`의 키입니다({record.id}). 지금 한 번만 보여 드리니 안전하게 보관하세요. "
            "호출할 때 x-api-key로 보냅니다.",
        )
    )
    if record.rotates is not None:
        until = local(record.rotates.until)
        talk(Sentence(f"The old key opens until {until}.", ko=f"이전 키는 {until}까지 쓸 수 있습니다."))


def _row(one: Standing) -> list[str]:
    record = one.record
    return [
        record.id,
        record.name,
        f"{PREFIX}{record.prefix}...",
        STATES[one.state].say(language()),
        ",".join(record.scopes),
        local(record.created_at),
        local(one.ends_at),
    ]
