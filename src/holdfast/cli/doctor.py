"""`holdfast doctor`: what works here and what does not, each with its cure."""

import asyncio
import os
import sys

import click

from holdfast.cli.desk import show
from holdfast.cli.main import language
from holdfast.clock import SYSTEM_CLOCK
from holdfast.language import Sentence
from holdfast.operations.examination import Finding, Patient, examine
from holdfast.operations.lint import Surroundings, advice
from holdfast.settings import Settings
from holdfast.version import __version__

DEGRADED = 7
SIGNS = {"good": "●", "weak": "▲", "bad": "■"}


@click.command(epilog="Example: holdfast doctor --config holdfast.toml")
@click.option("--config", type=click.Path(), help="Configuration file.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def doctor(*, config: str | None, as_json: bool) -> None:
    """Look at the key, the way to the API, the clock, the store and the fleet. Exits with 7 when something is wrong."""
    settings = Settings.load(config)
    found = [
        _versions(),
        *asyncio.run(examine(Patient(settings=settings, environment=os.environ))),
        *_advised(settings),
    ]
    if as_json:
        show([_plain(finding) for finding in found])
    else:
        for finding in found:
            click.echo("\n".join(_lines(finding)))
    if any(finding.state != "good" for finding in found):
        click.get_current_context().exit(DEGRADED)


def _versions() -> Finding:
    python = ".".join(str(part) for part in sys.version_info[:3])
    return Finding(
        name="holdfast",
        state="good",
        sentence=Sentence(
            f"{__version__} on Python {python}", ko=f"{__version__}, 실행 환경: Python {python}"
        ),
    )


def _advised(settings: Settings) -> list[Finding]:
    around = Surroundings(environment=os.environ, day=SYSTEM_CLOCK.now().date())
    return [
        Finding(
            name=item.setting,
            state="weak",
            sentence=item.sentence,
            cure=Sentence(f"see: holdfast rule {item.code}", ko=f"설명 보기: holdfast rule {item.code}"),
        )
        for item in advice(settings, around)
        if item.level == "warning"
    ]


def _lines(finding: Finding) -> list[str]:
    tongue = language()
    first = f"{SIGNS[finding.state]} {finding.name}: {finding.sentence.say(tongue)}"
    cure = finding.cure.say(tongue)
    return [first, f"    -> {cure}"] if cure else [first]


def _plain(finding: Finding) -> dict[str, object]:
    tongue = language()
    return {
        "name": finding.name,
        "state": finding.state,
        "message": finding.sentence.say(tongue),
        "do": finding.cure.say(tongue) or None,
    }
