"""`holdfast batch`: a file of requests in, a file of answers out, and what it cost."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import click

from holdfast.assembly import Runtime
from holdfast.batches.api import cancel, collect
from holdfast.batches.direct import work_off
from holdfast.batches.item import Defaults
from holdfast.batches.source import Source, Survey
from holdfast.batches.work import Way, Work, opened
from holdfast.cli.batch_progress import Progress, facts, summary
from holdfast.cli.desk import show, talk
from holdfast.cli.main import FAILED, REFUSED, language
from holdfast.hold import Holdfast
from holdfast.language import Sentence
from holdfast.policy.money import exact
from holdfast.policy.routing import SIMULATOR, UpstreamConfig
from holdfast.settings import Settings

SHOWN = 20
"""Lines that cannot be asked and are named one by one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What was typed."""

    file: Path
    output: Path
    model: str | None
    system: str | None
    max_tokens: int
    concurrency: int
    max_usd: str | None
    resume: bool
    api: Literal["auto", "direct", "batches"]
    latency: Literal["minutes", "hours"]
    cancel: bool
    config: str | None
    simulate: bool
    as_json: bool

    @property
    def way(self) -> Way:
        """How it is sent: at half the price by whoever can wait."""
        if self.api == "auto":
            return "batches" if self.latency == "hours" else "direct"
        return self.api


@click.command(epilog="Example: holdfast batch tickets.jsonl -o labels.jsonl --max-usd 5")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("-o", "--output", type=click.Path(path_type=Path), required=True, help="Where answers go.")
@click.option(
    "--model", help="Model id for lines that name none; the configured standard model when left out."
)
@click.option("--system", help="System prompt for lines that have none.")
@click.option("--max-tokens", type=click.IntRange(1), default=4096, show_default=True, help="Longest answer.")
@click.option(
    "--concurrency", type=click.IntRange(1, 1000), default=8, show_default=True, help="Calls at once."
)
@click.option(
    "--max-usd", metavar="AMOUNT", help="Dollars that all of it may cost, earlier sessions included."
)
@click.option("--resume/--fresh", default=True, help="Go on where it was left, or pay for everything again.")
@click.option(
    "--api",
    type=click.Choice(["auto", "direct", "batches"]),
    default="auto",
    show_default=True,
    help="Line by line, or by the Message Batches API at half the price.",
)
@click.option(
    "--latency",
    type=click.Choice(["minutes", "hours"]),
    default="minutes",
    show_default=True,
    help="How long you can wait; `hours` lets auto choose the Message Batches API.",
)
@click.option(
    "--cancel", is_flag=True, help="Cancel what runs at the Message Batches API, and fetch what is done."
)
@click.option("--config", type=click.Path(), help="Configuration file.")
@click.option("--simulate", is_flag=True, help="Ask the embedded simulator: no key, no network, no cost.")
@click.option("--json", "as_json", is_flag=True, help="Print the summary as one JSON object.")
@click.pass_context
def batch(context: click.Context, /, **given: Any) -> None:
    """Answer every line of FILE: {"id", "prompt"}, or {"custom_id", "params"} as in the Message Batches API.

    What is done is kept in a journal beside the output: give the same command again to go on, even after a crash.
    Ends with 1 when lines failed, and with 6 when a budget or an operator stopped it.
    """
    context.exit(asyncio.run(_batch(Order(**given))))


async def _batch(order: Order) -> int:
    settings = _settings(order)
    defaults = Defaults(
        model=order.model or settings.models.standard, system=order.system, max_tokens=order.max_tokens
    )
    source = Source(path=order.file, defaults=defaults)
    survey = source.survey()
    _name_unreadable(survey)
    async with Holdfast(settings) as hold:
        hold.runtime.require_keys()
        work = _work(order, hold.runtime, source, survey)
        try:
            with Progress(work) as progress:
                await _go(order, work, progress.told)
        except BaseException:
            talk(_left(order))
            raise
        finally:
            work.journal.close()
        return _end(order, work)


def _settings(order: Order) -> Settings:
    settings = Settings.load(order.config)
    if order.simulate:
        settings = replace(settings, upstreams={SIMULATOR: UpstreamConfig(url=SIMULATOR)})
    return settings


def _work(order: Order, runtime: Runtime, source: Source, survey: Survey) -> Work:
    upstream = ", ".join(f"{one.name} {one.config.url}" for one in runtime.upstreams)
    limit = None if order.max_usd is None else exact(order.max_usd, name="--max-usd")
    journal = opened(source, survey, order.output, upstream=upstream, way=order.way, fresh=not order.resume)
    return Work(runtime=runtime, source=source, survey=survey, journal=journal, max_usd=limit)


async def _go(order: Order, work: Work, told: Callable[[], None]) -> None:
    if order.cancel:
        await cancel(work)
    match order.way:
        case "direct":
            await work_off(work, concurrency=order.concurrency, told=told)
        case "batches":
            await collect(work, told=told, is_last=order.cancel)
    work.write(order.output)


def _end(order: Order, work: Work) -> int:
    """Say how it ended; the exit code of that."""
    if order.as_json:
        show(facts(work))
    talk(summary(work, order.output))
    if work.over is not None:
        click.echo(f"{work.over.say(language())} ({work.over.error_code})", err=True)
        return REFUSED
    return FAILED if work.counts.failed or work.counts.unreadable or work.counts.left else 0


def _name_unreadable(survey: Survey) -> None:
    for one in survey.unreadable[:SHOWN]:
        talk(Sentence(f"line {one.line}: {one.why.en}", ko=f"{one.line}번째 줄: {one.why.ko}"))
    more = len(survey.unreadable) - SHOWN
    if more > 0:
        talk(Sentence(f"(and {more} more lines)", ko=f"(그 밖에 {more}줄 더)"))


def _left(order: Order) -> Sentence:
    return Sentence(
        f"What is done is kept beside {order.output.name}; give the same command again to go on.",
        ko=f"끝난 답은 {order.output.name} 옆에 저장되어 있습니다. 같은 명령을 다시 실행하면 이어서 합니다.",
    )
