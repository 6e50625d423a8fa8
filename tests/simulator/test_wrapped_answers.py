"""Answers in a wrong frame: lengths and labels that lie, compression, crumbs, slow heads, other bodies, no end."""

import gzip
import json
import time
import zlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import anthropic
import httpx2
import pytest

from holdfast.simulator import (
    Action,
    Chunks,
    CleanEnd,
    ContentLength,
    ContentType,
    Endless,
    Gzip,
    HangUp,
    OtherBody,
    Reset,
    Simulator,
    SlowHeaders,
    Stall,
    Turn,
)
from holdfast.simulator.server import RunningSimulator
from tests.simulator.raw import (
    ask,
    body_of,
    call,
    chunks_of,
    ended_properly,
    header_of,
    names,
    status_of,
)

if TYPE_CHECKING:
    from tests.simulator.conftest import Api, Wire

BOTH = pytest.mark.parametrize("stream", [True, False])


def is_whole(body: bytes, *, stream: bool) -> bool:
    if stream:
        return names(body)[-1] == "message_stop"
    return bool(json.loads(body)["stop_reason"])


@BOTH
def test_a_content_length_can_be_too_long_for_the_body(wire: "Wire", stream: bool) -> None:
    wire.running.simulator.fault(ContentLength(10))
    raw, was_reset = wire.talk(ask(stream=stream))
    assert header_of(raw, "content-length") == str(len(body_of(raw)) + 10)
    assert is_whole(body_of(raw), stream=stream)
    assert not was_reset
    wire.running.drain()
    assert [seen.ending for seen in wire.running.simulator.requests] == ["faulted"]


@BOTH
def test_a_content_length_can_be_too_short_for_the_body(wire: "Wire", stream: bool) -> None:
    wire.running.simulator.fault(ContentLength(-10))
    raw, _ = wire.talk(ask(stream=stream))
    assert header_of(raw, "content-length") == str(len(body_of(raw)) - 10)
    assert is_whole(body_of(raw), stream=stream)


async def test_a_content_length_is_never_negative(api: "Api") -> None:
    api.simulator.fault(ContentLength(-1_000_000))
    assert (await api.post(ask())).content == b""


@BOTH
async def test_in_process_a_body_that_is_too_short_is_a_broken_connection(api: "Api", stream: bool) -> None:
    api.simulator.fault(ContentLength(1))
    with pytest.raises(ConnectionResetError):
        await api.post(ask(stream=stream))


@BOTH
async def test_in_process_a_body_that_is_too_long_is_cut(api: "Api", stream: bool) -> None:
    api.simulator.say(Turn(text="Hello"), Turn(text="Hello"))
    whole = (await api.post(ask(stream=stream))).content
    api.simulator.sequences.clear()
    api.simulator.fault(ContentLength(-10))
    assert (await api.post(ask(stream=stream))).content == whole[:-10]


@BOTH
def test_the_head_can_come_byte_by_byte(wire: "Wire", stream: bool) -> None:
    wire.running.simulator.fault(SlowHeaders(0.0005))
    with wire.send(ask(stream=stream)) as connection:
        raw = first = connection.recv(65536)
        while chunk := connection.recv(65536):
            raw += chunk
    assert b"\r\n\r\n" not in first
    assert status_of(raw) == 200
    assert is_whole(body_of(raw), stream=stream)
    assert wire.running.simulator.requests[0].ending == "completed"


@BOTH
async def test_in_process_a_slow_head_takes_its_time(api: "Api", stream: bool) -> None:
    api.simulator.fault(SlowHeaders(0.1))
    assert is_whole((await api.post(ask(stream=stream))).content, stream=stream)
    assert 30 < api.simulator.clock.monotonic() < 200


def test_a_caller_who_leaves_a_slow_head_is_noticed(wire: "Wire") -> None:
    wire.running.simulator.fault(SlowHeaders(0.05))
    wire.leave(ask())
    assert [seen.ending for seen in wire.running.simulator.requests] == ["disconnected"]


@BOTH
def test_a_body_can_come_in_chunks_of_one_byte(wire: "Wire", stream: bool) -> None:
    wire.running.simulator.fault(Chunks())
    raw, _ = wire.talk(ask(stream=stream))
    assert {len(chunk) for chunk in chunks_of(raw)} == {1}
    assert is_whole(body_of(raw), stream=stream)
    assert ended_properly(raw)


async def test_chunks_can_come_slowly(api: "Api") -> None:
    api.simulator.fault(Chunks(100, every=1.0))
    response = await api.post(ask())
    assert api.simulator.clock.monotonic() == (len(response.content) - 1) // 100


@BOTH
def test_a_content_type_can_be_wrong(wire: "Wire", stream: bool) -> None:
    wire.running.simulator.fault(ContentType("text/html"))
    raw, _ = wire.talk(ask(stream=stream))
    assert header_of(raw, "content-type") == "text/html"
    assert is_whole(body_of(raw), stream=stream)


async def zipped(api: "Api", accepts: str, *, stream: bool) -> httpx2.Response:
    headers = {"accept-encoding": accepts}
    transport = httpx2.ASGITransport(app=api.simulator)
    async with (
        httpx2.AsyncClient(transport=transport, base_url="http://simulator") as client,
        client.stream(
            "POST", "/v1/messages", headers={**api.headers, **headers}, json=ask(stream=stream)
        ) as response,
    ):
        raw = b"".join([chunk async for chunk in response.aiter_raw()])
        return httpx2.Response(
            200, headers={"x-was": response.headers.get("content-encoding", "")}, content=raw
        )


@BOTH
async def test_an_answer_is_compressed_for_those_who_accept_it(api: "Api", stream: bool) -> None:
    api.simulator.fault(Gzip(), Gzip(), Gzip(unasked=True))
    asked = await zipped(api, "br, gzip", stream=stream)
    unable = await zipped(api, "identity", stream=stream)
    unasked = await zipped(api, "identity", stream=stream)
    assert [answer.headers["x-was"] for answer in (asked, unable, unasked)] == ["gzip", "", "gzip"]
    assert is_whole(gzip.decompress(asked.content), stream=stream)
    assert is_whole(unable.content, stream=stream)
    assert is_whole(gzip.decompress(unasked.content), stream=stream)


@BOTH
@pytest.mark.parametrize("broken", ["garbage", "truncated", "checksum"])
async def test_compression_can_be_broken(api: "Api", broken: Any, stream: bool) -> None:
    api.simulator.fault(Gzip(broken=broken))
    answer = await zipped(api, "gzip", stream=stream)
    with pytest.raises((EOFError, zlib.error, gzip.BadGzipFile)):
        gzip.decompress(answer.content)
    assert api.simulator.requests[0].ending == "faulted"


def test_a_compressed_event_can_be_read_before_the_next_is_written(wire: "Wire") -> None:
    wire.running.simulator.fault(Gzip(unasked=True))
    raw, _ = wire.talk(ask(stream=True))
    reader = zlib.decompressobj(wbits=31)
    assert len(names(reader.decompress(b"".join(chunks_of(raw)[:2])))) == 2


@BOTH
@pytest.mark.parametrize("body", ["", '{"ok":true}', "[]", "null"])
async def test_another_body_can_stand_for_the_message_which_is_billed(
    api: "Api", body: str, stream: bool
) -> None:
    api.simulator.fault(OtherBody(body))
    response = await api.post(ask(stream=stream))
    assert (response.status_code, response.text) == (200, body)
    assert response.headers["content-type"] == ("text/event-stream" if stream else "application/json")
    (entry,) = api.simulator.ledger
    assert (entry.ending, entry.usage["output_tokens"] != 0) == ("faulted", True)


@BOTH
async def test_another_body_may_have_another_label(api: "Api", stream: bool) -> None:
    api.simulator.fault(OtherBody("<p>", content_type="text/html"))
    response = await api.post(ask(stream=stream))
    assert (response.text, response.headers["content-type"]) == ("<p>", "text/html")


BREAKS = [Reset(after_bytes=200), HangUp(after_bytes=200), CleanEnd(after_bytes=200)]


@BOTH
@pytest.mark.parametrize("action", BREAKS)
def test_an_answer_can_break_after_so_many_bytes(wire: "Wire", action: Action, stream: bool) -> None:
    wire.running.simulator.fault(action)
    raw, was_reset = wire.talk(ask(stream=stream))
    assert len(body_of(raw)) == 200
    assert was_reset == isinstance(action, Reset)
    assert ended_properly(raw) == (isinstance(action, CleanEnd) and stream)


@BOTH
def test_the_last_byte_is_never_let_through(wire: "Wire", stream: bool) -> None:
    wire.running.simulator.fault(HangUp(after_bytes=1_000_000))
    raw, _ = wire.talk(ask(stream=stream))
    last = b'data: {"type":"message_stop"}\n' if stream else b'"global"}'
    assert body_of(raw).endswith(last)


@BOTH
async def test_a_stall_after_bytes_goes_on_with_the_next_byte(api: "Api", stream: bool) -> None:
    api.simulator.fault(Stall(after_bytes=350, seconds=30))
    answer = await call(api.simulator, ask(stream=stream))
    assert is_whole(answer.body, stream=stream)
    assert api.simulator.clock.monotonic() == 30


@pytest.mark.parametrize(("after", "tokens"), [(0, 0), (1, 0), (150, 0), (700, 1), (1_000, 6)])
async def test_a_torn_stream_bills_the_whole_events_before_the_tear(
    api: "Api", after: int, tokens: int
) -> None:
    api.simulator.say(Turn(text="x" * 400))
    api.simulator.fault(CleanEnd(after_bytes=after))
    body = (await call(api.simulator, ask(stream=True))).body
    assert len(body) == after
    assert api.simulator.requests[0].events == body.count(b"\n\n")
    assert api.simulator.ledger[0].usage["output_tokens"] == tokens


def listen(wire: "Wire", body: dict[str, Any], enough: int) -> bytes:
    """Read so many bytes, then leave."""
    with wire.send(body) as connection:
        raw = b""
        while len(raw) < enough:
            raw += connection.recv(65536)
    wire.running.drain()
    return raw


def test_a_stream_can_go_on_for_ever_and_is_billed_up_to_its_limit(wire: "Wire") -> None:
    wire.running.simulator.fault(Endless(after_events=5, every=0, text=" more"))
    raw = listen(wire, ask(stream=True, max_tokens=300), 60_000)
    assert raw.count(b'"text":" more"') > 300
    assert b"content_block_stop" not in raw
    (entry,) = wire.running.simulator.ledger
    assert (entry.ending, entry.usage["output_tokens"]) == ("disconnected", 300)


def test_an_endless_stream_without_text_goes_on_with_pings(wire: "Wire") -> None:
    wire.running.simulator.fault(Endless(after_events=10_000, every=0))
    assert listen(wire, ask(stream=True), 20_000).count(b"event: ping") > 100


def test_an_endless_plain_body_never_closes_its_braces(wire: "Wire") -> None:
    wire.running.simulator.fault(Endless(every=0))
    raw = listen(wire, ask(), 3_000)
    assert b'{"id":' in raw
    assert raw.count(b"1\r\n \r\n") > 100


async def test_an_endless_stream_keeps_its_pace(api: "Api") -> None:
    api.simulator = Simulator(time_scale=0)
    api.simulator.fault(Endless(every=0.01))
    started = time.monotonic()  # noqa: TID251 - the real clock of the simulator is what is tested
    running = RunningSimulator(api.simulator)
    with (
        running,
        httpx2.stream("POST", f"{running.url}/v1/messages", headers=api.headers, json=ask(stream=True)) as r,
    ):
        for count, line in enumerate(r.iter_lines()):
            if count > 60:
                break
            assert line is not None
    assert time.monotonic() - started > 0.1  # noqa: TID251 - as above


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


@BOTH
@pytest.mark.parametrize("action", [Gzip(), Gzip(unasked=True), Chunks(), Chunks(5), SlowHeaders(0.0001)])
def test_the_sdk_reads_an_answer_in_an_unusual_form(
    client: anthropic.Anthropic, simulator: RunningSimulator, action: Action, stream: bool
) -> None:
    simulator.simulator.fault(action)
    assert heard(client, stream=stream).stop_reason == "end_turn"


@BOTH
@pytest.mark.parametrize("action", [ContentLength(10), Gzip(broken="garbage")])
def test_the_sdk_raises_for_an_answer_that_does_not_hold_together(
    client: anthropic.Anthropic, simulator: RunningSimulator, action: Action, stream: bool
) -> None:
    simulator.simulator.fault(action)
    with pytest.raises((httpx2.TransportError, httpx2.DecodingError, anthropic.APIError)):
        heard(client, stream=stream)


def test_the_sdk_raises_for_an_empty_answer(client: anthropic.Anthropic, simulator: RunningSimulator) -> None:
    simulator.simulator.fault(OtherBody())
    with pytest.raises(ValueError, match="Expecting value"):
        heard(client, stream=False)
