"""Which blocks of a request nobody but the model can read, and what else was said in it."""

import json
from typing import Any

import pytest

from holdfast.wire.said import Said, read_said
from holdfast.wire.unread import MOST_UNREAD, Unread, unread

IMAGE = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AAAA"}}
PDF = {"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": "AAAA"}}


def body(*messages: tuple[str, Any]) -> bytes:
    return json.dumps(
        {"messages": [{"role": role, "content": content} for role, content in messages]}
    ).encode()


def reasons(content: list[object]) -> list[str]:
    return [block.reason for block in unread(body(("user", content)))]


@pytest.mark.parametrize(
    ("block", "reason"),
    [
        (IMAGE, "image"),
        ({"type": "image", "source": {"type": "url", "url": "https://x"}}, "image"),
        (PDF, "base64_document"),
        ({"type": "document", "source": {"type": "url", "url": "https://x"}}, "url_source"),
        ({"type": "document", "source": {"type": "file", "file_id": "f"}}, "file_source"),
        ({"type": "container_upload", "file_id": "f"}, "file_source"),
        ({"type": "web_search_result", "encrypted_content": "x", "title": "t"}, "encrypted"),
        ({"type": "redacted_thinking", "data": "x"}, "encrypted"),
        ({"type": "thinking", "thinking": "x"}, "thinking"),
    ],
)
def test_a_block_that_cannot_be_read_says_why(block: object, reason: str) -> None:
    assert reasons([block]) == [reason]


def test_what_stands_inside_results_and_documents_is_found_with_its_path() -> None:
    content = [
        {"type": "tool_result", "content": [{"type": "text", "text": "see"}, IMAGE]},
        {"type": "document", "source": {"type": "content", "content": [IMAGE]}},
    ]

    found = unread(body(("user", "old"), ("assistant", [IMAGE]), ("user", content)))

    assert found == (
        Unread("messages.2.content.0.content.1", "image"),
        Unread("messages.2.content.1.source.content.0", "image"),
    )


@pytest.mark.parametrize(
    "raw",
    [
        body(("user", "Hello")),
        body(("user", [{"type": "text", "text": 'an "image"'}])),
        body(("user", [IMAGE]), ("assistant", "Nice."), ("user", "Thanks")),
        b'{"messages": "\\"image\\"", "image": "image"}',
        b'"image"',
        b'{"messages": [7, {"content": [{"source": 3, "type": "image_"}]}]}',
    ],
)
def test_texts_and_older_turns_are_not_listed(raw: bytes) -> None:
    assert unread(raw) == ()


def test_an_assistant_turn_at_the_very_end_is_looked_past() -> None:
    assert len(unread(body(("user", [IMAGE]), ("assistant", "I see")))) == 1


def test_no_more_blocks_are_listed_than_make_sense_nor_deeper_ones() -> None:
    deep: object = IMAGE
    for _ in range(12):
        deep = [deep]

    assert len(reasons([IMAGE] * (MOST_UNREAD + 3))) == MOST_UNREAD
    assert reasons([deep]) == []


def test_what_users_and_tools_said_is_told_apart() -> None:
    content = [
        {"type": "text", "text": "Look at this"},
        {
            "type": "tool_result",
            "tool_use_id": "t1",
            "content": [{"type": "text", "text": "from a tool"}, IMAGE],
        },
        {
            "type": "document",
            "title": "T",
            "source": {"type": "text", "media_type": "text/plain", "data": "words"},
        },
        {"type": "text"},
        {"type": "document", "source": {"type": "text", "data": "more", "pages": 3}},
        7,
    ]

    said = read_said(
        body(("system", "s"), ("user", "Hi"), ("assistant", "Ho"), ("user", content), ("user", 7))
    )

    assert said.user == ("Hi", "Look at this", "")
    assert sorted(said.others) == ["T", "from a tool", "more", "words"]


@pytest.mark.parametrize("raw", [b"", b"[]", b'{"messages": 3}'])
def test_a_body_that_makes_no_sense_says_nothing(raw: bytes) -> None:
    assert read_said(raw) == Said()
