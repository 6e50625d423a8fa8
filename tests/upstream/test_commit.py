"""Streams begun ahead of their first content, in virtual time."""

import asyncio
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any, TypeVar

import pytest

from holdfast.call import Call, Outcome, Response, Unanswered
from holdfast.errors import CallNotPermitted
from holdfast.pipeline import Pipeline, Proceed, Settling
from holdfast.policy.retry import RetryConfig
from holdfast.simulator import Fault, Simulator, Status
from holdfast.testing.virtual import VirtualClock, run
from holdfast.upstream.client import Client
from holdfast.upstream.commit import EarlyCommit
from holdfast.upstream.inprocess import InProcessClient
from holdfast.wire.headers import get
from holdfast.wire.sse import ping
from tests.upstream.scripted import (
    BLOCK,
    CUT,
    START,
    STREAM,
    Answer,
    Pause,
    Reply,
    Ring,
    ScriptedClient,
    Silence,
    a_call,
    ring,
    tasks,
    text,
)

T = TypeVar("T")
OVERLOADED = Reply.refusal(529, "overloaded_error", "Overloaded")
LIMITED = Reply.refusal(429, "rate_limit_error", retry_after="25")
SLOW = Reply.stream(START, Pause(25), *STREAM[1:])


def held(main: Coroutine[Any, Any, T]) -> T:
    return run(main, seed=3)


class World:
    """A pipeline over one client, its clock, and how its calls were settled."""

    def __init__(self, client: Client, *, attempts: int = 3, stall: float = 90.0) -> None:
        self.clock = VirtualClock()
        self.client = client
        self.outcomes: list[Outcome] = []
        self.ring: Ring = ring(client, clock=self.clock, stall=stall, retry=RetryConfig(attempts=attempts))
        self.pipeline = Pipeline((self._guard,), EarlyCommit(send=self.ring.attempts))

    async def _guard(self, call: Call) -> Proceed:
        async def settle(outcome: Outcome) -> None:
            self.outcomes.append(outcome)

        return Proceed(call, settle)

    async def ask(self, *, stream: bool = True, seconds: float = 600.0) -> Settling:
        return await self.pipeline(a_call(stream=stream, clock=self.clock, seconds=seconds))


def test_a_stream_without_content_is_begun_after_ten_seconds_and_pinged_every_ten() -> None:
    async def main() -> None:
        world = World(ScriptedClient(SLOW))
        answer = await world.ask()
        assert world.clock.monotonic() == pytest.approx(10)
        assert (answer.response.status, answer.response.upstream) == (200, None)
        assert get(answer.response.headers, "content-type") == "text/event-stream; charset=utf-8"
        assert await anext(answer) == ping()
        assert world.clock.monotonic() == pytest.approx(10)
        assert await anext(answer) == ping()
        assert world.clock.monotonic() == pytest.approx(20)
        assert await answer.read() == b"".join(STREAM)
        (outcome,) = world.outcomes
        assert (outcome.end, outcome.upstream, outcome.attempts) == ("answered", "main", 1)
        assert (outcome.usage.output_tokens, outcome.stop_reason) == (7, "end_turn")

    held(main())


def test_a_stream_whose_content_comes_in_time_is_passed_on_as_it_is() -> None:
    async def main() -> None:
        world = World(ScriptedClient(Reply.stream()))
        answer = await world.ask()
        assert get(answer.response.headers, "request-id") == "req_up"
        assert await answer.read() == b"".join(STREAM)

    held(main())


def test_a_whole_answer_is_never_begun_early() -> None:
    async def main() -> None:
        world = World(ScriptedClient(Reply(pieces=(Pause(50), *Reply().pieces))))
        answer = await world.ask(stream=False)
        assert world.clock.monotonic() == pytest.approx(50)
        assert b"ping" not in await answer.read()

    held(main())


def test_retries_go_on_behind_the_pings() -> None:
    async def main() -> None:
        simulator = Simulator(seed=1, time_scale=0)
        simulator.fault(Fault(Status(429, retry_after=25), times=1))
        world = World(InProcessClient(simulator))
        answer = await world.ask()
        assert answer.response.attempts == 1
        body = await answer.read()
        assert body.startswith(ping() * 2 + b"event: message_start")
        assert b"event: message_stop" in body
        assert [(outcome.end, outcome.attempts) for outcome in world.outcomes] == [("answered", 2)]
        assert 25 <= world.clock.monotonic() <= 28

    held(main())


@pytest.mark.parametrize(
    ("last", "kind"),
    [
        (OVERLOADED, b"overloaded_error"),
        (CUT, b"api_error"),
        (Reply(status=500, pieces=(b"<html>",)), b"api_error"),
        (Reply(), b"api_error"),
    ],
)
def test_when_all_attempts_fail_the_stream_ends_in_a_typed_error(last: Answer, kind: bytes) -> None:
    async def main() -> None:
        world = World(ScriptedClient(LIMITED, last), attempts=2)
        answer = await world.ask()
        body = await answer.read()
        assert body.startswith(ping())
        assert body.count(b"event: error") == 1
        assert kind in body
        (outcome,) = world.outcomes
        assert (outcome.end, outcome.status, outcome.attempts, outcome.upstream) == ("failed", 200, 2, "main")
        assert outcome.error_code is not None

    held(main())


def test_a_refusal_after_the_beginning_is_told_in_the_stream() -> None:
    async def main() -> None:
        async def refuse(call: Call) -> Response:
            await asyncio.sleep(15)
            raise CallNotPermitted("closed", retry_after=3)

        pipeline = Pipeline((), EarlyCommit(send=refuse))
        body = await (await pipeline(a_call(stream=True, clock=VirtualClock()))).read()
        assert body.startswith(ping() + b"event: error")
        assert b"holdfast_circuit_open" in body

    held(main())


def test_a_bug_after_the_beginning_is_no_answer() -> None:
    async def main() -> None:
        world = World(ScriptedClient(LIMITED, ZeroDivisionError()))
        answer = await world.ask()
        with pytest.raises(ZeroDivisionError):
            await answer.read()
        assert [(o.end, o.error_code) for o in world.outcomes] == [("failed", "ZeroDivisionError")]
        assert world.ring.live() == 0

    held(main())


@pytest.mark.parametrize("reply", [Silence(), LIMITED, Reply.stream(START, Silence())])
def test_who_leaves_a_pending_stream_ends_the_search_at_once(reply: Answer) -> None:
    async def main() -> None:
        before = tasks()
        client = ScriptedClient(reply)
        world = World(client)
        answer = await world.ask()
        await anext(answer)
        await answer.aclose()
        assert world.clock.monotonic() == pytest.approx(10)
        assert (world.ring.live(), client.left_open, tasks()) == (0, 0, before)
        (outcome,) = world.outcomes
        assert (outcome.end, outcome.attempts, len(outcome.spent)) == ("abandoned", 1, 1)

    held(main())


@pytest.mark.parametrize("after", [5.0, 15.0])
def test_a_cancelled_call_ends_the_search_before_the_beginning_and_behind_it(after: float) -> None:
    async def main() -> None:
        before = tasks()
        client = ScriptedClient(Silence())
        world = World(client)

        async def read() -> bytes:
            return await (await world.ask()).read()

        task = asyncio.ensure_future(read())
        await asyncio.sleep(after)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert world.clock.monotonic() == pytest.approx(after)
        assert (world.ring.live(), tasks()) == (0, before)
        assert [outcome.end for outcome in world.outcomes] == ["abandoned"]

    held(main())


def test_an_answer_found_while_nobody_read_is_hung_up_and_its_tokens_are_settled() -> None:
    async def main() -> None:
        client = ScriptedClient(Reply.stream(START, Pause(12), BLOCK, text("Hi"), Silence()))
        world = World(client)
        answer = await world.ask()
        assert await anext(answer) == ping()
        await asyncio.sleep(5)
        await answer.aclose()
        assert (world.ring.live(), client.left_open) == (0, 0)
        (outcome,) = world.outcomes
        assert (outcome.end, outcome.upstream, outcome.usage.input_tokens) == ("abandoned", "main", 10)

    held(main())


def test_an_answer_found_in_the_moment_of_leaving_is_hung_up() -> None:
    async def main() -> None:
        client = ScriptedClient(Reply.stream(START, Pause(12), BLOCK, text("Hi"), Silence()))
        world = World(client)
        found = await EarlyCommit(send=world.ring.attempts)(a_call(stream=True, clock=world.clock))
        assert isinstance(found, Response)
        await asyncio.sleep(5)
        await found.body.aclose()
        assert (world.ring.live(), client.left_open) == (0, 0)

    held(main())


def test_a_stream_that_breaks_after_the_pings_ends_in_a_typed_error() -> None:
    async def main() -> None:
        world = World(ScriptedClient(Reply.stream(START, Pause(12), BLOCK, text("Hi"), CUT)))
        body = await (await world.ask()).read()
        assert body.startswith(ping() + START + BLOCK)
        assert b"holdfast_stream_interrupted" in body
        assert [outcome.end for outcome in world.outcomes] == ["failed"]

    held(main())


def test_the_deadline_ends_a_pending_stream() -> None:
    async def main() -> None:
        world = World(ScriptedClient(Silence()))
        body = await (await world.ask(seconds=35)).read()
        assert body.count(b"event: ping") == 3
        assert b"timeout_error" in body
        assert world.clock.monotonic() == pytest.approx(35)

    held(main())


def test_an_answer_that_came_in_the_moment_of_the_cancellation_is_paid_for() -> None:
    async def main() -> None:
        async def send(call: Call) -> Response | Unanswered:
            with suppress(asyncio.CancelledError):  # it is there already
                await asyncio.sleep(5)
            return await world.ring.attempts(call)

        world = World(ScriptedClient(Reply.stream(*STREAM[:-1], Silence())))
        call = a_call(stream=True, clock=world.clock)
        task = asyncio.ensure_future(EarlyCommit(send=send)(call))
        await asyncio.sleep(1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        (spent,) = call.tally.spent
        assert (spent.number, spent.kind, spent.usage.input_tokens) == (1, "client_gone", 10)
        assert world.ring.live() == 0

    held(main())


def test_a_refusal_that_came_in_the_moment_of_the_cancellation_is_not_counted_twice() -> None:
    async def main() -> None:
        async def send(call: Call) -> Response | Unanswered:
            with suppress(asyncio.CancelledError):
                await asyncio.sleep(5)
            return await world.ring.attempts(call)

        world = World(ScriptedClient(Reply.refusal(400, "invalid_request_error", "No")))
        call = a_call(stream=True, clock=world.clock)
        task = asyncio.ensure_future(EarlyCommit(send=send)(call))
        await asyncio.sleep(1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert [spent.number for spent in call.tally.spent] == [1]

    held(main())
