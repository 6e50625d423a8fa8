"""What an attempt that came to nothing is charged with."""

import asyncio

import pytest

from holdfast.call import Spent
from holdfast.errors import NotAllowed
from holdfast.policy.estimate import input_bound
from holdfast.testing.virtual import VirtualClock, run
from holdfast.upstream import attempt
from holdfast.wire.usage import Usage
from tests.upstream.scripted import (
    CUT,
    MESSAGE,
    PING,
    SSE,
    START,
    Reply,
    Ring,
    ScriptedClient,
    Silence,
    a_call,
    error,
)

INPUT, INPUT_OF_STREAM = (input_bound(a_call(stream=stream).request) for stream in (False, True))
ASKED = 1024
NAMELESS = START.replace(b'"input_tokens": 10, "output_tokens": 1', b"")
JUNK = b"<html>Welcome</html>\n\n"


def lost(reply: Reply, *, stream: bool) -> list[Spent]:
    """What the attempts of one call have cost that all got this reply."""

    async def main() -> list[Spent]:
        clock = VirtualClock()
        call = a_call(stream=stream, clock=clock)
        await Ring(clients={"main": ScriptedClient(reply)}, clock=clock).attempts(call)
        return [spent for spent in call.tally.spent if spent.usage != Usage()]

    return run(main())


@pytest.mark.parametrize(
    ("reply", "cost"),
    [
        (Reply(pieces=(MESSAGE[:30], Silence())), (INPUT, ASKED)),
        (Reply(pieces=(Silence(),)), (INPUT, ASKED)),
        (Reply(pieces=(MESSAGE[:30], CUT)), (INPUT, ASKED)),
        (Reply(pieces=(MESSAGE[:30],)), (INPUT, ASKED)),
        (Reply(pieces=()), (INPUT, ASKED)),
    ],
)
def test_a_plain_answer_that_began_and_cannot_be_read_is_presumed_to_be_as_long_as_allowed(
    reply: Reply, cost: tuple[int, int]
) -> None:
    charged = lost(reply, stream=False)
    assert charged
    assert {(item.usage.input_tokens, item.usage.output_tokens) for item in charged} == {cost}
    assert all(item.estimated for item in charged)


@pytest.mark.parametrize(
    ("reply", "cost"),
    [
        (Reply.stream(JUNK), (INPUT_OF_STREAM, ASKED)),
        (Reply.stream(START[:20]), (INPUT_OF_STREAM, ASKED)),
        (Reply.stream(PING), (INPUT_OF_STREAM, ASKED)),
        (Reply(headers=SSE, pieces=()), (INPUT_OF_STREAM, ASKED)),
        (Reply.stream(CUT), (INPUT_OF_STREAM, 0)),
        (Reply.stream(Silence()), (INPUT_OF_STREAM, 0)),
        (Reply.stream(NAMELESS, CUT), (INPUT_OF_STREAM, 0)),
        (Reply.stream(NAMELESS, error("overloaded_error")), (INPUT_OF_STREAM, 0)),
        (Reply.stream(error("timeout_error")), (INPUT_OF_STREAM, 0)),
        (Reply.stream(START), (10, 1)),
        (Reply.stream(START, CUT), (10, 1)),
        (Reply.stream(START, PING, Silence()), (10, 1)),
        (Reply.stream(START, error("overloaded_error")), (10, 1)),
    ],
)
def test_a_stream_that_broke_before_its_content_costs_what_it_said_or_what_is_presumed(
    reply: Reply, cost: tuple[int, int]
) -> None:
    charged = lost(reply, stream=True)
    assert charged
    assert {(item.usage.input_tokens, item.usage.output_tokens) for item in charged} == {cost}
    assert {item.estimated for item in charged} == {cost[0] != 10}


@pytest.mark.parametrize(
    "kind", ["overloaded_error", "rate_limit_error", "api_error", "invalid_request_error", "odd_error"]
)
@pytest.mark.parametrize("before", [b"", PING])
def test_an_error_instead_of_a_message_is_free(kind: str, before: bytes) -> None:
    assert lost(Reply.stream(before + error(kind)), stream=True) == []


def test_a_stream_with_more_than_can_be_held_is_presumed_to_be_as_long_as_allowed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(attempt, "LARGEST_HELD", 1000)
    charged = lost(Reply.stream(START, *[PING] * 50), stream=True)
    assert {(item.usage.input_tokens, item.usage.output_tokens) for item in charged} == {(10, ASKED)}
    assert all(item.estimated for item in charged)


async def test_an_attempt_that_ran_into_a_fault_of_our_own_is_presumed_to_have_been_sent() -> None:
    call = a_call()
    with pytest.raises(ZeroDivisionError):
        await Ring(clients={"main": ScriptedClient(ZeroDivisionError())}).attempts(call)
    (spent,) = call.tally.spent
    assert (call.tally.attempts, spent.number, spent.usage.input_tokens) == (1, 1, INPUT)
    assert spent.estimated


async def test_an_attempt_that_was_refused_before_it_was_sent_costs_nothing() -> None:
    call = a_call()
    with pytest.raises(NotAllowed):
        await Ring(clients={"main": ScriptedClient(NotAllowed("no"))}).attempts(call)
    assert call.tally.spent == []


@pytest.mark.parametrize(("stream", "output"), [(False, ASKED), (True, 0)])
def test_who_leaves_in_the_middle_of_a_plain_answer_is_charged_as_much_as_it_may_say(
    stream: bool, output: int
) -> None:
    async def main() -> list[Spent]:
        clock = VirtualClock()
        call = a_call(stream=stream, clock=clock)
        reply = Reply(pieces=(PING, Silence()), headers=SSE) if stream else Reply(pieces=(b"{", Silence()))
        asking = asyncio.ensure_future(
            Ring(clients={"main": ScriptedClient(reply)}, clock=clock).attempts(call)
        )
        await clock.sleep(0.1)
        asking.cancel()
        await asyncio.wait({asking})
        return call.tally.spent

    (left,) = run(main())
    assert left.kind == "client_gone"
    assert left.usage.output_tokens == output
    assert left.usage.input_tokens in (INPUT, INPUT_OF_STREAM)
