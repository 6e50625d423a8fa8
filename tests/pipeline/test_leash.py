import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Self

import pytest

from holdfast.call import Call, Outcome, Response
from holdfast.errors import Stopped
from holdfast.leash import Leash
from holdfast.pipeline import Pipeline, Proceed
from holdfast.wire.headers import Headers
from holdfast.wire.meter import Meter
from tests.upstream.scripted import JSON, SSE, START, a_call

WHY = Stopped("stopped by a test")


async def held(leash: Leash, begun: asyncio.Event | None = None) -> str:
    async with leash:
        if begun is not None:
            begun.set()
        await asyncio.Event().wait()
    return "never"


async def test_work_inside_ends_with_the_reason_as_soon_as_it_is_cut() -> None:
    leash, begun = Leash(), asyncio.Event()
    work = asyncio.create_task(held(leash, begun))
    await begun.wait()
    leash.cut(WHY)
    with pytest.raises(Stopped) as caught:
        await work
    assert caught.value is WHY
    assert work.cancelling() == 0


async def test_nothing_begins_inside_a_leash_that_was_cut_before() -> None:
    leash = Leash()
    leash.cut(WHY)
    with pytest.raises(Stopped):
        await held(leash)


async def test_the_first_reason_counts() -> None:
    leash, begun = Leash(), asyncio.Event()
    work = asyncio.create_task(held(leash, begun))
    await begun.wait()
    leash.cut(WHY)
    leash.cut(Stopped("later"))
    with pytest.raises(Stopped, match="by a test"):
        await work


async def test_another_thread_can_cut() -> None:
    leash, begun = Leash(), asyncio.Event()
    work = asyncio.create_task(held(leash, begun))
    await begun.wait()
    thread = threading.Thread(target=leash.cut, args=(WHY,))
    thread.start()
    with pytest.raises(Stopped):
        await work
    thread.join()


async def test_a_cancellation_from_outside_stays_one_even_beside_a_cut() -> None:
    leash, begun = Leash(), asyncio.Event()
    work = asyncio.create_task(held(leash, begun))
    await begun.wait()
    leash.cut(WHY)
    work.cancel()
    with pytest.raises(asyncio.CancelledError):
        await work


async def test_an_uncut_leash_changes_nothing() -> None:
    leash = Leash()
    async with leash:
        await asyncio.sleep(0)
    with pytest.raises(ZeroDivisionError):
        async with leash:
            raise ZeroDivisionError


async def test_work_that_swallows_the_cut_hears_of_it_at_the_next_step() -> None:
    leash, begun = Leash(), asyncio.Event()

    async def stubborn() -> None:
        async with leash:
            begun.set()
            with suppress(asyncio.CancelledError):
                await asyncio.Event().wait()
        async with leash:
            raise AssertionError("unreachable")

    work = asyncio.create_task(stubborn())
    await begun.wait()
    leash.cut(WHY)
    with pytest.raises(Stopped):
        await work


def test_a_cut_after_the_loop_is_over_is_no_error() -> None:
    leash = Leash()

    async def leave_open() -> None:
        await leash.__aenter__()

    asyncio.run(leave_open())
    leash.cut(WHY)
    assert leash.error is WHY


class Slow:
    """A body that gives one chunk and is silent then."""

    def __init__(self, chunk: bytes) -> None:
        self.chunk: bytes | None = chunk
        self.closed = False

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        chunk, self.chunk = self.chunk, None
        if chunk is None:
            await asyncio.Event().wait()
            raise AssertionError("unreachable")
        return chunk

    async def aclose(self: Self) -> None:
        self.closed = True


def pipeline(body: Slow, headers: Headers, outcomes: list[Outcome]) -> Pipeline:
    async def settle(outcome: Outcome) -> None:
        outcomes.append(outcome)

    async def guard(call: Call) -> Proceed:
        return Proceed(call, settle)

    async def send(call: Call) -> Response:
        return Response(status=200, headers=headers, body=body, meter=Meter())

    return Pipeline((guard,), send)


async def test_a_stream_that_is_cut_ends_with_a_typed_event_and_is_settled() -> None:
    outcomes, body, call = list[Outcome](), Slow(START), a_call(stream=True)
    answer = await pipeline(body, SSE, outcomes)(call)
    assert await anext(answer) == START
    rest = asyncio.create_task(anext(answer))
    await asyncio.sleep(0)
    call.leash.cut(WHY)
    event = await rest
    assert event.startswith(b"event: error\n")
    assert b"holdfast_stopped" in event
    assert b"permission_error" in event
    assert await anext(answer, None) is None
    (outcome,) = outcomes
    assert (outcome.end, outcome.error_code) == ("failed", "holdfast_stopped")
    assert body.closed


async def test_a_whole_answer_that_is_cut_raises_the_reason_and_is_settled() -> None:
    outcomes, body, call = list[Outcome](), Slow(b"{"), a_call()
    answer = await pipeline(body, JSON, outcomes)(call)
    await anext(answer)
    call.leash.cut(WHY)
    with pytest.raises(Stopped):
        await anext(answer)
    assert [outcome.error_code for outcome in outcomes] == ["holdfast_stopped"]


async def test_a_call_that_waits_for_its_answer_is_cut_and_settled() -> None:
    outcomes, call, asked = list[Outcome](), a_call(), asyncio.Event()

    async def send(call: Call) -> Response:
        call.tally.attempts += 1
        asked.set()
        await asyncio.Event().wait()
        raise AssertionError("unreachable")

    made = pipeline(Slow(b""), JSON, outcomes)
    work = asyncio.create_task(Pipeline(made.guards, send)(call))
    await asked.wait()
    call.leash.cut(WHY)
    with pytest.raises(Stopped):
        await work
    assert [(outcome.end, outcome.status, outcome.attempts) for outcome in outcomes] == [("failed", 403, 1)]


async def test_a_call_that_is_cut_before_anybody_was_asked_is_refused() -> None:
    outcomes, call = list[Outcome](), a_call()
    call.leash.cut(WHY)
    with pytest.raises(Stopped):
        await pipeline(Slow(b""), JSON, outcomes)(call)
    assert outcomes == []


async def test_the_reader_of_a_stream_that_is_cut_is_told_before_the_books_are_written() -> None:
    outcomes, body, call, written = list[Outcome](), Slow(START), a_call(stream=True), asyncio.Event()

    async def settle(outcome: Outcome) -> None:
        await written.wait()

    async def slow_books(call: Call) -> Proceed:
        return Proceed(call, settle)

    made = pipeline(body, SSE, outcomes)
    answer = await Pipeline((*made.guards, slow_books), made.send)(call)
    await anext(answer)
    call.leash.cut(WHY)
    assert b"holdfast_stopped" in await anext(answer)
    assert body.closed
    assert outcomes == []
    written.set()
    await answer.aclose()
    assert [(outcome.end, outcome.error_code) for outcome in outcomes] == [("failed", "holdfast_stopped")]
