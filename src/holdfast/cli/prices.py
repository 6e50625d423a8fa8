"""`holdfast prices`: the price book, whether it still fits, and what a message costs."""

import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, cast

import click
import msgspec

from holdfast.cli.main import FAILED, language
from holdfast.cli.price_list import sheet
from holdfast.clock import SYSTEM_CLOCK
from holdfast.language import Sentence
from holdfast.operations.price_check import Finding, findings
from holdfast.parts.prices import PriceBook
from holdfast.settings import Settings
from holdfast.wire.usage import MOST_TOKENS, is_count

COUNTS = ("input_tokens", "output_tokens", "cache_read_input_tokens", "cache_creation_input_tokens")

AT = click.option("--at", help="Day (2026-11-22) or moment (RFC 3339) whose prices apply; now when left out.")
CONFIG = click.option("--config", type=click.Path(), help="Configuration file, for prices of your own.")
JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON.")

EXPLAIN = """holdfast prices explain --model claude-sonnet-5-5 --usage '{"input_tokens": 1000, "output_tokens": 200}'"""


@click.group(epilog=f"Example: {EXPLAIN}")
def prices() -> None:
    """Show prices, check them, and explain what a message costs."""


@prices.command(name="list", epilog="Example: holdfast prices list --at 2026-10-01")
@AT
@CONFIG
@JSON
def list_(*, at: str | None, config: str | None, as_json: bool) -> None:
    """Show every model with its prices of a day, in dollars per million tokens."""
    moment = _moment(at)
    book = PriceBook.default(config=Settings.load(config).pricing)
    rows = sheet(book.table, moment)
    if as_json:
        _print_json({"price_version": book.version, "day": f"{moment.date()}", "models": rows.plain()})
    else:
        click.echo(rows.text(language()))


@prices.command(epilog="Example: holdfast prices check --json")
@AT
@CONFIG
@JSON
@click.pass_context
def check(context: click.Context, *, at: str | None, config: str | None, as_json: bool) -> None:
    """Say whether the price book is fresh and fits the models in use; exits with 1 where it does not.

    Nothing leaves this machine.
    """
    settings = Settings.load(config)
    book = PriceBook.default(config=settings.pricing)
    found = findings(settings, book, PriceBook.default(), _moment(at).date())
    if as_json:
        _print_json(
            {
                "price_version": book.version,
                "as_of": f"{book.as_of}",
                "findings": [finding.plain(language()) for finding in found],
            }
        )
    else:
        click.echo(_told(found, book).say(language()))
    if any(finding.level == "problem" for finding in found):
        context.exit(FAILED)


@prices.command(epilog=f"Example: {EXPLAIN}")
@click.option("--model", required=True, help="Model id or alias.")
@click.option(
    "--usage", required=True, help="The `usage` object of a message, as JSON; - reads it from stdin."
)
@AT
@CONFIG
def explain(*, model: str, usage: str, at: str | None, config: str | None) -> None:
    """Write the cost of one message and each of its terms as JSON."""
    counts = _usage(sys.stdin.read() if usage == "-" else usage)
    moment = _moment(at)
    book = PriceBook.default(config=Settings.load(config).pricing)
    _print_json(book.explain(model, counts, at=moment))


def _told(found: tuple[Finding, ...], book: PriceBook) -> Sentence:
    if not found:
        return Sentence(
            f"The price book of {book.as_of} fits: nothing to do.",
            ko=f"{book.as_of} 기준 요금표가 설정과 맞습니다. 할 일이 없습니다.",
        )
    return Sentence(
        "\n".join(f"{finding.level}: {finding.sentence.en}" for finding in found),
        ko="\n".join(f"{_LEVELS[finding.level]}: {finding.sentence.ko}" for finding in found),
    )


_LEVELS = {"problem": "문제", "note": "참고"}


def _moment(text: str | None) -> datetime:
    if text is None:
        return SYSTEM_CLOCK.now()
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise click.BadParameter(_NO_DATE.say(language()), param_hint="--at") from error
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def _usage(text: str) -> Mapping[str, Any]:
    try:
        usage: object = msgspec.json.decode(text)
    except (ValueError, RecursionError) as error:
        raise click.BadParameter(_NO_JSON.say(language()), param_hint="--usage") from error
    if not isinstance(usage, dict):
        raise click.BadParameter(_NO_OBJECT.say(language()), param_hint="--usage")
    counts = cast("Mapping[str, Any]", usage)
    for name in COUNTS:
        # On the wire such a number is passed over; who asks for a bill should hear of it.
        if counts.get(name) is not None and not is_count(counts[name]):
            raise click.BadParameter(_no_count(name).say(language()), param_hint="--usage")
    return counts


def _print_json(value: object) -> None:
    click.echo(msgspec.json.encode(value))


def _no_count(name: str) -> Sentence:
    return Sentence(
        f"{name} is no number of tokens: write a whole number from 0 to {MOST_TOKENS:,}",
        ko=f"{name} 값은 토큰 수가 아닙니다. 0에서 {MOST_TOKENS:,} 사이의 정수를 적어 주세요",
    )


_NO_DATE = Sentence(
    "this is no day: write it as 2026-11-22, or as a moment such as 2026-11-22T12:00:00Z",
    ko="날짜가 아닙니다. 2026-11-22나 2026-11-22T12:00:00Z처럼 적어 주세요",
)
_NO_JSON = Sentence(
    'this is not JSON: write the usage object, such as {"input_tokens": 1000, "output_tokens": 200}',
    ko='JSON이 아닙니다. {"input_tokens": 1000, "output_tokens": 200} 같은 usage 객체를 적어 주세요',
)
_NO_OBJECT = Sentence(
    'this is no JSON object: write the usage object, such as {"input_tokens": 1000, "output_tokens": 200}',
    ko='JSON 객체가 아닙니다. {"input_tokens": 1000, "output_tokens": 200} 같은 usage 객체를 적어 주세요',
)
