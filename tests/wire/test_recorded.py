"""Bodies read again: a stream is the message it came to, wherever it was cut off."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.wire.recorded import answer, document
from holdfast.wire.sse import emit


def event(name: str, **members: object) -> bytes:
    return emit(name, json.dumps({"type": name, **members}).encode())


STREAM = b"".join(
    [
        event("message_start", message={"id": "msg_1", "model": "m", "usage": {"input_tokens": 9}}),
        event("content_block_start", index=0, content_block={"type": "text", "text": ""}),
        event("content_block_delta", index=0, delta={"type": "text_delta", "text": "my key is sk-"}),
        event("ping"),
        event("content_block_delta", index=0, delta={"type": "text_delta", "text": "ant-api03"}),
        event("content_block_stop", index=0),
        event("message_delta", delta={"stop_reason": "end_turn"}, usage={"output_tokens": 5}),
        event("message_stop"),
    ]
)


def test_a_stream_is_put_together() -> None:
    said = answer(STREAM)
    assert isinstance(said, dict)
    assert said["content"] == [{"type": "text", "text": "my key is sk-ant-api03"}]
    assert (said["id"], said["model"], said["stop_reason"]) == ("msg_1", "m", "end_turn")
    assert said["usage"] == {
        "input_tokens": 9,
        "output_tokens": 5,
        "cache_read_input_tokens": 0,
        "cache_creation_input_tokens": 0,
    }
    assert "error" not in said


def test_a_stream_that_ends_with_an_error_says_which() -> None:
    broken = event("error", error={"type": "overloaded_error", "message": "busy"})
    said = answer(STREAM[: STREAM.index(b"event: message_delta")] + broken)
    assert isinstance(said, dict)
    assert said["error"] == {"type": "overloaded_error", "message": "busy"}


def test_a_block_that_broke_off_shows_what_there_was() -> None:
    said = answer(STREAM[: STREAM.index(b"event: content_block_stop")])
    assert isinstance(said, dict)
    assert said["content"] == [{"type": "text", "text": "my key is sk-ant-api03"}]


@pytest.mark.parametrize(
    ("body", "said"), [(b'{"a": 1}', {"a": 1}), (b"[1]", [1]), (b"plain", "plain"), (b"\xff", "\ufffd")]
)
def test_what_came_in_one_piece_is_what_it_says(body: bytes, said: object) -> None:
    assert document(body) == said
    assert answer(body) == said


@given(st.integers(0, len(STREAM)))
def test_it_may_be_cut_off_anywhere(place: int) -> None:
    answer(STREAM[:place])


@given(st.binary(max_size=200))
def test_nothing_makes_it_raise(body: bytes) -> None:
    answer(b"event: " + body)
    answer(b"event: content_block_delta\ndata: " + body + b"\n\n")
