"""`holdfast guard pins`: the tools that callers offer, and which of them are trusted with what they say."""

import click

from holdfast.cli.desk import Book, Noun, local, show, talk, with_book, work
from holdfast.cli.main import language
from holdfast.cli.table import table
from holdfast.language import Sentence
from holdfast.operations.desk import Desk
from holdfast.operations.tool_pins import approve, forget, pin_facts, readable_pins, refuse
from holdfast.policy.pins import REFUSED, Pin

HEADERS = (
    Sentence("key", ko="키"),
    Sentence("tool", ko="도구"),
    Sentence("state", ko="상태"),
    Sentence("fingerprint", ko="지문"),
    Sentence("since", ko="시각"),
)
PINNED = Sentence("pinned", ko="고정됨")
REJECTED = Sentence("refused", ko="거부됨")
KEY = click.option(
    "--key",
    "scope",
    metavar="NAME",
    default="local",
    show_default=True,
    help="Whose tool: the name of a key.",
)


@click.group("pins", cls=Noun, usual="list", epilog="Example: holdfast guard pins list")
def group() -> None:
    """See which tools are known, and approve or refuse what they say of themselves."""


@group.command("list", epilog="Example: holdfast guard pins list --json")
@with_book
def list_command(book: Book) -> None:
    """List the tools that were seen or judged."""
    found = work(book, readable_pins)
    if book.as_json:
        show({"pins": [pin_facts(pin) for pin in found]})
    elif found:
        click.echo(table(HEADERS, [_row(pin) for pin in found]))
    else:
        talk(
            Sentence(
                "No tool is pinned. One is when a request first offers it, if tools.pins is not `off`.",
                ko="고정된 도구가 없습니다. tools.pins가 `off`가 아니면 요청에 처음 나타날 때 고정됩니다.",
            )
        )


@group.command("approve", epilog="Example: holdfast guard pins approve mcp__web__read 0f3a... --key web-prod")
@click.argument("tool")
@click.argument("fingerprint")
@KEY
@with_book
def approve_command(book: Book, *, tool: str, fingerprint: str, scope: str) -> None:
    """Trust TOOL with the description that FINGERPRINT stands for, which its refusal names."""

    async def verb(desk: Desk) -> Pin:
        return await approve(desk.store, scope, tool, fingerprint, at=desk.now, actor=desk.actor)

    _tell(
        book,
        work(book, verb),
        Sentence(
            f"`{tool}` of `{scope}` may be offered with that description; every worker knows within a second.",
            ko=f"이제 `{scope}`의 `{tool}`을(를) 그 설명으로 쓸 수 있습니다. 모든 워커에 1초 안에 적용됩니다.",
        ),
    )


@group.command("refuse", epilog="Example: holdfast guard pins refuse mcp__web__read --key web-prod")
@click.argument("tool")
@KEY
@with_book
def refuse_command(book: Book, *, tool: str, scope: str) -> None:
    """Refuse every request that offers TOOL, whatever it says of itself."""

    async def verb(desk: Desk) -> Pin:
        return await refuse(desk.store, scope, tool, at=desk.now, actor=desk.actor)

    _tell(
        book,
        work(book, verb),
        Sentence(
            f"Requests of `{scope}` that offer `{tool}` are refused; every worker knows within a second.",
            ko=f"`{tool}`이(가) 들어 있는 `{scope}`의 요청은 거절됩니다. 모든 워커에 1초 안에 적용됩니다.",
        ),
    )


@group.command("forget", epilog="Example: holdfast guard pins forget mcp__web__read")
@click.argument("tool")
@KEY
@with_book
def forget_command(book: Book, *, tool: str, scope: str) -> None:
    """Pin TOOL anew when it is next seen."""
    was = work(book, lambda desk: forget(desk.store, scope, tool, actor=desk.actor))
    if book.as_json:
        show({"scope": scope, "tool": tool, "forgotten": was})
    elif was:
        talk(
            Sentence(
                f"`{tool}` of `{scope}` is pinned anew when it is next seen.",
                ko=f"`{scope}`의 `{tool}`은(는) 다음에 나타날 때 다시 고정됩니다.",
            )
        )
    else:
        raise click.UsageError(
            Sentence(
                f"`{tool}` of `{scope}` is not pinned; `holdfast guard pins list` shows all",
                ko=f"`{scope}`의 `{tool}`은(는) 고정되어 있지 않습니다. `holdfast guard pins list`로 확인하세요",
            ).say(language())
        )


def _tell(book: Book, pin: Pin, sentence: Sentence) -> None:
    if book.as_json:
        show(pin_facts(pin))
    else:
        talk(sentence)


def _row(pin: Pin) -> list[str]:
    if pin.fingerprint == REFUSED:
        return [pin.scope, pin.tool, REJECTED.say(language()), "-", local(pin.at)]
    return [pin.scope, pin.tool, PINNED.say(language()), pin.fingerprint, local(pin.at)]
