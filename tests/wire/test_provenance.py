"""Every text of a request, sorted by who is behind it."""

import json
from typing import Any

import pytest

from holdfast.wire.provenance import Provenance, read_provenance, texts_of_result


def body(*messages: dict[str, Any], **members: Any) -> bytes:
    return json.dumps({"messages": [*messages], **members}).encode()


def user(*content: Any) -> dict[str, Any]:
    return {"role": "user", "content": [*content]}


def text(said: str) -> dict[str, Any]:
    return {"type": "text", "text": said}


CALL = {
    "role": "assistant",
    "content": [{"type": "tool_use", "id": "t1", "name": "read_web", "input": {"q": "x"}}],
}


def result(content: Any, call: str = "t1") -> dict[str, Any]:
    return {"type": "tool_result", "tool_use_id": call, "content": content}


def test_operator_and_user_have_words_of_their_own() -> None:
    found = read_provenance(
        body(
            {"role": "user", "content": "hello"},
            {"role": "system", "content": "be brief"},
            {"role": "assistant", "content": "hi"},
            user(text("and now?")),
            system=[text("You are kind.")],
        )
    )
    assert found.system == ("You are kind.", "be brief")
    assert found.user == ("hello", "and now?")
    assert found.opening == "hello"
    assert found.told == ()


def test_a_result_belongs_to_the_tool_whose_call_it_answers() -> None:
    content = [text("one"), {"type": "document", "source": {"type": "text", "data": "two"}, "title": "three"}]
    found = read_provenance(body(user(text("go")), CALL, user(result(content), text("thanks"))))
    assert [(told.text, told.tool) for told in found.told] == [
        ("one", "read_web"),
        ("two", "read_web"),
        ("three", "read_web"),
    ]
    assert [told.may_be_fenced for told in found.told] == [True, False, False]
    assert found.told[0].path == ("messages", 2, "content", 0, "content", 0, "text")
    assert found.user == ("go", "thanks")


def test_a_result_of_a_call_that_nobody_saw_is_from_a_tool_without_a_name() -> None:
    (told,) = read_provenance(body(user(result("data", "t9")))).told
    assert (told.text, told.tool, told.may_be_fenced) == ("data", "", True)


def test_documents_and_tools_that_the_api_runs_speak_for_nobody() -> None:
    search = {
        "type": "web_search_tool_result",
        "tool_use_id": "s",
        "content": [{"type": "r", "title": "News"}],
    }
    document = {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "paper"}}
    found = read_provenance(
        body(user(document), {"role": "assistant", "content": [search, text("my words")]})
    )
    assert [(told.text, told.tool, told.may_be_fenced) for told in found.told] == [
        ("paper", None, False),
        ("News", None, False),
    ]


def test_what_tools_say_of_themselves_is_known() -> None:
    schema = {"type": "object", "properties": {"q": {"description": "what to look for"}}}
    found = read_provenance(body(tools=[{"name": "find", "description": "Finds.", "input_schema": schema}]))
    assert found.descriptions == ("find", "Finds.", "what to look for")


def test_encoded_data_and_signatures_are_no_texts() -> None:
    image = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AAAA"}}
    assert (
        read_provenance(
            body(user(image, {"type": "text", "text": ""}, {"type": "new", "n": 5, "m": [6, ""]}))
        ).told
        == ()
    )


def test_loose_strings_in_a_turn_are_its_authors() -> None:
    assert read_provenance(body(user("odd", 7, None))).user == ("odd",)


@pytest.mark.parametrize(
    "broken", [b"", b"[]", b'{"messages": 5}', b'{"messages": [5, {"role": "user", "content": 7}]}', b"\xff"]
)
def test_what_makes_no_sense_has_no_texts(broken: bytes) -> None:
    found = read_provenance(broken)
    assert (found.system, found.user, found.told) == (Provenance().system, (), ())


def test_a_block_of_an_answer_tells_what_the_api_found() -> None:
    assert texts_of_result({"type": "mcp_tool_result", "content": [text("found")]}) == ("found",)
    assert texts_of_result(text("said")) == ()
    assert texts_of_result(None) == ()
