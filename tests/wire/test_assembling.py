"""Messages put together again from their streams, whole and broken."""

import msgspec
import pytest

from holdfast.wire.assembling import Assembling, MalformedAnswer, Piece, content_of, text_in
from holdfast.wire.sse import Splitter, emit


def event(name: str, **members: object) -> bytes:
    return emit(name, msgspec.json.encode({"type": name, **members}))


def read(*events: bytes) -> tuple[Assembling, list[Piece]]:
    built, splitter = Assembling(), Splitter()
    pieces = [
        piece for one in events for found in splitter.feed(one) if (piece := built.feed(found)) is not None
    ]
    return built, pieces


def block(index: int, start: dict[str, object], *deltas: dict[str, object]) -> bytes:
    return b"".join(
        (
            event("content_block_start", index=index, content_block=start),
            *(event("content_block_delta", index=index, delta=delta) for delta in deltas),
            event("content_block_stop", index=index),
        )
    )


def test_blocks_of_every_sort_come_out_as_the_api_would_have_sent_them_whole() -> None:
    built, pieces = read(
        event("message_start", message={"id": "msg_1"}),
        block(
            0,
            {"type": "thinking", "thinking": "", "signature": ""},
            {"type": "thinking_delta", "thinking": "Let me "},
            {"type": "thinking_delta", "thinking": "see."},
            {"type": "signature_delta", "signature": "c2ln"},
        ),
        block(
            1,
            {"type": "text", "text": "A"},
            {"type": "text_delta", "text": "ha"},
            {"type": "text_delta", "text": ""},
            {"type": "citations_delta", "citation": {"url": "x"}},
            {"type": "a_delta_of_tomorrow", "value": 1},
        ),
        block(
            2,
            {"type": "tool_use", "id": "t1", "name": "look", "input": {}},
            {"type": "input_json_delta", "partial_json": '{"a":'},
            {"type": "input_json_delta", "partial_json": "1}"},
        ),
        block(3, {"type": "tool_use", "id": "t2", "name": "look", "input": {}}),
        event("message_delta", delta={"stop_reason": "tool_use"}, usage={}),
        event("message_delta", delta={}, usage={}),
        event("message_stop"),
        event("ping"),
    )
    assert built.content == [
        {"type": "thinking", "thinking": "Let me see.", "signature": "c2ln"},
        {"type": "text", "text": "Aha", "citations": [{"url": "x"}]},
        {"type": "tool_use", "id": "t1", "name": "look", "input": {"a": 1}},
        {"type": "tool_use", "id": "t2", "name": "look", "input": {}},
    ]
    assert built.stop_reason == "tool_use"
    assert pieces == [
        Piece("thinking", "Let me "),
        Piece("thinking", "see."),
        Piece("text", "A"),
        Piece("text", "ha"),
    ]
    assert text_in(built.content) == "Aha"


def test_an_input_that_was_cut_off_is_marked() -> None:
    built, _ = read(
        block(0, {"type": "text", "text": "Hm"}),
        block(
            1,
            {"type": "tool_use", "id": "t1", "name": "look", "input": {}},
            {"type": "input_json_delta", "partial_json": '{"a": "b'},
        ),
    )
    assert built.content[1]["input"] == {}
    assert built.unreadable == {1}


@pytest.mark.parametrize(
    "broken",
    [
        event("content_block_delta", index=0, delta={"type": "text_delta", "text": "x"}),
        event("content_block_start", index=0, content_block={"type": "text", "text": ""})
        + event("content_block_delta", index=0, delta={"type": "text_delta", "text": 7}),
        emit("content_block_delta", b'{"delta": '),
    ],
)
def test_what_makes_no_sense_is_told(broken: bytes) -> None:
    with pytest.raises(MalformedAnswer):
        read(broken)


def test_a_stop_without_a_block_is_nothing() -> None:
    assert read(event("content_block_stop", index=0))[0].content == []


def test_a_message_in_one_piece() -> None:
    body = b'{"content": [{"type": "text", "text": "Hi"}, {"type": "tool_use"}], "stop_reason": "end_turn"}'
    content, stop_reason = content_of(body)
    assert (text_in(content), stop_reason) == ("Hi", "end_turn")
    with pytest.raises(MalformedAnswer):
        content_of(b'{"content": 7}')
