"""`holdfast completion SHELL`: the script that completes commands and options."""

import sys

import click
from click.shell_completion import get_completion_class

from holdfast.cli.desk import talk
from holdfast.cli.main import cli
from holdfast.language import Sentence

SHELLS = ("bash", "zsh", "fish")
PLACES = {
    "bash": "~/.local/share/bash-completion/completions/holdfast",
    "zsh": "~/.zfunc/_holdfast",
    "fish": "~/.config/fish/completions/holdfast.fish",
}


@click.command(epilog="Example: holdfast completion bash >> ~/.bashrc")
@click.argument("shell", type=click.Choice(SHELLS))
def completion(shell: str) -> None:
    """Print the script that completes commands and options in a shell."""
    kind = get_completion_class(shell)
    assert kind is not None
    click.echo(kind(cli, {}, "holdfast", "_HOLDFAST_COMPLETE").source())
    if sys.stdout.isatty():
        place = PLACES[shell]
        talk(
            Sentence(
                f"To keep it: holdfast completion {shell} > {place}",
                ko=f"계속 쓰려면: holdfast completion {shell} > {place}",
            )
        )
