"""`holdfast requests record`: the flight recorder, on for a while, off, listed, and what it kept forgotten."""

from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from typing import Any, TypeVar
from urllib.parse import quote, urlencode

import click

from holdfast.cli.desk import Book, Length, Noun, show, talk, with_book, work
from holdfast.cli.main import language
from holdfast.cli.remote import Answered, server
from holdfast.cli.request_rows import moment
from holdfast.cli.request_source import is_remote, wrong
from holdfast.cli.table import table
from holdfast.language import Sentence
from holdfast.operations.desk import Desk
from holdfast.operations.recordings import (
    body_facts,
    drop_recording,
    put_recording,
    recording_facts,
    recordings,
)
from holdfast.policy.recording import LEAST_BYTES, MOST_BYTES, SCOPES, USUAL_BYTES, Recording
from holdfast.ports import Bodies, Whose
from holdfast.stores.bodies import open_bodies

PATH = "/api/v1/recordings"
Facts = Mapping[str, Any]
T = TypeVar("T")


@click.group(
    "record", cls=Noun, usual="list", epilog="Example: holdfast requests record on --key web --for 15m"
)
def group() -> None:
    """Keep the bodies of some calls for a while, masked; nothing is kept unless this is on."""


def _whose(function: Callable[..., None]) -> Callable[..., None]:
    """Gives a command an option for each of what a recording can be of."""
    for scope in reversed(SCOPES):
        function = click.option(f"--{scope}", metavar="NAME", help=f"Of this {scope}.")(function)
    return function


@group.command("on", epilog="Example: holdfast requests record on --key web --for 15m")
@_whose
@click.option("--for", "length", type=Length(), required=True, help="How long, such as 15m; at most 24h.")
@click.option(
    "--max-bytes",
    type=click.IntRange(LEAST_BYTES, MOST_BYTES),
    default=USUAL_BYTES,
    show_default=True,
    help="Of one body.",
)
@with_book
def on_command(
    book: Book, *, length: timedelta, max_bytes: int, key: str | None, user: str | None, run: str | None
) -> None:
    """Keep the bodies of the calls of a key, user or run from now on; it ends by itself."""
    scope, value = _one({"key": key, "user": user, "run": run})

    async def verb(desk: Desk) -> Facts:
        now = desk.now.replace(microsecond=0)
        word: Any = {"scope": scope, "value": value}
        recording = Recording(**word, by=desk.actor, at=now, until=now + length, max_bytes=max_bytes)
        return recording_facts(await put_recording(desk, recording))

    minutes = f"{max(1, int(length.total_seconds() // 60))}m"
    asked = {"scope": scope, "value": value, "for": minutes, "max_bytes": max_bytes}
    facts = _told(book, "POST", PATH, verb, asked)
    if book.as_json:
        show(facts)
        return
    until, name = moment(facts["until"]), facts["name"]
    talk(
        Sentence(
            f"Bodies of {name} are kept until {until}, masked, at most {facts['max_bytes']:,} bytes each. To see one: "
            f"holdfast requests show ID --body. To stop: holdfast requests record off --{scope} {value}",
            ko=f"{name}의 본문을 {until}까지 가려서 하나당 최대 {facts['max_bytes']:,}바이트로 기록합니다. "
            f"보려면: holdfast requests show ID --body. 끄려면: holdfast requests record off --{scope} {value}",
        )
    )


@group.command("off", epilog="Example: holdfast requests record off --key web")
@_whose
@with_book
def off_command(book: Book, *, key: str | None, user: str | None, run: str | None) -> None:
    """Keep no more; what was kept stays until it is forgotten."""
    scope, value = _one({"key": key, "user": user, "run": run})
    name = f"{scope}:{value}"

    async def verb(desk: Desk) -> Facts:
        ended = await drop_recording(desk, name)
        return {"ended": None if ended is None else recording_facts(ended)}

    facts = _told(book, "DELETE", f"{PATH}/{quote(name, safe='')}", verb)
    if book.as_json:
        show(facts)
    elif facts["ended"] is None:
        talk(Sentence(f"Nothing was recorded of {name}.", ko=f"{name}은(는) 기록 중이 아니었습니다."))
    else:
        talk(Sentence(f"{name} is recorded no more.", ko=f"{name}의 기록을 껐습니다."))


@group.command("list", epilog="Example: holdfast requests record list")
@with_book
def list_command(book: Book) -> None:
    """List whose bodies are kept now, and until when."""

    async def verb(desk: Desk) -> Facts:
        return {"data": [recording_facts(one) for one in await recordings(desk)]}

    rows = _told(book, "GET", f"{PATH}?limit=1000", verb)["data"]
    if book.as_json:
        show({"recordings": rows})
    elif not rows:
        talk(
            Sentence(
                "Nothing is recorded: no body is kept.",
                ko="기록 중인 것이 없습니다. 본문은 저장되지 않습니다.",
            )
        )
    else:
        cells = [[one["name"], moment(one["until"]), f"{one['max_bytes']:,}", one["by"]] for one in rows]
        click.echo(table(HEADERS, cells, right=(2,)))


@group.command("forget", epilog="Example: holdfast requests record forget --user kim")
@click.option("--request", metavar="ID", help="Of this request.")
@_whose
@with_book
def forget_command(
    book: Book, *, request: str | None, key: str | None, user: str | None, run: str | None
) -> None:
    """Delete kept bodies, from the disk, too: of one request, or all of a key, user or run."""
    said = {"request_id": request, "key": key, "user": user, "run": run}
    meant = {name: value for name, value in said.items() if value is not None}
    if not meant:
        raise click.UsageError(_NOBODY.say(language()))

    async def verb(desk: Desk) -> Facts:
        return {"forgotten": await _with_bodies(desk, lambda bodies: bodies.forget(Whose(**meant)))}

    facts = _told(book, "DELETE", f"{PATH}?{urlencode(meant)}", verb)
    if book.as_json:
        show(facts)
    else:
        gone = facts["forgotten"]
        talk(Sentence(f"Bodies of {gone:,} calls are deleted.", ko=f"호출 {gone:,}건의 본문을 지웠습니다."))


def bodies_of(book: Book, request_id: str) -> Facts:
    """The bodies of one call; raises `UsageError` where none were kept."""

    async def verb(desk: Desk) -> Facts | None:
        found = await _with_bodies(desk, lambda bodies: bodies.find(request_id))
        return None if found is None else body_facts(found)

    facts: Facts | None = _told(book, "GET", f"/api/v1/requests/{quote(request_id, safe='')}/body", verb)
    if facts is None:
        raise click.UsageError(_not_kept(request_id).say(language()))
    return facts


async def _with_bodies(desk: Desk, verb: Callable[[Bodies], Awaitable[T]]) -> T:
    bodies = open_bodies(desk.settings.store_url)
    try:
        return await verb(bodies)
    finally:
        await bodies.aclose()


def _told(
    book: Book, method: str, path: str, verb: Callable[[Desk], Awaitable[Any]], body: object = None
) -> Any:
    """What a gateway answers, if the environment names one, else what is true of the database of this machine."""
    if not is_remote(book):
        return work(book, verb)
    try:
        return server().ask(method, path, body)
    except Answered as error:
        raise wrong(error) from error


def _one(said: Mapping[str, str | None]) -> tuple[str, str]:
    meant = [(scope, value) for scope, value in said.items() if value]
    if len(meant) != 1:
        raise click.UsageError(_NOBODY.say(language()))
    return meant[0]


def _not_kept(name: str) -> Sentence:
    return Sentence(
        f"No body is kept of {name[:80]!r}; switch recording on before the call: holdfast requests record on",
        ko=f"{name[:80]!r} 요청의 본문은 기록되지 않았습니다. 호출 전에 켜 두세요: holdfast requests record on",
    )


_NOBODY = Sentence(
    "say whose: one of --key, --user and --run with its name",
    ko="누구인지 --key, --user, --run 중 하나로 적으세요",
)
HEADERS = (
    Sentence("recorded", ko="기록 대상"),
    Sentence("until", ko="종료"),
    Sentence("bytes a body", ko="본문당 바이트"),
    Sentence("by", ko="켠 사람"),
)
