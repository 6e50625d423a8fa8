"""Where commands read requests: the database of this machine, or a running gateway that `HOLDFAST_URL` names."""

import os
from collections.abc import AsyncGenerator, Callable, Iterable, Iterator, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, Protocol, cast
from urllib.parse import quote, urlencode

import click
import msgspec

from holdfast.cli.desk import Book, work
from holdfast.cli.main import language
from holdfast.cli.remote import URL, Answered, Server, server, unreachable
from holdfast.errors import ConfigError
from holdfast.language import Sentence
from holdfast.operations.desk import Desk
from holdfast.operations.requests import all_requests, page_facts, request, requests, view_facts
from holdfast.policy.request_filter import parse

PATH = "/api/v1/requests"
LONGEST_LINE = 1024 * 1024
"""Bytes of one request in an export."""
Facts = Mapping[str, Any]


class Source(Protocol):
    """A place that requests are read from; everything comes as the Admin API tells it."""

    def page(self, wanted: str, *, limit: int, after: str | None) -> Facts:
        """A page of the requests that a filter means, newest first."""
        ...

    def one(self, name: str) -> Facts:
        """One request with its story; raises `UsageError` for one that nobody has heard of."""
        ...

    def all(self, wanted: str, take: Callable[[Facts], object]) -> None:
        """Hand over every request that a filter means, newest first."""
        ...


def source(book: Book) -> Source:
    """The gateway that the environment names, unless somebody asks for a book of this machine."""
    return Remote(server=server()) if is_remote(book) else Local(book=book)


def is_remote(book: Book) -> bool:
    """Whether the environment names a gateway, and nobody asks for a book of this machine."""
    return bool(os.environ.get(URL, "").strip()) and book.config is None and not book.simulate


@dataclass(frozen=True, slots=True, kw_only=True)
class Local:
    """The database of this machine."""

    book: Book

    def page(self, wanted: str, *, limit: int, after: str | None) -> Facts:
        async def verb(desk: Desk) -> Facts:
            meant = parse(wanted, now=desk.now)
            return page_facts(await requests(desk, meant, limit=limit, after=after))

        return work(self.book, verb)

    def one(self, name: str) -> Facts:
        async def verb(desk: Desk) -> Facts:
            view = await request(desk, name)
            if view is None:
                raise ConfigError(no_request(name))
            return view_facts(view)

        return work(self.book, verb)

    def all(self, wanted: str, take: Callable[[Facts], object]) -> None:
        async def verb(desk: Desk) -> None:
            async with aclosing(all_requests(desk, parse(wanted, now=desk.now))) as rows:
                await _taken(rows, take)

        work(self.book, verb)


@dataclass(frozen=True, slots=True, kw_only=True)
class Remote:
    """A gateway, asked over its Admin API; what it finds wrong with a question is wrong usage here."""

    server: Server

    def page(self, wanted: str, *, limit: int, after: str | None) -> Facts:
        query = {"filter": wanted, "limit": str(limit), **({} if after is None else {"after": after})}
        return self._ask(f"{PATH}?{urlencode(query)}")

    def one(self, name: str) -> Facts:
        return self._ask(f"{PATH}/{quote(name, safe='')}")

    def all(self, wanted: str, take: Callable[[Facts], object]) -> None:
        query = urlencode({"filter": wanted, "format": "jsonl"})
        try:
            with self.server.stream(f"{PATH}/export?{query}") as chunks:
                for line in lines(chunks):
                    take(self._read(line))
        except Answered as error:
            raise wrong(error) from error

    def _read(self, line: bytes) -> Facts:
        try:
            return msgspec.json.decode(line, type=dict[str, Any])
        except msgspec.MsgspecError as error:
            raise unreachable(self.server.url, error) from error

    def _ask(self, path: str) -> Facts:
        try:
            return self.server.get(path)
        except Answered as error:
            raise wrong(error) from error


def lines(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """The lines of a body; one that no request is as long as comes in parts, which nobody can read."""
    rest = b""
    for chunk in chunks:
        *whole, rest = (rest + chunk).split(b"\n")
        yield from (line for line in whole if line)
        if len(rest) > LONGEST_LINE:
            yield rest
            rest = b""
    if rest:
        yield rest


def no_request(name: str) -> Sentence:
    """There is no such request."""
    return Sentence(
        f"There is no request {name[:80]!r}; `holdfast requests` lists the newest",
        ko=f"{name[:80]!r} 요청이 없습니다. `holdfast requests`로 최근 요청을 볼 수 있습니다",
    )


async def _taken(rows: AsyncGenerator[dict[str, object]], take: Callable[[Facts], object]) -> None:
    async for facts in rows:
        take(cast("Facts", facts))


def wrong(error: Answered) -> Exception:
    """What the gateway said of a question that was wrong, as wrong usage; anything else as it came."""
    return click.UsageError(error.say(language())) if error.status in (400, 404) else error
