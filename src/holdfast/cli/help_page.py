"""What `--help` says, in the reader's language."""

import inspect
import os
import re
from collections.abc import Iterable
from functools import cache

import click

from holdfast.language import Language, preferred

_HEADINGS = {"Options": "옵션", "Commands": "명령"}
_EXTRAS = {"default:": "기본값:", "required": "필수", "env var:": "환경 변수:"}
_EXTRA = re.compile(r"(?<!\s)\s{1,8}(?=\[[^\]\[]{0,200}?(?:default:|required|env var:|<=|>=))")
"""Where what Click adds to the text of an option begins: `  [default: 8; x>=1]`."""


def reader() -> Language:
    """The language of whoever sits at this terminal."""
    return preferred(os.environ)


@cache
def translations() -> dict[str, str]:
    """Every paragraph of the help in English, and in Korean."""
    import tomllib  # whoever reads English does not wait for these
    from importlib.resources import files

    page = files("holdfast.cli").joinpath("ko.toml").read_text(encoding="utf-8")
    return {str(english): str(korean) for english, korean in tomllib.loads(page)["help"].items()}


def paragraphs(text: str) -> list[str]:
    """The paragraphs of a help text, each on one line."""
    cleaned = inspect.cleandoc(text).partition("\f")[0]
    return [" ".join(part.split()) for part in cleaned.split("\n\n") if part.strip()]


def _whole(paragraph: str) -> str:
    """The paragraph that Click has cut short for the list of a group, or this one."""
    if not paragraph.endswith("..."):
        return paragraph
    begun = paragraph.removesuffix("...")
    return next((known for known in translations() if known.startswith(begun)), paragraph)


def in_korean(paragraph: str) -> str:
    """A paragraph in Korean; in English where the page of translations has none."""
    if known := translations().get(_whole(paragraph)):
        return known
    if paragraph.startswith("Example: "):
        return "예: " + paragraph.removeprefix("Example: ")
    return paragraph


def said(text: str, language: Language) -> str:
    """A help text in the reader's language, paragraph by paragraph."""
    if language == "en":
        return text
    return "\n\n".join(in_korean(paragraph) for paragraph in paragraphs(text))


def row(text: str, language: Language) -> str:
    """The line of an option, with what Click adds to it: defaults, ranges, `required`."""
    if language == "en" or not text:
        return text
    own, *extra = _EXTRA.split(text, maxsplit=1)
    added = "".join(f"  {part}" for part in extra)
    for english, korean in _EXTRAS.items():
        added = added.replace(english, korean)
    return said(own, language) + added


class Page(click.HelpFormatter):
    """The page of a command, said in the language of whoever reads it."""

    def write_usage(self, prog: str, args: str = "", prefix: str | None = None) -> None:
        super().write_usage(prog, args, "사용법: " if reader() == "ko" else prefix)

    def write_heading(self, heading: str) -> None:
        super().write_heading(_HEADINGS.get(heading, heading) if reader() == "ko" else heading)

    def write_text(self, text: str) -> None:
        super().write_text(said(text, reader()))

    def write_dl(self, rows: Iterable[tuple[str, str]], col_max: int = 30, col_spacing: int = 2) -> None:
        super().write_dl([(name, row(text, reader())) for name, text in rows], col_max, col_spacing)


class Reading(click.Context):
    """The context of a command whose page is said in the reader's language."""

    formatter_class = Page


def readable(command: click.Command) -> click.Command:
    """The same command, whose pages and those of everything below it are said in the reader's language."""
    command.context_class = Reading
    if isinstance(command, click.Group):
        for below in command.commands.values():
            readable(below)
    return command
