"""`holdfast requests replay`: a recorded call once more, against the simulator unless a live upstream is asked for."""

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, cast

import click
import msgspec

from holdfast.cli.desk import Book, show, talk, with_book
from holdfast.cli.inert import indented
from holdfast.cli.main import language
from holdfast.cli.recordings import bodies_of
from holdfast.cli.request_rows import length, text
from holdfast.cli.request_source import source
from holdfast.cli.table import table
from holdfast.language import Sentence
from holdfast.policy.routing import SIMULATOR, UpstreamConfig
from holdfast.settings import FleetConfig, Settings, StoreConfig
from holdfast.stores.open import MEMORY
from holdfast.wire.members import member

COMPARED = (
    *("outcome", "status", "error_code", "model", "upstream", "stop_reason", "input_tokens"),
    *("cache_read_input_tokens", "output_tokens", "cost", "duration_ms"),
)
Facts = Mapping[str, Any]


@click.command("replay", epilog="Example: holdfast requests replay hfr_0f3a --model claude-haiku-5-5")
@click.argument("name", metavar="ID")
@click.option("--model", help="Ask this model instead.")
@click.option(
    "--upstream", default=SIMULATOR, show_default=True, help="The name of an upstream, or its address."
)
@click.option("--live", is_flag=True, help="Ask a live upstream; costs money, and goes to the ledger.")
@with_book
def replay(book: Book, *, name: str, model: str | None, upstream: str, live: bool) -> None:
    """Send a recorded call again, masked as it was kept, and show what differs."""
    from holdfast.cli.replaying import sent

    kept = bodies_of(book, name)
    before: Facts = source(book).one(name)["call"] or {}
    settings = replayed(book.settings(), upstream, live=live)
    body = _body(kept, model)
    now = asyncio.run(sent(settings, name, body, kept["headers"]))
    if kept["is_cut"]:
        talk(_CUT)
    facts: Facts = {
        "replay_of": name,
        "request_id": now.call["request_id"],
        "before": {fact: before.get(fact) for fact in COMPARED},
        "now": {fact: now.call.get(fact) for fact in COMPARED},
        "same_answer": _words(kept["answer"]) == _words(now.answer),
        "answer": now.answer,
    }
    if book.as_json:
        show(facts)
    else:
        click.echo(_difference(facts))
        error = member(now.answer, "error")
        if error is not None:
            click.echo(indented(error))


def replayed(settings: Settings, upstream: str, *, live: bool) -> Settings:
    """Settings that reach one upstream; a simulated one gets a book that is forgotten, so that no other changes.

    Raises `UsageError` for a live upstream that nobody has agreed to.
    """
    chosen = settings.upstreams.get(upstream)
    if chosen is None and (upstream == SIMULATOR or upstream.startswith(("http://", "https://"))):
        chosen = UpstreamConfig(url=SIMULATOR) if upstream == SIMULATOR else UpstreamConfig.at(upstream)
    if chosen is None:
        raise click.UsageError(_unknown(upstream, settings).say(language()))
    settings = replace(settings, upstreams={upstream if upstream in settings.upstreams else "replay": chosen})
    if chosen.url == SIMULATOR:
        return replace(settings, store=StoreConfig(url=MEMORY), fleet=FleetConfig())
    if not live:
        raise click.UsageError(_NOT_LIVE.say(language()))
    return replace(settings, store=replace(settings.store, url=settings.store_url))


def _body(kept: Facts, model: str | None) -> bytes:
    request = kept["request"]
    if not isinstance(request, dict):
        raise click.UsageError(_UNREADABLE.say(language()))
    known = cast("dict[str, object]", request)
    return msgspec.json.encode(known if model is None else {**known, "model": model})


def _words(said: object) -> object:
    """What an answer says, without its id and its counts."""
    content = member(said, "content")
    return said if content is None else content


def _difference(facts: Facts) -> str:
    before, now = facts["before"], facts["now"]
    rows = [
        [fact, _shown(fact, before[fact]), _shown(fact, now[fact]), _mark(before[fact], now[fact])]
        for fact in COMPARED
        if before[fact] is not None or now[fact] is not None
    ]
    is_same = "=" if facts["same_answer"] else "≠"
    words = Sentence("answer", ko="답변").say(language())
    headers = (
        Sentence(facts["replay_of"], ko=facts["replay_of"]),
        Sentence("recorded", ko="기록"),
        Sentence("replay", ko="재실행"),
        Sentence("", ko=""),
    )
    return table(headers, [*rows, [words, "", "", is_same]])


def _shown(fact: str, value: Any) -> str:
    return length(value) if fact == "duration_ms" else text(value)


def _mark(before: object, now: object) -> str:
    return "" if before == now else "≠"


def _unknown(upstream: str, settings: Settings) -> Sentence:
    known = ", ".join([SIMULATOR, *settings.upstreams])
    return Sentence(
        f"{upstream!r} is no upstream; there are: {known}",
        ko=f"{upstream!r}은(는) 업스트림이 아닙니다. 쓸 수 있는 것: {known}",
    )


_NOT_LIVE = Sentence(
    "This upstream is live: a replay there costs money. Say --live if that is meant, or leave --upstream out for the "
    "simulator",
    ko="실제 업스트림이라 재실행하면 비용이 듭니다. 그래도 보내려면 --live를 붙이고, 시뮬레이터를 쓰려면 --upstream을 빼세요",
)
_CUT = Sentence(
    "The body was too long to be kept whole: what is sent again is cut.",
    ko="본문이 길어 일부만 기록되었습니다. 잘린 본문을 다시 보냅니다.",
)
_UNREADABLE = Sentence(
    "What was kept is no request that could be sent again",
    ko="기록된 본문은 다시 보낼 수 있는 요청이 아닙니다",
)
