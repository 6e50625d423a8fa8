"""Calls taken out of answers: what is left, in which order, and that all else is as it came."""

import json
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.wire.calls import PING_AFTER, Asked, GatedStream, Ruled, gated_body
from holdfast.wire.sse import Splitter

SAID = 'Not "done". 실행하지 않았습니다.'
Json = dict[str, Any]


def text(said: str) -> Json:
    return {"type": "text", "text": said}


def call(name: str, **given: Any) -> Json:
    return {"type": "tool_use", "id": f"id_{name}", "name": name, "input": given}


def hold(*names: str) -> Callable[[Sequence[Asked], Sequence[str]], Ruled]:
    def rule(asked: Sequence[Asked], heard: Sequence[str]) -> Ruled:
        held = frozenset(at for at, one in enumerate(asked) if one.tool in names)
        return Ruled(held, SAID if held else "")

    return rule


def message(*content: object, **members: object) -> bytes:
    whole = {"id": "m", "content": content, "stop_reason": "tool_use", **members}
    return json.dumps(whole, indent=2, ensure_ascii=False).encode()


def event(name: str, **members: object) -> bytes:
    return f"event: {name}\ndata: {json.dumps({'type': name, **members})}\n\n".encode()


def block(index: int, content: Json) -> bytes:
    start: Json
    deltas: list[Json]
    if content["type"] == "text":
        start, deltas = {**content, "text": ""}, [{"type": "text_delta", "text": content["text"]}]
    elif content["type"] == "tool_use":
        source = json.dumps(content["input"])
        start = {**content, "input": {}}
        deltas = [{"type": "input_json_delta", "partial_json": piece} for piece in (source[:3], source[3:])]
    else:
        start, deltas = content, []
    return b"".join(
        (
            event("content_block_start", index=index, content_block=start),
            *(event("content_block_delta", index=index, delta=delta) for delta in deltas),
            event("content_block_stop", index=index),
        )
    )


def stream(*content: Json, reason: str = "tool_use") -> bytes:
    return b"".join(
        (
            event("message_start", message={"id": "m", "content": []}),
            *(block(at, one) for at, one in enumerate(content)),
            event("message_delta", delta={"stop_reason": reason}, usage={"output_tokens": 3}),
            event("message_stop"),
        )
    )


def passed(data: bytes, gate: GatedStream, size: int = 10_000) -> bytes:
    return b"".join([*(gate.feed(data[at : at + size]) for at in range(0, len(data), size)), gate.end()])


def read(data: bytes) -> tuple[list[Json], str]:
    """The blocks that a client puts together, and why the answer ends."""
    found: dict[int, Json] = {}
    reason = ""
    for one in Splitter().feed(data):
        said = json.loads(one.data)
        match one.name:
            case "content_block_start":
                assert said["index"] == len(found)
                found[said["index"]] = {**said["content_block"], "source": ""}
            case "content_block_delta" if "text" in said["delta"]:
                found[said["index"]]["text"] += said["delta"]["text"]
            case "content_block_delta":
                found[said["index"]]["source"] += said["delta"]["partial_json"]
            case "message_delta":
                reason = said["delta"]["stop_reason"]
            case _:
                pass
    return [*found.values()], reason


CASES: list[tuple[list[str], list[Json], list[str], str]] = [
    (["send"], [text("a"), call("send", to="x")], ["a", SAID], "end_turn"),
    (["send"], [call("send", to="x"), call("read", q=1)], [SAID, "read"], "tool_use"),
    (["send"], [text("a"), call("read"), call("send")], ["a", SAID, "read"], "tool_use"),
    (["send", "pay"], [call("send"), call("read"), call("pay")], [SAID, "read"], "tool_use"),
    (
        ["send", "pay"],
        [call("send"), text("and"), call("pay"), text("end")],
        [SAID, "and", "end"],
        "end_turn",
    ),
    ([], [text("a"), call("read"), call("send")], ["a", "read", "send"], "tool_use"),
    (["send"], [text("only")], ["only"], "tool_use"),
]


def shown(content: list[Json]) -> list[str]:
    return [one.get("name") or one["text"] for one in content]


@pytest.mark.parametrize(("names", "content", "left", "reason"), CASES)
def test_what_is_left_of_a_whole_answer(
    names: list[str], content: list[Json], left: list[str], reason: str
) -> None:
    answer = json.loads(gated_body(message(*content), hold(*names)))
    assert (shown(answer["content"]), answer["stop_reason"]) == (left, reason)


@pytest.mark.parametrize(("names", "content", "left", "reason"), CASES)
def test_what_is_left_of_a_stream(
    names: list[str], content: list[Json], left: list[str], reason: str
) -> None:
    found, why = read(passed(stream(*content), GatedStream(hold(*names))))
    assert (shown(found), why) == (left, reason)


@given(st.integers(1, 200), st.sampled_from(CASES))
def test_it_does_not_matter_how_a_stream_is_cut(size: int, case: Any) -> None:
    names, content, _, _ = case
    data = stream(*content)
    assert passed(data, GatedStream(hold(*names)), size) == passed(data, GatedStream(hold(*names)))


@pytest.mark.parametrize("content", [case[1] for case in CASES])
def test_an_answer_of_which_nothing_is_held_is_the_same_bytes(content: list[Json]) -> None:
    assert gated_body(message(*content), hold()) == message(*content)
    data = b": hi\n\n" + stream(*content) + b"event: pi"
    assert passed(data, GatedStream(hold())) == data


def test_text_in_front_of_a_call_does_not_wait() -> None:
    gate = GatedStream(hold("send"))
    data = stream(text("a"), call("send"))
    start = data.index(b'"tool_use", "id"')
    cut = data.rindex(b"event:", 0, start)
    assert gate.feed(data[:cut]) == data[:cut]
    assert not gate.is_waiting
    assert gate.feed(data[cut : data.index(b"event: message_delta")]) == b""
    assert gate.is_waiting


def test_the_judge_sees_the_input_as_it_was_written_and_what_the_api_found() -> None:
    seen: list[Any] = []

    def rule(asked: Sequence[Asked], heard: Sequence[str]) -> Ruled:
        seen.append(([(one.tool, one.input) for one in asked], [*heard]))
        return Ruled()

    found = {"type": "web_search_tool_result", "content": [{"title": "News"}]}
    content = [found, call("send", to="x", n=[1]), call("trash")]
    gated_body(message(*content), rule)
    passed(stream(*content), GatedStream(rule))
    assert seen == [([("send", {"to": "x", "n": [1]}), ("trash", {})], ["News"])] * 2


def test_an_input_that_is_there_from_the_beginning_is_read_too() -> None:
    seen: list[object] = []

    def rule(asked: Sequence[Asked], heard: Sequence[str]) -> Ruled:
        seen.extend(one.input for one in asked)
        return Ruled()

    data = event("content_block_start", index=0, content_block=call("send", to="x"))
    passed(data + event("content_block_stop", index=0) + event("message_stop"), GatedStream(rule))
    assert seen == [{"to": "x"}]


def test_an_input_that_is_no_json_is_the_text_that_it_is() -> None:
    assert Asked(tool="a", source=b'{"to": "x').input == '{"to": "x'


def test_a_call_that_breaks_off_is_not_passed_on() -> None:
    data = stream(text("a"), call("read"), call("send"))
    broken = data[: data.rindex(b"event: content_block_stop")]
    found, _ = read(passed(broken, GatedStream(hold())))
    assert shown(found) == ["a"]
    error = event("error", error={"type": "overloaded_error"})
    assert passed(broken + error, GatedStream(hold())).endswith(error)
    whole = broken + event("message_delta", delta={"stop_reason": "tool_use"}) + event("message_stop")
    found, why = read(passed(whole, GatedStream(hold())))
    assert (shown(found), why) == (["a", "read"], "tool_use")
    alone = stream(call("send"))
    cut = alone[: alone.index(b"event: content_block_stop")] + event(
        "message_delta", delta={"stop_reason": "tool_use"}
    )
    assert read(passed(cut, GatedStream(hold()))) == ([], "end_turn")


def test_a_long_wait_is_filled_with_pings() -> None:
    gate = GatedStream(hold("send"))
    gate.feed(event("content_block_start", index=0, content_block=call("send")))
    delta = event("content_block_delta", index=0, delta={"type": "input_json_delta", "partial_json": " "})
    assert gate.feed(delta * PING_AFTER) == b'event: ping\ndata: {"type": "ping"}\n\n'


def test_pings_and_unknown_events_overtake_what_waits() -> None:
    gate = GatedStream(hold("send"))
    gate.feed(event("content_block_start", index=0, content_block=call("send")))
    assert gate.feed(event("ping") + event("news")) == event("ping") + event("news")


def test_one_that_does_not_hold_passes_everything_at_once_and_asks_all_the_same() -> None:
    asked: list[str] = []

    def rule(calls: Sequence[Asked], heard: Sequence[str]) -> Ruled:
        asked.extend(one.tool for one in calls)
        return Ruled()

    gate = GatedStream(rule, holds=False)
    data = stream(text("a"), call("send"))
    cut = data.index(b"event: message_delta")
    assert gate.feed(data[:cut]) == data[:cut]
    assert gate.feed(data[cut:]) + gate.end() == data[cut:]
    assert asked == ["send"]


def test_another_reason_to_end_stays() -> None:
    answer = json.loads(gated_body(message(call("send"), stop_reason="max_tokens"), hold("send")))
    assert answer["stop_reason"] == "max_tokens"
    assert (
        read(passed(stream(call("send"), reason="max_tokens"), GatedStream(hold("send"))))[1] == "max_tokens"
    )


@pytest.mark.parametrize("broken", [b"", b"no json", b'{"content": 5}', b'{"content": [1, "a"]}'])
def test_an_answer_that_makes_no_sense_passes_unread(broken: bytes) -> None:
    assert gated_body(broken, hold("send")) == broken


def test_events_that_make_no_sense_pass_or_wait_with_the_rest() -> None:
    odd = b"event: content_block_delta\ndata: nonsense\n\n"
    assert passed(odd, GatedStream(hold())) == odd
    data = stream(call("send"), text("b")).replace(b"event: message_delta", odd + b"event: message_delta")
    assert passed(data, GatedStream(hold())) == data
    found, _ = read(passed(data, GatedStream(hold("send"))).replace(odd, b""))
    assert shown(found) == [SAID, "b"]


def test_data_in_several_fields_is_written_as_one_where_it_changes() -> None:
    start = b'event: content_block_start\ndata: {"index": 1,\ndata:  "content_block": {"type": "text", "text": "b"}}\n\n'
    gate = GatedStream(hold("send", "pay"))
    data = block(0, call("send")) + block(1, call("pay")) + start.replace(b"1,", b"2,")
    out = gate.feed(data + event("message_stop"))
    assert [json.loads(one.data)["index"] for one in Splitter().feed(out) if b"index" in one.data][-1] == 1
