"""The desk at the command line: options that all commands of an operator share, and the store they work on."""

import asyncio
import functools
import getpass
import sys
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, TypeVar

import click

from holdfast.cli.inert import json_text
from holdfast.cli.main import language
from holdfast.errors import ConfigError
from holdfast.language import Sentence
from holdfast.operations.desk import Desk
from holdfast.operations.span import length
from holdfast.policy.routing import SIMULATOR, UpstreamConfig
from holdfast.settings import Settings
from holdfast.stores.open import MEMORY, open_store

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Book:
    """Whose book a command works on, and how it answers."""

    config: str | None
    simulate: bool
    as_json: bool

    def settings(self) -> Settings:
        """The settings, those of the simulator's own book with `--simulate`; raises `ConfigError`."""
        settings = Settings.load(self.config)
        if self.simulate:
            settings = replace(settings, upstreams={SIMULATOR: UpstreamConfig(url=SIMULATOR)})
        if settings.store_url == MEMORY:
            raise ConfigError(
                Sentence(
                    f"store.url is `{MEMORY}`: what happens there is known to the gateway alone and ends with it. "
                    "Name a database to work on it from here",
                    ko=f"store.url이 `{MEMORY}`이면 기록이 게이트웨이 안에만 있다가 함께 사라집니다. "
                    "여기서 다루려면 데이터베이스를 지정하세요",
                )
            )
        return settings


class Noun(click.Group):
    """A group of verbs of which the usual one may be left out: `holdfast runs` lists them."""

    def __init__(self, *names: Any, usual: str, **attributes: Any) -> None:
        super().__init__(*names, **attributes)
        self._usual = usual

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if not args or (args[0].startswith("-") and args[0] not in ctx.help_option_names):
            args = [self._usual, *args]
        return super().parse_args(ctx, args)


def with_book(function: Callable[..., None]) -> Callable[..., None]:
    """Gives a command `--config`, `--simulate` and `--json`, and its function a `Book` in their place."""

    @click.option("--config", type=click.Path(), help="Configuration file.")
    @click.option("--simulate", is_flag=True, help="Work on the book of the embedded simulator.")
    @click.option("--json", "as_json", is_flag=True, help="Print JSON.")
    @functools.wraps(function)
    def command(*, config: str | None, simulate: bool, as_json: bool, **others: object) -> None:
        function(Book(config=config, simulate=simulate, as_json=as_json), **others)

    return command


def work(book: Book, verb: Callable[[Desk], Awaitable[T]]) -> T:
    """Open the store, do it, and close the store; what the verb cannot take is wrong usage."""
    return asyncio.run(_work(book.settings(), verb))


def talk(sentence: Sentence) -> None:
    """Say something to the person, which is no data."""
    click.echo(sentence.say(language()), err=True)


def show(facts: object) -> None:
    """Print one JSON value."""
    click.echo(json_text(facts))


def confirm(question: Sentence, *, yes: bool) -> None:
    """Ask whoever sits at a terminal; scripts have made up their mind. Aborts on a no."""
    if not yes and sys.stdin.isatty():
        click.confirm(question.say(language()), abort=True, err=True)


def actor() -> str:
    """In whose name this is done."""
    try:
        return f"cli:{getpass.getuser()}"
    except (OSError, KeyError):
        return "cli"


def local(at: datetime | None) -> str:
    """A moment as people here read it."""
    return "-" if at is None else f"{at.astimezone():%Y-%m-%d %H:%M}"


class Length(click.ParamType[timedelta]):
    """A length of time such as `30m`, `2h` or `90d`."""

    name = "length"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> timedelta:
        found = length(str(value))
        if found is None:
            said = Sentence(
                f"{value!r} is no length of time; write one such as 30m, 2h or 90d",
                ko=f"{value!r}은(는) 시간 길이가 아닙니다. 30m, 2h, 90d처럼 적으세요",
            )
            self.fail(said.say(language()), param, ctx)
        return found


def named(option: str, pairs: Iterable[str]) -> Mapping[str, str]:
    """`NAME=VALUE` as a mapping; anything else is wrong usage."""
    found: dict[str, str] = {}
    for pair in pairs:
        name, sign, value = pair.partition("=")
        if not name or not sign:
            said = Sentence(
                f"{option} {pair!r}: write it as NAME=VALUE",
                ko=f"{option} {pair!r}: 이름=값 형식으로 적으세요",
            )
            raise click.UsageError(said.say(language()))
        found[name] = value
    return found


def listed(texts: Iterable[str]) -> tuple[str, ...]:
    """Names after commas, or each in an option of its own."""
    return tuple(name.strip() for text in texts for name in text.split(",") if name.strip())


def _once() -> Callable[[Sentence], None]:
    """Talk that does not repeat itself."""
    said: set[str] = set()

    def report(sentence: Sentence) -> None:
        if sentence.en not in said:
            said.add(sentence.en)
            talk(sentence)

    return report


async def _work(settings: Settings, verb: Callable[[Desk], Awaitable[T]]) -> T:
    store = open_store(settings.store_url)
    try:
        return await verb(Desk(store=store, settings=settings, actor=actor(), report=_once()))
    except ConfigError as error:
        raise click.UsageError(error.say(language())) from error
    finally:
        await store.aclose()
