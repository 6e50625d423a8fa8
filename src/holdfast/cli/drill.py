"""`holdfast drill`: incidents played against the user's own settings, with a sheet of what held."""

import click

from holdfast.cli.inert import json_text
from holdfast.cli.main import FAILED, language
from holdfast.cli.serve import with_starter_budget
from holdfast.cli.table import table
from holdfast.drill import Scenario, Sheet, incident, incidents, read_scenario
from holdfast.drill import drill as play
from holdfast.language import Sentence
from holdfast.settings import Settings

ENDING = ".toml"


@click.command(epilog="Example: holdfast drill 529-storm runaway-agent --config holdfast.toml")
@click.argument("names", nargs=-1, metavar="[INCIDENT|FILE.toml]...")
@click.option("--config", type=click.Path(), help="Configuration file.")
@click.option("--list", "only_list", is_flag=True, help="Tell which incidents there are, and play none.")
@click.option("--json", "as_json", is_flag=True, help="Print the sheets as JSON.")
@click.option(
    "--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Same seed, same drill."
)
def drill(*, names: tuple[str, ...], config: str | None, only_list: bool, as_json: bool, seed: int) -> None:
    """Play incidents against your settings, with the simulator as upstream; all of them where none is named.

    Exits with 0 when every expectation holds and with 1 when one does not. No key is used and nothing is sent.
    """
    chosen = [_scenario(name) for name in names] or list(incidents())
    if only_list:
        _list(chosen, as_json=as_json)
        return
    settings = with_starter_budget(Settings.load(config))
    sheets: list[Sheet] = []
    for scenario in chosen:
        sheets.append(play(scenario, settings, seed=seed))
        if not as_json:
            click.echo(f"{sheets[-1].said(language())}\n")
    if as_json:
        click.echo(json_text({"passed": _all_passed(sheets), "drills": [sheet.wire() for sheet in sheets]}))
    else:
        click.echo(_verdict(sheets).say(language()))
    if not _all_passed(sheets):
        click.get_current_context().exit(FAILED)


def _scenario(name: str) -> Scenario:
    return read_scenario(name) if name.endswith(ENDING) else incident(name)


def _list(scenarios: list[Scenario], *, as_json: bool) -> None:
    if as_json:
        found = [
            {"incident": one.name, "title": {"en": one.title.en, "ko": one.title.ko}} for one in scenarios
        ]
        click.echo(json_text({"incidents": found}))
        return
    headers = (Sentence("incident", ko="사고"), Sentence("what happens", ko="내용"))
    click.echo(table(headers, [(one.name, one.title.say(language())) for one in scenarios]))


def _all_passed(sheets: list[Sheet]) -> bool:
    return all(sheet.passed for sheet in sheets)


def _verdict(sheets: list[Sheet]) -> Sentence:
    passed = sum(sheet.passed for sheet in sheets)
    took = sum(sheet.took for sheet in sheets)
    failed = ", ".join(sheet.incident for sheet in sheets if not sheet.passed)
    if not failed:
        return Sentence(
            f"{passed} of {len(sheets)} drills passed in {took:.0f} s",
            ko=f"훈련 {len(sheets)}건 모두 통과 ({took:.0f}초)",
        )
    return Sentence(
        f"{passed} of {len(sheets)} drills passed in {took:.0f} s; failed: {failed}",
        ko=f"훈련 {len(sheets)}건 중 {passed}건 통과 ({took:.0f}초), 실패: {failed}",
    )
