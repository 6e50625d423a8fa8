"""`holdfast console`: a link that opens the console of a running gateway, once."""

import click

from holdfast.cli.desk import show
from holdfast.cli.main import language
from holdfast.cli.remote import Server, with_server
from holdfast.language import Sentence

LASTS = Sentence(
    "It works once, within ten minutes. Whoever opens it is logged in: hand it to nobody else.",
    ko="10분 안에 한 번만 쓸 수 있습니다. 여는 사람이 바로 로그인되므로 다른 사람에게 주지 마세요.",
)


@click.command(epilog="Example: holdfast console --viewer")
@click.option("--viewer", is_flag=True, help="For somebody who may look and change nothing.")
@with_server
def console(server: Server, *, as_json: bool, viewer: bool) -> None:
    """Print a link that opens the console, once."""
    made = server.ask("POST", f"/console/tickets?role={'viewer' if viewer else 'operator'}")
    link = f"{server.url.rstrip('/')}{made['path']}"
    if as_json:
        show({"url": link, "role": made["role"], "seconds": made["seconds"]})
        return
    click.echo(link)
    click.echo(LASTS.say(language()), err=True)
