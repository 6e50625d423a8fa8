"""Streams whose events are doubled, lost, swapped, swollen or misreported, as bytes on a real socket."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import anthropic
import pytest

from holdfast.simulator import (
    Action,
    BigEvent,
    Duplicate,
    Malformed,
    ManyDeltas,
    Missing,
    OddUsage,
    OutOfOrder,
    StopReason,
    Turn,
    WrongIndex,
)
from holdfast.simulator.server import RunningSimulator
from tests.simulator.raw import Json, ask, body_of, ended_properly, names, said

if TYPE_CHECKING:
    from tests.simulator.conftest import Api, Wire

TEXT = "one two three four five six seven eight nine ten eleven twelve"


def stream(wire: "Wire", action: Action | None = None) -> bytes:
    """The body of a stream of the same text each time."""
    wire.running.simulator.say(Turn(text=TEXT))
    if action is not None:
        wire.running.simulator.fault(action)
    raw, was_reset = wire.talk(ask(stream=True))
    assert ended_properly(raw)
    assert not was_reset
    return body_of(raw)


def usual(wire: "Wire") -> list[str]:
    found = names(stream(wire))
    wire.running.simulator.sequences.clear()
    return found


def words(payloads: list[Json]) -> str:
    return "".join(payload["delta"].get("text", "") for payload in payloads if "delta" in payload)


@pytest.mark.parametrize(
    ("event", "at"), [(1, 0), (4, 3), ("message_delta", -2), ("message_stop", -1), (10_000, -1)]
)
def test_an_event_can_come_twice(wire: "Wire", event: int | str, at: int) -> None:
    right = usual(wire)
    place = at % len(right)
    assert names(stream(wire, Duplicate(event))) == [*right[: place + 1], right[place], *right[place + 1 :]]


@pytest.mark.parametrize(
    ("event", "at"),
    [(1, 0), (2, 1), (4, 3), ("content_block_stop", -3), ("message_delta", -2), ("message_stop", -1)],
)
def test_an_event_can_be_missing(wire: "Wire", event: int | str, at: int) -> None:
    right = usual(wire)
    del right[at]
    assert names(stream(wire, Missing(event))) == right


def test_an_event_that_the_stream_does_not_have_is_not_missed(wire: "Wire") -> None:
    right = usual(wire)
    for action in (Missing("error"), OutOfOrder("error"), BigEvent("error"), WrongIndex("message_delta")):
        assert names(stream(wire, action)) == right
        wire.running.simulator.sequences.clear()


@pytest.mark.parametrize(("event", "first"), [(1, 0), (4, 3), ("message_delta", -2), ("message_stop", -2)])
def test_two_events_can_change_places(wire: "Wire", event: int | str, first: int) -> None:
    right = said(stream(wire))
    wire.running.simulator.sequences.clear()
    place = first % len(right)
    right[place], right[place + 1] = right[place + 1], right[place]
    wrong = said(stream(wire, OutOfOrder(event)))
    assert [payload["type"] for payload in wrong] == [payload["type"] for payload in right]
    assert words(wrong) == words(right)


def test_deltas_that_change_places_change_the_text(wire: "Wire") -> None:
    wrong = words(said(stream(wire, OutOfOrder(4))))
    assert sorted(wrong) == sorted(TEXT)
    assert wrong != TEXT


@pytest.mark.parametrize(
    ("event", "hit"), [(2, "content_block_start"), (4, "content_block_delta"), (1, "content_block_start")]
)
def test_an_index_can_be_wrong(wire: "Wire", event: int, hit: str) -> None:
    wrong = [payload for payload in said(stream(wire, WrongIndex(event))) if payload.get("index") == 7]
    assert [payload["type"] for payload in wrong] == [hit]


def test_a_big_event_is_one_text_delta_of_ten_megabytes(wire: "Wire") -> None:
    payloads = said(stream(wire, BigEvent()))
    big = max(payloads, key=lambda payload: len(str(payload)))
    assert (big["type"], big["delta"]["type"], big["index"]) == ("content_block_delta", "text_delta", 0)
    assert len(big["delta"]["text"]) == 10 * 1024 * 1024
    assert payloads[-2]["usage"]["output_tokens"] == wire.running.simulator.ledger[0].usage["output_tokens"]
    assert payloads[-2]["usage"]["output_tokens"] < 100


def test_a_big_event_among_no_text_is_an_unknown_one(wire: "Wire") -> None:
    tools = [{"name": "look", "input_schema": {"type": "object"}}]
    wire.running.simulator.say(Turn(tools=(("look", {}),)))
    wire.running.simulator.fault(BigEvent(size=100))
    found = names(body_of(wire.talk(ask(stream=True, tools=tools))[0]))
    assert found[3] == "padding"


def test_a_malformed_event_at_the_very_beginning_comes_first(wire: "Wire") -> None:
    body = stream(wire, Malformed(0))
    assert body.startswith(b"event: content_block_delta\n")
    assert body.endswith(b'{"type":"message_stop"}\n\n')


def test_several_message_deltas_rise_and_only_the_last_ends_the_message(wire: "Wire") -> None:
    ends = [p for p in said(stream(wire, ManyDeltas(4))) if p["type"] == "message_delta"]
    told = [end["usage"]["output_tokens"] for end in ends]
    assert [end["delta"]["stop_reason"] for end in ends] == [None, None, None, "end_turn"]
    assert told == sorted(told)
    assert told[-1] == wire.running.simulator.ledger[0].usage["output_tokens"]


def usages(payloads: list[Json]) -> tuple[Any, list[Any]]:
    """What `message_start` and each `message_delta` tell."""
    ends = [payload.get("usage") for payload in payloads if payload["type"] == "message_delta"]
    return payloads[0]["message"].get("usage"), ends


@pytest.mark.parametrize(
    ("where", "at_start", "at_end"),
    [("everywhere", True, True), ("message_start", True, False), ("message_delta", False, True)],
)
def test_usage_can_be_missing_here_or_there(wire: "Wire", where: Any, at_start: bool, at_end: bool) -> None:
    start, (end,) = usages(said(stream(wire, OddUsage("missing", where))))
    assert ((start is None), (end is None)) == (at_start, at_end)
    assert wire.running.simulator.billed > 0


def test_usage_can_be_nothing_but_zeros(wire: "Wire") -> None:
    start, (end,) = usages(said(stream(wire, OddUsage("zero"))))
    for told in (start, end):
        assert (told["input_tokens"], told["output_tokens"]) == (0, 0)


def test_usage_can_shrink(wire: "Wire") -> None:
    _, ends = usages(said(stream(wire, OddUsage("shrinking"))))
    first, last = ends
    assert last["output_tokens"] == first["output_tokens"] // 2
    assert first["output_tokens"] == wire.running.simulator.ledger[0].usage["output_tokens"]


@pytest.mark.parametrize(("usage", "told"), [("missing", None), ("zero", 0)])
async def test_a_plain_answer_can_tell_an_odd_usage_too(api: "Api", usage: Any, told: int | None) -> None:
    api.simulator.fault(OddUsage(usage))
    body = (await api.post(ask())).json()
    assert body.get("usage", {}).get("output_tokens") == told
    assert api.simulator.billed > 0


REASONS = [
    "end_turn",
    "max_tokens",
    "stop_sequence",
    "tool_use",
    "pause_turn",
    "refusal",
    "model_context_window_exceeded",
]


@pytest.fixture
def client(simulator: RunningSimulator) -> Iterator[anthropic.Anthropic]:
    with anthropic.Anthropic(api_key="k", base_url=simulator.url, max_retries=0) as made:
        yield made


def heard(client: anthropic.Anthropic, *, stream: bool) -> anthropic.types.Message:
    question: list[anthropic.types.MessageParam] = [{"role": "user", "content": "Hi"}]
    if not stream:
        return client.messages.create(model="claude-sonnet-5-5", max_tokens=500, messages=question)
    with client.messages.stream(model="claude-sonnet-5-5", max_tokens=500, messages=question) as opened:
        return opened.get_final_message()


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("reason", REASONS)
def test_each_stop_reason_reaches_the_sdk(
    client: anthropic.Anthropic, simulator: RunningSimulator, reason: Any, stream: bool
) -> None:
    simulator.simulator.fault(StopReason(reason))
    message = heard(client, stream=stream)
    assert message.stop_reason == reason
    assert (message.stop_sequence is not None) == (reason == "stop_sequence")
    assert (message.stop_details is not None) == (reason == "refusal")


async def test_a_scripted_turn_may_have_a_stop_reason(api: "Api") -> None:
    api.simulator.say(Turn(text="So far", stop_reason="pause_turn"))
    assert (await api.message())["stop_reason"] == "pause_turn"
    assert (await api.message())["stop_reason"] == "end_turn"


@pytest.mark.parametrize("action", [BigEvent(size=1_000_000), ManyDeltas(), OddUsage("zero")])
def test_the_sdk_takes_an_odd_but_whole_stream_for_an_answer(
    client: anthropic.Anthropic, simulator: RunningSimulator, action: Action
) -> None:
    simulator.simulator.fault(action)
    assert heard(client, stream=True).stop_reason == "end_turn"


@pytest.mark.parametrize(
    ("action", "error"),
    [(Missing("message_start"), AssertionError), (OutOfOrder(1), IndexError), (WrongIndex(), IndexError)],
)
def test_the_sdk_stumbles_over_a_stream_in_disorder(
    client: anthropic.Anthropic, simulator: RunningSimulator, action: Action, error: type[Exception]
) -> None:
    simulator.simulator.fault(action)
    with pytest.raises(error):
        heard(client, stream=True)


def test_the_sdk_does_not_notice_a_lost_end(client: anthropic.Anthropic, simulator: RunningSimulator) -> None:
    simulator.simulator.fault(Missing("message_stop"))
    assert heard(client, stream=True).stop_reason == "end_turn"
