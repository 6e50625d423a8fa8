"""Every command that a page prints exists, with its options; every file that it names is there."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

import dev
from holdfast.cli.main import cli

ROOT = Path(__file__).resolve().parents[2]
PAGES = [
    *(ROOT / name for name in ("README.md", "README.ko.md", "CONTRIBUTING.md")),
    *sorted((ROOT / "docs").rglob("*.md")),
]
BLOCK = re.compile(r"^( *)```(?:console|sh)\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
ENDS = {"|", "&&", ";", ">", "<", "||", "&"}
OTHERS = {
    *(
        "cd",
        "chmod",
        "claude",
        "cp",
        "curl",
        "docker",
        "export",
        "git",
        "helm",
        "journalctl",
        "kubectl",
        "make",
        "mkdir",
    ),
    *("openssl", "pg_dump", "pg_restore", "pip", "printf", "python", "sudo", "systemctl", "npm"),
}
"""What a page may ask a person to type besides holdfast."""


def lines(page: Path) -> Iterator[str]:
    """The lines of a page that a person types, with those that go on put together."""
    for block in BLOCK.finditer(page.read_text("utf-8")):
        text = block[2].replace("\\\n", " ")
        typed = [line.strip() for line in text.splitlines()]
        prompted = [line.removeprefix("$ ") for line in typed if line.startswith("$ ")]
        yield from prompted or [line for line in typed if line and not line.startswith("#")]


def commands(line: str) -> Iterator[list[str]]:
    """The single commands of a line, without variables before them and comments behind."""
    found: list[str] = []
    lexer = shlex.shlex(line, posix=True, punctuation_chars="|&;<>")
    lexer.whitespace_split = True
    for word in [*lexer, ";"]:
        if word not in ENDS:
            found.append(word)
            continue
        while found and re.fullmatch(r"\w+=.*", found[0]):
            found.pop(0)
        if found and word != "":
            yield found
        found = []


def wrong(words: list[str]) -> str | None:
    """What is wrong with a command; what stands behind `>` is one word, and no command."""
    name, *rest = words
    match Path(name).name:
        case "holdfast":
            return refused(cli, rest)
        case "python" | "python3" if rest[:1] == ["dev.py"]:
            return None if rest[1] in dev.COMMANDS else f"no {rest[1]} in dev.py"
        case "python" | "python3" if rest[:1] == ["-m"] and rest[1].startswith("benchmarks."):
            place = ROOT / rest[1].replace(".", "/")
            found = place.with_suffix(".py").exists() or (place / "__main__.py").exists()
            return None if found else f"no {rest[1]}"
        case "python" | "python3" if rest and rest[0].endswith(".py"):
            return None if (ROOT / rest[0]).exists() else f"no {rest[0]}"
        case other:
            return None if other in OTHERS or len(words) == 1 else f"who is {other}?"


def refused(command: click.Command, words: list[str]) -> str | None:
    """Why click would not take these words, asking no more than their names."""
    with click.Context(command, info_name=command.name) as context:
        if not isinstance(command, click.Group) or words[:1] in (["--help"], ["--version"]):
            try:
                command.make_parser(context).parse_args(list(words))
            except click.UsageError as error:
                return error.format_message()
            return None
        if not words:
            return None
        below = command.get_command(context, words[0])
        return f"no {words[0]}" if below is None else refused(below, words[1:])


@pytest.mark.requirement("docs:commands")
@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_printed_command_exists_with_its_options(page: Path) -> None:
    found = [
        f"{line}: {problem}"
        for line in lines(page)
        for words in commands(line)
        if (problem := wrong(words)) is not None
    ]
    assert found == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_file_that_a_command_reads_is_in_the_checkout(page: Path) -> None:
    named = {
        word
        for line in lines(page)
        for words in commands(line)
        for word in words
        if re.match(r"(deploy/|compose|examples/|docs/)[\w./-]*$", word) and word != "compose"
    }
    assert sorted(word for word in named if not (ROOT / word).exists()) == []


@pytest.mark.parametrize(
    "typed",
    ["holdfast dance", "holdfast stop --softly", "python3 dev.py dance", "python3 gone.py", "conjure it up"],
)
def test_a_command_that_is_not_there_is_found(typed: str) -> None:
    (words,) = commands(typed)
    assert wrong(words) is not None
