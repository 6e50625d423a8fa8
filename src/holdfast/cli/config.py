"""`holdfast config`: what is set and by whom, and what every setting means."""

import difflib

import click

from holdfast.catalogue.settings import general
from holdfast.cli.desk import Noun, show
from holdfast.cli.main import language
from holdfast.cli.table import table
from holdfast.language import Sentence
from holdfast.operations.reference import Entry, document, reference, written
from holdfast.settings import Settings

HEADERS = (
    Sentence("setting", ko="설정"),
    Sentence("value", ko="값"),
    Sentence("from", ko="출처"),
)
LABELS = {
    "type": Sentence("takes", ko="받는 값"),
    "default": Sentence("default", ko="기본값"),
    "variable": Sentence("variable", ko="환경 변수"),
    "value": Sentence("now", ko="현재 값"),
    "origin": Sentence("from", ko="출처"),
}


@click.group(
    "config",
    cls=Noun,
    usual="show",
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Example: holdfast config explain breaker.failure_threshold",
)
def group() -> None:
    """Show what is set and by whom, and what every setting means."""


@group.command("show", epilog="Example: holdfast config show --changed")
@click.option("--config", type=click.Path(), help="Configuration file.")
@click.option("--changed", is_flag=True, help="Only what is not at its default.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def show_all(*, config: str | None, changed: bool, as_json: bool) -> None:
    """Show every setting with its value and its origin; secrets are masked."""
    settings = Settings.load(config)
    rows = [
        (name, written(settings, name), str(origin))
        for name, origin in settings.origins.items()
        if not changed or origin.kind != "default"
    ]
    if as_json:
        show([{"setting": name, "value": value, "origin": origin} for name, value, origin in rows])
        return
    click.echo(table(HEADERS, rows))


@group.command(epilog="Example: holdfast config explain budgets.NAME.per")
@click.argument("setting", required=False)
@click.option("--config", type=click.Path(), help="Configuration file.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def explain(setting: str | None, *, config: str | None, as_json: bool) -> None:
    """Explain one setting, or all of a section, or everything."""
    entries = {entry.path: entry for entry in reference()}
    wanted = "" if setting is None else general(setting.strip())
    found = [
        entry
        for path, entry in entries.items()
        if not wanted or path == wanted or path.startswith(f"{wanted}.")
    ]
    if not found:
        raise click.UsageError(_unknown(setting or "", list(entries)).say(language()))
    settings = Settings.load(config)
    if as_json:
        show([_plain(entry) for entry in found])
        return
    exact = setting if setting is not None and len(found) == 1 else None
    click.echo("\n\n".join("\n".join(_lines(entry, settings, exact)) for entry in found))


@group.command(epilog="Example: holdfast config schema > holdfast.schema.json")
def schema() -> None:
    """Print the JSON Schema of the file, for completion in editors."""
    show(document())


def _lines(entry: Entry, settings: Settings, asked: str | None) -> list[str]:
    tongue = language()
    said = {"type": entry.takes.say(tongue), "default": entry.default, "variable": entry.variable}
    name = asked if asked is not None and asked in settings.origins else entry.path
    if name in settings.origins:
        said["value"] = written(settings, name)
        said["origin"] = str(settings.origins[name])
    return [
        f"{name}: {entry.meaning.say(tongue)}",
        *(f"  {LABELS[label].say(tongue)}: {text}" for label, text in said.items() if text),
    ]


def _plain(entry: Entry) -> dict[str, object]:
    return {
        "setting": entry.path,
        "meaning": entry.meaning.say(language()),
        "type": entry.takes.say("en"),
        "default": entry.default,
        "variable": entry.variable,
    }


def _unknown(setting: str, known: list[str]) -> Sentence:
    near = difflib.get_close_matches(general(setting), known, n=3, cutoff=0.5)
    if near:
        return Sentence(
            f"There is no setting `{setting}`; did you mean {', '.join(near)}?",
            ko=f"`{setting}`라는 설정은 없습니다. 혹시 {', '.join(near)}인가요?",
        )
    return Sentence(
        f"There is no setting `{setting}`; `holdfast config explain` lists them all",
        ko=f"`{setting}`라는 설정은 없습니다. `holdfast config explain`으로 전체를 볼 수 있습니다",
    )
