"""What every request of a conversation begins with."""

import json

import pytest

from holdfast.wire.opening import opening


def body(*messages: object) -> bytes:
    return json.dumps({"model": "claude", "messages": messages}).encode()


def user(content: object) -> dict[str, object]:
    return {"role": "user", "content": content}


def test_the_first_user_message_counts_and_none_behind_it() -> None:
    first = user("안녕")
    assert (
        opening(body(first))
        == opening(body(first, {"role": "assistant", "content": "Hi"}, user("more")))
        == "안녕"
    )
    assert opening(body({"role": "system", "content": "Be kind"}, first)) == "안녕"


def test_cache_marks_and_the_way_of_writing_it_make_no_difference() -> None:
    block = {"type": "text", "text": "Hello"}
    marked = {**block, "cache_control": {"type": "ephemeral"}}
    assert (
        opening(body(user("Hello")))
        == opening(body(user([block])))
        == opening(body(user([marked])))
        == "Hello"
    )


def test_texts_beside_images_are_read() -> None:
    image = {"type": "image", "source": {"type": "url", "url": "https://x"}}
    assert opening(body(user([image, {"type": "text", "text": "What is it?"}]))).strip() == "What is it?"


@pytest.mark.parametrize(
    "strange",
    [
        b"",
        b"[]",
        b"\xff",
        b"{}",
        b'{"messages":3}',
        b'{"messages":[1]}',
        b'{"messages":[{"role":"assistant"}]}',
    ],
)
def test_what_has_no_opening_has_an_empty_one(strange: bytes) -> None:
    assert opening(strange) == ""
