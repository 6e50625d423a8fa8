"""Every fault of the simulator, in process and over a real socket."""

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field

import pytest

from holdfast.call import Call, Outcome
from holdfast.clock import SYSTEM_CLOCK
from holdfast.errors import (
    CallNotPermitted,
    DeadlineExceeded,
    HoldfastError,
    StreamInterrupted,
    UpstreamError,
    UpstreamUnavailable,
)
from holdfast.pipeline import Pipeline, Proceed, Settling
from holdfast.policy.breaker import BreakerConfig
from holdfast.policy.retry import RetryConfig
from holdfast.simulator import (
    Action,
    BigEvent,
    Chunks,
    CleanEnd,
    ContentLength,
    ContentType,
    Delay,
    Dialect,
    Duplicate,
    Endless,
    ErrorEvent,
    Fault,
    Gzip,
    HalfBody,
    HangUp,
    Latency,
    Malformed,
    ManyDeltas,
    Missing,
    OddUsage,
    OtherBody,
    OutOfOrder,
    Refuse,
    Reset,
    Simulator,
    SlowHeaders,
    Stall,
    Status,
    StopReason,
    WrongIndex,
)
from holdfast.simulator.capture import CapturedRequest
from holdfast.simulator.server import RunningSimulator
from holdfast.upstream import bodies
from holdfast.upstream.client import Client
from holdfast.upstream.http import HttpClient
from holdfast.upstream.inprocess import InProcessClient
from holdfast.wire.headers import get
from tests.upstream.scripted import MODEL, Ring, a_call, ring, tasks

STALL = 0.2
QUICK = RetryConfig(wait_initial=0.001, wait_max=0.002, throttle_wait_initial=0.001, throttle_wait_max=0.002)


@dataclass
class Stand:
    """A simulator, a ring around it, and the outcome that the only guard is told."""

    simulator: Simulator
    client: Client
    stall: float = STALL
    outcomes: list[Outcome] = field(default_factory=list[Outcome])

    def __post_init__(self) -> None:
        patient = BreakerConfig(failure_threshold=100, failure_rate_threshold=None)
        self.ring: Ring = ring(
            self.client, clock=SYSTEM_CLOCK, stall=self.stall, retry=QUICK, breaker=patient
        )

    def always(self, action: Action) -> None:
        self.simulator.fault(Fault(action, times=None))

    async def open(self, *, stream: bool = True, seconds: float = 30.0) -> Settling:
        async def guard(call: Call) -> Proceed:
            async def settle(outcome: Outcome) -> None:
                self.outcomes.append(outcome)

            return Proceed(call, settle)

        return await Pipeline((guard,), self.ring.attempts)(a_call(stream=stream, seconds=seconds))

    async def read(self, *, stream: bool = True, seconds: float = 30.0) -> bytes:
        return await (await self.open(stream=stream, seconds=seconds)).read()

    async def tried(self, *, stream: bool, seconds: float = 5.0) -> tuple[Outcome, Settling | None, bytes]:
        """What the guard was told, the answer if one began, and its body."""
        settling: Settling | None = None
        body = b""
        with contextlib.suppress(HoldfastError):
            settling = await self.open(stream=stream, seconds=seconds)
            body = await settling.read()
        return self.outcome, settling, body

    async def fails(self, *, stream: bool = True) -> HoldfastError:
        with pytest.raises(HoldfastError) as caught:
            await self.read(stream=stream)
        return caught.value

    @property
    def outcome(self) -> Outcome:
        (outcome,) = self.outcomes
        return outcome

    @property
    def asked(self) -> int:
        return len(self.simulator.requests)

    @property
    def circuit(self) -> str:
        return self.ring.circuits.state(f"main/{MODEL}")

    async def until_asked(self) -> None:
        """The first request has arrived."""
        for _ in range(400):
            if self.asked:
                return
            await asyncio.sleep(0.005)
        raise AssertionError("no request has arrived")

    async def until_ended(self, number: int = 0) -> CapturedRequest:
        """The request once the simulator has seen its end; a hang-up takes a moment to arrive."""
        for _ in range(400):
            request = self.simulator.requests[number]
            if request.ending != "open":
                return request
            await asyncio.sleep(0.005)
        raise AssertionError("the simulator has not seen the end of the request")


@pytest.fixture(scope="module")
def running() -> Iterator[RunningSimulator]:
    with RunningSimulator(Simulator(time_scale=0, latency=Latency(sigma=0.0))) as served:
        yield served


@pytest.fixture(params=["in process", "over http"])
async def stand(request: pytest.FixtureRequest, running: RunningSimulator) -> AsyncIterator[Stand]:
    before = tasks()
    if request.param == "in process":
        simulator = Simulator(time_scale=0, latency=Latency(sigma=0.0))
        yield Stand(simulator, InProcessClient(simulator))
    else:
        running.drain()
        running.simulator.reset()
        client = HttpClient(running.url)
        try:
            yield Stand(running.simulator, client)
        finally:
            await client.aclose()
    for _ in range(20):
        await asyncio.sleep(0)
    assert tasks() - before == set()


@pytest.fixture(autouse=True)
def nothing_stays_out(stand: Stand) -> object:
    yield
    assert stand.ring.live() == 0


def text_of(body: bytes) -> str:
    return "".join(block["text"] for block in json.loads(body)["content"])


def error_at_the_end(body: bytes) -> dict[str, object]:
    last = body.rstrip(b"\n").split(b"\n\n")[-1]
    assert last.startswith(b"event: error\n")
    return dict(json.loads(last.split(b"data: ", 1)[1])["error"])


# ---- answered with a status


async def test_an_answer_without_any_fault_is_whole(stand: Stand) -> None:
    assert text_of(await stand.read(stream=False))
    assert (stand.outcome.end, stand.outcome.attempts, stand.asked) == ("answered", 1, 1)


async def test_a_stream_without_any_fault_is_whole_and_its_usage_exact(stand: Stand) -> None:
    body = await stand.read()
    assert body.startswith(b"event: message_start\n")
    assert body.endswith(b'event: message_stop\ndata: {"type":"message_stop"}\n\n')
    (bill,) = stand.simulator.ledger
    assert stand.outcome.usage.output_tokens == bill.usage["output_tokens"]
    assert stand.outcome.usage.input_tokens == bill.usage["input_tokens"]


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize(("status", "attempts"), [(429, 3), (500, 3), (529, 3), (409, 2)])
async def test_a_lasting_fault_of_the_api_ends_after_its_attempts_with_the_apis_own_words(
    stand: Stand, status: int, attempts: int, *, stream: bool
) -> None:
    stand.always(Status(status=status, message="Nur so."))
    settling = await stand.open(stream=stream)
    body = await settling.read()
    assert (settling.response.status, stand.asked) == (status, attempts)
    assert json.loads(body)["error"]["message"] == "Nur so."
    assert get(settling.response.headers, "x-should-retry") == ("true" if status == 429 else "false")
    assert (stand.outcome.end, stand.outcome.status, stand.outcome.attempts) == ("failed", status, attempts)
    assert stand.simulator.ledger == ()


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("status", [400, 401, 402, 403, 404, 413, 422])
async def test_the_callers_fault_is_one_attempt_and_unchanged(
    stand: Stand, status: int, *, stream: bool
) -> None:
    body = '{"type": "error",  "error": {"type": "x", "message": "한글 \\u00e9"}}'
    stand.always(Status(status=status, body=body))
    settling = await stand.open(stream=stream)
    assert await settling.read() == body.encode()
    assert (settling.response.status, stand.asked, stand.circuit) == (status, 1, "closed")
    assert get(settling.response.headers, "x-should-retry") == "false"


@pytest.mark.parametrize("status", [500, 529])
async def test_a_passing_fault_of_the_api_is_not_seen(stand: Stand, status: int) -> None:
    stand.simulator.fault(Status(status=status), Status(status=status))
    await stand.read()
    assert (stand.outcome.end, stand.outcome.attempts, stand.asked) == ("answered", 3, 3)


async def test_the_html_page_of_a_proxy_becomes_a_typed_error(stand: Stand) -> None:
    stand.always(Status(status=502, body="<html><h1>Bad Gateway</h1></html>", content_type="text/html"))
    failure = await stand.fails()
    assert (type(failure), failure.status, stand.asked) == (UpstreamUnavailable, 503, 3)
    assert "html" not in failure.say("en")
    assert (stand.outcome.end, stand.outcome.attempts) == ("failed", 3)


async def test_a_wish_for_a_pause_is_met(stand: Stand) -> None:
    stand.simulator.fault(Status(status=429, retry_after=0.2))
    await stand.read()
    first, second = stand.simulator.requests
    assert 0.2 <= second.arrived - first.arrived < 1.0


async def test_a_refusal_to_be_retried_is_obeyed(stand: Stand) -> None:
    stand.always(Status(status=529, headers={"x-should-retry": "false"}))
    await stand.read()
    assert stand.asked == 1


# ---- the connection


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("action", [Reset(after="request"), HangUp(after="request")])
async def test_a_connection_broken_before_the_headers_is_tried_once_more(
    stand: Stand, action: Action, *, stream: bool
) -> None:
    stand.always(action)
    failure = await stand.fails(stream=stream)
    assert (type(failure), failure.status, failure.attempts, stand.asked) == (UpstreamError, 502, 2, 2)
    assert "연결을 끊었습니다" in failure.say("ko")
    assert (stand.outcome.end, stand.outcome.status) == ("failed", 502)


@pytest.mark.parametrize(
    "action", [Reset(after="headers"), HangUp(after="headers"), Reset(after=1), HangUp(after=1)]
)
async def test_a_stream_broken_before_its_content_is_replaced_unseen(stand: Stand, action: Action) -> None:
    stand.simulator.fault(action)
    body = await stand.read()
    assert body.count(b"event: message_start") == 1
    assert body.endswith(b'{"type":"message_stop"}\n\n')
    assert (stand.outcome.end, stand.outcome.attempts) == ("answered", 2)


@pytest.mark.parametrize("action", [Reset(after=1), HangUp(after=1), CleanEnd(after_events=1)])
async def test_a_stream_that_always_breaks_before_its_content_is_a_typed_error_and_paid_for(
    stand: Stand, action: Action
) -> None:
    stand.always(action)
    failure = await stand.fails()
    assert (type(failure), failure.status, stand.asked) == (StreamInterrupted, 502, 2)
    billed = [(bill.usage["input_tokens"], bill.usage["output_tokens"]) for bill in stand.simulator.ledger]
    assert [(lost.usage.input_tokens, lost.usage.output_tokens) for lost in stand.outcome.spent] == billed
    assert [lost.model for lost in stand.outcome.spent] == [MODEL, MODEL]


@pytest.mark.parametrize(
    "action", [Reset(after=5), HangUp(after=5), CleanEnd(after_events=5), HalfBody(fraction=0.7)]
)
async def test_a_stream_broken_after_content_ends_in_an_error_event_and_is_never_replaced(
    stand: Stand, action: Action
) -> None:
    stand.always(action)
    body = await stand.read()
    found = error_at_the_end(body)
    assert found["type"] == "api_error"
    assert found["details"] == {"error_code": "holdfast_stream_interrupted"}
    assert (stand.asked, stand.outcome.end, stand.outcome.estimated) == (1, "failed", True)
    assert stand.outcome.usage.input_tokens == stand.simulator.ledger[0].usage["input_tokens"]
    assert b"message_stop" not in body


@pytest.mark.parametrize(
    "action", [Reset(after=5), HangUp(after=5), CleanEnd(), HalfBody(), Malformed(), Reset(after="headers")]
)
async def test_half_a_message_is_no_message(stand: Stand, action: Action) -> None:
    stand.always(action)
    failure = await stand.fails(stream=False)
    assert (type(failure), failure.status, stand.asked) == (UpstreamError, 502, 2)


async def test_half_a_message_once_is_not_seen(stand: Stand) -> None:
    stand.simulator.fault(HalfBody())
    assert text_of(await stand.read(stream=False))
    assert stand.outcome.attempts == 2


@pytest.mark.parametrize("events", [99])
@pytest.mark.parametrize("kind", [CleanEnd, Reset, HangUp])
async def test_only_the_last_event_missing_is_no_failure(
    stand: Stand, kind: type[Action], events: int
) -> None:
    action = kind(after_events=events) if kind is CleanEnd else kind(after=events)  # type: ignore[call-arg]
    stand.always(action)
    body = await stand.read()
    assert body.endswith(b'event: message_stop\ndata: {"type":"message_stop"}\n\n')
    assert (stand.outcome.end, stand.outcome.estimated, stand.asked) == ("answered", False, 1)


async def test_events_that_are_no_json_pass_and_the_rest_is_read(stand: Stand) -> None:
    stand.always(Malformed())
    body = await stand.read()
    assert b'"delta": {"ty\n\n' in body
    assert (stand.outcome.end, stand.asked) == ("answered", 1)
    assert stand.outcome.usage.output_tokens == stand.simulator.ledger[0].usage["output_tokens"]


async def test_an_unusual_dialect_is_understood_and_passed_on_as_it_is(stand: Stand) -> None:
    stand.always(Dialect())
    body = await stand.read()
    assert b"event: weather\r\n" in body
    assert b": still here\r\n" in body
    assert stand.outcome.usage.output_tokens == stand.simulator.ledger[0].usage["output_tokens"]
    assert stand.outcome.end == "answered"


# ---- errors in the stream


async def test_an_error_event_at_once_is_tried_again(stand: Stand) -> None:
    stand.simulator.fault(ErrorEvent(after_events=0), ErrorEvent(after_events=1))
    await stand.read()
    assert (stand.outcome.end, stand.outcome.attempts) == ("answered", 3)


@pytest.mark.parametrize("events", [0, 1])
async def test_a_lasting_error_event_before_content_becomes_the_answer_it_would_have_been(
    stand: Stand, events: int
) -> None:
    stand.always(ErrorEvent(after_events=events))
    settling = await stand.open()
    body = await settling.read()
    assert (settling.response.status, stand.asked) == (529, 3)
    assert json.loads(body)["error"] == {"type": "overloaded_error", "message": "Overloaded"}
    assert (stand.outcome.end, stand.outcome.error_code) == ("failed", "overloaded_error")


async def test_an_error_event_after_content_is_passed_on_word_for_word(stand: Stand) -> None:
    stand.always(ErrorEvent(after_events=6, error_type="api_error", message="Internal"))
    found = error_at_the_end(await stand.read())
    assert found == {"type": "api_error", "message": "Internal"}
    assert (stand.outcome.end, stand.outcome.error_code, stand.asked) == ("failed", "api_error", 1)


# ---- silence


@pytest.mark.parametrize(
    "action", [Stall(after_events=0), Stall(after_events=1), Stall(after_events=1, ping_every=0.02)]
)
async def test_silence_before_content_is_tried_once_more_and_then_a_timeout(
    stand: Stand, action: Action
) -> None:
    stand.always(action)
    started = time.perf_counter()
    failure = await stand.fails()
    assert time.perf_counter() - started < 2 * STALL + 1.0
    assert (type(failure), failure.status, stand.asked) == (DeadlineExceeded, 504, 2)


async def test_silence_before_the_headers_is_tried_once_more_and_then_a_timeout(stand: Stand) -> None:
    stand.always(Delay(seconds=60))
    failure = await stand.fails()
    assert (type(failure), failure.status, stand.asked) == (DeadlineExceeded, 504, 2)


@pytest.mark.parametrize("ping_every", [None, 0.02])
async def test_silence_after_content_ends_in_a_timeout_event_also_with_pings(
    stand: Stand, ping_every: float | None
) -> None:
    stand.always(Stall(after_events=5, ping_every=ping_every))
    started = time.perf_counter()
    found = error_at_the_end(await stand.read())
    assert time.perf_counter() - started < STALL + 1.0
    assert found["type"] == "timeout_error"
    assert (stand.outcome.end, stand.asked) == ("failed", 1)
    assert (await stand.until_ended()).ending == "disconnected"


async def test_a_silence_shorter_than_a_stall_is_waited_for(stand: Stand) -> None:
    stand.always(Stall(after_events=5, seconds=0.05))
    await stand.read()
    assert stand.outcome.end == "answered"


@pytest.mark.parametrize("action", [Delay(seconds=60), Stall(), Delay(seconds=60, before="first_event")])
async def test_a_plain_answer_that_never_comes_ends_with_the_deadline_and_hangs_up(
    stand: Stand, action: Action
) -> None:
    stand.always(action)
    with pytest.raises(DeadlineExceeded) as caught:
        await stand.open(stream=False, seconds=0.2)
    assert caught.value.status == 504
    assert (stand.asked, stand.outcome.end) == (1, "failed")
    assert (await stand.until_ended()).ending == "disconnected"


# ---- the client goes away


@pytest.mark.parametrize("events", [0, 1])
async def test_a_call_cancelled_while_it_waits_hangs_up_at_once(stand: Stand, events: int) -> None:
    stand.always(Stall(after_events=events))
    before = tasks()
    call = asyncio.create_task(stand.open())
    await stand.until_asked()
    await asyncio.sleep(0.02)
    started = time.perf_counter()
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    assert (await stand.until_ended()).ending == "disconnected"
    assert time.perf_counter() - started < 0.5
    assert (stand.outcome.end, stand.circuit) == ("abandoned", "closed")
    await asyncio.sleep(0)
    assert tasks() - before == set()


@pytest.mark.parametrize("how", ["close", "cancel"])
async def test_a_client_that_hangs_up_in_the_middle_closes_the_upstream_at_once(
    stand: Stand, how: str
) -> None:
    stand.always(Stall(after_events=5))
    settling = await stand.open()
    await anext(settling)
    started = time.perf_counter()
    if how == "close":
        await settling.aclose()
    else:
        reader = asyncio.create_task(settling.read())
        await asyncio.sleep(0.01)
        reader.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reader
    assert (await stand.until_ended()).ending == "disconnected"
    assert time.perf_counter() - started < 0.5
    assert (stand.outcome.end, stand.circuit) == ("abandoned", "closed")
    assert stand.outcome.usage.input_tokens > 0


async def test_an_answer_never_read_is_closed_by_its_owner(stand: Stand) -> None:
    stand.always(Stall(after_events=5))
    await (await stand.open()).aclose()
    assert (await stand.until_ended()).ending == "disconnected"
    assert stand.outcome.end == "abandoned"


# ---- the circuit


async def test_an_outage_opens_the_circuit_and_then_nothing_reaches_the_network(stand: Stand) -> None:
    stand.always(Reset(after="request"))
    stand.ring = ring(stand.client, clock=SYSTEM_CLOCK, stall=STALL, retry=QUICK)
    for _ in range(2):
        await stand.fails()
    with pytest.raises(UpstreamError):
        await stand.open()
    asked = stand.asked
    with pytest.raises(CallNotPermitted):
        await stand.open()
    assert stand.asked == asked == 5
    assert stand.circuit == "open"


async def test_a_second_upstream_takes_over(stand: Stand) -> None:
    stand.always(Status(status=500))
    spare = Simulator(time_scale=0)
    both = Ring(
        clients={"main": stand.client, "spare": InProcessClient(spare)},
        clock=SYSTEM_CLOCK,
        retry=RetryConfig(attempts=3),
    )
    both.budgets["main"]._tokens = 0  # pyright: ignore[reportPrivateUsage]
    stand.ring = both
    settling = await stand.open()
    body = await settling.read()
    assert body.endswith(b'{"type":"message_stop"}\n\n')
    assert (settling.response.upstream, stand.asked, len(spare.requests)) == ("spare", 1, 1)
    assert stand.outcome.upstream == "spare"


async def test_many_calls_at_once_under_mixed_faults_leave_nothing_behind(stand: Stand) -> None:
    for action in (
        Status(status=529),
        Reset(after="request"),
        Reset(after=5),
        CleanEnd(),
        Stall(after_events=5),
    ):
        stand.simulator.fault(Fault(action, times=None, probability=0.12))
    calls = [asyncio.create_task(stand.read(stream=number % 2 == 0, seconds=1.0)) for number in range(60)]
    await asyncio.sleep(0.02)
    for call in calls[::7]:
        call.cancel()
    await asyncio.gather(*calls, return_exceptions=True)
    assert len(stand.outcomes) == 60
    assert all(
        request.ending != "open" for request in [await stand.until_ended(n) for n in range(stand.asked)]
    )


# ---- the whole matrix

EVENTS = (
    "message_start",
    "content_block_start",
    "content_block_delta",
    "content_block_stop",
    "message_delta",
    "message_stop",
)
ODD: tuple[Action, ...] = (
    SlowHeaders(every=0.0),
    OtherBody(),
    OtherBody(body="{}"),
    OtherBody(body="[]"),
    OtherBody(body="null"),
    OtherBody(body="<html></html>", content_type="text/html"),
    OtherBody(body='{"type":"error","error":{"type":"api_error","message":"in a 200"}}'),
    ContentLength(off_by=10),
    ContentLength(off_by=-10),
    ContentType(value="text/html"),
    ContentType(value="Text/Event-Stream; charset=UTF-8"),
    Gzip(unasked=True),
    Gzip(unasked=True, broken="garbage"),
    Gzip(unasked=True, broken="truncated"),
    Gzip(unasked=True, broken="checksum"),
    Chunks(size=1),
    Dialect(),
    Malformed(after_events=0),
    Malformed(after_events=2),
    BigEvent(size=200_000),
    ManyDeltas(),
    Refuse(),
    *(Duplicate(event=event) for event in EVENTS),
    *(Missing(event=event) for event in EVENTS),
    *(OutOfOrder(event=event) for event in EVENTS),
    *(WrongIndex(event=event) for event in EVENTS[1:4]),
    *(OddUsage(usage=usage) for usage in ("missing", "zero", "shrinking")),
    *(StopReason(reason=reason) for reason in ("max_tokens", "refusal", "pause_turn", "tool_use")),
    *(
        kind(after_bytes=at)
        for kind in (Reset, HangUp, CleanEnd)
        for at in (0, 1, 200, 450, 600, 900, 99_999)
    ),
    *(Stall(after_bytes=at) for at in (0, 200, 600, 99_999)),
)


def is_told(body: bytes) -> bool:
    """Whether a client can tell how the stream ended: it came to its last event, or to an error."""
    last = [block for block in body.replace(b"\r\n", b"\n").split(b"\n\n") if block.strip()][-1]
    return b"event: message_stop\n" in body.replace(b"\r", b"") or b"event: error\n" in last


@pytest.mark.parametrize("action", ODD, ids=repr)
async def test_no_fault_makes_a_stream_end_in_silence(
    stand: Stand, action: Action, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bodies, "LINGER", 0.05)
    stand.stall = 0.1
    stand.__post_init__()
    stand.always(action)
    outcome, settling, body = await stand.tried(stream=True)
    assert outcome.attempts <= 3
    if settling is None:
        assert (outcome.end, outcome.status >= 500) == ("failed", True)
        return
    is_error = settling.response.status >= 400
    assert is_error or body.startswith(b"{") or is_told(body)
    broke = is_error or settling.response.meter.error is not None
    assert outcome.end == ("failed" if broke else "answered")


@pytest.mark.parametrize("action", ODD, ids=repr)
async def test_no_fault_makes_half_a_message_a_whole_one(stand: Stand, action: Action) -> None:
    stand.always(action)
    outcome, settling, body = await stand.tried(stream=False, seconds=0.2)
    assert outcome.attempts <= 3
    if settling is None:
        assert (outcome.end, outcome.status >= 500) == ("failed", True)
        return
    assert json.loads(body)["type"] == "message"
    assert outcome.end == "answered"


async def test_an_answer_that_never_ends_ends_when_its_reader_goes(stand: Stand) -> None:
    stand.always(Endless(every=0.001))
    settling = await stand.open()
    for _ in range(20):
        await anext(settling)
    await settling.aclose()
    assert (await stand.until_ended()).ending == "disconnected"
    assert stand.outcome.end == "abandoned"


async def test_tiny_chunks_make_the_very_same_stream(stand: Stand) -> None:
    stand.simulator.fault(Chunks(size=1))
    torn = await stand.read()
    stand.simulator.reset()
    assert await stand.read() == torn
