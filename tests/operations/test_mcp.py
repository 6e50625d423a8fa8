"""What an assistant may ask over MCP, and how it is told."""

import json
from typing import Any

import pytest

from holdfast.language import Sentence
from holdfast.operations.mcp import (
    LARGEST,
    MOST_GROUPS,
    RequestQuestion,
    Said,
    SpendQuestion,
    StatusQuestion,
    Wanted,
    heard,
    refused,
    told,
)

STATUS = {
    "verdict": "ok",
    "sentence": {"en": "All is well.", "ko": "정상입니다."},
    "evidence": [{"en": "3 of 3 calls", "ko": "3건 중 3건"}],
}


def ask(method: str, **params: object) -> Wanted | Said:
    return heard(json.dumps({"jsonrpc": "2.0", "id": 7, "method": method, "params": params}).encode())


def answer(found: Wanted | Said) -> Any:
    assert isinstance(found, Said)
    assert found.answer is not None
    return found.answer


def question(name: str, **arguments: object) -> Wanted:
    found = ask("tools/call", name=name, arguments=arguments)
    assert isinstance(found, Wanted), found
    return found


def test_it_introduces_itself_and_answers_pings() -> None:
    assert answer(ask("initialize"))["result"]["serverInfo"]["name"] == "holdfast"
    assert answer(ask("ping"))["result"] == {}
    assert answer(heard(b"{"))["error"]["code"] == -32700
    assert heard(b'{"method": "notifications/initialized"}') == Said(None)
    assert answer(ask("resources/list"))["error"]["code"] == -32601


def test_every_tool_only_reads_and_says_so() -> None:
    tools = answer(ask("tools/list"))["result"]["tools"]
    assert [tool["name"] for tool in tools] == ["status", "spend", "explain_request"]
    assert all(tool["annotations"]["readOnlyHint"] for tool in tools)


def test_questions_are_read_with_their_usual_values() -> None:
    assert question("status").question == StatusQuestion()
    assert question("spend").question == SpendQuestion(since="month", by=[])
    assert question("spend", since="7d", by=["key"]).question == SpendQuestion(since="7d", by=["key"])
    assert question("explain_request", id="hfr_1").question == RequestQuestion(id="hfr_1")


@pytest.mark.parametrize(
    ("name", "arguments", "why"),
    [
        ("drop_tables", {}, "There is no such tool"),
        ("status", {"loud": True}, "unknown field `loud`"),
        ("spend", {"by": "key"}, "Expected `array`"),
        ("explain_request", {}, "required field `id`"),
    ],
)
def test_what_cannot_be_asked_is_an_error_for_the_assistant(name: str, arguments: object, why: str) -> None:
    result = answer(ask("tools/call", name=name, arguments=arguments))["result"]
    assert result["isError"] is True
    assert why in result["content"][0]["text"]


@pytest.mark.parametrize(
    ("language", "text"), [("en", "All is well.\n3 of 3 calls"), ("ko", "정상입니다.\n3건 중 3건")]
)
def test_a_verdict_is_told_as_sentences(language: Any, text: str) -> None:
    result = told(question("status"), STATUS, language)["result"]
    assert result["content"] == [{"type": "text", "text": text}]
    assert result["structuredContent"] == STATUS


def test_a_request_is_told_as_it_is() -> None:
    result = told(question("explain_request", id="a"), {"request": {"id": "a"}}, "en")["result"]
    assert json.loads(result["content"][0]["text"]) == result["structuredContent"] == {"request": {"id": "a"}}


def test_of_many_groups_the_dearest_are_told() -> None:
    groups = [{"run": f"run_{at}", "cost": str(at)} for at in range(MOST_GROUPS + 5)]
    found = told(question("spend", by=["run"]), {"groups": groups, "total": {}}, "en")["result"][
        "structuredContent"
    ]
    assert found["left_out"] == 5
    assert [group["cost"] for group in found["groups"]][:2] == ["54", "53"]


def test_few_groups_are_all_told() -> None:
    found = told(question("spend"), {"groups": [{"cost": "1"}]}, "en")["result"]["structuredContent"]
    assert found == {"groups": [{"cost": "1"}]}


def test_there_is_an_end_to_an_answer() -> None:
    result = told(question("explain_request", id="a"), {"story": "x" * LARGEST}, "en")["result"]
    assert "structuredContent" not in result
    assert result["content"][0]["text"].endswith("characters is not shown]")
    quiet = told(question("status"), {**STATUS, "circuits": "x" * LARGEST}, "en")["result"]
    assert quiet == {"content": [{"type": "text", "text": "All is well.\n3 of 3 calls"}]}


def test_what_went_wrong_is_said_in_the_language_of_the_operator() -> None:
    result = refused(question("status"), Sentence("No gateway.", ko="게이트웨이가 없습니다."), "ko")["result"]
    assert result == {"content": [{"type": "text", "text": "게이트웨이가 없습니다."}], "isError": True}
