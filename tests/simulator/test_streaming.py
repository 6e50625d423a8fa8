"""The grammar and the pace of a streamed answer."""

import json
from typing import TYPE_CHECKING, Any

import pytest

from holdfast.simulator import Latency, Pace, Simulator, Turn
from holdfast.simulator.exchange import Exchange
from holdfast.testing import FakeClock

if TYPE_CHECKING:
    from tests.simulator.conftest import Api

TOOL = {
    "name": "note",
    "input_schema": {
        "type": "object",
        "properties": {
            "text": {"const": "가나다 라마바 사아자 차카타 파하"},
            "n": {"const": [1, 2, {"a": None}]},
        },
        "required": ["text", "n"],
    },
}


def text_of(events: list[dict[str, Any]]) -> str:
    deltas = [event["delta"] for event in events if event["type"] == "content_block_delta"]
    return "".join(delta.get("text", "") for delta in deltas)


async def test_a_stream_follows_the_grammar(api: "Api") -> None:
    names = [event["type"] for event in await api.events("Hello")]
    assert names[:3] == ["message_start", "content_block_start", "ping"]
    assert names[-3:] == ["content_block_stop", "message_delta", "message_stop"]
    assert set(names[3:-3]) == {"content_block_delta"}


async def test_a_stream_says_what_the_plain_answer_says(api: "Api") -> None:
    plain = await api.message("지난주 주문을 취소하고 싶어요")
    events = await api.events("지난주 주문을 취소하고 싶어요")
    assert text_of(events) == plain["content"][0]["text"]
    end = events[-2]
    assert end["delta"]["stop_reason"] == plain["stop_reason"]
    assert end["usage"]["output_tokens"] == plain["usage"]["output_tokens"]
    assert end["usage"]["input_tokens"] == plain["usage"]["input_tokens"]


async def test_the_first_event_carries_the_input_and_the_first_token(api: "Api") -> None:
    start = (await api.events("Hello"))[0]["message"]
    assert start["content"] == []
    assert start["stop_reason"] is None
    assert start["usage"]["input_tokens"] > 0
    assert start["usage"]["output_tokens"] == 1


async def test_every_chunk_is_whole_characters(api: "Api") -> None:
    text = "가나다라마바사아자차카타파하 🦊🦊🦊 " * 20
    events = await api.events(f"Say exactly: {text}", max_tokens=4096)
    assert text_of(events) == text.strip()


async def test_the_input_of_a_tool_comes_in_pieces_of_json(api: "Api") -> None:
    events = await api.events("use the tool note", tools=[TOOL])
    start = next(event for event in events if event["type"] == "content_block_start")
    pieces = [event["delta"]["partial_json"] for event in events if event["type"] == "content_block_delta"]
    assert (start["content_block"]["type"], start["content_block"]["input"]) == ("tool_use", {})
    assert pieces[0] == ""
    assert len(pieces) > 2
    assert json.loads("".join(pieces)) == {
        "text": "가나다 라마바 사아자 차카타 파하",
        "n": [1, 2, {"a": None}],
    }
    assert events[-2]["delta"]["stop_reason"] == "tool_use"


async def test_a_thought_is_sealed_by_its_signature(api: "Api") -> None:
    events = await api.events("Why?", thinking={"type": "adaptive"})
    kinds = [event["delta"]["type"] for event in events if event["type"] == "content_block_delta"]
    assert kinds.index("signature_delta") == kinds.count("thinking_delta")
    assert kinds[-1] == "text_delta"
    assert events[-2]["usage"]["output_tokens_details"]["thinking_tokens"] > 0


async def test_a_search_result_has_no_deltas(api: "Api") -> None:
    tools = [{"type": "web_search_20250305", "name": "web_search"}]
    events = await api.events("웹에서 검색해 줘: 등대", tools=tools)
    names = [event["type"] for event in events if event.get("index") == 1]
    assert names == ["content_block_start", "content_block_stop"]
    assert events[-2]["usage"]["server_tool_use"]["web_search_requests"] == 1
    assert events[0]["message"]["usage"]["input_tokens"] < events[-2]["usage"]["input_tokens"]


async def test_an_answer_without_words_has_no_blocks(api: "Api") -> None:
    api.simulator.say(Turn(refuse=True))
    events = await api.events("Hi")
    assert [event["type"] for event in events] == ["message_start", "message_delta", "message_stop"]
    assert events[-2]["delta"]["stop_reason"] == "refusal"
    assert events[0]["message"]["usage"]["output_tokens"] == 0


def steady(clock: FakeClock, **more: Any) -> Simulator:
    pace = Pace(first_token=2, tokens_per_second=10)
    return Simulator(clock=clock, latency=Latency(paces={}, otherwise=pace, sigma=0, **more))


@pytest.mark.parametrize("stream", [True, False])
async def test_an_answer_takes_the_time_of_its_first_token_and_of_its_length(
    api: "Api", clock: FakeClock, stream: bool
) -> None:
    api.simulator = steady(clock)
    api.simulator.say(Turn(text="x" * 400))
    message = api.events("Hi") if stream else api.message("Hi")
    await message
    tokens = api.simulator.ledger[0].usage["output_tokens"]
    assert tokens == 130
    assert clock.monotonic() == pytest.approx(2 + 130 / 10, abs=0.2)


async def test_time_scale_stretches_all_waiting(api: "Api", clock: FakeClock) -> None:
    api.simulator = steady(clock)
    api.simulator.time_scale = 0.1
    await api.message("Say exactly: hi")
    assert clock.monotonic() == pytest.approx(0.21, abs=0.02)


async def test_time_scale_zero_never_waits(api: "Api", clock: FakeClock) -> None:
    await api.events("Hello")
    assert clock.sleeps == []


async def test_a_long_silence_is_broken_by_pings(api: "Api", clock: FakeClock) -> None:
    api.simulator = steady(clock, ping_every=0.3)
    names = [event["type"] for event in await api.events("Say exactly: hi")]
    assert names.count("ping") == 1 + 3


async def test_the_timing_is_drawn_from_the_seed(api: "Api") -> None:
    waits: list[list[float]] = []
    for seed in (1, 1, 2):
        clock = FakeClock()
        api.simulator = Simulator(seed=seed, clock=clock)
        await api.message("Hello")
        waits.append(clock.sleeps)
    assert waits[0] == waits[1] != waits[2]


async def test_fast_mode_writes_faster(api: "Api") -> None:
    spans: list[float] = []
    for speed in ("standard", "fast"):
        clock = FakeClock()
        api.simulator = steady(clock)
        api.simulator.say("x" * 400)
        await api.message("Hello", model="claude-opus-5-5", speed=speed)
        spans.append(clock.monotonic() - 2)
    assert spans[0] == pytest.approx(2.5 * spans[1])


def test_repeated_headers_are_joined() -> None:
    scope: dict[str, Any] = {
        "method": "GET",
        "path": "/",
        "headers": [(b"anthropic-beta", b"a"), (b"Anthropic-Beta", b"b")],
    }
    simulator = Simulator()

    async def receive() -> dict[str, Any]:
        return {}

    async def send(_: object) -> None: ...

    exchange = Exchange(scope, (receive, send), simulator.clock, simulator.capture)
    assert exchange.headers == {"anthropic-beta": "a, b"}


async def test_a_prompt_out_of_the_cache_is_answered_sooner(api: "Api", clock: FakeClock) -> None:
    api.simulator = steady(clock)
    cached = [{"type": "text", "text": "x" * 40_000, "cache_control": {"type": "ephemeral"}}]
    taken: list[float] = []
    for _ in range(2):
        before = clock.monotonic()
        await api.message("Hi", system=cached, max_tokens=1)
        taken.append(clock.monotonic() - before)
    assert taken[0] == pytest.approx(2.1)
    assert taken[1] == pytest.approx(2 * 0.4 + 0.1, abs=0.01)
