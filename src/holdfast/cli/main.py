"""The entry of the command line: commands are loaded when called, errors become exit codes."""

import importlib
import io
import os
import sys

import click

from holdfast.cli.commands import COMMANDS
from holdfast.cli.complaint import show_in_korean
from holdfast.cli.crash import told
from holdfast.cli.help_page import Reading, readable, reader
from holdfast.errors import (
    ConfigError,
    DeadlineExceeded,
    HoldfastError,
    KeyMissing,
    Refused,
    StreamInterrupted,
    UpstreamError,
    UpstreamUnavailable,
)
from holdfast.language import Language, Sentence
from holdfast.version import __version__

FAILED, CONFIG, KEY_MISSING, UNREACHABLE, REFUSED, INTERRUPTED = 1, 3, 4, 5, 6, 130


def language() -> Language:
    """The language of whoever sits at this terminal."""
    return reader()


class LazyGroup(click.Group):
    """Imports a command only when it is called, so that `--help` stays quick."""

    context_class = Reading

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module, _, name = COMMANDS[cmd_name][0].partition(":")
        command = getattr(importlib.import_module(module), name)
        assert isinstance(command, click.Command)
        return readable(command)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(
                [(name, COMMANDS[name][1].say(language())) for name in self.list_commands(ctx)]
            )

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args[0] not in COMMANDS:
            raise click.UsageError(_unknown(args[0]).say(language()), ctx)
        return super().resolve_command(ctx, args)


def _unknown(command: str) -> Sentence:
    import difflib  # takes longer to load than most commands run

    near = difflib.get_close_matches(command, COMMANDS, n=1)
    if near:
        meant = Sentence(f"did you mean `{near[0]}`?", ko=f"혹시 `{near[0]}`인가요?")
    else:
        known = ", ".join(sorted(COMMANDS))
        meant = Sentence(f"there are: {known}", ko=f"쓸 수 있는 명령: {known}")
    return Sentence(
        f"There is no command `{command}`; {meant.en}", ko=f"`{command}`라는 명령은 없습니다. {meant.ko}"
    )


@click.group(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Example: holdfast serve --simulate",
)
@click.version_option(__version__, prog_name="holdfast")
def cli() -> None:
    """Keep Claude agents up, within budget, guarded and explained."""


def exit_code(error: HoldfastError) -> int:
    """The exit code that stands for an error."""
    match error:
        case KeyMissing():
            return KEY_MISSING
        case ConfigError():
            return CONFIG
        case Refused():
            return REFUSED
        case UpstreamUnavailable() | DeadlineExceeded() | StreamInterrupted():
            return UNREACHABLE
        case UpstreamError() if error.status >= 500:
            return UNREACHABLE
        case _:
            return FAILED


def main() -> None:
    """Run the command line and exit with its code."""
    _open_what_is_closed()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a terminal without Korean still gets its answer
    try:
        with told():
            code = cli(prog_name="holdfast", standalone_mode=False)
    except HoldfastError as error:
        click.echo(error.say(language()), err=True)
        code = exit_code(error)
    except click.ClickException as error:
        show_in_korean(error) if language() == "ko" else error.show()
        code = error.exit_code
    except (click.Abort, KeyboardInterrupt):
        code = INTERRUPTED
    except BrokenPipeError:
        _stop_writing()
        code = FAILED
    sys.exit(code)


def _open_what_is_closed() -> None:
    """Whoever starts us without a standard stream (`<&-`) has nothing to say and reads nothing, which is no crash."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(os.open(os.devnull, os.O_RDWR), mode, encoding="utf-8"))


def _stop_writing() -> None:
    """Whoever read our output has left; the interpreter would complain once more when it ends."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
