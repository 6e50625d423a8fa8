"""Clients that hang up: every call is settled exactly once, and the upstream is cut off."""

import asyncio
import contextlib
import json
from collections import Counter
from urllib.parse import urlsplit

import pytest

from holdfast.events import CallEnded
from holdfast.simulator import Fault, Stall
from tests.doors.running import RunningGateway, eventually

CLIENTS = 200
BODY = json.dumps(
    {
        "model": "claude-sonnet-5-5",
        "max_tokens": 300,
        "stream": True,
        "messages": [{"role": "user", "content": "Tell me a long story."}],
    }
).encode()


async def hang_up(url: str, after: bytes, pause: float = 0.0) -> bytes:
    """Ask for a stream, read it until `after` has come, wait a moment, and leave without a word."""
    address = urlsplit(url)
    reader, writer = await asyncio.open_connection(address.hostname, address.port)
    head = (
        "POST /v1/messages HTTP/1.1\r\nhost: gateway\r\ncontent-type: application/json\r\nx-api-key: local\r\n"
        f"anthropic-version: 2023-06-01\r\ncontent-length: {len(BODY)}\r\n\r\n"
    )
    try:
        writer.write(head.encode() + BODY)
        await writer.drain()
        seen = b""
        while after not in seen:
            chunk = await reader.read(65_536)
            assert chunk, seen
            seen += chunk
        await asyncio.sleep(pause)
    finally:
        writer.transport.abort()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()
    return seen


@pytest.mark.requirement("settle:hang-up")
async def test_two_hundred_clients_that_hang_up_mid_stream_are_settled_exactly_once_each(
    gateway: RunningGateway,
) -> None:
    gateway.simulator.simulator.fault(Fault(Stall(after_events=6), times=None))
    at_rest = gateway.tasks()

    seen = await asyncio.gather(
        *(hang_up(gateway.url, b"content_block_delta", n % 5 / 20) for n in range(CLIENTS))
    )

    assert all(b"message_start" in text and b"message_stop" not in text for text in seen)
    await asyncio.to_thread(eventually, lambda: gateway.totals().calls == CLIENTS)
    ended = Counter(event.request_id for event in gateway.events if isinstance(event, CallEnded))
    assert (len(ended), set(ended.values())) == (CLIENTS, {1})
    records = gateway.records()
    assert {record.end for record in records} == {"abandoned"}
    assert all(record.usage.input_tokens > 0 and record.estimated and record.cost for record in records)
    await asyncio.to_thread(eventually, lambda: gateway.simulator.simulator.capture.open == 0)
    assert {request.ending for request in gateway.simulator.simulator.requests} == {"disconnected"}
    await asyncio.to_thread(eventually, lambda: gateway.tasks() <= at_rest)


async def test_a_client_that_leaves_before_the_answer_begins_cuts_the_upstream_off(
    gateway: RunningGateway,
) -> None:
    gateway.simulator.simulator.fault(Stall(after_events=0))

    with pytest.raises(TimeoutError):
        await asyncio.wait_for(hang_up(gateway.url, b"HTTP"), 0.3)

    await asyncio.to_thread(eventually, lambda: gateway.totals().calls == 1)
    assert gateway.records()[0].end == "abandoned"
    await asyncio.to_thread(eventually, lambda: gateway.simulator.simulator.capture.open == 0)
