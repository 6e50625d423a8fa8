"""`holdfast mcp`: the ledger of this machine, or a running gateway, as an MCP server that only reads."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, BinaryIO
from urllib.parse import urlencode

import click

from holdfast.cli.desk import Book, talk, work
from holdfast.cli.inert import json_text
from holdfast.cli.main import language
from holdfast.cli.remote import Server, server
from holdfast.cli.request_source import is_remote, source
from holdfast.errors import HoldfastError
from holdfast.language import Sentence
from holdfast.operations.desk import Desk
from holdfast.operations.mcp import (
    RequestQuestion,
    Said,
    SpendQuestion,
    StatusQuestion,
    Wanted,
    heard,
    refused,
    told,
)
from holdfast.operations.span import span
from holdfast.operations.spend import report, report_facts

LONGEST_LINE = 1024 * 1024
"""Bytes of one message."""
Facts = Mapping[str, Any]


@click.command(
    "mcp",
    epilog="Example: holdfast mcp --config holdfast.toml (to add it: claude mcp add holdfast -- holdfast mcp)",
)
@click.option("--config", type=click.Path(), help="Configuration file.")
@click.option("--simulate", is_flag=True, help="Work on the book of the embedded simulator.")
def mcp(*, config: str | None, simulate: bool) -> None:
    """Serve MCP over standard input and output: status, spend and explain_request, all of which only read."""
    book = Book(config=config, simulate=simulate, as_json=True)
    if sys.stdin.isatty():
        talk(
            Sentence(
                "This speaks MCP on standard input and output; an MCP client starts it. Ctrl-D ends it.",
                ko="표준 입출력으로 MCP를 주고받는 명령입니다. MCP 클라이언트가 실행합니다. Ctrl-D로 끝냅니다.",
            )
        )
    serve(Answers(book=book), sys.stdin.buffer, sys.stdout.buffer)


def serve(answers: "Answers", lines: BinaryIO, out: BinaryIO) -> None:
    """Answer one message after the other until nobody writes any more."""
    while line := lines.readline(LONGEST_LINE):
        if not line.strip():
            continue
        answer = answers(line)
        if answer is not None:
            out.write(json_text(answer).encode() + b"\n")
            out.flush()


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """Answers messages from the place where commands read, too."""

    book: Book

    def __call__(self, line: bytes) -> Facts | None:
        """The answer to a message; `None` where there is none to give."""
        match heard(line):
            case Said(answer=answer):
                return answer
            case Wanted() as wanted:
                return self._answer(wanted)

    def _answer(self, wanted: Wanted) -> Facts:
        try:
            return told(wanted, self._facts(wanted), language())
        except HoldfastError as error:
            return refused(wanted, error, language())
        except click.UsageError as error:
            return refused(wanted, Sentence(error.message, ko=error.message), language())

    def _facts(self, wanted: Wanted) -> Facts:
        match wanted.question:
            case StatusQuestion():
                return server(config=self.book.config).get("/api/v1/status")
            case RequestQuestion(id=name):
                return source(self.book).one(name)
            case SpendQuestion() as question:
                if is_remote(self.book):
                    return _asked(server(), question)
                return work(self.book, lambda desk: _summed(desk, question))


def _asked(gateway: Server, question: SpendQuestion) -> Facts:
    by = ",".join(question.by or ["model"])
    return gateway.get(f"/api/v1/spend?{urlencode({'since': question.since, 'by': by})}")


async def _summed(desk: Desk, question: SpendQuestion) -> Facts:
    within = span(question.since, None, timezone="UTC", now=desk.now)
    return report_facts(await report(desk, within, by=question.by or ["model"]))
