"""When every target fails the caller gets a message all the same, if the operator wants that."""

import asyncio
import json
from dataclasses import replace

import pytest

from holdfast.call import Call, Principal, Response, Unanswered
from holdfast.errors import CallNotPermitted, HoldfastError, UnknownModel
from holdfast.pipeline import Send
from holdfast.policy.breaker import BreakerConfig
from holdfast.policy.fallback import LARGEST, FallbackConfig
from holdfast.policy.retry import RetryConfig
from holdfast.testing import FakeClock
from holdfast.upstream.commit import EarlyCommit
from holdfast.upstream.fallback import Fallback, with_fallback
from holdfast.wire.headers import DEGRADED, get
from holdfast.wire.sse import Splitter
from tests.upstream.scripted import (
    CUT,
    ENOUGH,
    MESSAGE,
    MODEL,
    START,
    STREAM,
    UNREACHABLE,
    Answer,
    Reply,
    Ring,
    ScriptedClient,
    Silence,
    a_call,
    error,
    ring,
    text,
)

SORRY = "We are looking into it. Please come back in an hour."
TEXT = FallbackConfig(text=SORRY)
CACHED = FallbackConfig(cached=True)
DOWN = Reply.refusal(529, "overloaded_error", "Overloaded")
ONCE = RetryConfig(attempts=1)


class World:
    """A ring over one scripted client with a fallback around it."""

    def __init__(self, *answers: Answer, config: FallbackConfig = TEXT, breaks: bool = False) -> None:
        self.clock = FakeClock()
        self.client = ScriptedClient(*answers)
        breaker = BreakerConfig(failure_threshold=1 if breaks else None, failure_rate_threshold=None)
        self.ring: Ring = ring(self.client, clock=self.clock, retry=ONCE, breaker=breaker)
        self.send = with_fallback(self.ring.attempts, config, self.clock)

    def call(self, words: str = "Hello there", *, stream: bool = False) -> Call:
        return a_call(words, stream=stream, clock=self.clock)

    async def ask(self, call: Call) -> tuple[Response, bytes]:
        """The answer and all its bytes."""
        found = await self.send(call)
        assert isinstance(found, Response)
        body = b"".join([chunk async for chunk in found.body])
        await found.body.aclose()
        return found, body


def names(stream: bytes) -> list[str]:
    return [event.name for event in Splitter().feed(stream)]


def variant(call: Call, **members: object) -> Call:
    """The same call with other members of its body."""
    return replace(call, body=json.dumps({**json.loads(call.body), **members}).encode())


def test_without_a_fallback_nothing_stands_between() -> None:
    world = World(DOWN, config=FallbackConfig())
    assert world.send == world.ring.attempts


@pytest.mark.parametrize("failure", [DOWN, UNREACHABLE, Reply.refusal(429, "rate_limit_error")])
async def test_the_text_is_a_message_of_the_asked_model_that_costs_nothing(failure: Answer) -> None:
    world = World(failure)
    response, body = await world.ask(world.call())
    message = json.loads(body)
    assert (response.status, response.label, response.attempts) == (200, "fallback", 1)
    assert get(response.headers, "content-type") == "application/json"
    assert response.length == len(body)
    assert message["id"] == "msg_holdfast_hfr_test"
    assert (message["model"], message["role"], message["stop_reason"]) == (MODEL, "assistant", "end_turn")
    assert message["content"] == [{"type": "text", "text": SORRY}]
    assert set(message["usage"].values()) == {0}
    meter = response.meter
    assert (meter.complete, meter.model, meter.stop_reason, meter.estimated) == (
        True,
        MODEL,
        "end_turn",
        False,
    )
    assert (meter.usage.prompt_tokens, meter.usage.output_tokens) == (0, 0)
    assert world.client.left_open == 0


async def test_a_stream_gets_the_text_as_a_whole_stream() -> None:
    world = World(DOWN)
    response, body = await world.ask(world.call(stream=True))
    assert get(response.headers, "content-type") == "text/event-stream; charset=utf-8"
    assert response.length is None
    assert names(body) == [
        "message_start",
        "content_block_start",
        "content_block_delta",
        "content_block_stop",
        "message_delta",
        "message_stop",
    ]
    assert json.loads(Splitter().feed(body)[2].data)["delta"]["text"] == SORRY


async def test_what_the_attempts_cost_stays_on_the_tally() -> None:
    world = World(Reply.stream(START, CUT))
    call = world.call(stream=True)
    await world.ask(call)
    assert [spent.usage.input_tokens for spent in call.tally.spent] == [10]


async def test_an_open_circuit_is_answered_too() -> None:
    world = World(DOWN, breaks=True)
    await world.ask(world.call())
    response, _ = await world.ask(world.call())
    assert (response.label, response.attempts, world.client.asked) == ("fallback", 0, 1)


async def test_a_deadline_that_is_over_is_answered_too() -> None:
    world = World(Reply())
    call = replace(world.call(), deadline=world.clock.monotonic() - 1)
    assert (await world.ask(call))[0].label == "fallback"


@pytest.mark.parametrize("status", [400, 401, 404, 413])
async def test_faults_of_the_caller_are_shown_to_him(status: int) -> None:
    world = World(Reply.refusal(status, "invalid_request_error"))
    response, body = await world.ask(world.call())
    assert (response.status, response.label) == (status, "answered")
    assert json.loads(body)["type"] == "error"


async def test_a_model_that_nobody_serves_is_an_error() -> None:
    world = World(Reply())
    world.ring.models["main"] = ("claude-haiku-5-5",)
    world.ring.__post_init__()
    with pytest.raises(UnknownModel):
        await with_fallback(world.ring.attempts, TEXT, world.clock)(world.call())


async def test_a_good_answer_passes_untouched() -> None:
    world = World(Reply())
    response, body = await world.ask(world.call())
    assert (response.label, body) == ("answered", MESSAGE)


async def test_half_an_answer_is_never_followed_by_a_fallback() -> None:
    world = World(Reply.stream(*STREAM[:4], CUT), config=replace(TEXT, cached=True))
    response, body = await world.ask(world.call(stream=True))
    assert response.label == "answered"
    assert names(body)[-1] == "error"
    assert SORRY.encode() not in body


async def test_a_caller_who_left_gets_nothing_and_ends_everything() -> None:
    world = World(Silence())
    asking = asyncio.ensure_future(world.send(world.call()))
    await asyncio.sleep(0.01)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking


async def test_a_stream_that_pings_have_begun_ends_with_the_fallback() -> None:
    gone = asyncio.Event()

    async def late(call: Call) -> Response | Unanswered:
        await gone.wait()
        raise CallNotPermitted("The circuit is open.")

    clock = FakeClock()
    begun = await EarlyCommit(send=with_fallback(late, TEXT, clock), after=0.01)(a_call(stream=True))
    assert isinstance(begun, Response)
    first = await anext(begun.body)
    gone.set()
    rest = b"".join([chunk async for chunk in begun.body])
    assert names(first) == ["ping"]
    assert names(rest)[0] == "message_start"
    assert names(rest)[-1] == "message_stop"
    assert begun.current is not None
    assert begun.current().label == "fallback"


@pytest.mark.parametrize(("stream", "good", "body"), [(False, Reply(), MESSAGE), (True, Reply.stream(), b"")])
async def test_the_last_good_answer_comes_before_the_text(stream: bool, good: Reply, body: bytes) -> None:
    world = World(good, DOWN, config=FallbackConfig(text=SORRY, cached=True))
    call = world.call(stream=stream)
    _, first = await world.ask(call)
    assert first == (body or b"".join(STREAM))
    response, again = await world.ask(call)
    assert (response.status, response.label, again) == (200, "fallback", first)
    assert get(response.headers, "request-id") is None
    assert (response.meter.stop_reason, response.meter.usage.output_tokens) == ("end_turn", 0)
    _, other = await world.ask(world.call("Something else", stream=stream))
    assert SORRY in other.decode()


async def test_an_answer_is_never_given_to_anybody_else_or_to_another_request() -> None:
    world = World(Reply(), DOWN, config=replace(TEXT, cached=True))
    call = replace(world.call(), headers=(("x-api-key", "sk-mine"),))
    _, first = await world.ask(call)
    others = [
        replace(call, principal=Principal(door="gateway", user="bob")),
        replace(call, principal=replace(call.principal, key="other")),
        replace(call, headers=(("x-api-key", "sk-other"),)),
        replace(call, headers=(*call.headers, ("anthropic-beta", "context-1m"))),
        replace(call, query="beta=true"),
        variant(call, max_tokens=7),
        world.call(stream=True),
    ]
    for other in others:
        assert SORRY in (await world.ask(other))[1].decode()
    # `stream` is told by the form of the answer, not by whether it was written down.
    plain = json.loads(call.body)
    del plain["stream"]
    _, again = await world.ask(replace(call, body=json.dumps(plain).encode()))
    assert again == first


@pytest.mark.parametrize("reason", ["max_tokens", "refusal", "pause_turn", "model_context_window_exceeded"])
async def test_what_was_cut_off_or_declined_is_not_given_again(reason: str) -> None:
    cut = json.dumps({**json.loads(MESSAGE), "stop_reason": reason}).encode()
    world = World(Reply(pieces=(cut,)), DOWN, config=replace(TEXT, cached=True))
    await world.ask(world.call())
    assert SORRY in (await world.ask(world.call()))[1].decode()


@pytest.mark.parametrize(
    "pieces",
    [
        (*STREAM[:4], CUT),
        (*STREAM[:4], error()),
        (*STREAM[:5], ENOUGH),
        (*STREAM[:4], b"event: message_delta\ndata: {\n\n", ENOUGH, STREAM[-1]),
    ],
)
async def test_a_stream_without_its_proper_end_is_not_given_again(
    pieces: tuple[bytes | Exception, ...],
) -> None:
    world = World(Reply.stream(*pieces), DOWN, config=replace(TEXT, cached=True))
    await world.ask(world.call(stream=True))
    assert SORRY in (await world.ask(world.call(stream=True)))[1].decode()


async def test_a_reader_who_leaves_behind_the_last_event_has_had_a_whole_answer() -> None:
    world = World(Reply.stream(), DOWN, config=CACHED)
    found = await world.send(world.call(stream=True))
    assert isinstance(found, Response)
    received = b""
    while not received.endswith(STREAM[-1]):
        received += await anext(found.body)
    await found.body.aclose()
    assert (await world.ask(world.call(stream=True)))[1] == received


async def test_a_reader_who_leaves_before_that_has_not() -> None:
    world = World(Reply.stream(), DOWN, config=replace(TEXT, cached=True))
    found = await world.send(world.call(stream=True))
    assert isinstance(found, Response)
    await anext(found.body)
    await found.body.aclose()
    assert SORRY in (await world.ask(world.call(stream=True)))[1].decode()


async def test_an_old_answer_is_not_given_again_and_the_error_is_shown() -> None:
    world = World(Reply(), DOWN, config=replace(CACHED, max_age=60.0))
    await world.ask(world.call())
    world.clock.advance(61)
    response, _ = await world.ask(world.call())
    assert (response.status, response.label) == (529, "answered")


async def test_an_error_without_anything_to_say_instead_is_raised_or_returned() -> None:
    world = World(UNREACHABLE, config=CACHED)
    assert isinstance(await world.send(world.call()), Unanswered)
    with pytest.raises(HoldfastError):
        await world.send(replace(world.call(), deadline=world.clock.monotonic() - 1))


LONG = (START, STREAM[1], *[text("x" * 1_000_000)] * 5, ENOUGH, STREAM[-1])


async def test_an_answer_that_would_drive_out_the_others_is_not_kept() -> None:
    world = World(Reply.stream(*LONG), DOWN, config=replace(TEXT, cached=True))
    _, first = await world.ask(world.call(stream=True))
    assert len(first) > LARGEST
    assert SORRY in (await world.ask(world.call(stream=True)))[1].decode()


async def test_the_mark_of_a_substitute_is_given_again_with_its_answer() -> None:
    world = World(Reply(), DOWN, config=CACHED)

    async def marked(call: Call) -> Response | Unanswered:
        found = await world.ring.attempts(call)
        assert isinstance(found, Response)
        return replace(found, headers=(*found.headers, (DEGRADED, "model")))

    send: Send = Fallback(send=marked, config=CACHED, clock=world.clock)
    world.send = send
    await world.ask(world.call())
    response, _ = await world.ask(world.call())
    assert (response.label, get(response.headers, DEGRADED)) == ("fallback", "model")
