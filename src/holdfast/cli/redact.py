"""`holdfast redact`: texts in, the same texts without secrets and personal data out."""

import json
import os
import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import BinaryIO, Literal, cast

import click

from holdfast.cli.main import FAILED, language
from holdfast.errors import HoldfastError
from holdfast.language import Sentence
from holdfast.parts.redactor import Redactor
from holdfast.settings import Settings

LONGEST = 32 * 1024 * 1024
"""Bytes of one line; a longer one is refused, so that memory stays bounded."""


MOST_LINES = 400
"""Lines of plain text that are looked at together, where a value stands on several."""

_BEGIN, _END = "-----BEGIN ", "-----END "
_GOES_BELOW = re.compile(r"([ \t]*)\S.*:[ \t]*(?:[|>][-+]?[0-9]?)?[ \t]*\r?\n?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line that comes in; `id` is given back as it came."""

    id: object
    text: str


class UnreadableLine(HoldfastError):
    """A line of the input is not what the command takes."""

    error_code = "holdfast_line_unreadable"


@click.command(epilog="Example: holdfast redact < lines.jsonl; kubectl logs app | holdfast redact --text")
@click.option(
    "--profile",
    type=click.Choice(["secrets", "all"]),
    default="all",
    show_default=True,
    help="Only keys, passwords and the like, or personal data too.",
)
@click.option("--explain", is_flag=True, help="Also say which rule fired where.")
@click.option("--text", "plain", is_flag=True, help="Plain lines of text instead of JSON lines.")
@click.option("--config", type=click.Path(), help="Configuration file, for rules of your own.")
@click.pass_context
def redact(
    context: click.Context,
    *,
    profile: Literal["secrets", "all"],
    explain: bool,
    plain: bool,
    config: str | None,
) -> None:
    """Read {"id", "text"} a line from stdin, and write the same without secrets and personal data.

    A line that cannot be read is named on stderr; the others are done, and the command ends with 1. Nothing
    leaves this machine.
    """
    redactor = Redactor.configured(
        Settings.load(config).redaction,
        os.environ,
        kinds=Redactor.SECRETS if profile == "secrets" else None,
    )
    if plain:
        _redact_plain(redactor, explain=explain)
        return
    if not _redact_lines(redactor, explain=explain):
        context.exit(FAILED)


def _redact_lines(redactor: Redactor, *, explain: bool) -> bool:
    """Whether every line could be read."""
    is_right = True
    for number, raw in _lines(sys.stdin.buffer):
        try:
            click.echo(_answer(redactor, _read(raw), explain=explain))
        except UnreadableLine as error:
            is_right = False
            where = Sentence(f"line {number}: ", ko=f"{number}번째 줄: ").say(language())
            click.echo(f"{where}{error.say(language())} ({error.error_code})", err=True)
    return is_right


def _lines(stream: BinaryIO) -> Iterator[tuple[int, bytes | None]]:
    """Numbered lines that are not empty; `None` for one that is too long."""
    number = 0
    while raw := stream.readline(LONGEST + 1):
        number += 1
        if len(raw) > LONGEST:
            while raw and not raw.endswith(b"\n"):
                raw = stream.readline(LONGEST)
            yield number, None
        elif raw.strip():
            yield number, raw


def _read(raw: bytes | None) -> Line:
    if raw is None:
        raise UnreadableLine(_TOO_LONG)
    try:
        line: object = json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise UnreadableLine(_NO_LINE) from error
    if isinstance(line, dict):
        match cast("dict[str, object]", line):
            case {"id": id, "text": str(text)}:
                return Line(id=id, text=text)
            case _:
                pass
    raise UnreadableLine(_NO_LINE)


def _answer(redactor: Redactor, line: Line, *, explain: bool) -> str:
    answer: dict[str, object] = {"id": line.id, "text": redactor.redact(line.text)}
    if explain:
        answer["findings"] = redactor.explain(line.text)
    written = json.dumps(answer, ensure_ascii=False)
    return written if _is_writable(written) else json.dumps(answer)


def _is_writable(text: str) -> bool:
    """Half surrogates can be escaped, not written."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _redact_plain(redactor: Redactor, *, explain: bool) -> None:
    lines = (
        raw.decode("utf-8", "backslashreplace")
        for raw in iter(lambda: sys.stdin.buffer.readline(LONGEST), b"")
    )
    number = 1
    for block in _blocks(lines):
        text = "".join(block)
        click.echo(redactor.redact(text), nl=False)
        for found in redactor.explain(text) if explain else ():
            line = number + text.count("\n", 0, cast("int", found["start"]))
            click.echo(f"{line}: {found['kind']} ({found['rule']})", err=True)
        number += len(block)


def _blocks(lines: Iterator[str]) -> Iterator[list[str]]:
    """Lines one by one, but together where a private key or a value of YAML goes on over several."""
    block: list[str] = []
    for line in lines:
        block.append(line)
        if len(block) >= MOST_LINES or not _goes_on(block):
            yield block
            block = []
    if block:
        yield block


def _goes_on(block: Sequence[str]) -> bool:
    """Whether what the block began is not at its end."""
    marked = next((line for line in reversed(block) if _BEGIN in line or _END in line), "")
    if _BEGIN in marked and _END not in marked:
        return True
    opened = _GOES_BELOW.fullmatch(block[0])
    if opened is None:
        return False
    if len(block) == 1:
        return True
    last = block[-1]
    return len(last) - len(last.lstrip(" \t")) > len(opened[1]) or not last.strip()


_NO_LINE = Sentence(
    'this is no JSON object with "id" and "text"; write {"id": "1", "text": "..."}',
    ko='"id"와 "text"가 있는 JSON 객체가 아닙니다. {"id": "1", "text": "..."}처럼 적어 주세요',
)
_TOO_LONG = Sentence(
    f"this is longer than {LONGEST // 1024 // 1024} MiB; split the text",
    ko=f"{LONGEST // 1024 // 1024}MiB보다 깁니다. 텍스트를 나눠 주세요",
)
