#!/usr/bin/env python3
"""Writes the pages of the reference from the code: `docs/reference` in English, `docs/ko/reference` in Korean."""

from __future__ import annotations

import inspect
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from prometheus_client.parser import text_string_to_metric_families

import holdfast
from holdfast.admin.app import OPERATIONS
from holdfast.admin.document import document
from holdfast.catalogue.codes import EXPLANATIONS
from holdfast.catalogue.entry import MENDERS, Explanation
from holdfast.cli import help_page
from holdfast.cli.commands import COMMANDS
from holdfast.cli.main import cli
from holdfast.language import Language, Sentence
from holdfast.operations.reference import Entry, reference
from holdfast.telemetry import names
from holdfast.telemetry.metrics import Metrics

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

DOCS = Path(__file__).resolve().parent / "docs"
FOLDERS: dict[Language, Path] = {"en": DOCS / "reference", "ko": DOCS / "ko" / "reference"}

WRITTEN = Sentence(
    "Written by `python3 dev.py docs` from the code.",
    ko="`python3 dev.py docs`가 코드에서 만든 쪽입니다.",
)
TITLES = {
    "cli": Sentence("Commands", ko="명령"),
    "configuration": Sentence("Settings", ko="설정"),
    "errors": Sentence("Codes of errors", ko="오류 코드"),
    "http-api": Sentence("HTTP API", ko="HTTP API"),
    "python-api": Sentence("Python API", ko="파이썬 API"),
    "metrics": Sentence("Metrics", ko="지표"),
}
HEADS = {
    "key": Sentence("Key", ko="키"),
    "meaning": Sentence("Meaning", ko="뜻"),
    "takes": Sentence("Takes", ko="받는 값"),
    "default": Sentence("Default", ko="기본값"),
    "option": Sentence("Option", ko="옵션"),
    "why": Sentence("Why", ko="까닭"),
    "cure": Sentence("Do", ko="할 일"),
    "who": Sentence("Who can mend it", ko="고칠 수 있는 쪽"),
}
OPTIONS_NOTE = Sentence(
    "`holdfast COMMAND --help` says the same.",
    ko="터미널에서는 `holdfast COMMAND --help`로 볼 수 있습니다.",
)
SETTINGS_NOTE = Sentence(
    "`NAME` is a name of your choice, `1` the first of several. The variable of a key is `HOLDFAST__` and its path in "
    "capitals with `__` for every dot, such as `HOLDFAST__BREAKER__FAILURE_THRESHOLD`. "
    "`holdfast config explain KEY` says the same, `holdfast config show` what holds now and where it comes from.",
    ko="`NAME`은 직접 정하는 이름이고, `1`은 여러 항목 가운데 첫째입니다. 환경 변수 이름은 `HOLDFAST__` 뒤에 경로를 "
    "대문자로 적고 점마다 `__`를 넣습니다. 예: `HOLDFAST__BREAKER__FAILURE_THRESHOLD`. "
    "같은 설명을 `holdfast config explain KEY`로, 지금 값과 출처를 `holdfast config show`로 볼 수 있습니다.",
)
ERRORS_NOTE = Sentence(
    "A code stands in `error.details.error_code`, in the record of the request, or in brackets in what `holdfast check` "
    "prints. `holdfast rule CODE` says the same at a terminal.",
    ko="코드는 `error.details.error_code`, 요청 기록, `holdfast check`의 대괄호 안에 나옵니다. "
    "터미널에서는 `holdfast rule CODE`로 볼 수 있습니다.",
)


def cli_page(tongue: Language) -> Iterator[str]:
    """Every command, with its arguments and options."""
    yield OPTIONS_NOTE.say(tongue)
    context = click.Context(cli, info_name="holdfast")
    for name in sorted(COMMANDS):
        command = cli.get_command(context, name)
        assert command is not None
        yield f"## holdfast {name}"
        yield COMMANDS[name][1].say(tongue)
        yield from told(command, click.Context(command, info_name=name, parent=context), tongue)


def told(command: click.Command, context: click.Context, tongue: Language) -> Iterator[str]:
    """What the help of a command says, and that of those below it."""
    if command.help:
        yield help_page.said("\n\n".join(help_page.paragraphs(command.help)), tongue)
    yield f"```text\n{command.get_usage(context).removeprefix('Usage: ')}\n```"
    options = [record for one in command.params if (record := one.get_help_record(context))]
    if options:
        rows = [
            (f"`{' '.join(name.split())}`", help_page.row(" ".join(text.split()), tongue))
            for name, text in options
        ]
        yield table((HEADS["option"].say(tongue), HEADS["meaning"].say(tongue)), rows)
    if command.epilog and command.epilog.startswith("Example: "):
        yield f"```console\n$ {command.epilog.removeprefix('Example: ')}\n```"
    if isinstance(command, click.Group):
        for name, below in sorted(command.commands.items()):
            yield f"### {context.command_path} {name}"
            yield from told(below, click.Context(below, info_name=name, parent=context), tongue)


def configuration_page(tongue: Language) -> Iterator[str]:
    """Every setting, by section."""
    yield SETTINGS_NOTE.say(tongue)
    sections: dict[str, list[Entry]] = {}
    for entry in reference():
        sections.setdefault(entry.path.partition(".")[0], []).append(entry)
    heads = tuple(HEADS[name].say(tongue) for name in ("key", "meaning", "takes", "default"))
    for section, entries in sections.items():
        yield f"## {section}"
        yield table(heads, [setting(entry, tongue) for entry in entries])


def setting(entry: Entry, tongue: Language) -> tuple[str, ...]:
    """One row of the table of a section."""
    default = f"`{entry.default}`" if entry.default else ""
    return f"`{entry.path}`", entry.meaning.say(tongue), entry.takes.say(tongue), default


def errors_page(tongue: Language) -> Iterator[str]:
    """Every code that a person can meet."""
    yield ERRORS_NOTE.say(tongue)
    for entry in sorted(EXPLANATIONS.values(), key=lambda entry: entry.code):
        yield f"## {entry.code}"
        yield entry.what.say(tongue)
        yield "\n".join(f"- {line}" for line in explained(entry, tongue))


def explained(entry: Explanation, tongue: Language) -> Iterator[str]:
    """Why a code comes, and what is to be done by whom."""
    for head, said in (("why", entry.why), ("cure", entry.cure), ("who", MENDERS[entry.who])):
        yield f"**{HEADS[head].say(tongue)}**: {said.say(tongue)}"
    if entry.status:
        again = Sentence("worth sending again", ko="다시 보낼 만함")
        vain = Sentence("sending it again does not help", ko="다시 보내도 소용없음")
        yield f"**HTTP {entry.status}**, {(again if entry.retry else vain).say(tongue)}"


def http_page(_: Language) -> Iterator[str]:
    """Every operation of the administration; what callers use is the Messages API itself."""
    whole: dict[str, Any] = document(OPERATIONS)
    yield (
        "Callers use the paths of the Messages API, as [the gateway](../gateway.md) says. This page is the administration, "
        f"which a gateway also tells at `/openapi.json`. {whole['info']['description']}"
    )
    yield "A refusal is the error envelope of the Messages API, with a code from [the list](errors.md)."
    for path, methods in sorted(whole["paths"].items()):
        for method, one in methods.items():
            yield f"## {method.upper()} {path}"
            yield f"{one['summary']}. {one['description']}"
            rows = [parameter(each) for each in one["parameters"]]
            if rows:
                yield table(("Parameter", "In", "Type", "Default"), rows)
            if "requestBody" in one:
                yield f"Body: `{named(one['requestBody'])}`"
            answers = [(code, named(said)) for code, said in one["responses"].items() if code < "400"]
            yield "Answer: " + ", ".join(f"{code} `{name}`" if name else code for code, name in answers)
    yield "## Shapes"
    for name, schema in sorted(whole["components"]["schemas"].items()):
        yield from shape(name, schema)


def parameter(one: dict[str, Any]) -> tuple[str, ...]:
    """One row of the table of parameters."""
    default = one["schema"].get("default")
    shown = "" if default in (None, "") else f"`{default}`"
    return f"`{one['name']}`", one["in"], kind(one["schema"]), "required" if one["required"] else shown


def named(said: dict[str, Any]) -> str:
    """The shape of a body, or what kind of file it is."""
    for media, content in said.get("content", {}).items():
        schema = content.get("schema", {})
        return kind(schema) if "$ref" in schema else str(media)
    return ""


def kind(schema: dict[str, Any]) -> str:
    """A schema in a few words."""
    if "$ref" in schema:
        return str(schema["$ref"].rpartition("/")[2])
    if "enum" in schema:
        return " or ".join(f'"{each}"' for each in schema["enum"])
    if "anyOf" in schema:
        return " or ".join(kind(each) for each in schema["anyOf"])
    if schema.get("type") == "array":
        return f"list of {kind(schema.get('items', {}))}"
    return str(schema.get("type", "anything"))


def shape(name: str, schema: dict[str, Any]) -> Iterator[str]:
    """The members of one shape."""
    yield f"### {name}"
    if said := schema.get("description"):
        yield " ".join(said.split("\n\n")[0].split())
    if members := schema.get("properties"):
        required = schema.get("required", [])
        rows = [(f"`{key}`", kind(each), "yes" if key in required else "") for key, each in members.items()]
        yield table(("Member", "Type", "Always there"), rows)


def python_page(_: Language) -> Iterator[str]:
    """Every name that `holdfast` exports."""
    yield "What `from holdfast import ...` gives. Everything else is found by its own module and may move."
    for name in holdfast.__all__:
        thing = getattr(holdfast, name)
        yield f"## {name}"
        yield f"```text\n{signature(name, thing)}\n```"
        yield described(thing)
        if inspect.isclass(thing) and not issubclass(thing, BaseException):
            rows = [(f"`{called}`", first(said)) for called, said in verbs(thing)]
            if rows:
                yield table(("Member", "Meaning"), rows)


def signature(name: str, thing: Any) -> str:
    """How it is called, one argument a line when they are many."""
    try:
        called = inspect.signature(thing)
    except ValueError:
        return name
    kept = [one.replace(annotation=inspect.Parameter.empty) for one in called.parameters.values()]
    parts = [re.sub(r"<[^>]*>", "...", str(one)) for one in starred(kept)]
    one_line = f"{name}({', '.join(parts)})"
    return one_line if len(one_line) <= 88 else f"{name}(\n    " + ",\n    ".join(parts) + ",\n)"


def starred(parameters: list[inspect.Parameter]) -> Iterator[inspect.Parameter | str]:
    """The parameters, with a star before those that must be named."""
    before: Any = None
    for one in parameters:
        if one.kind is one.KEYWORD_ONLY and before not in (one.KEYWORD_ONLY, one.VAR_POSITIONAL):
            yield "*"
        before = one.kind
        yield one


def described(thing: Any) -> str:
    """The docstring as Markdown: the lists of Google style become lists."""
    text = inspect.cleandoc(thing.__doc__ or "")
    text = re.sub(r"^(Attributes|Args|Raises|Returns|Yields):\n", r"**\1**\n\n", text, flags=re.MULTILINE)
    return re.sub(r"^    (\S+?): (.*)$", r"- `\1`: \2", text, flags=re.MULTILINE).replace(
        "\n        ", "\n  "
    )


def first(said: str) -> str:
    """The first paragraph of a docstring, on one line."""
    return " ".join(inspect.cleandoc(said).split("\n\n")[0].split())


def verbs(thing: type) -> Iterator[tuple[str, str]]:
    """The public methods and properties of a class that say what they are."""
    for name in sorted(vars(thing)):
        member = inspect.getattr_static(thing, name)
        if name.startswith("_") or not member.__doc__:
            continue
        if isinstance(member, property):
            yield name, member.__doc__
        elif callable(inner := getattr(member, "__func__", member)):
            shown = [one for one in inspect.signature(inner).parameters if one not in ("self", "cls")]
            yield f"{name}({', '.join(shown)})", member.__doc__


def metrics_page(_: Language) -> Iterator[str]:
    """Every metric, as `/metrics` shows it before anything has happened."""
    yield (
        "What `/metrics` shows. Spans and how they are sent: [what is going on](../observability.md). "
        f"`{names.RESERVED}` is left out while the store does not answer."
    )
    families = text_string_to_metric_families(Metrics().render(reserved=0).decode())
    rows = [(f"`{family.name}`", family.type, family.documentation) for family in families]
    yield table(("Name", "Kind", "What it counts"), sorted(rows))
    yield "A counter ends in `_total`, a histogram in `_bucket`, `_sum` and `_count`."


def table(heads: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """A Markdown table."""
    heads = tuple(heads)
    lines = [heads, ("---",) * len(heads), *rows]
    return "\n".join("| " + " | ".join(map(escaped, line)) + " |" for line in lines)


def escaped(cell: str) -> str:
    """A cell whose bars do not end it."""
    return cell.replace("|", "\\|")


PAGES: dict[str, tuple[Callable[[Language], Iterator[str]], tuple[Language, ...]]] = {
    "cli": (cli_page, ("en", "ko")),
    "configuration": (configuration_page, ("en", "ko")),
    "errors": (errors_page, ("en", "ko")),
    "http-api": (http_page, ("en",)),
    "python-api": (python_page, ("en",)),
    "metrics": (metrics_page, ("en",)),
}
"""What each page is made by, and in which languages: what the code says in English only has no Korean page."""


def written() -> dict[Path, str]:
    """Every page of the reference as it ought to be."""
    return {
        FOLDERS[tongue] / f"{name}.md": page(name, tongue)
        for name, (_, tongues) in PAGES.items()
        for tongue in tongues
    }


def page(name: str, tongue: Language) -> str:
    """One page as it ought to be."""
    parts = [f"# {TITLES[name].say(tongue)}", WRITTEN.say(tongue), *PAGES[name][0](tongue)]
    return "\n\n".join(part.rstrip() for part in parts if part) + "\n"


def stale() -> list[Path]:
    """The pages that are not what the code says now."""
    return [path for path, text in written().items() if not path.exists() or path.read_text("utf-8") != text]


def main(arguments: list[str]) -> int:
    """Write the pages, or with `--check` only name those that are stale."""
    if "--check" in arguments:
        for path in (behind := stale()):
            print(f"stale: {path.relative_to(DOCS.parent)}")
        return 1 if behind else 0
    for path, text in written().items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
