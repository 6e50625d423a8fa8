"""What is wrong with a command line, said in the reader's language."""

import re

import click
from click.exceptions import MissingParameter, NoSuchOption

_CLICKS = (
    (r"Got unexpected extra arguments? \((.*)\)", r"남는 인자가 있습니다: \1"),
    (r"Option '(.*)' requires an argument\.?", r"옵션 '\1'에 값이 필요합니다."),
    (r"Option '(.*)' requires (\d+) arguments\.?", r"옵션 '\1'에 값이 \2개 필요합니다."),
    (r"Option '(.*)' does not take a value\.?", r"옵션 '\1'에는 값을 줄 수 없습니다."),
    (r"No such command '(.*)'\..*", r"`\1`라는 명령은 없습니다."),
    (r"'(.*)' is not one of (.*)\.", r"'\1'은(는) 쓸 수 없습니다. 쓸 수 있는 값: \2"),
    (r"'(.*)' is not a valid (?:integer|int)(?: range)?\.", r"'\1'은(는) 정수가 아닙니다."),
    (r"'(.*)' is not a valid float(?: range)?\.", r"'\1'은(는) 숫자가 아닙니다."),
    (r"(.*) is not in the range (.*)\.", r"\1은(는) 범위를 벗어났습니다: \2"),
    (r"(?:Path|File|Directory) '(.*)' does not exist\.", r"'\1'이(가) 없습니다."),
    (r"(?:Path|File) '(.*)' is a directory\.", r"'\1'은(는) 폴더입니다."),
    (r"Directory '(.*)' is a file\.", r"'\1'은(는) 파일입니다."),
    (r"(?:Path|File|Directory) '(.*)' is not readable\.", r"'\1'을(를) 읽을 수 없습니다."),
    (r"'(.*)': No such file or directory", r"'\1'이(가) 없습니다."),
)
"""Click's own sentences; everything else was said in the reader's language where it was raised."""


def _message(message: str) -> str:
    for english, korean in _CLICKS:
        if match := re.fullmatch(english, message, re.DOTALL):
            return match.expand(korean)
    return message


def _hint(error: click.BadParameter) -> str:
    if error.param_hint is not None:
        return error.param_hint if isinstance(error.param_hint, str) else " / ".join(error.param_hint)
    return error.param.get_error_hint(error.ctx) if error.param is not None else ""


def in_korean(error: click.ClickException) -> str:
    """What is wrong, in Korean."""
    match error:
        case NoSuchOption():
            near = ", ".join(error.possibilities or ())
            meant = f" 혹시 {near}인가요?" if near else ""
            return f"`{error.option_name}`라는 옵션은 없습니다.{meant}"
        case MissingParameter():
            return f"{_hint(error)}이(가) 필요합니다."
        case click.BadParameter():
            hint = _hint(error)
            return f"{hint}: {_message(error.message)}" if hint else _message(error.message)
        case _:
            return _message(error.format_message())


def show_in_korean(error: click.ClickException) -> None:
    """Tell it on stderr, with the usage of the command, as Click does in English."""
    if isinstance(error, click.UsageError) and error.ctx is not None:
        click.echo(error.ctx.get_usage(), err=True)
        click.echo(f"도움말: {error.ctx.command_path} --help\n", err=True)
    click.echo(f"오류: {in_korean(error)}", err=True)
