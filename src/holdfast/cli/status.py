"""`holdfast status`: is it Claude or is it us, in one line, asked of a running gateway."""

from typing import Any

import click

from holdfast.cli.desk import show, talk
from holdfast.cli.main import language
from holdfast.cli.remote import Server, with_server
from holdfast.clock import SYSTEM_CLOCK
from holdfast.errors import HoldfastError
from holdfast.language import Sentence

DEGRADED = 7
"""The exit code when somebody has to look."""
EVERY = 2.0
"""Seconds between two looks of `--watch`."""
SIGNS = {True: "●", False: "▲"}


@click.command(epilog="Example: holdfast status --watch")
@click.option("--watch", is_flag=True, help="Say it again whenever it changes, until Ctrl-C.")
@with_server
def status(server: Server, *, as_json: bool, watch: bool) -> None:
    """Say how a running gateway stands: one verdict, and its evidence. Exits with 7 when it is degraded."""
    if watch:
        keep_watch(server, as_json=as_json)
    found = server.get("/api/v1/status")
    _print(found, as_json=as_json)
    if not found["ok"]:
        click.get_current_context().exit(DEGRADED)


def keep_watch(server: Server, *, as_json: bool) -> None:
    """Say it again whenever it changes; never returns: the person at the keyboard ends it."""
    said: object = None
    while True:
        try:
            found = server.get("/api/v1/status")
        except HoldfastError as error:
            if said != error.error_code:
                talk(error.sentence)
            said = error.error_code
        else:
            if as_json or said != found["verdict"]:
                _print(found, as_json=as_json)
            said = found["verdict"]
        SYSTEM_CLOCK.block(EVERY)


def _print(found: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        show(found)
        return
    click.echo(f"{SIGNS[bool(found['ok'])]} {_said(found['sentence'])}")
    for line in found["evidence"]:
        click.echo(f"  {_said(line)}")


def _said(words: dict[str, str]) -> str:
    return Sentence(words["en"], ko=words["ko"]).say(language())
