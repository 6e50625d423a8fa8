"""Answers read by a judge: streams and whole ones, edited where he says so and nowhere else."""

import json
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.wire.answer import Edit, Form, JudgedStream, judged_body
from holdfast.wire.sse import Splitter
from tests.upstream.scripted import event

START = event("message_start", message={"id": "msg_1", "content": []})
END = event("message_delta", delta={"stop_reason": "end_turn"}) + event("message_stop")
PING = b": comment\n\n" + event("ping")
WORD = "SECRET"


NOTHING = {"type": "text_delta", "text": ""}


class Censor:
    """Replaces one word; lets go of nothing that might be the beginning of it."""

    def __init__(self, *, stops: bool = False, mark: str = "***") -> None:
        self.read = ""
        self.decided = 0
        self.edits: list[Edit] = []
        self.is_stopped = False
        self.opened: list[tuple[str, Form]] = []
        self.skipped: list[tuple[str, str]] = []
        self._stops = stops
        self._mark = mark

    def open(self, path: str, form: Form) -> bool:
        self.opened.append((path, form))
        return form != "thinking"

    def pass_over(self, path: str, reason: str) -> None:
        self.skipped.append((path, reason))

    def feed(self, text: str) -> None:
        self.read += text
        self._judge(len(self.read) - len(WORD))

    def close(self) -> None:
        self._judge(len(self.read))

    def _judge(self, limit: int) -> None:
        while not self.is_stopped and (at := self.read.find(WORD, self.decided)) >= 0:
            self.decided = at
            if self._stops:
                self.is_stopped = True
                return
            self.decided = at + len(WORD)
            self.edits.append(Edit(at, self.decided, self._mark))
        if not self.is_stopped:
            self.decided = max(self.decided, limit)


def block(index: int, content: dict[str, Any], deltas: Sequence[dict[str, Any]]) -> bytes:
    return b"".join(
        (
            event("content_block_start", index=index, content_block=content),
            *(event("content_block_delta", index=index, delta=delta) for delta in deltas),
            event("content_block_stop", index=index),
        )
    )


def text(index: int, *words: str, first: str = "") -> bytes:
    deltas = [{"type": "text_delta", "text": word} for word in words]
    return block(index, {"type": "text", "text": first}, deltas)


def called(index: int, *pieces: str, given: object = None) -> bytes:
    deltas = [{"type": "input_json_delta", "partial_json": piece} for piece in pieces]
    return block(index, {"type": "tool_use", "id": "t", "name": "read", "input": given or {}}, deltas)


def put(stream: bytes, censor: Censor, size: int = 10_000) -> bytes:
    judged = JudgedStream(censor)
    chunks = [judged.feed(stream[at : at + size]) for at in range(0, len(stream), size)]
    return b"".join([*chunks, judged.end()])


def said(stream: bytes) -> str:
    """All text and arguments of a stream."""
    words: list[str] = []
    for found in Splitter().feed(stream):
        document: dict[str, Any] = json.loads(found.data) if found.data else {}
        inner: dict[str, Any] = {**document.get("content_block", {}), **document.get("delta", {})}
        words += [inner.get("text") or inner.get("partial_json") or ""]
    return "".join(words)


ANY_STREAM = st.lists(
    st.sampled_from(
        [
            text(0, "Hello ", "there, SEC", "ond class."),
            text(1, "안녕하세요 ", '\\ "quoted" \n', "S"),
            called(2, '{"a": "SE', 'C"}'),
            block(3, {"type": "thinking", "thinking": ""}, [{"type": "thinking_delta", "thinking": WORD}]),
            block(4, {"type": "web_search_tool_result", "content": [{"encrypted_content": "x"}]}, []),
            PING,
            event("content_block_delta", index=9, delta={"type": "text_delta", "text": "stray"}),
            event("unknown", what=1),
        ]
    ),
    max_size=8,
)


@given(ANY_STREAM, st.integers(1, 90), st.booleans())
def test_a_stream_without_findings_passes_byte_for_byte(
    parts: list[bytes], size: int, has_crlf: bool
) -> None:
    stream = b"".join([START, *parts, END, b": rest"])
    stream = stream.replace(b"\n", b"\r\n") if has_crlf else stream

    assert put(stream, Censor(), size) == stream


@given(
    st.lists(st.sampled_from(["SEC", "RET", "SECRET", "a", "S", " ", "가"]), max_size=14), st.integers(1, 200)
)
def test_a_word_is_replaced_however_the_stream_is_cut(words: list[str], size: int) -> None:
    stream = START + PING + text(0, *words) + PING + END

    out = put(stream, Censor(), size)

    assert said(out) == "".join(words).replace(WORD, "***")
    assert [found.name for found in Splitter().feed(out)] == [found.name for found in Splitter().feed(stream)]


def test_only_the_events_that_hold_the_word_are_written_anew() -> None:
    odd = b'event: content_block_delta\ndata: {"delta" : {"te\\u0078t":"a SEC", "type":"text_delta"},  "index":0 }\n\n'
    before, after = text(0, "before ", "", " after").split(
        event("content_block_delta", index=0, delta=NOTHING)
    )
    rest = event("content_block_delta", index=0, delta={"type": "text_delta", "text": "RET b"})

    out = put(START + before + odd + rest + after + END, Censor())

    edited = odd.replace(b"a SEC", b"a ***"), rest.replace(b"RET b", b" b")
    assert said(out) == "before a *** b after"
    assert out == START + before + b"".join(edited) + after + END


def test_data_in_several_lines_is_written_anew() -> None:
    torn = b'event: content_block_delta\ndata: {"index": 0, "delta":\ndata: {"type": "text_delta", "text": "SECRET"}}\n\n'

    assert said(put(START + text(0)[: -len(event("content_block_stop", index=0))] + torn, Censor())) == "***"


def test_the_arguments_of_a_call_and_the_first_words_of_a_block_are_read_too() -> None:
    censor = Censor()

    out = put(
        START
        + called(0, '{"a": "SEC', 'RET"}')
        + text(1, first="a SECRET")
        + called(2, given={"b": WORD})
        + END,
        censor,
    )

    assert censor.opened == [("content.0", "json"), ("content.1", "text"), ("content.2", "json")]
    assert b'"text": "a ***"' in out
    assert b'"input": {"b": "***"}' in out
    assert '{"a": "***"}' in said(out)


@pytest.mark.parametrize("size", [1, 30, 10_000])
def test_a_stream_that_is_stopped_says_nothing_that_comes_after(size: int) -> None:
    stream = START + text(0, "Well, ", "the SEC", "RET is ", "out") + text(1, "more") + END

    out = put(stream, Censor(stops=True), size)

    assert stream.startswith(out)
    assert said(out) == "Well, "


class Strict(Censor):
    """Ends an answer at the first block that it cannot read."""

    def pass_over(self, path: str, reason: str) -> None:
        self.is_stopped = True


@pytest.mark.parametrize("size", [1, 10_000])
def test_a_block_that_must_not_pass_unread_does_not_even_begin(size: int) -> None:
    before = START + text(0, "Hello")

    assert put(before + block(1, {"type": "brand_new"}, []) + text(2, "more") + END, Strict(), size) == before


def test_thinking_and_what_cannot_be_read_pass_and_are_noted() -> None:
    censor = Censor()
    stream = b"".join(
        (
            START,
            block(0, {"type": "thinking", "thinking": ""}, [{"type": "thinking_delta", "thinking": WORD}]),
            block(1, {"type": "redacted_thinking", "data": "x"}, []),
            block(2, {"type": "brand_new"}, []),
            event("content_block_start", index=3),
            b"event: content_block_start\ndata: {broken\n\n",
            event("content_block_start", index=4, content_block={"type": "text", "text": ""}),
            b"event: content_block_delta\ndata: {broken\n\n",
            event("content_block_delta", index=4, delta={"type": "text_delta", "text": 7}),
            END,
        )
    )

    assert put(stream, censor) == stream
    assert censor.skipped == [
        ("content.1", "encrypted"),
        ("content.2", "brand_new"),
        ("content.3", "unknown"),
        ("content.None", "unknown"),
        ("content.4", "unreadable"),
        ("content.4", "unreadable"),
    ]


def test_a_stream_that_breaks_off_lets_go_of_what_was_held() -> None:
    stream = START + text(0, "almost SECRE")[: -len(event("content_block_stop", index=0))]

    assert put(stream, Censor(), 20) == stream


def whole(*content: object) -> bytes:
    return json.dumps({"id": "msg", "content": content, "usage": {"content": [WORD]}}, indent=1).encode()


THINKING = {"type": "thinking", "thinking": WORD, "signature": WORD}


def test_a_whole_answer_is_edited_in_place() -> None:
    body = whole(
        {"type": "text", "text": "a SECRET and a SECRET \n", "citations": [{"text": WORD}]},
        THINKING,
        {"type": "tool_use", "id": "t", "name": WORD, "input": {"a": [WORD], "b": "\u0041"}},
        {"type": "text", "text": "fine \\u0041"},
    )

    out = judged_body(body, Censor())

    assert out == body.replace(b"a SECRET and a SECRET", b"a *** and a ***").replace(
        b'[\n     "SECRET"', b'[\n     "***"'
    )
    assert json.loads(out)["content"][2]["input"]["a"] == ["***"]


@pytest.mark.parametrize(
    "body",
    [whole(), whole({"type": "text", "text": "fine"}), b"", b"[]", b"not json", whole({"type": "text"})],
)
def test_a_whole_answer_without_findings_comes_back_as_it_is(body: bytes) -> None:
    assert judged_body(body, Censor()) == body


def test_a_whole_answer_that_is_stopped_is_read_no_further() -> None:
    censor = Censor(stops=True)

    judged_body(whole({"type": "text", "text": WORD}, {"type": "text", "text": "more"}), censor)

    assert censor.is_stopped
    assert censor.opened == [("content.0", "text")]


def test_blocks_of_a_whole_answer_that_hold_no_words_are_noted() -> None:
    censor = Censor()

    judged_body(
        whole({"type": "redacted_thinking", "data": "x"}, THINKING, {"type": "container_upload"}), censor
    )
    judged_body(b"[", censor)

    assert censor.skipped == [
        ("content.0", "encrypted"),
        ("content.2", "file_source"),
        ("content", "unreadable"),
    ]
