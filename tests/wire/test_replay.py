"""A message told as a stream, and put together again, is the same message."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.wire.replay import stop_reason_of, stream_of, whole_of, whole_of_stream

USAGE = {
    "input_tokens": 7,
    "output_tokens": 3,
    "cache_read_input_tokens": 0,
    "cache_creation_input_tokens": 0,
}
TEXT = {"type": "text", "text": "Hello 안녕"}
CITED = {
    "type": "text",
    "text": "It is so.",
    "citations": [{"type": "char_location", "cited_text": "so", "document_index": 0}],
}
THOUGHT = {"type": "thinking", "thinking": "Hm.", "signature": "c2ln"}
CALL = {"type": "tool_use", "id": "t1", "name": "weather", "input": {"city": "Seoul", "days": [1, 2]}}
UNKNOWN = {"type": "tomorrow", "holds": [1, {"a": None}]}

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)


def a_text(text: str) -> dict[str, Any]:
    return {"type": "text", "text": text}


def a_thought(text: str) -> dict[str, Any]:
    return {"type": "thinking", "thinking": text, "signature": "s"}


def a_tool_call(name: str, given: dict[str, int]) -> dict[str, Any]:
    return {"type": "tool_use", "id": "t", "name": name, "input": given}


def unknown(text: str) -> dict[str, Any]:
    return UNKNOWN


blocks = st.one_of(
    st.builds(a_text, texts),
    st.builds(a_thought, texts),
    st.builds(a_tool_call, texts, st.dictionaries(texts, st.integers(-9, 9), max_size=3)),
    st.builds(unknown, texts),
)


def message(*content: Any, **members: Any) -> bytes:
    """A whole message."""
    whole = {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "claude-sonnet-5-5",
        "content": list(content),
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": USAGE,
        **members,
    }
    return json.dumps(whole).encode()


@given(st.lists(blocks, max_size=4))
def test_told_and_put_together_again_it_is_the_same(content: list[Any]) -> None:
    whole = message(*content)
    told = whole_of_stream(stream_of(whole))
    assert told is not None
    assert json.loads(told) == json.loads(whole)


@pytest.mark.parametrize("block", [TEXT, CITED, THOUGHT, CALL, UNKNOWN])
def test_every_kind_of_block_survives(block: Any) -> None:
    told = whole_of_stream(stream_of(message(block)))
    assert told is not None
    assert json.loads(told)["content"] == [block]


def test_what_only_the_end_says_belongs_to_the_message() -> None:
    container = {"id": "c", "expires_at": "2026-11-22T00:00:00Z"}
    whole = message(TEXT, stop_reason="stop_sequence", stop_sequence="END", container=container)
    stream = stream_of(whole)
    assert b'"stop_sequence":"END"' in stream.rpartition(b"message_delta")[2]
    told = whole_of_stream(stream)
    assert told is not None
    assert json.loads(told) == json.loads(whole)
    assert stop_reason_of(told) == "stop_sequence"


def test_counts_of_the_end_win_and_what_it_leaves_out_stays() -> None:
    stream = stream_of(message(TEXT)).replace(
        b'"usage":{"input_tokens":7,"output_tokens":3,', b'"usage":{"input_tokens":null,"output_tokens":30,'
    )
    told = whole_of_stream(stream)
    assert told is not None
    assert json.loads(told)["usage"] == {**USAGE, "output_tokens": 30}


def test_further_members_of_the_last_event_are_kept() -> None:
    stream = stream_of(message(TEXT)).replace(
        b'{"type":"message_delta",', b'{"type":"message_delta","context_management":{"applied_edits":[]},'
    )
    told = whole_of_stream(stream)
    assert told is not None
    assert json.loads(told)["context_management"] == {"applied_edits": []}


def test_a_message_that_counts_nothing_can_be_told_all_the_same() -> None:
    told = whole_of_stream(stream_of(message(TEXT, usage={})))
    assert told is not None
    assert json.loads(told)["content"] == [TEXT]


STOP, START = b"event: message_stop", b"event: message_start"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (STOP, b"event: ping"),
        (STOP, b'event: error\ndata: {"type":"error"}\n\n' + STOP),
        (START, b"event: ping"),
        (b'{"type":"message_delta"', b'{"type":'),
        (b'\\"city\\"', b"city"),
        (b'"content_block":{"type":"tool_use"', b'"content_block":7,"x":{"type":"tool_use"'),
    ],
)
def test_a_stream_that_is_not_whole_is_no_message(old: bytes, new: bytes) -> None:
    stream = stream_of(message(TEXT, CALL))
    assert whole_of_stream(stream) is not None
    assert old in stream
    assert whole_of_stream(stream.replace(old, new)) is None


def test_a_stream_that_was_cut_off_is_no_message() -> None:
    stream = stream_of(message(TEXT))
    assert whole_of_stream(stream[: stream.index(STOP)]) is None
    assert whole_of_stream(b"") is None


@pytest.mark.parametrize(
    "body", [b"", b"[]", b'{"type":"error"}', b'{"type":"message"}', b'{"type":"message","content":[1]}']
)
def test_what_came_in_one_piece_and_is_no_message_is_none(body: bytes) -> None:
    assert whole_of(body) is None


def test_a_whole_message_is_kept_word_for_word() -> None:
    whole = message(TEXT)
    assert whole_of(whole) is whole
