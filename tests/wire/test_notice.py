"""The notice in an answer: in its one place, once, and every other byte as it came."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.wire.notice import NoticedStream, language_of, with_notice
from holdfast.wire.sse import Splitter

SAID = 'Try "another" way. 다른 방법을 쓰세요.'
TEXT = {"type": "text", "text": "Let me look."}
THINKING = {"type": "thinking", "thinking": "hm", "signature": "c2ln"}
CALL = {
    "type": "tool_use",
    "id": "t1",
    "name": "read",
    "input": {"content": [{"type": "tool_use"}], "index": 0},
}


def message(*content: object, **members: object) -> bytes:
    return json.dumps(
        {"id": "msg_1", "usage": {"content": [{}]}, **members, "content": content, "stop_reason": "tool_use"},
        indent=2,
        ensure_ascii=False,
    ).encode()


def event(name: str, **members: object) -> bytes:
    return f"event: {name}\ndata: {json.dumps({'type': name, **members})}\n\n".encode()


def block(index: int, content: dict[str, Any], *deltas: dict[str, Any]) -> bytes:
    return b"".join(
        (
            event("content_block_start", index=index, content_block=content),
            *(event("content_block_delta", index=index, delta=delta) for delta in deltas),
            event("content_block_stop", index=index),
        )
    )


START = event("message_start", message={"id": "msg_1", "content": []})
PING = b": comment\n\n" + event("ping")
WORDS = block(0, {"type": "text", "text": ""}, {"type": "text_delta", "text": "Let me look."})
END = event("message_delta", delta={"stop_reason": "tool_use"}, usage={"output_tokens": 9}) + event(
    "message_stop"
)


def called(index: int, **members: object) -> bytes:
    tool: dict[str, Any] = {"type": "tool_use", "id": f"t{index}", "name": "read", "input": {}, **members}
    return block(
        index, tool, {"type": "input_json_delta", "partial_json": '{"index": 1, "a": "}'}, {"index": 5}
    )


def put(stream: bytes, size: int = 10_000) -> bytes:
    """What comes out when the stream comes in pieces of `size` bytes."""
    noticed = NoticedStream(SAID)
    chunks = [noticed.feed(stream[at : at + size]) for at in range(0, len(stream), size)]
    return b"".join([*chunks, noticed.end()])


def data(stream: bytes) -> list[dict[str, Any]]:
    return [json.loads(event.data) for event in Splitter().feed(stream) if event.data]


def test_a_whole_answer_gets_the_notice_in_front_of_its_first_call() -> None:
    body = message(THINKING, TEXT, CALL, CALL)
    noticed = with_notice(body, SAID)
    assert json.loads(noticed)["content"] == [THINKING, TEXT, {"type": "text", "text": SAID}, CALL, CALL]
    put_in = (
        json.dumps({"type": "text", "text": SAID}, separators=(",", ":"), ensure_ascii=False).encode() + b","
    )
    assert noticed.replace(put_in, b"", 1) == body


@pytest.mark.parametrize(
    "body",
    [
        message(TEXT),
        message(),
        message({"type": "server_tool_use", "id": "s1", "name": "web_search", "input": {}}),
        message(TEXT, CALL, THINKING, CALL),
        message(CALL, {"type": "redacted_thinking", "data": "x"}),
        message(TEXT, {**CALL, "caller": {"type": "code_execution_20250825", "tool_id": "s1"}}),
        b"",
        b"not json",
        b'{"content": 3}',
        b'{"content": [3]}',
        b"[]",
        b'{"c\\u006fntent": [{"type": "tool_use"}]}',
        b"\xff",
    ],
)
def test_an_answer_without_a_place_for_it_comes_back_as_it_is(body: bytes) -> None:
    assert with_notice(body, SAID) == body


def test_a_call_that_says_it_is_the_models_own_is_one() -> None:
    assert with_notice(message({**CALL, "caller": {"type": "direct"}}), SAID) != message(CALL)


@given(st.lists(st.sampled_from([TEXT, CALL, {"type": "text", "text": '"content": [{ \\" }]'}]), max_size=6))
def test_the_notice_stands_in_front_of_the_first_call_in_any_answer(content: list[dict[str, Any]]) -> None:
    found = json.loads(with_notice(message(*content), SAID))["content"]
    place = content.index(CALL) if CALL in content else None
    notice = [] if place is None else [{"type": "text", "text": SAID}]
    assert found == [*content[:place], *notice, *content[len(content) if place is None else place :]]


def test_a_stream_gets_the_notice_in_front_of_its_first_call_and_counts_on_from_there() -> None:
    found = data(put(START + PING + WORDS + called(1) + PING + called(2) + END))
    starts = [
        (item["index"], item["content_block"]["type"])
        for item in found
        if item["type"] == "content_block_start"
    ]
    assert starts == [(0, "text"), (1, "text"), (2, "tool_use"), (3, "tool_use")]
    assert [item["index"] for item in found if item["type"] == "content_block_stop"] == [0, 1, 2, 3]
    assert {"type": "text_delta", "text": SAID} in [item.get("delta") for item in found]
    own = [item["delta"] for item in found if item.get("index") == 2 and "delta" in item]
    assert own == [{"type": "input_json_delta", "partial_json": '{"index": 1, "a": "}'}, {"index": 5}]


def test_but_for_the_notice_and_the_numbers_every_byte_of_a_stream_is_as_it_came() -> None:
    stream = START + PING + WORDS + called(1) + PING + END + b": the rest"
    first = put(WORDS + called(1)).removeprefix(WORDS)
    notice = first[
        : first.index(b'event: content_block_start\ndata: {"type": "content_block_start", "index": 2')
    ]
    moved = called(1).replace(
        b'"type": "content_block_start", "index": 1', b'"type": "content_block_start", "index": 2'
    )
    moved = moved.replace(
        b'"type": "content_block_delta", "index": 1', b'"type": "content_block_delta", "index": 2'
    )
    moved = moved.replace(
        b'"type": "content_block_stop", "index": 1', b'"type": "content_block_stop", "index": 2'
    )
    assert put(stream) == START + PING + WORDS + notice + moved + PING + END + b": the rest"


@given(st.integers(min_value=1, max_value=60))
def test_a_stream_may_be_cut_anywhere(size: int) -> None:
    stream = START + WORDS + called(1) + called(2) + END
    assert put(stream, size) == put(stream)


@pytest.mark.parametrize(
    "stream",
    [
        START + WORDS + END,
        START + WORDS + event("error", error={"type": "api_error", "message": "no"}),
        START + WORDS + called(1)[:60],
        START + called(0, caller={"type": "code_execution_20250825", "tool_id": "s"}) + called(1) + END,
        START + event("content_block_start", index="x", content_block={"type": "tool_use"}) + END,
        START + b"event: content_block_start\ndata: {broken\n\n" + END,
        b"",
    ],
)
def test_a_stream_without_a_place_for_it_passes_byte_for_byte(stream: bytes) -> None:
    assert put(stream) == stream
    assert put(stream, 1) == stream


def test_lines_that_end_in_crlf_stay_so() -> None:
    stream = (START + called(0)).replace(b"\n", b"\r\n")
    moved = put(stream)[put(stream).rindex(b"event: content_block_stop") :]
    assert moved == b'event: content_block_stop\r\ndata: {"type": "content_block_stop", "index": 1}\r\n\r\n'


def test_data_in_several_lines_is_written_anew() -> None:
    torn = b'event: content_block_stop\ndata: {"index":\ndata: 0}\n\n'
    assert data(put(called(0) + torn))[-1] == {"index": 1}


@pytest.mark.parametrize(
    "odd",
    [
        event("content_block_delta", index=0, delta={}),
        event("content_block_delta", delta={"index": 3}),
        event("content_block_delta", what="index", index="1"),
        event("content_block_delta", list=["index", {"index": 3}]),
        b"event: content_block_delta\ndata: {broken\n\n",
        event("fallback", index=7),
    ],
)
def test_events_of_other_blocks_and_odd_ones_pass_as_they_are(odd: bytes) -> None:
    assert put(WORDS + called(1) + odd).endswith(odd)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("Read the file.", "en"),
        ("파일을 읽어 줘.", "ko"),
        ("src/app.py 파일의 버그를 고쳐 줘", "ko"),
        ("Translate 안녕 into English, please.", "en"),
        ("", "en"),
        ("12345 !?", "en"),
    ],
)
def test_the_language_is_that_of_the_person(words: str, expected: str) -> None:
    assert language_of(words) == expected
