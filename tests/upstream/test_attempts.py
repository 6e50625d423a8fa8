import asyncio
import json

import pytest

from holdfast.call import Call, Response, Unanswered
from holdfast.clock import SYSTEM_CLOCK
from holdfast.errors import (
    CallNotPermitted,
    DeadlineExceeded,
    HoldfastError,
    StreamInterrupted,
    UnknownModel,
    UpstreamError,
    UpstreamUnavailable,
)
from holdfast.events import AttemptFailed
from holdfast.pipeline import Settling
from holdfast.policy.breaker import BreakerConfig
from holdfast.policy.estimate import input_bound
from holdfast.policy.retry import RetryBudgetConfig, RetryConfig
from holdfast.testing import FakeClock
from holdfast.upstream import attempt
from holdfast.wire.headers import get
from tests.upstream.scripted import (
    BLOCK,
    CUT,
    ENOUGH,
    JSON,
    MESSAGE,
    MODEL,
    PING,
    RESET,
    SSE,
    START,
    STOP,
    STREAM,
    UNREACHABLE,
    Answer,
    Pause,
    Reply,
    Ring,
    ScriptedClient,
    Silence,
    a_call,
    error,
    ring,
    tasks,
    text,
)

GOOD = Reply()
OVERLOADED = Reply.refusal(529, "overloaded_error", "Overloaded")
CIRCUIT = f"main/{MODEL}"


async def body_of(response: Response) -> bytes:
    return await Settling(response, ()).read()


async def answered(upstream: Ring, call: Call) -> Response:
    found = await upstream.attempts(call)
    assert isinstance(found, Response)
    return found


async def unanswered(upstream: Ring, call: Call) -> HoldfastError:
    found = await upstream.attempts(call)
    assert isinstance(found, Unanswered)
    assert found.error.attempts >= 1
    return found.error


def clean(upstream: Ring, *clients: ScriptedClient) -> bool:
    """No permit is out and no connection open."""
    return upstream.live() == 0 and all(client.left_open == 0 for client in clients)


async def test_a_whole_answer_comes_back_byte_for_byte_at_the_first_attempt() -> None:
    client = ScriptedClient(GOOD)
    upstream = ring(client)
    response = await answered(upstream, a_call())
    assert await body_of(response) == MESSAGE
    assert (response.status, response.attempts, response.upstream) == (200, 1, "main")
    assert (response.meter.usage.output_tokens, response.meter.complete) == (7, True)
    assert clean(upstream, client)


async def test_the_clients_own_bytes_are_what_is_sent() -> None:
    client, call = ScriptedClient(GOOD), a_call("안녕하세요 \\u00e9")
    await answered(ring(client), call)
    (request,) = client.requests
    assert (request.method, request.path, request.body) == ("POST", "/v1/messages", call.body)
    assert get(request.headers, "x-api-key") == "sk-test"


async def test_a_stream_comes_back_byte_for_byte() -> None:
    client = ScriptedClient(Reply.stream())
    upstream = ring(client)
    response = await answered(upstream, a_call(stream=True))
    assert await body_of(response) == b"".join(STREAM)
    assert clean(upstream, client)


async def test_a_whole_answer_to_a_stream_request_is_passed_on() -> None:
    response = await answered(ring(ScriptedClient(GOOD)), a_call(stream=True))
    assert await body_of(response) == MESSAGE


@pytest.mark.parametrize("answer", [RESET, CUT, OVERLOADED, Reply.refusal(500, "api_error"), UNREACHABLE])
async def test_what_may_pass_is_tried_again(answer: Answer) -> None:
    client = ScriptedClient(answer, GOOD)
    upstream = ring(client)
    response = await answered(upstream, a_call())
    assert (response.status, response.attempts, client.asked) == (200, 2, 2)
    assert clean(upstream, client)


BAD_GATEWAY = Reply(
    status=502, headers=(("content-type", "text/html"),), pieces=(b"<html>Bad Gateway</html>",)
)
LASTING: list[tuple[Answer, int, int, type[HoldfastError] | None]] = [
    (UNREACHABLE, 3, 503, UpstreamUnavailable),
    (RESET, 2, 502, UpstreamError),
    (Reply(pieces=(MESSAGE[:40], CUT)), 2, 502, UpstreamError),
    (Reply(pieces=(MESSAGE[:40],)), 2, 502, UpstreamError),
    (Reply(pieces=(b"[]",)), 2, 502, UpstreamError),
    (Reply(pieces=()), 2, 502, UpstreamError),
    (BAD_GATEWAY, 3, 503, UpstreamUnavailable),
    (Reply(status=302, pieces=()), 1, 502, UpstreamError),
    (Reply(status=204, pieces=()), 1, 502, UpstreamError),
    (Reply(status=500, pieces=(CUT,)), 3, 500, UpstreamError),
    (Reply(status=400, pieces=(CUT,)), 1, 400, UpstreamError),
    (Reply.refusal(500, "api_error"), 3, 500, None),
    (OVERLOADED, 3, 529, None),
    (Reply.refusal(429, "rate_limit_error"), 3, 429, None),
    (Reply.refusal(409, "conflict_error"), 2, 409, None),
    (Reply.refusal(400, "invalid_request_error"), 1, 400, None),
    (Reply.refusal(401, "authentication_error"), 1, 401, None),
    (Reply.refusal(402, "billing_error"), 1, 402, None),
    (Reply.refusal(403, "permission_error"), 1, 403, None),
    (Reply.refusal(404, "not_found_error"), 1, 404, None),
    (Reply.refusal(413, "request_too_large"), 1, 413, None),
]


@pytest.mark.parametrize(("answer", "attempts", "status", "kind"), LASTING)
async def test_what_lasts_ends_after_the_attempts_that_it_is_worth(
    answer: Answer, attempts: int, status: int, kind: type[HoldfastError] | None
) -> None:
    client = ScriptedClient(answer)
    upstream = ring(client)
    found = await upstream.attempts(a_call())
    assert client.asked == attempts <= 3
    assert clean(upstream, client)
    if isinstance(found, Response):
        assert kind is None
        assert (found.status, found.attempts, found.upstream) == (status, attempts, "main")
    else:
        assert (type(found.error), found.error.status, found.error.attempts) == (kind, status, attempts)
        assert found.error.say("ko") != found.error.say("en")
        assert found.upstream == "main"


@pytest.mark.parametrize("status", [400, 401, 404, 500, 529])
async def test_the_upstreams_own_error_body_is_unchanged_and_not_to_be_retried(status: int) -> None:
    body = (
        b'{ "type":"error",\n "error": {"type":"odd_error","message":"\\u00e9 \xed\x95\x9c", "extra":[1]} }'
    )
    reply = Reply(status=status, headers=(*JSON, ("x-should-retry", "true")), pieces=(body[:9], body[9:]))
    response = await answered(ring(ScriptedClient(reply)), a_call())
    assert await body_of(response) == body
    assert response.status == status
    assert [value for name, value in response.headers if name == "x-should-retry"] == ["false"]
    assert get(response.headers, "request-id") == "req_up"


async def test_a_rate_limit_may_be_retried_by_the_caller_and_says_when() -> None:
    reply = Reply.refusal(429, "rate_limit_error", retry_after="171")
    client = ScriptedClient(reply)
    upstream = ring(client)
    response = await answered(upstream, a_call())
    assert (client.asked, response.status) == (1, 429)
    assert get(response.headers, "x-should-retry") == "true"
    assert get(response.headers, "retry-after") == "171"


async def test_a_word_of_the_upstream_against_retrying_is_obeyed() -> None:
    client = ScriptedClient(Reply.refusal(529, "overloaded_error", x_should_retry="false"))
    await answered(ring(client), a_call())
    assert client.asked == 1


async def test_a_wish_for_a_pause_is_met() -> None:
    clock = FakeClock()
    client = ScriptedClient(Reply.refusal(429, "rate_limit_error", retry_after="7"), GOOD)
    response = await answered(ring(client, clock=clock), a_call(clock=clock))
    (slept,) = clock.sleeps
    assert 7 <= slept <= 7.7
    assert response.attempts == 2


async def test_pauses_grow_and_stay_within_their_bounds() -> None:
    clock = FakeClock()
    client = ScriptedClient(Reply.refusal(500, "api_error"))
    upstream = ring(client, clock=clock, retry=RetryConfig(attempts=3, wait_initial=1.0, wait_max=8.0))
    await answered(upstream, a_call(clock=clock))
    first, second = clock.sleeps
    assert 0 <= first <= 1
    assert 0 <= second <= 2


async def test_an_unreachable_upstream_is_asked_again_at_once_and_free_of_charge() -> None:
    clock = FakeClock()
    upstream = ring(ScriptedClient(UNREACHABLE, GOOD), clock=clock)
    await answered(upstream, a_call(clock=clock))
    assert clock.sleeps == [0.0]
    assert upstream.budgets["main"].tokens == 500


async def test_a_pause_beyond_the_deadline_is_not_made() -> None:
    clock = FakeClock()
    client = ScriptedClient(Reply.refusal(429, "rate_limit_error", retry_after="20"))
    response = await answered(ring(client, clock=clock), a_call(clock=clock, seconds=15))
    assert (client.asked, clock.sleeps) == (1, [])
    assert get(response.headers, "retry-after") == "20"


async def test_a_call_asks_no_more_often_than_it_allows() -> None:
    client = ScriptedClient(OVERLOADED)
    await answered(ring(client), a_call(attempts=1))
    assert client.asked == 1


async def test_a_call_cannot_ask_more_often_than_is_configured() -> None:
    client = ScriptedClient(OVERLOADED)
    await answered(ring(client, retry=RetryConfig(attempts=2)), a_call(attempts=9))
    assert client.asked == 2


async def test_an_empty_retry_budget_ends_retrying_and_success_fills_it_again() -> None:
    client = ScriptedClient(OVERLOADED, OVERLOADED, GOOD)
    upstream = ring(client, budget=RetryBudgetConfig(capacity=5, throttle_cost=5))
    await answered(upstream, a_call())
    assert (client.asked, upstream.budgets["main"].tokens) == (2, 0)
    await answered(upstream, a_call())
    assert upstream.budgets["main"].tokens == 1


async def test_a_retry_that_succeeds_gets_back_what_it_cost() -> None:
    upstream = ring(ScriptedClient(OVERLOADED, GOOD))
    await answered(upstream, a_call())
    assert upstream.budgets["main"].tokens == 500


async def test_every_failed_attempt_is_announced_with_the_pause_that_follows() -> None:
    clock = FakeClock()
    upstream = ring(ScriptedClient(OVERLOADED), clock=clock)
    await answered(upstream, a_call(clock=clock))
    failures = [event for event in upstream.events if isinstance(event, AttemptFailed)]
    assert [(event.attempt, event.kind, event.status, event.blame) for event in failures] == [
        (1, "http", 529, "claude"),
        (2, "http", 529, "claude"),
        (3, "http", 529, "claude"),
    ]
    assert [event.wait for event in failures] == [*clock.sleeps, None]


# ---- silence and the deadline


async def test_a_deadline_that_has_passed_asks_nobody() -> None:
    clock = FakeClock()
    client, call = ScriptedClient(GOOD), a_call(clock=clock, seconds=5)
    clock.advance(5)
    with pytest.raises(DeadlineExceeded) as caught:
        await ring(client, clock=clock).attempts(call)
    assert (client.asked, caught.value.status) == (0, 504)
    assert "5초" in caught.value.say("ko")


async def test_an_upstream_that_never_begins_to_answer_ends_with_the_deadline() -> None:
    client = ScriptedClient(Silence())
    upstream = ring(client, clock=SYSTEM_CLOCK)
    failure = await unanswered(upstream, a_call(seconds=0.05))
    assert isinstance(failure, DeadlineExceeded)
    assert (failure.status, client.asked) == (504, 1)
    assert clean(upstream, client)


async def test_a_body_that_never_ends_ends_with_the_deadline() -> None:
    client = ScriptedClient(Reply(pieces=(MESSAGE[:30], Silence())))
    upstream = ring(client, clock=SYSTEM_CLOCK)
    assert isinstance(await unanswered(upstream, a_call(seconds=0.05)), DeadlineExceeded)
    assert clean(upstream, client)


async def test_an_error_whose_body_never_ends_is_judged_by_its_status() -> None:
    client = ScriptedClient(Reply(status=400, pieces=(Silence(),)))
    upstream = ring(client, clock=SYSTEM_CLOCK)
    await unanswered(upstream, a_call(seconds=0.05))
    assert [event.status for event in upstream.events if isinstance(event, AttemptFailed)] == [400]


async def test_the_deadline_holds_for_a_stream_without_content() -> None:
    client = ScriptedClient(Reply.stream(START, Silence()))
    upstream = ring(client, clock=SYSTEM_CLOCK, stall=30.0)
    failure = await asyncio.wait_for(unanswered(upstream, a_call(stream=True, seconds=0.05)), 2)
    assert isinstance(failure, DeadlineExceeded)
    assert clean(upstream, client)


@pytest.mark.parametrize("silent", [Silence(), Reply.stream(Silence()), Reply.stream(START, PING, Silence())])
async def test_a_stream_that_stays_without_content_is_tried_again_once(silent: Answer) -> None:
    client = ScriptedClient(silent)
    upstream = ring(client, stall=0.03)
    failure = await unanswered(upstream, a_call(stream=True))
    assert (client.asked, failure.status, type(failure)) == (2, 504, DeadlineExceeded)
    assert clean(upstream, client)


async def test_pings_alone_are_no_content_before_the_first_word() -> None:
    pings = [piece for _ in range(50) for piece in (Pause(0.01), PING)]
    client = ScriptedClient(Reply.stream(START, *pings, BLOCK, text("late"), ENOUGH, STOP), Reply.stream())
    upstream = ring(client, stall=0.05)
    response = await answered(upstream, a_call(stream=True))
    assert (response.attempts, upstream.failures) == (2, ["stall"])
    assert await body_of(response) == b"".join(STREAM)


async def test_a_caller_in_a_hurry_does_not_open_the_circuit_for_the_others() -> None:
    upstream = ring(ScriptedClient(Silence()), clock=SYSTEM_CLOCK, stall=30.0)
    for _ in range(8):
        await unanswered(upstream, a_call(seconds=0.01))
    assert upstream.circuits.state(CIRCUIT) == "closed"
    assert upstream.live() == 0


async def test_silence_as_long_as_a_stall_opens_the_circuit() -> None:
    upstream = ring(ScriptedClient(Silence()), stall=0.01, retry=RetryConfig(attempts=1))
    for _ in range(5):
        await unanswered(upstream, a_call(stream=True))
    assert upstream.circuits.state(CIRCUIT) == "open"


# ---- streams before their first content


@pytest.mark.parametrize(
    "broken",
    [
        Reply.stream(CUT),
        Reply.stream(START, CUT),
        Reply.stream(START),
        Reply.stream(START, PING),
        Reply(headers=SSE, pieces=()),
        Reply.stream(error()),
        Reply.stream(START, error()),
        Reply.stream(START + error()),
        Reply.stream(START, error("api_error", "Internal")),
        Reply.stream(START[:20]),
    ],
)
async def test_a_stream_that_breaks_before_its_content_is_replaced_without_a_trace(broken: Reply) -> None:
    client = ScriptedClient(broken, Reply.stream())
    upstream = ring(client)
    response = await answered(upstream, a_call(stream=True))
    assert await body_of(response) == b"".join(STREAM)
    assert response.attempts == 2
    assert clean(upstream, client)


async def test_an_error_event_before_any_content_is_answered_as_the_error_it_is() -> None:
    client = ScriptedClient(Reply.stream(START, error("rate_limit_error", "Slow down")))
    upstream = ring(client)
    call = a_call(stream=True)
    response = await answered(upstream, call)
    assert (response.status, client.asked) == (429, 3)
    assert json.loads(await body_of(response)) == {
        "type": "error",
        "error": {"type": "rate_limit_error", "message": "Slow down"},
    }
    assert get(response.headers, "content-type") == "application/json"
    assert get(response.headers, "x-should-retry") == "true"
    assert [lost.usage.input_tokens for lost in call.tally.spent] == [10, 10, 10]
    assert clean(upstream, client)


async def test_an_error_event_that_is_the_callers_fault_is_not_tried_again() -> None:
    client = ScriptedClient(Reply.stream(error("invalid_request_error", "Bad")))
    upstream = ring(client)
    response = await answered(upstream, a_call(stream=True))
    assert (response.status, client.asked) == (400, 1)
    assert upstream.circuits.state(CIRCUIT) == "closed"


async def test_an_unreadable_error_event_becomes_an_error_of_ours() -> None:
    client = ScriptedClient(Reply.stream(START, b"event: error\ndata: {oops\n\n"))
    failure = await unanswered(ring(client), a_call(stream=True))
    assert isinstance(failure, StreamInterrupted)
    assert (client.asked, failure.status) == (3, 500)


async def test_what_a_stream_used_before_it_broke_is_not_forgotten() -> None:
    call = a_call(stream=True)
    found = await ring(ScriptedClient(Reply.stream(START, CUT))).attempts(call)
    assert isinstance(found, Unanswered)
    assert [lost.usage.input_tokens for lost in call.tally.spent] == [10, 10]
    assert isinstance(found.error, StreamInterrupted)


async def test_more_than_the_largest_answer_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attempt, "LARGEST_ANSWER", 100)
    client = ScriptedClient(Reply(pieces=(b"x" * 60, b"x" * 60, b"x" * 60)))
    upstream = ring(client)
    assert (await unanswered(upstream, a_call())).status == 502
    assert clean(upstream, client)


async def test_a_stream_may_not_keep_us_holding_back_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attempt, "LARGEST_HELD", 1000)
    client = ScriptedClient(Reply.stream(START, *(PING for _ in range(100_000))))
    upstream = ring(client)
    assert (await unanswered(upstream, a_call(stream=True))).status == 502
    assert upstream.failures == ["unreadable_body", "unreadable_body"]
    assert clean(upstream, client)


async def test_an_answer_that_stops_at_once_without_content_is_complete() -> None:
    client = ScriptedClient(Reply.stream(START, ENOUGH, STOP))
    response = await answered(ring(client), a_call(stream=True))
    assert await body_of(response) == START + ENOUGH + STOP


@pytest.mark.parametrize("end", [(), (CUT,), (Silence(),)])
async def test_an_answer_that_said_why_it_stops_is_complete_even_without_content(
    end: tuple[object, ...],
) -> None:
    client = ScriptedClient(Reply.stream(START, ENOUGH, *end))  # type: ignore[arg-type]
    upstream = ring(client, stall=0.05)
    response = await answered(upstream, a_call(stream=True))
    assert client.asked == 1
    assert (await body_of(response)).endswith(b'{"type":"message_stop"}\n\n')
    assert response.meter.error is None
    assert clean(upstream, client)


# ---- circuits


async def test_after_failures_in_a_row_the_circuit_opens_and_the_network_has_rest() -> None:
    client = ScriptedClient(Reply.refusal(500, "api_error"))
    upstream = ring(client, retry=RetryConfig(attempts=1))
    for _ in range(5):
        await answered(upstream, a_call())
    assert upstream.moves == [("closed", "open")]
    with pytest.raises(CallNotPermitted) as caught:
        await upstream.attempts(a_call())
    assert client.asked == 5
    assert caught.value.attempts == 0
    assert caught.value.retry_after is not None
    assert 5.0 <= caught.value.retry_after <= 6.0


async def test_the_callers_faults_leave_the_circuit_closed() -> None:
    client = ScriptedClient(Reply.refusal(400, "invalid_request_error"))
    upstream = ring(client)
    for _ in range(20):
        await answered(upstream, a_call())
    assert (upstream.circuits.state(CIRCUIT), upstream.live()) == ("closed", 0)


async def open_circuit(*then: Answer) -> tuple[Ring, ScriptedClient, FakeClock]:
    clock = FakeClock()
    client = ScriptedClient(*(Reply.refusal(500, "api_error") for _ in range(5)), *then)
    upstream = ring(client, clock=clock, retry=RetryConfig(attempts=1))
    for _ in range(5):
        await answered(upstream, a_call(clock=clock))
    clock.advance(6.1)
    return upstream, client, clock


async def test_two_good_probes_close_the_circuit() -> None:
    upstream, _, clock = await open_circuit(GOOD)
    for _ in range(2):
        assert (await answered(upstream, a_call(clock=clock))).status == 200
    assert upstream.moves == [("closed", "open"), ("open", "half_open"), ("half_open", "closed")]


async def test_a_failed_probe_opens_it_again() -> None:
    upstream, client, clock = await open_circuit(RESET)
    await unanswered(upstream, a_call(clock=clock))
    with pytest.raises(CallNotPermitted):
        await upstream.attempts(a_call(clock=clock))
    assert client.asked == 6


async def test_half_open_admits_as_many_probes_as_configured_and_no_more() -> None:
    upstream, client, clock = await open_circuit(Silence())
    probes = [asyncio.ensure_future(upstream.attempts(a_call(clock=clock))) for _ in range(5)]
    await asyncio.sleep(0.01)
    assert client.asked == 5 + 2
    refused = [probe for probe in probes if probe.done()]
    assert len(refused) == 3
    assert all(isinstance(probe.exception(), CallNotPermitted) for probe in refused)
    for probe in probes:
        probe.cancel()
    await asyncio.gather(*probes, return_exceptions=True)
    assert upstream.live() == 0


async def test_a_cancelled_probe_gives_its_place_back_and_says_nothing() -> None:
    upstream, client, clock = await open_circuit(Silence(), Silence(), GOOD)
    for _ in range(2):
        probe = asyncio.ensure_future(upstream.attempts(a_call(clock=clock)))
        await asyncio.sleep(0.01)
        probe.cancel()
        await asyncio.gather(probe, return_exceptions=True)
    assert upstream.circuits.state(CIRCUIT) == "half_open"
    assert (await answered(upstream, a_call(clock=clock))).status == 200
    assert client.asked == 8


async def test_the_first_content_of_a_stream_is_a_good_probe() -> None:
    upstream, _, clock = await open_circuit(Reply.stream(*STREAM[:4], Silence()))
    streams = [await answered(upstream, a_call(stream=True, clock=clock)) for _ in range(2)]
    assert upstream.circuits.state(CIRCUIT) == "closed"
    for stream in streams:
        await stream.body.aclose()


async def test_streams_that_break_again_and_again_open_the_circuit() -> None:
    client = ScriptedClient(Reply.stream(START, BLOCK, text("Hi"), CUT))
    upstream = ring(client, breaker=BreakerConfig(failure_threshold=None, minimum_calls=4))
    for _ in range(8):
        await body_of(await answered(upstream, a_call(stream=True)))
        if upstream.circuits.state(CIRCUIT) == "open":
            break
    assert upstream.circuits.state(CIRCUIT) == "open"


@pytest.mark.parametrize("failure", [ZeroDivisionError(), KeyError("x"), MemoryError()])
async def test_a_bug_in_a_client_costs_no_permit(failure: Exception) -> None:
    upstream = ring(ScriptedClient(failure))
    with pytest.raises(type(failure)):
        await upstream.attempts(a_call())
    assert upstream.live() == 0


@pytest.mark.parametrize("failure", [ZeroDivisionError(), MemoryError()])
async def test_a_bug_in_a_connection_costs_neither_permit_nor_connection(failure: Exception) -> None:
    for reply in (Reply(pieces=(failure,)), Reply.stream(START, failure)):
        client = ScriptedClient(reply)
        upstream = ring(client)
        with pytest.raises(type(failure)):
            await upstream.attempts(a_call(stream=True))
        assert clean(upstream, client)


@pytest.mark.parametrize("reply", [Silence(), Reply(pieces=(Silence(),)), Reply.stream(START, Silence())])
async def test_a_call_cancelled_at_any_moment_leaves_nothing_behind(reply: Answer) -> None:
    before = tasks()
    client = ScriptedClient(reply)
    upstream = ring(client, stall=60.0)
    task = asyncio.ensure_future(upstream.attempts(a_call(stream=True)))
    for _ in range(10):
        await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert clean(upstream, client)
    assert tasks() == before


async def test_a_call_cancelled_in_a_pause_leaves_nothing_behind() -> None:
    client = ScriptedClient(Reply.refusal(429, "rate_limit_error", retry_after="30"))
    upstream = ring(client, clock=SYSTEM_CLOCK)
    task = asyncio.ensure_future(upstream.attempts(a_call()))
    await asyncio.sleep(0.02)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (client.asked, clean(upstream, client)) == (1, True)


# ---- targets


def two(first: ScriptedClient, second: ScriptedClient, **models: tuple[str, ...]) -> Ring:
    return Ring(clients={"main": first, "spare": second}, models=models)


async def test_a_second_upstream_is_asked_where_the_first_fails() -> None:
    first, second = ScriptedClient(OVERLOADED), ScriptedClient(GOOD)
    upstream = Ring(clients={"main": first, "spare": second}, retry=RetryConfig(attempts=3))
    upstream.budgets["main"]._tokens = 0  # pyright: ignore[reportPrivateUsage]
    response = await answered(upstream, a_call())
    assert (response.upstream, response.attempts, response.status) == ("spare", 2, 200)
    assert (first.asked, second.asked) == (1, 1)


async def test_attempts_are_counted_over_all_upstreams() -> None:
    first, second = ScriptedClient(RESET), ScriptedClient(OVERLOADED)
    upstream = two(first, second)
    response = await answered(upstream, a_call())
    assert (first.asked, second.asked, response.attempts, response.upstream) == (2, 1, 3, "spare")


async def test_the_callers_fault_is_not_carried_to_another_upstream() -> None:
    first, second = ScriptedClient(Reply.refusal(400, "invalid_request_error")), ScriptedClient(GOOD)
    response = await answered(two(first, second), a_call())
    assert (response.status, second.asked) == (400, 0)


async def test_an_open_circuit_leads_to_the_next_upstream() -> None:
    first, second = ScriptedClient(GOOD), ScriptedClient(GOOD)
    upstream = two(first, second)
    upstream.circuits.of(f"main/{MODEL}").force_open()
    response = await answered(upstream, a_call())
    assert (first.asked, response.upstream, response.attempts) == (0, "spare", 1)


async def test_of_all_open_circuits_the_one_that_opens_first_says_when_to_come_back() -> None:
    upstream = two(ScriptedClient(GOOD), ScriptedClient(GOOD))
    upstream.circuits.of(f"main/{MODEL}").force_open()
    upstream.circuits.of(f"spare/{MODEL}").adopt("open", retry_after=4.0)
    with pytest.raises(CallNotPermitted) as caught:
        await upstream.attempts(a_call())
    assert caught.value.retry_after == pytest.approx(4.0)


async def test_a_failure_is_told_even_if_the_next_circuit_is_open() -> None:
    first, second = ScriptedClient(OVERLOADED), ScriptedClient(GOOD)
    upstream = two(first, second)
    upstream.circuits.of(f"spare/{MODEL}").force_open()
    assert (await answered(upstream, a_call())).status == 529
    assert second.asked == 0


async def test_the_cost_of_a_retry_here_is_not_given_back_there() -> None:
    first, second = ScriptedClient(RESET), ScriptedClient(GOOD)
    upstream = two(first, second)
    upstream.budgets["spare"]._tokens = 100  # pyright: ignore[reportPrivateUsage]
    assert (await answered(upstream, a_call())).upstream == "spare"
    assert (upstream.budgets["main"].tokens, upstream.budgets["spare"].tokens) == (486, 101)


async def test_an_upstream_is_asked_only_for_the_models_it_serves() -> None:
    first, second = ScriptedClient(GOOD), ScriptedClient(GOOD)
    upstream = two(first, second, main=("claude-haiku-5-5",), spare=(MODEL,))
    assert (await answered(upstream, a_call())).upstream == "spare"
    assert first.asked == 0


async def test_a_model_that_nobody_serves_is_named_in_the_error() -> None:
    upstream = two(ScriptedClient(GOOD), ScriptedClient(GOOD), main=("a",), spare=("b",))
    with pytest.raises(UnknownModel, match=MODEL) as caught:
        await upstream.attempts(a_call())
    assert caught.value.status == 404
    assert MODEL in caught.value.say("ko")


async def test_content_once_released_is_never_replaced_by_another_upstream() -> None:
    first, second = (
        ScriptedClient(Reply.stream(START, BLOCK, text("Hi"), CUT)),
        ScriptedClient(Reply.stream()),
    )
    response = await answered(two(first, second), a_call(stream=True))
    body = await body_of(response)
    assert body.startswith(START + BLOCK + text("Hi"))
    assert body.count(b"message_start\n") == 1
    assert (first.asked, second.asked) == (1, 0)


async def test_a_caller_who_leaves_before_anything_came_is_charged_the_input() -> None:
    client = ScriptedClient(Silence())
    upstream, call = ring(client), a_call()
    asking = asyncio.ensure_future(upstream.attempts(call))
    await asyncio.sleep(0.01)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    (lost,) = call.tally.spent
    assert (lost.usage.input_tokens, lost.usage.output_tokens) == (input_bound(call.request), 0)
    assert (lost.estimated, call.tally.attempts) == (True, 1)
    assert clean(upstream, client)
