"""`holdfast mcp`, spoken to by the official client, line by line, and on a book of this machine."""

import io
import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest
from mcp import Client, StdioServerParameters

from holdfast.cli.desk import Book
from holdfast.cli.mcp import Answers, serve
from tests.cli.book import an_attempt, write
from tests.cli.conftest import Holdfast

BOOK = Book(config=None, simulate=False, as_json=False)


@pytest.fixture
def book(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Book:
    """A book with one attempt in it, and no gateway anywhere."""
    monkeypatch.setenv("HOLDFAST_HOME", str(tmp_path))
    monkeypatch.setenv("HOLDFAST_LANG", "en")
    monkeypatch.setenv("HOLDFAST_DATABASE_URL", f"sqlite:///{tmp_path / 'holdfast.db'}")
    monkeypatch.delenv("HOLDFAST_URL", raising=False)
    monkeypatch.delenv("HOLDFAST_CONFIG", raising=False)
    write(tmp_path / "holdfast.db", an_attempt("hfr_1", 2_000_000, key="web"))
    return BOOK


def spoken(book: Book, *messages: object) -> list[dict[str, Any]]:
    lines = b"".join(json.dumps(message).encode() + b"\n" for message in messages)
    out = io.BytesIO()
    serve(Answers(book=book), io.BytesIO(lines + b"\n"), out)
    return [json.loads(line) for line in out.getvalue().splitlines()]


def call(name: str, **arguments: object) -> dict[str, object]:
    return {
        "jsonrpc": "2.0",
        "id": 1,
        "method": "tools/call",
        "params": {"name": name, "arguments": arguments},
    }


def test_it_answers_what_wants_an_answer(book: Book) -> None:
    answers = spoken(book, {"id": 1, "method": "ping"}, {"method": "notifications/initialized"}, [1])
    assert [answer.get("result", answer.get("error", {}).get("code")) for answer in answers] == [{}, -32600]


def test_spending_and_requests_are_read_from_the_database_of_this_machine(book: Book) -> None:
    spend, story, nobody = spoken(
        book,
        call("spend", since="all", by=["key"]),
        call("explain_request", id="hfr_1"),
        call("explain_request", id="x"),
    )
    (group,) = spend["result"]["structuredContent"]["groups"]
    assert (group["key"], group["attempts"]) == ("web", 1)
    assert story["result"]["structuredContent"]["request_id"] == "hfr_1"
    assert nobody["result"]["isError"] is True


def test_what_cannot_be_told_is_said(book: Book, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOLDFAST_URL", "http://127.0.0.1:9")
    for answer in spoken(book, call("status"), call("spend"), call("explain_request", id="x")):
        assert answer["result"]["isError"] is True
        assert "No gateway answers at http://127.0.0.1:9" in answer["result"]["content"][0]["text"]


def test_a_person_who_starts_it_is_told_what_it_is_for(
    holdfast: Holdfast, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Terminal(io.TextIOWrapper):
        def isatty(self) -> bool:
            return True

    monkeypatch.setattr(sys, "stdin", Terminal(io.BytesIO()))
    ended = holdfast("mcp")
    assert (ended.code, ended.out) == (0, "")
    assert "an MCP client starts it" in ended.err


@pytest.mark.requirement("mcp:reads")
async def test_the_official_client_gets_along_with_it(book: Book) -> None:
    command = StdioServerParameters(
        command=sys.executable, args=["-m", "holdfast", "mcp"], env=dict(os.environ)
    )
    async with Client(command) as client:
        tools = await client.list_tools()
        spend = await client.call_tool("spend", {"since": "all"})

    assert [tool.name for tool in tools.tools] == ["status", "spend", "explain_request"]
    assert spend.structured_content["total"]["attempts"] == 1
