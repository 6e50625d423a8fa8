import asyncio
import json
import time
from collections.abc import Iterator
from itertools import pairwise

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from holdfast.call import Outcome, Response
from holdfast.clock import SYSTEM_CLOCK
from holdfast.pipeline import Pipeline, Proceed, Settling
from holdfast.policy.breaker import BreakerConfig
from holdfast.upstream import bodies
from holdfast.upstream.bodies import MESSAGE_STOP, WholeBody
from holdfast.wire.sse import Event, Splitter
from tests.upstream.scripted import (
    BLOCK,
    CUT,
    ENOUGH,
    MODEL,
    PING,
    START,
    STOP,
    STREAM,
    Pause,
    Piece,
    Reply,
    Ring,
    ScriptedClient,
    Silence,
    a_call,
    error,
    event,
    ring,
    tasks,
    text,
)

WHOLE = b"".join(STREAM)


class Told:
    """A pipeline around one scripted stream, and the outcome that its only guard is told."""

    def __init__(self, *pieces: Piece, stall: float = 5.0) -> None:
        self.client = ScriptedClient(Reply.stream(*pieces))
        breaker = BreakerConfig(failure_threshold=None, failure_rate_threshold=0.1, minimum_calls=2)
        self.ring: Ring = ring(self.client, clock=SYSTEM_CLOCK, stall=stall, breaker=breaker)
        self.outcomes: list[Outcome] = []

    async def open(self) -> Settling:
        async def guard(call: object) -> Proceed:
            async def settle(outcome: Outcome) -> None:
                self.outcomes.append(outcome)

            return Proceed(call, settle)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]

        return await Pipeline((guard,), self.ring.attempts)(a_call(stream=True))

    async def read(self) -> bytes:
        return await (await self.open()).read()

    @property
    def outcome(self) -> Outcome:
        (outcome,) = self.outcomes
        return outcome

    @property
    def clean(self) -> bool:
        return self.ring.live() == 0 and self.client.left_open == 0

    @property
    def failed(self) -> bool:
        """Whether the breaker heard of a failure."""
        return self.ring.circuits.of(f"main/{MODEL}").snapshot().failures == 1 or self.ring.moves != []


def events_in(body: bytes) -> list[Event]:
    splitter = Splitter()
    found = splitter.feed(body)
    assert splitter.rest == b"", "half an event was delivered"
    return found


def last_error(body: bytes) -> dict[str, object]:
    last = events_in(body)[-1]
    assert last.name == "error"
    document = json.loads(last.data)
    assert document["type"] == "error"
    return dict(document["error"])


def cuts(data: bytes, places: list[int]) -> Iterator[bytes]:
    ends = sorted({place % (len(data) + 1) for place in places} | {0, len(data)})
    yield from (data[start:end] for start, end in pairwise(ends) if start < end)


KOREAN = b"".join(
    (
        START,
        BLOCK,
        text("안녕하세요 🦊"),
        b": a comment\n\n",
        event("weather", sky="맑음"),
        PING,
        ENOUGH,
        STOP,
    )
)
TRAILED = WHOLE + b": trailing comment\n\nhalf a li"


@settings(max_examples=60, deadline=None)
@example(data=WHOLE, places=list(range(400)))
@given(
    data=st.sampled_from([WHOLE, KOREAN, KOREAN.replace(b"\n", b"\r\n"), TRAILED]),
    places=st.lists(st.integers(0, 10_000), max_size=40),
)
def test_an_unbroken_stream_is_byte_identical_however_tcp_cuts_it(data: bytes, places: list[int]) -> None:
    async def main() -> None:
        told = Told(*cuts(data, places))
        assert await told.read() == data
        assert (told.outcome.end, told.outcome.usage.output_tokens) == ("answered", 7)
        assert told.clean
        assert not told.failed

    asyncio.run(main())


CONTENT = START + BLOCK + PING + text("Good ") + text("day")


@settings(max_examples=80, deadline=None)
@given(
    end=st.integers(len(START + BLOCK), len(CONTENT)),
    how=st.sampled_from(["cut", "end"]),
    places=st.lists(st.integers(0, 999), max_size=9),
)
def test_a_stream_that_breaks_anywhere_ends_in_one_typed_error_and_no_half_event(
    end: int, how: str, places: list[int]
) -> None:
    async def main() -> None:
        told = Told(*cuts(CONTENT[:end], places), *([CUT] if how == "cut" else []))
        body = await told.read()
        found = last_error(body)
        assert (found["type"], found["details"]) == (
            "api_error",
            {"error_code": "holdfast_stream_interrupted"},
        )
        delivered = body[: -len(events_in(body)[-1].raw)]
        assert CONTENT.startswith(delivered)
        assert delivered.endswith(b"\n\n")
        assert (told.outcome.end, told.outcome.error_code) == ("failed", "holdfast_stream_interrupted")
        assert told.outcome.usage.input_tokens == 10
        assert told.outcome.estimated
        assert told.clean
        assert told.failed

    asyncio.run(main())


@pytest.mark.parametrize("last", [(), (CUT,), (Silence(),), (STOP[:12],), (STOP[:12], CUT)])
async def test_a_missing_last_event_after_the_stop_reason_is_supplied(
    last: tuple[Piece, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bodies, "LINGER", 0.1)
    told = Told(START, BLOCK, text("Good day"), ENOUGH, *last)
    body = await told.read()
    assert body == START + BLOCK + text("Good day") + ENOUGH + MESSAGE_STOP
    assert (told.outcome.end, told.outcome.stop_reason, told.outcome.estimated) == (
        "answered",
        "end_turn",
        False,
    )
    assert told.clean
    assert not told.failed


async def test_an_error_event_in_the_middle_is_passed_on_as_it_is_and_ends_the_stream() -> None:
    told = Told(START, BLOCK, text("Good "), error())
    body = await told.read()
    assert body == START + BLOCK + text("Good ") + error()
    assert (told.outcome.end, told.outcome.error_code) == ("failed", "overloaded_error")
    assert told.clean
    assert told.failed


@pytest.mark.parametrize("together", [True, False])
async def test_nothing_is_shown_of_what_comes_behind_an_error(*, together: bool) -> None:
    pieces = (START, BLOCK, error(), text("ghost"), ENOUGH, STOP)
    told = Told(b"".join(pieces)) if together else Told(*pieces)
    assert await told.read() == START + BLOCK + error()
    assert told.outcome.end == "failed"


async def test_silence_after_content_ends_in_a_timeout_error() -> None:
    told = Told(START, BLOCK, text("Good "), Silence(), stall=0.05)
    started = time.perf_counter()
    found = last_error(await told.read())
    assert time.perf_counter() - started < 1.0
    assert found["type"] == "timeout_error"
    assert (told.outcome.end, told.outcome.usage.input_tokens) == ("failed", 10)
    assert told.clean
    assert told.failed


@pytest.mark.parametrize("sign_of_life", [PING, b": still here\n\n", b": half a comm"])
async def test_signs_of_life_without_content_do_not_defeat_the_watchdog(sign_of_life: bytes) -> None:
    alive = [piece for _ in range(200) for piece in (Pause(0.01), sign_of_life)]
    told = Told(START, BLOCK, text("Good "), *alive, ENOUGH, STOP, stall=0.1)
    started = time.perf_counter()
    assert last_error(await told.read())["type"] == "timeout_error"
    assert time.perf_counter() - started < 1.0


async def test_content_that_keeps_coming_is_never_a_stall_however_long_it_takes() -> None:
    slow = [piece for _ in range(16) for piece in (Pause(0.02), text("word "))]
    told = Told(START, BLOCK, *slow, ENOUGH, STOP, stall=0.25)
    assert (await told.read()).endswith(STOP)
    assert told.outcome.end == "answered"


async def test_a_stream_without_end_is_cut_off_with_a_typed_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bodies, "LARGEST_STREAM", 4_000)
    told = Told(START, BLOCK, *[text("and so on ") for _ in range(500)])
    body = await told.read()
    assert 4_000 < len(body) < 5_000
    last = events_in(body)[-1]
    assert (last.name, json.loads(last.data)["error"]["type"]) == ("error", "api_error")
    assert b"beyond all bounds" in last.data
    assert told.outcome.end == "failed"
    assert told.clean
    assert told.failed


async def test_a_long_stream_that_ends_in_the_same_breath_is_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bodies, "LARGEST_STREAM", 100)
    told = Told(START, BLOCK, text("Hi") + ENOUGH + STOP)
    assert await told.read() == START + BLOCK + text("Hi") + ENOUGH + STOP
    assert told.outcome.end == "answered"


async def test_a_reader_who_takes_his_time_is_no_silence_of_the_upstream() -> None:
    told = Told(START, BLOCK, text("Good "), Pause(0.02), text("day"), ENOUGH, STOP, stall=0.25)
    settling = await told.open()
    await anext(settling)
    await asyncio.sleep(0.3)
    assert (b"".join([chunk async for chunk in settling])).endswith(STOP)
    assert not told.failed


@pytest.mark.parametrize(
    "after", [(Silence(),), tuple(piece for _ in range(500) for piece in (Pause(0.01), PING))]
)
async def test_a_finished_stream_that_does_not_close_is_not_waited_for(
    after: tuple[Piece, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bodies, "LINGER", 0.1)
    told = Told(*STREAM, *after)
    started = time.perf_counter()
    assert (await told.read()).startswith(WHOLE)
    assert time.perf_counter() - started < 1.0
    assert told.outcome.end == "answered"
    assert told.clean


async def test_a_connection_cut_after_the_last_event_is_no_failure() -> None:
    told = Told(*STREAM, CUT)
    assert await told.read() == WHOLE
    assert told.outcome.end == "answered"
    assert not told.failed


async def test_an_event_without_end_is_a_break_and_does_not_eat_the_memory() -> None:
    endless = (b"x" * 1_000_000 for _ in range(40))
    told = Told(START, BLOCK, b"event: content_block_delta\ndata: ", *endless)
    assert last_error(await told.read())["type"] == "api_error"


@pytest.mark.parametrize("chunks", [0, 1, 3])
async def test_a_client_that_hangs_up_closes_the_upstream_and_gives_its_permit_back(chunks: int) -> None:
    told = Told(*STREAM)
    settling = await told.open()
    for _ in range(chunks):
        await anext(settling)
    await settling.aclose()
    assert told.outcome.end == "abandoned"
    assert told.clean
    assert not told.failed


async def test_a_reader_cancelled_while_waiting_leaves_nothing_behind() -> None:
    before = tasks()
    told = Told(START, BLOCK, Silence())
    reader = asyncio.create_task(told.read())
    await asyncio.sleep(0.01)
    reader.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reader
    assert tasks() == before
    assert (told.outcome.end, told.outcome.usage.input_tokens) == ("abandoned", 10)
    assert told.clean
    assert not told.failed


async def test_a_body_closed_before_it_was_read_shows_nothing_afterwards() -> None:
    found = await Told(*STREAM).ring.attempts(a_call(stream=True))
    assert isinstance(found, Response)
    await found.body.aclose()
    await found.body.aclose()
    assert [chunk async for chunk in found.body] == []


async def test_an_observer_that_raises_does_not_keep_the_connection_open() -> None:
    told = Told(*STREAM)
    found = await told.ring.attempts(a_call(stream=True))
    assert isinstance(found, Response)

    def burst(outcome: object) -> None:
        raise ZeroDivisionError

    found.body._ended = burst  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue]
    with pytest.raises(ZeroDivisionError):
        await found.body.aclose()
    assert told.client.left_open == 0


async def test_a_whole_body_is_given_out_once() -> None:
    body = WholeBody(b"all of it")
    assert [chunk async for chunk in body] == [b"all of it"]
    assert [chunk async for chunk in body] == []
    assert [chunk async for chunk in WholeBody(b"")] == []


async def test_a_whole_body_closed_shows_nothing() -> None:
    body = WholeBody(b"all of it")
    await body.aclose()
    assert [chunk async for chunk in body] == []


async def test_an_end_without_a_stop_reason_is_an_error_and_not_an_end() -> None:
    told = Told(*(piece for piece in STREAM if b"message_delta" not in piece))
    body = await told.read()
    assert last_error(body)["type"] == "api_error"
    assert b"message_stop" not in body
    assert (told.outcome.end, told.failed, told.clean) == ("failed", True, True)
