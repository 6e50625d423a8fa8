"""Notices in answers on their way out: whole ones and streams, and who is left alone."""

import json
from dataclasses import replace

import pytest

from holdfast.call import Call, Response, Unanswered
from holdfast.errors import UpstreamUnavailable
from holdfast.pipeline import Send
from holdfast.upstream.notice import Notices, with_notice
from holdfast.wire.headers import Headers
from holdfast.wire.meter import Meter
from tests.upstream.scripted import JSON, SSE, START, STOP, a_call, event

TOLD = ("Try another way.",)
CALLED = json.dumps(
    {"type": "message", "content": [{"type": "tool_use", "id": "t1", "name": "read", "input": {}}]}
).encode()
TOOL = event(
    "content_block_start",
    index=0,
    content_block={"type": "tool_use", "id": "t1", "name": "read", "input": {}},
)
CLOSED = event("content_block_stop", index=0)


class Chunks:
    """A body in pieces, which knows whether it was closed."""

    def __init__(self, *pieces: bytes) -> None:
        self.pieces = list(pieces)
        self.closed = 0

    def __aiter__(self) -> "Chunks":
        return self

    async def __anext__(self) -> bytes:
        if not self.pieces:
            raise StopAsyncIteration
        return self.pieces.pop(0)

    async def aclose(self) -> None:
        self.closed += 1


def answer(*pieces: bytes, headers: Headers = JSON, status: int = 200) -> Response:
    whole = headers is JSON
    return Response(
        status=status,
        headers=headers,
        body=Chunks(*pieces),
        meter=Meter(),
        length=sum(map(len, pieces)) if whole else None,
    )


def sending(found: Response | Unanswered) -> Send:
    async def send(call: Call) -> Response | Unanswered:
        return found

    return send


async def read(response: Response) -> bytes:
    return b"".join([chunk async for chunk in response.body])


async def test_a_whole_answer_carries_the_notice_and_its_new_length() -> None:
    found = answer(CALLED[:20], CALLED[20:])
    told = await with_notice(found, TOLD)
    body = await read(told)
    assert json.loads(body)["content"][0] == {"type": "text", "text": "Try another way."}
    assert told.length == len(body)
    assert told.meter is found.meter
    assert isinstance(found.body, Chunks)
    assert found.body.closed == 1


async def test_several_notices_stand_in_one_block() -> None:
    body = await read(await with_notice(answer(CALLED), ("One.", "Two.")))
    assert json.loads(body)["content"][0]["text"] == "One.\nTwo."


async def test_a_stream_carries_the_notice_as_it_passes() -> None:
    told = await with_notice(answer(START, TOOL[:30], TOOL[30:], CLOSED, STOP + b": bye", headers=SSE), TOLD)
    pieces = [chunk async for chunk in told.body]
    assert pieces[0] == START
    assert b"Try another way." in pieces[1]
    assert b"".join(pieces).endswith(b'"index": 1}\n\n' + STOP + b": bye")


async def test_a_stream_that_is_closed_early_closes_what_it_reads_from_and_says_no_more() -> None:
    found = answer(START, TOOL, headers=SSE)
    told = await with_notice(found, TOLD)
    assert await anext(told.body) == START
    await told.body.aclose()
    assert isinstance(found.body, Chunks)
    assert found.body.closed == 1
    assert await read(told) == b""


@pytest.mark.parametrize(
    "found",
    [
        answer(CALLED, status=529),
        replace(answer(CALLED), label="fallback"),
        replace(answer(CALLED), label="cached"),
    ],
)
async def test_what_the_model_did_not_say_just_now_is_left_alone(found: Response) -> None:
    assert await with_notice(found, TOLD) is found


async def test_a_call_without_notices_costs_nothing() -> None:
    found = answer(CALLED)
    assert await with_notice(found, ()) is found
    assert await Notices(send=sending(found))(a_call()) is found


async def test_a_call_with_notices_gets_them_in_its_answer() -> None:
    told = await Notices(send=sending(answer(CALLED)))(replace(a_call(), notices=TOLD))
    assert isinstance(told, Response)
    assert b"Try another way." in await read(told)


async def test_a_call_that_nobody_answered_has_nothing_to_be_told_in() -> None:
    nothing = Unanswered(error=UpstreamUnavailable("gone"))
    assert await Notices(send=sending(nothing))(replace(a_call(), notices=TOLD)) is nothing
