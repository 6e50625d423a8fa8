"""Metering an answer, whole or broken off anywhere."""

import json
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise
from math import ceil
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.wire.errors import ApiError
from holdfast.wire.meter import Meter
from holdfast.wire.sse import Event, Splitter, emit
from holdfast.wire.usage import Iteration

RECORDED = {path.stem: path.read_bytes() for path in (Path(__file__).parent / "streams").glob("*.sse")}
WHOLE = sorted(set(RECORDED) - {"overloaded"})
names = st.sampled_from(sorted(RECORDED))


def events_of(stream: bytes) -> list[Event]:
    return Splitter().feed(stream)


def metered(events: list[Event]) -> Meter:
    meter = Meter()
    for event in events:
        meter.observe(event)
    return meter


def facts(meter: Meter) -> tuple[object, ...]:
    ending = (meter.stop_reason, meter.complete, meter.finished, meter.error, meter.malformed)
    return (meter.usage, meter.estimated, meter.model, meter.message_id, meter.content_started, *ending)


def tokens_at_most(text: str) -> int:
    """The rule of the newest tokenizers and a little more, reckoned in fractions and apart from the meter."""
    plain = sum(1 for letter in text if letter.isascii())
    other = len(text.encode()) - plain
    return ceil(Fraction(plain, 3) + Fraction(other, 2))


def delivered_tokens(events: list[Event]) -> int:
    """What the newest tokenizers make of the text of all deltas, counted apart from the meter."""
    total = 0
    for event in events:
        if event.name == "content_block_delta":
            delta = json.loads(event.data)["delta"]
            pieces = (delta.get(name) for name in ("text", "partial_json", "thinking"))
            total += sum(tokens_at_most(piece) for piece in pieces if isinstance(piece, str))
    return total


def start(**usage: object) -> Event:
    return event("message_start", message={"id": "msg_1", "model": "m", "usage": usage})


def event(kind: str, **members: object) -> Event:
    (made,) = Splitter().feed(emit(kind, json.dumps({"type": kind, **members}).encode()))
    return made


@pytest.mark.parametrize(
    ("name", "stop_reason", "input_tokens", "output_tokens"),
    [
        ("text", "end_turn", 25, 17),
        ("korean", "end_turn", 25, 21),
        ("tool_use", "tool_use", 472, 89),
        ("thinking", "end_turn", 25, 60),
        ("unknown", "some_new_reason", 25, 9),
        ("server_tool", "end_turn", 900, 30),
        ("refusal", "refusal", 25, 3),
    ],
)
def test_a_whole_stream_gives_its_final_counts(
    name: str, stop_reason: str, input_tokens: int, output_tokens: int
) -> None:
    meter = metered(events_of(RECORDED[name]))
    assert (meter.usage.input_tokens, meter.usage.output_tokens) == (input_tokens, output_tokens)
    assert meter.stop_reason == stop_reason
    assert (meter.model, meter.message_id) == ("claude-sonnet-5-5", "msg_01")
    assert meter.complete
    assert meter.finished
    assert not meter.estimated
    assert not meter.malformed
    assert meter.error is None
    assert meter.is_refusal is (name == "refusal")


def test_every_kind_of_token_is_counted() -> None:
    usage = metered(events_of(RECORDED["thinking"])).usage
    assert usage.cache_read_input_tokens == 2000
    assert usage.cache_creation_input_tokens == 300
    assert usage.cache_creation_1h_input_tokens == 200
    assert usage.thinking_tokens == 40
    assert usage.service_tier == "standard"
    assert usage.inference_geo == "global"


def test_the_steps_of_a_server_tool_loop_are_kept() -> None:
    usage = metered(events_of(RECORDED["server_tool"])).usage
    assert usage.web_search_requests == 1
    assert usage.iterations == (
        Iteration(input_tokens=25, output_tokens=12),
        Iteration(input_tokens=875, output_tokens=18),
    )


def test_an_error_event_is_told_with_its_code_and_the_status_it_stands_for() -> None:
    meter = metered(events_of(RECORDED["overloaded"]))
    assert meter.error == ApiError("overloaded_error", "Overloaded", "overloaded", 529)
    assert not meter.complete
    assert not meter.finished
    assert meter.estimated


@given(names, st.lists(st.integers(min_value=0, max_value=2100), max_size=20))
def test_the_count_does_not_depend_on_where_the_stream_is_cut(name: str, positions: list[int]) -> None:
    stream, splitter, meter = RECORDED[name], Splitter(), Meter()
    edges = [0, *sorted(min(position, len(stream)) for position in positions), len(stream)]
    for begin, end in pairwise(edges):
        for seen in splitter.feed(stream[begin:end]):
            meter.observe(seen)
    assert facts(meter) == facts(metered(events_of(stream)))


@pytest.mark.parametrize("name", sorted(RECORDED))
@pytest.mark.parametrize("line_end", [b"\r\n", b"\r"])
def test_the_count_does_not_depend_on_line_ends(name: str, line_end: bytes) -> None:
    other = events_of(RECORDED[name].replace(b"\n", line_end))
    assert facts(metered(other)) == facts(metered(events_of(RECORDED[name])))


@pytest.mark.parametrize("name", sorted(RECORDED))
def test_a_stream_broken_off_after_any_event_counts_at_least_what_was_delivered(name: str) -> None:
    events = events_of(RECORDED[name])
    before = 0
    for length in range(len(events)):
        meter = metered(events[:length])
        output = meter.usage.output_tokens
        assert output >= delivered_tokens(events[:length]) or not meter.estimated
        assert output >= before or not meter.estimated
        assert meter.usage.input_tokens >= (25 if meter.started else 0)
        assert not meter.complete
        before = output


@pytest.mark.parametrize("name", WHOLE)
def test_only_the_final_count_ends_the_estimate(name: str) -> None:
    events = events_of(RECORDED[name])
    final = max(n for n, seen in enumerate(events) if seen.name == "message_delta")
    began = min(n for n, seen in enumerate(events) if seen.name == "message_start")
    for length in range(len(events) + 1):
        assert metered(events[:length]).estimated is (began < length <= final)


def test_korean_is_estimated_by_its_bytes_and_each_piece_is_rounded_up() -> None:
    events = events_of(RECORDED["korean"])
    until_the_last_text = metered(
        [seen for seen in events if seen.name.startswith(("content", "message_start"))]
    )
    pieces = [json.loads(seen.data)["delta"]["text"] for seen in events if seen.name.endswith("block_delta")]
    assert "".join(pieces) == "안녕하세요, 무엇을 도와드릴까요?"
    assert until_the_last_text.usage.output_tokens == 1 + sum(map(tokens_at_most, pieces))


def test_a_longer_count_on_the_way_beats_a_shorter_estimate() -> None:
    on_the_way = event("message_delta", delta={"stop_reason": None}, usage={"output_tokens": 50})
    delta = event("content_block_delta", delta={"type": "text_delta", "text": "four"})
    meter = metered([start(input_tokens=3, output_tokens=1), delta, on_the_way])
    assert meter.usage.output_tokens == 50
    assert meter.estimated


def test_content_has_started_with_the_first_block_and_not_with_a_ping() -> None:
    meter = metered([start(input_tokens=3), event("ping")])
    assert meter.started
    assert not meter.content_started
    meter.observe(event("content_block_start", content_block={"type": "text", "text": "already"}))
    assert meter.content_started
    assert meter.usage.output_tokens == 1 + 3


def test_a_stop_reason_without_message_stop_is_finished_and_not_complete() -> None:
    meter = metered(events_of(RECORDED["text"])[:-1])
    assert meter.finished
    assert not meter.complete


def test_a_stop_reason_without_a_count_leaves_an_estimate() -> None:
    ending = event("message_delta", delta={"stop_reason": "end_turn"}, usage={"output_tokens": "many"})
    meter = metered([start(input_tokens=3, output_tokens=2), ending, event("message_stop")])
    assert meter.complete
    assert meter.estimated
    assert (meter.usage.input_tokens, meter.usage.output_tokens) == (3, 2)


def test_compacted_text_counts_as_delivered() -> None:
    delta = event("content_block_delta", delta={"type": "compaction_delta", "content": "12345678"})
    assert metered([delta]).usage.output_tokens == 3


def test_nothing_seen_is_nothing_used() -> None:
    meter = Meter()
    assert meter.usage.output_tokens == 0
    assert not meter.estimated
    assert not meter.started


@pytest.mark.parametrize(
    "kind",
    ["message_start", "content_block_start", "content_block_delta", "message_delta", "error"],
)
@pytest.mark.parametrize("data", [b"", b"{", b"[1]", b"\xff", b'{"delta":"\xff"}', b"[" * 100_000])
def test_junk_is_noted_and_does_no_harm(kind: str, data: bytes) -> None:
    meter = metered([Event(kind, data, b"")])
    assert meter.malformed
    assert meter.usage.output_tokens == 0


def test_an_unreadable_error_event_is_still_an_error() -> None:
    meter = metered([Event("error", b"{", b"")])
    assert meter.error is not None
    assert meter.error.type == "api_error"


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["message_start", "content_block_delta", "message_delta", "error", "odd", ""]),
            st.recursive(
                st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
                lambda inner: st.dictionaries(
                    st.sampled_from(
                        ["message", "delta", "usage", "error", "output_tokens", "text", "iterations", "type"]
                    ),
                    inner | st.lists(inner, max_size=2),
                ),
                max_leaves=12,
            ),
        ),
        max_size=6,
    )
)
def test_no_event_makes_the_meter_fail(pairs: list[tuple[str, object]]) -> None:
    meter = metered([Event(name, json.dumps(body).encode(), b"") for name, body in pairs])
    assert meter.usage.output_tokens >= 0
    assert isinstance(meter.estimated, bool)


def test_a_whole_message_is_read_like_its_stream() -> None:
    meter = Meter()
    message: dict[str, object] = {
        "type": "message",
        "id": "msg_1",
        "model": "m",
        "content": [{"type": "text", "text": "Hello"}],
        "stop_reason": "end_turn",
    }
    meter.observe_body(json.dumps({**message, "usage": {"input_tokens": 5, "output_tokens": 7}}).encode())
    assert (meter.usage.input_tokens, meter.usage.output_tokens) == (5, 7)
    assert (meter.model, meter.message_id, meter.stop_reason) == ("m", "msg_1", "end_turn")
    assert meter.complete
    assert meter.content_started
    assert meter.readable
    assert not meter.estimated


def test_a_whole_message_without_a_count_is_reckoned_by_its_length() -> None:
    meter = Meter()
    body = json.dumps({"type": "message", "content": [{"type": "text", "text": "x" * 400}]}).encode()
    meter.observe_body(body)
    assert meter.estimated
    assert meter.usage.output_tokens == -(-len(body) // 3)


def test_an_error_envelope_is_an_error_that_cost_nothing() -> None:
    meter = Meter()
    meter.observe_body(b'{"type":"error","error":{"type":"not_found_error","message":"no such model"}}')
    assert meter.error == ApiError("not_found_error", "no such model", None, 404)
    assert meter.readable
    assert not meter.complete
    assert not meter.estimated


def test_another_object_is_readable_and_no_message() -> None:
    meter = Meter()
    meter.observe_body(b'{"input_tokens": 12}')
    assert meter.readable
    assert not meter.complete
    assert meter.error is None


@pytest.mark.parametrize("body", [b"", b"<html>", b'{"type":"message"', b"[]", b"\xff\xfe", b"[" * 100_000])
def test_a_body_that_is_no_object_is_unreadable(body: bytes) -> None:
    meter = Meter()
    meter.observe_body(body)
    assert not meter.readable
    assert meter.malformed
    assert not meter.complete


def test_an_estimate_leaves_everything_but_the_output_alone() -> None:
    events = events_of(RECORDED["thinking"])
    half = metered(events[:4])
    begun = metered(events[:1])
    assert replace(half.usage, output_tokens=0) == replace(begun.usage, output_tokens=0)


def test_only_a_refusal_before_any_output_is_unbilled() -> None:
    def whole(stop_reason: str, text: str) -> Meter:
        meter = Meter()
        blocks = [{"type": "text", "text": text}] if text else []
        message = {
            "type": "message",
            "content": blocks,
            "stop_reason": stop_reason,
            "usage": {"output_tokens": 1},
        }
        meter.observe_body(json.dumps(message).encode())
        return meter

    assert whole("refusal", "").is_unbilled
    assert not whole("refusal", "I ").is_unbilled
    assert not whole("end_turn", "").is_unbilled


def test_an_end_without_a_reason_is_no_proper_end() -> None:
    meter = metered(
        [
            Event("message_start", b'{"message":{"usage":{"input_tokens":1}}}', b""),
            Event("message_stop", b'{"type":"message_stop"}', b""),
        ]
    )
    assert not meter.complete
    assert meter.estimated
