"""`holdfast tail`: calls as they end, from a running gateway, or without one from the database of this machine."""

import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace

import click

from holdfast.cli.desk import Book, talk
from holdfast.cli.following import Enough, Screen, Tail, poll
from holdfast.cli.remote import URL, Server, server
from holdfast.cli.request_source import Local
from holdfast.errors import NotAllowed, UpstreamUnavailable
from holdfast.language import Sentence


@click.command(epilog="Example: holdfast tail --filter 'outcome:failed -blame:client'")
@click.option(
    "--filter", "wanted", default="", metavar="TEXT", help="Which: model~sonnet cost>0.05 -user:kim."
)
@click.option("--limit", type=click.IntRange(1), help="End after so many.")
@click.option("--jsonl", "as_lines", is_flag=True, help="Print a line of JSON for each.")
@click.option("--url", metavar="URL", help=f"The gateway to follow ({URL}, else the one of this machine).")
@click.option("--config", type=click.Path(), help="Configuration file.")
@click.option(
    "--simulate", is_flag=True, help="Without a gateway, follow the book of the embedded simulator."
)
def tail(
    *, wanted: str, limit: int | None, as_lines: bool, url: str | None, config: str | None, simulate: bool
) -> None:
    """Follow calls as they end, until Ctrl-C."""
    screen = Screen(as_lines=as_lines, limit=limit)
    book = Book(config=config, simulate=simulate, as_json=False)
    is_named = bool(url or os.environ.get(URL, "").strip())
    with suppress(Enough):
        try:
            following = _begun(_gateways(url, book), wanted, screen)
        except UpstreamUnavailable:
            if is_named:
                raise
            talk(_no_gateway())
            poll(Local(book=book), wanted, screen)
        else:
            following.follow()


def _begun(gateways: Iterator[Server], wanted: str, screen: Screen) -> Tail:
    """The first gateway that lets us in."""
    refused: NotAllowed | None = None
    for gateway in gateways:
        try:
            following = Tail(server=gateway, wanted=wanted, screen=screen)
            following.begin()
        except NotAllowed as error:
            refused = refused or error
        else:
            return following
    assert refused is not None
    raise refused


def _gateways(url: str | None, book: Book) -> Iterator[Server]:
    """The gateway that was named; else the one of this machine, with the token of either of its books."""
    first = server(url, book.config)
    yield replace(first, spare=None)
    if first.spare is not None:
        yield replace(first, token=first.spare, spare=None)


def _no_gateway() -> Sentence:
    return Sentence(
        f"No gateway answers here, so this looks into the database every second. To follow another, set {URL}. "
        "Ctrl-C ends this.",
        ko=f"응답하는 게이트웨이가 없어 데이터베이스를 1초마다 확인합니다. 다른 게이트웨이를 보려면 {URL}을 설정하세요. "
        "Ctrl-C로 끝냅니다.",
    )
