"""Results of MCP tools as content of the Messages API, and the messages of an MCP server."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.wire.mcp import LARGEST_FILE, MOST_BLOCKS, content_of
from holdfast.wire.mcp_rpc import (
    NO_METHOD,
    NO_REQUEST,
    NOT_JSON,
    VERSIONS,
    Malformed,
    Request,
    Unanswered,
    answered,
    failed,
    greeting,
    read_message,
)

TEXT = {"type": "text", "text": "hi"}
IMAGE = {"type": "image", "data": "aGk=", "mimeType": "image/png"}
PDF = {"uri": "file:///a.pdf", "mimeType": "application/pdf", "blob": "aGk="}
json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(), lambda inner: st.dictionaries(st.text(), inner)
)


def content(*parts: object, **further: object) -> Any:
    return content_of({"content": list(parts), **further})


@pytest.mark.parametrize(
    ("part", "text"),
    [
        (TEXT, "hi"),
        ({"type": "audio", "data": "aGk=", "mimeType": "audio/wav"}, "[audio: audio/wav is not shown]"),
        ({"type": "image", "mimeType": "image/png"}, "[image: image/png is not shown]"),
        ({"type": "image", "data": "aGk="}, "[image: no type is not shown]"),
        (
            {"type": "resource_link", "name": "a", "title": "a", "uri": "file:///a"},
            "[resource: a, file:///a]",
        ),
        ({"type": "resource", "resource": {"uri": "file:///a", "text": "inside"}}, "[file:///a]\ninside"),
        (
            {"type": "resource", "resource": {"mimeType": "x/y", "blob": "aGk="}},
            "[resource: x/y is not shown]",
        ),
        ({"type": "resource", "resource": 7}, "[a resource without content]"),
        ({"type": "hologram"}, "[a part of the sort 'hologram' is not shown]"),
        (
            {"type": "image", "data": "x" * (LARGEST_FILE + 4), "mimeType": "image/png"},
            "[image: too large to be shown, 3,932,163 bytes]",
        ),
    ],
)
def test_what_is_no_picture_is_a_text(part: object, text: str) -> None:
    assert content(part) == text


def test_texts_are_put_together_and_nothing_is_an_empty_text() -> None:
    assert content(TEXT, TEXT) == "hi\nhi"
    assert content() == content_of({}) == ""


def test_pictures_and_documents_are_blocks() -> None:
    assert content(TEXT, IMAGE, {"type": "resource", "resource": PDF}) == [
        TEXT,
        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "aGk="}},
        {"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": "aGk="}},
    ]


def test_an_object_is_shown_where_there_is_no_text_of_it() -> None:
    assert content(structuredContent={"sum": 42}) == '{"sum":42}'
    assert content(TEXT, structuredContent={"sum": 42}) == "hi"


def test_there_is_an_end_to_parts() -> None:
    said = content(*[TEXT] * (MOST_BLOCKS + 3))
    assert said.count("hi") == MOST_BLOCKS
    assert said.endswith("[3 more parts are not shown]")


@given(json)
def test_whatever_a_server_gives_becomes_content(result: Any) -> None:
    found = content_of({"content": [result], "structuredContent": result})
    assert isinstance(found, str | list)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"{", NOT_JSON),
        (b"\xff", NOT_JSON),
        (b"[]", NO_REQUEST),
        (b'{"id": 1}', NO_REQUEST),
        (b'{"id": true, "method": "ping"}', NO_REQUEST),
        (b'{"id": null, "method": "ping"}', NO_REQUEST),
        (b'{"id": "%s", "method": "ping"}' % (b"x" * 501), NO_REQUEST),
    ],
)
def test_what_is_no_message_is_told_so(body: bytes, code: int) -> None:
    match read_message(body):
        case Malformed(answer=answer):
            assert answer["error"]["code"] == code
        case other:
            pytest.fail(str(other))


@pytest.mark.parametrize("body", [b'{"method": "notifications/x"}', b'{"id": 1, "result": {}}'])
def test_notifications_and_answers_are_not_answered(body: bytes) -> None:
    assert isinstance(read_message(body), Unanswered)


def test_a_request_is_read_and_answered_under_its_id() -> None:
    request = read_message(b'{"id": "a", "method": "ping", "params": 7}')
    assert request == Request("a", "ping", {})
    assert isinstance(request, Request)
    assert answered(request, {"x": 1}) == {"jsonrpc": "2.0", "id": "a", "result": {"x": 1}}
    assert failed("a", NO_METHOD, "no")["error"] == {"code": NO_METHOD, "message": "no"}


@pytest.mark.parametrize(
    ("asked", "version"), [("2025-03-26", "2025-03-26"), ("1999-01-01", VERSIONS[0]), (None, VERSIONS[0])]
)
def test_the_version_is_the_one_that_was_asked_for_if_we_know_it(asked: object, version: str) -> None:
    told = greeting(Request(1, "initialize", {"protocolVersion": asked}), "holdfast", "1", "Reads.")
    assert told["result"]["protocolVersion"] == version
