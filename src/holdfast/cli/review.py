"""`holdfast review`: several reviewers over a folder, a file or a diff; findings on stdout, progress on stderr."""

import asyncio
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import click

from holdfast.assembly import has_key
from holdfast.cli.desk import listed, show, talk
from holdfast.cli.inert import printable
from holdfast.cli.main import FAILED, exit_code, language
from holdfast.cli.review_display import Display, findings_told
from holdfast.errors import BudgetExhausted, ConfigError
from holdfast.hold import Holdfast
from holdfast.language import Sentence
from holdfast.policy.routing import SIMULATOR, UpstreamConfig
from holdfast.settings import Settings
from holdfast.teams.findings import SEVERITIES, Severity
from holdfast.teams.report import Review, facts_of, remarks, summary
from holdfast.teams.review import CodeReview
from holdfast.teams.reviewers import BUILT_IN
from holdfast.teams.sources import Diff

DEGRADED = 7
_MORE = Sentence(
    "To have the rest reviewed, allow more with --max-usd, or name less: one folder, a --diff, fewer --reviewers.",
    ko="나머지도 리뷰하려면 --max-usd를 높이거나, 범위를 줄이세요(폴더 하나, --diff, --reviewers 일부).",
)
FORMATS = ("text", "markdown", "json")


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What is to be reviewed, by whom, and for how much, as it was typed."""

    path: str | None
    diff: str | None
    reviewers: tuple[str, ...]
    model: str | None
    max_usd: str

    def source(self) -> str | Diff:
        """What is to be reviewed; raises `UsageError` for both or neither, `ConfigError` for what cannot be read."""
        if self.diff is not None and self.path is None:
            return Diff(_diff(self.diff))
        if self.path is not None and self.diff is None:
            return self.path
        raise click.UsageError(
            Sentence(
                "Name a PATH, or a diff with --diff FILE (or - for stdin).",
                ko="PATH나 --diff FILE(표준 입력은 -) 중 하나를 지정하세요.",
            ).say(language())
        )


@click.command(epilog="Example: holdfast review src --fail-on high, or: git diff | holdfast review --diff -")
@click.argument("path", required=False)
@click.option("--diff", metavar="FILE|-", help="Review a unified diff instead of PATH.")
@click.option("--reviewers", multiple=True, metavar="NAMES", help=f"Some of {', '.join(BUILT_IN)}.")
@click.option(
    "--max-usd", default="1", show_default=True, help="Stop at so many dollars, with what is found."
)
@click.option(
    "--format", "form", type=click.Choice(FORMATS), default="text", show_default=True, help="Of stdout."
)
@click.option(
    "--fail-on",
    type=click.Choice(SEVERITIES),
    default="high",
    show_default=True,
    help="End with 1 from this on.",
)
@click.option("--model", help="Model id for all reviewers; those of the settings when left out.")
@click.option("--config", type=click.Path(), help="Configuration file.")
@click.option("--simulate", is_flag=True, help="Ask the embedded simulator: no key, no network, no cost.")
def review(*, form: str, fail_on: Severity, config: str | None, simulate: bool, **wanted: Any) -> None:
    """Review the code in PATH, a file or a folder, or in a diff.

    Ends with 1 when something is found that is bad enough, with 6 when the budget was used up before the end, with
    7 when a reviewer could not judge everything.
    """
    asked = Wanted(**wanted)
    source = asked.source()
    done = asyncio.run(_review(_settings(config, simulate=simulate), asked, source))
    _show(done, form)
    _finish(done, fail_on)


def _diff(name: str) -> str:
    if name == "-":
        return sys.stdin.buffer.read().decode("utf-8", "replace")
    try:
        return Path(name).read_bytes().decode("utf-8", "replace")
    except OSError as error:
        why = error.strerror or str(error)
        raise ConfigError(
            Sentence(
                f"The diff {name[:200]} cannot be read ({why}).",
                ko=f"diff 파일 {name[:200]}을(를) 읽을 수 없습니다({why}).",
            )
        ) from error


def _settings(config: str | None, *, simulate: bool) -> Settings:
    settings = Settings.load(config)
    keyless = not settings.upstreams and not has_key()
    if keyless and not simulate:
        talk(
            Sentence(
                "No key found (ANTHROPIC_API_KEY): the embedded simulator answers, and what it finds is made up.",
                ko="키가 없습니다(ANTHROPIC_API_KEY). 내장 시뮬레이터가 답하며, 지적 내용은 실제가 아닙니다.",
            )
        )
    if simulate or keyless:
        settings = replace(settings, upstreams={SIMULATOR: UpstreamConfig(url=SIMULATOR)})
    return settings


async def _review(settings: Settings, wanted: Wanted, source: str | Diff) -> Review:
    with Display.of(sys.stderr, language()) as display:
        async with Holdfast(settings) as hold:
            panel = CodeReview(
                reviewers=listed(wanted.reviewers) or tuple(BUILT_IN),
                model=wanted.model,
                hold=hold,
                max_usd=wanted.max_usd,
                language=language(),
            )
            return await panel.run(source, progress=display.tell)


def _show(done: Review, form: str) -> None:
    match form:
        case "json":
            show(facts_of(done))
        case "markdown":
            click.echo(done.markdown(language()), nl=False)
        case _:
            click.echo(findings_told(done, language()), nl=False)
    for remark in remarks(done):
        talk(Sentence(printable(remark.en), ko=printable(remark.ko)))
    if isinstance(done.stopped, BudgetExhausted):
        talk(_MORE)
    talk(summary(done))


def _finish(done: Review, fail_on: Severity) -> None:
    """End with the code that says how it went."""
    code = _code(done, fail_on)
    if code:
        click.get_current_context().exit(code)


def _code(done: Review, fail_on: Severity) -> int:
    if done.stopped is not None:
        return exit_code(done.stopped)
    if done.at_least(fail_on):
        return FAILED
    if done.failures:
        return DEGRADED if done.answered else exit_code(done.failures[0].error)
    return 0
