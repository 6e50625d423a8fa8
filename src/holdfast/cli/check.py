"""`holdfast check`: what is wrong with a configuration, and what is better done otherwise; offline."""

import os
import stat
from pathlib import Path

import click

from holdfast.cli.desk import show
from holdfast.cli.main import CONFIG, language
from holdfast.clock import SYSTEM_CLOCK
from holdfast.errors import ConfigError
from holdfast.language import Sentence
from holdfast.operations.lint import Advice, Surroundings, advice
from holdfast.settings import Settings

DEGRADED = 7
"""The exit code of `--strict` when there is advice."""
FINE = Sentence("The configuration is good.", ko="설정에 문제가 없습니다.")


@click.command(epilog="Example: holdfast check holdfast.toml --strict")
@click.argument("file", required=False, type=click.Path())
@click.option("--strict", is_flag=True, help="Exit with 7 when anything is advised.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def check(file: str | None, *, strict: bool, as_json: bool) -> None:
    """Check a configuration and the environment over it, asking nobody. Exits with 3 when it is wrong."""
    try:
        settings = Settings.load(file)
    except ConfigError as error:
        if not as_json:
            raise
        show({"ok": False, "errors": error.say(language()).split("\n\n"), "advice": []})
        click.get_current_context().exit(CONFIG)
    found = advice(settings, _surroundings(settings))
    if as_json:
        show({"ok": True, "errors": [], "advice": [_plain(item, settings) for item in found]})
    else:
        click.echo("\n\n".join(_lines(item, settings) for item in found) or FINE.say(language()))
    if strict and any(item.level == "warning" for item in found):
        click.get_current_context().exit(DEGRADED)


def _surroundings(settings: Settings) -> Surroundings:
    return Surroundings(
        environment=os.environ,
        day=SYSTEM_CLOCK.now().date(),
        readable_by_all=any(_is_open(path) for path in _files(settings)),
    )


def _files(settings: Settings) -> set[Path]:
    """The files that settings came from."""
    return {
        Path(origin.place.rpartition(":")[0] or origin.place)
        for origin in settings.origins.values()
        if origin.kind == "file"
    }


def _is_open(path: Path) -> bool:
    try:
        return bool(path.stat().st_mode & stat.S_IROTH)
    except OSError:
        return False


def _place(item: Advice, settings: Settings) -> str:
    """Where the setting stands, or where it would."""
    path = item.setting
    for name, origin in settings.origins.items():
        if (name == path or name.startswith(f"{path}.")) and origin.kind != "default":
            return origin.place
    return f"[{path.rpartition('.')[0] or path}]"


def _lines(item: Advice, settings: Settings) -> str:
    return (
        f"{item.level}[{item.code}]: {item.sentence.say(language())}\n"
        f" --> {_place(item, settings)}\nhelp: holdfast rule {item.code}"
    )


def _plain(item: Advice, settings: Settings) -> dict[str, object]:
    return {
        "code": item.code,
        "level": item.level,
        "setting": item.setting,
        "place": _place(item, settings),
        "message": item.sentence.say(language()),
    }
