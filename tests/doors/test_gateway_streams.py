"""Streams through the gateway: byte for byte while they hold, a typed error where they break."""

import json
from collections.abc import Mapping
from dataclasses import dataclass

import anthropic
import pytest

from holdfast.gateway.responding import Message, Receive, Send
from holdfast.simulator import (
    CleanEnd,
    Dialect,
    ErrorEvent,
    HangUp,
    Malformed,
    Reset,
    Simulator,
    Stall,
)
from holdfast.simulator.faults import Action
from holdfast.simulator.server import RunningSimulator
from holdfast.upstream.inprocess import InProcessClient
from tests.doors.running import RunningGateway, eventually, over, quick_settings, serving
from tests.doors.talking import QUESTION, Heard, ask, connected, request

STREAM = {**QUESTION, "stream": True}


def events(answer: Heard) -> list[str]:
    return [line[7:] for line in answer.body.decode().splitlines() if line.startswith("event: ")]


def directly(body: object, *faults: Action) -> Heard:
    """The answer of a simulator of the same seed, with nothing in between."""
    with RunningSimulator(Simulator(time_scale=0)) as simulator:
        simulator.simulator.fault(*faults)
        return ask(simulator.url, body)


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"thinking": {"type": "adaptive"}, "max_tokens": 2_000},
        {
            "tools": [{"name": "weather", "input_schema": {"type": "object"}}],
            "messages": [{"role": "user", "content": "Please use the tool weather."}],
        },
    ],
)
def test_a_stream_arrives_byte_for_byte(gateway: RunningGateway, more: dict[str, object]) -> None:
    answer = ask(gateway.url, {**STREAM, **more})
    assert answer.body == directly({**STREAM, **more}).body
    assert {"message_start", "ping", "message_stop"} <= set(events(answer))


def test_a_stream_in_an_unusual_dialect_arrives_byte_for_byte(gateway: RunningGateway) -> None:
    gateway.simulator.simulator.fault(Dialect())
    answer = ask(gateway.url, STREAM)
    assert answer.body == directly(STREAM, Dialect()).body
    assert gateway.totals().cost == gateway.simulator.simulator.billed > 0


def test_a_plain_answer_arrives_byte_for_byte(gateway: RunningGateway) -> None:
    assert ask(gateway.url, QUESTION).body == directly(QUESTION).body


def test_the_headers_of_a_stream_keep_proxies_from_holding_it_back(gateway: RunningGateway) -> None:
    headers = ask(gateway.url, STREAM).headers
    assert headers["content-type"].startswith("text/event-stream")
    assert headers["cache-control"] == "no-cache"
    assert headers["x-accel-buffering"] == "no"
    assert headers["transfer-encoding"] == "chunked"
    assert "content-length" not in headers


def test_a_stream_comes_as_it_is_made_and_not_all_at_its_end(gateway: RunningGateway) -> None:
    gateway.simulator.simulator.fault(Stall(after_events=8, ping_every=0.05))
    with connected(gateway.url) as connection:
        connection.send(request(STREAM))
        seen = b""
        while seen.count(b"event: ping") < 4:  # one of the stream itself and three of the silence
            seen += connection.reader.read1()
        assert b"content_block_delta" in seen
        assert b"message_stop" not in seen
    eventually(lambda: gateway.totals().calls == 1)


@pytest.mark.parametrize(
    ("fault", "error_type"),
    [
        (CleanEnd(after_events=6), "api_error"),
        (Reset(after=6), "api_error"),
        (HangUp(after=6), "api_error"),
        (ErrorEvent(after_events=6, error_type="overloaded_error"), "overloaded_error"),
    ],
)
def test_a_stream_that_breaks_ends_in_a_typed_error_that_the_sdk_raises(
    gateway: RunningGateway, fault: Action, error_type: str
) -> None:
    gateway.simulator.simulator.fault(fault)
    answer = ask(gateway.url, STREAM)
    name, data = answer.body.decode().rstrip("\n").split("\n\n")[-1].split("\n")
    assert name == "event: error"
    assert json.loads(data.removeprefix("data: "))["error"]["type"] == error_type
    assert "message_stop" not in events(answer)

    gateway.simulator.simulator.fault(fault)
    with (
        anthropic.Anthropic(api_key="local", base_url=gateway.url) as client,
        pytest.raises(anthropic.APIStatusError) as raised,
        client.messages.stream(
            model="claude-sonnet-5-5", max_tokens=300, messages=[{"role": "user", "content": "Hello"}]
        ) as stream,
    ):
        stream.get_final_message()
    assert raised.value.type == error_type
    assert len(gateway.simulator.simulator.requests) == 2  # what was shown is not asked again
    for record in gateway.records():
        assert record.end == "failed"
        assert record.estimated
        assert record.usage.output_tokens > 0
        assert record.cost


@pytest.mark.parametrize("fault", [CleanEnd(after_events=1), Reset(after=1), ErrorEvent(after_events=1)])
def test_a_stream_that_breaks_before_its_first_content_is_asked_again(
    gateway: RunningGateway, fault: Action
) -> None:
    gateway.simulator.simulator.fault(fault)
    answer = ask(gateway.url, STREAM)
    assert events(answer)[-1] == "message_stop"
    assert events(answer).count("message_start") == 1
    assert answer.headers["x-holdfast-attempts"] == "2"


def test_junk_inside_a_stream_is_passed_on_as_it_came(gateway: RunningGateway) -> None:
    gateway.simulator.simulator.fault(Malformed(after_events=6))
    assert ask(gateway.url, STREAM).body == directly(STREAM, Malformed(after_events=6)).body


def test_a_reader_that_does_not_read_holds_the_upstream_back_and_not_the_memory(
    simulator: RunningSimulator,
) -> None:
    upstream = Endless()
    with (
        serving(simulator, quick_settings(simulator), opened=over(InProcessClient(upstream))) as gateway,
        connected(gateway.url) as connection,
    ):
        connection.send(request(STREAM))
        assert connection.reader.readline().startswith(b"HTTP/1.1 200")
        sizes = [-1]

        def held() -> bool:
            sizes.append(upstream.sent)
            return len(set(sizes[-30:])) == 1

        eventually(held)
        assert upstream.sent < 32 * 1024 * 1024  # what the buffers of two sockets hold, and not a gigabyte
        before = upstream.sent
        while upstream.sent == before:
            assert connection.reader.read(1_000_000)
        connection.socket.close()
    assert upstream.cancelled


@dataclass
class Endless:
    """An upstream that never stops talking, as fast as it is read."""

    sent: int = 0
    cancelled: bool = False

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        headers = [(b"content-type", b"text/event-stream")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        usage = {"input_tokens": 5, "output_tokens": 1}
        start = {
            "type": "message_start",
            "message": {"id": "m", "model": "claude-sonnet-5-5", "usage": usage},
        }
        delta = {
            "type": "content_block_delta",
            "index": 0,
            "delta": {"type": "text_delta", "text": "x" * 50_000},
        }
        try:
            await send({"type": "http.response.body", "body": event(start), "more_body": True})
            while True:
                await send({"type": "http.response.body", "body": event(delta), "more_body": True})
                self.sent += 50_000
        finally:
            self.cancelled = True


def event(document: Mapping[str, object]) -> bytes:
    return f"event: {document['type']}\ndata: {json.dumps(document)}\n\n".encode()
