"""Gates before the attempts: what a rate, a spent account or a rejected key keeps from being asked."""

import asyncio

import pytest

from holdfast.call import Call, Response
from holdfast.errors import BudgetExhausted, CallNotPermitted, RateLimited, Unauthenticated
from holdfast.events import GateChanged
from holdfast.pipeline import Settling
from holdfast.policy.retry import RetryConfig
from holdfast.policy.routing import UpstreamConfig
from holdfast.testing import FakeClock
from holdfast.wire.headers import get
from tests.upstream.scripted import MODEL, STREAM, Reply, Ring, ScriptedClient, Silence, a_call, ring

GOOD = Reply()
REJECTED = Reply.refusal(401, "authentication_error")
UNPAID = Reply.refusal(402, "billing_error")
ORG = UpstreamConfig(url="http://127.0.0.1:9", key_env="ONE", key_envs=("TWO",), organisation="acme")
LIMITED_UNTIL = (
    ("anthropic-ratelimit-requests-remaining", "0"),
    ("anthropic-ratelimit-requests-reset", "2026-11-22T12:00:30Z"),
)


def limited(**headers: str) -> Reply:
    return Reply.refusal(429, "rate_limit_error", **headers)


async def ask(upstream: Ring, call: Call) -> Response:
    found = await upstream.attempts(call)
    assert isinstance(found, Response)
    return found


def closings(upstream: Ring) -> list[tuple[str, str]]:
    return [(e.gate, e.place) for e in upstream.events if isinstance(e, GateChanged) and e.state == "closed"]


async def test_a_rate_limit_is_waited_for_where_the_wait_fits() -> None:
    clock, client = FakeClock(), ScriptedClient(limited(retry_after="5"), GOOD)
    response = await ask(ring(client, clock=clock), a_call(clock=clock))
    assert (response.status, response.attempts, client.asked) == (200, 2, 2)
    assert 5.0 <= clock.sleeps[0] <= 5.5


async def test_a_rate_limit_too_long_to_wait_for_keeps_the_next_call_from_being_sent() -> None:
    clock, client = FakeClock(), ScriptedClient(limited(retry_after="90"), GOOD)
    upstream = ring(client, clock=clock)
    response = await ask(upstream, a_call(clock=clock))
    assert (response.status, get(response.headers, "retry-after")) == (429, "90")
    clock.advance(30)
    with pytest.raises(RateLimited) as caught:
        await upstream.attempts(a_call(clock=clock))
    assert (client.asked, caught.value.status, caught.value.attempts) == (1, 429, 0)
    assert 60.0 <= (caught.value.retry_after or 0) <= 69.0
    clock.advance(70)
    assert (await ask(upstream, a_call(clock=clock))).status == 200


async def test_the_wait_handed_on_is_what_is_left_of_it() -> None:
    clock = FakeClock()
    client = ScriptedClient(limited(retry_after="5"), limited(retry_after="40"))
    response = await ask(ring(client, clock=clock, retry=RetryConfig(attempts=2)), a_call(clock=clock))
    assert (response.attempts, get(response.headers, "retry-after")) == (2, "40")


async def test_a_limit_that_only_names_its_reset_is_waited_for_too() -> None:
    clock = FakeClock()
    client = ScriptedClient(
        Reply(status=429, headers=(*limited().headers, *LIMITED_UNTIL), pieces=limited().pieces), GOOD
    )
    response = await ask(ring(client, clock=clock), a_call(clock=clock))
    assert (response.status, client.asked) == (200, 2)
    assert 30.0 <= clock.sleeps[0] <= 33.0


async def test_a_limit_that_only_names_its_reset_tells_the_caller_when_to_come_back() -> None:
    clock = FakeClock()
    client = ScriptedClient(
        Reply(status=429, headers=(*limited().headers, *LIMITED_UNTIL), pieces=limited().pieces)
    )
    response = await ask(ring(client, clock=clock), a_call(clock=clock, seconds=10))
    assert client.asked == 1
    assert 30 <= int(get(response.headers, "retry-after") or 0) <= 33


async def test_a_rejected_key_is_not_tried_again() -> None:
    client = ScriptedClient(REJECTED)
    upstream = ring(client)
    assert (await ask(upstream, a_call())).status == 401
    with pytest.raises(Unauthenticated):
        await upstream.attempts(a_call())
    assert (client.asked, closings(upstream)) == (1, [("credential", "main/key")])


async def test_one_callers_bad_key_closes_no_other_callers_gate() -> None:
    client = ScriptedClient(REJECTED, GOOD)
    upstream = ring(client, key=None)
    bad, good = ((("x-api-key", key),) for key in ("sk-bad", "sk-good"))
    assert (await ask(upstream, a_call(headers=bad))).status == 401
    assert (await ask(upstream, a_call(headers=good))).status == 200
    with pytest.raises(Unauthenticated):
        await upstream.attempts(a_call(headers=bad))
    assert client.asked == 2
    assert "sk-bad" not in repr(upstream.events)


async def test_a_callers_key_never_closes_the_spend_gate_of_an_organisation() -> None:
    client = ScriptedClient(UNPAID, GOOD)
    upstream = ring(client, key=None, upstream={"main": ORG})
    assert (await ask(upstream, a_call(headers=(("authorization", "Bearer one"),)))).status == 402
    assert (await ask(upstream, a_call(headers=(("authorization", "Bearer two"),)))).status == 200


async def test_after_a_rejected_key_the_next_one_answers() -> None:
    client = ScriptedClient(REJECTED, GOOD)
    upstream = ring(client, upstream={"main": ORG}, further={"TWO": "sk-two"})
    response = await ask(upstream, a_call())
    assert (response.status, response.attempts) == (200, 2)
    assert [get(request.headers, "x-api-key") for request in client.requests] == ["sk-test", "sk-two"]
    await ask(upstream, a_call())
    assert get(client.requests[-1].headers, "x-api-key") == "sk-two"


async def test_a_spent_organisation_is_not_asked_with_its_other_key() -> None:
    client = ScriptedClient(UNPAID)
    upstream = ring(client, upstream={"main": ORG}, further={"TWO": "sk-two"})
    assert (await ask(upstream, a_call())).status == 402
    with pytest.raises(BudgetExhausted):
        await upstream.attempts(a_call())
    assert (client.asked, closings(upstream)) == (1, [("spend", "main/acme")])


async def test_a_rate_limit_goes_to_the_other_upstream_at_once() -> None:
    clock, first, second = FakeClock(), ScriptedClient(limited(retry_after="5")), ScriptedClient(GOOD)
    upstream = Ring(clients={"main": first, "spare": second}, clock=clock)
    response = await ask(upstream, a_call(clock=clock))
    assert (response.upstream, response.attempts, clock.sleeps) == ("spare", 2, [])


async def test_an_attempt_is_kept_for_the_upstream_that_could_answer() -> None:
    first, second = ScriptedClient(Reply.refusal(500, "api_error")), ScriptedClient(GOOD)
    response = await ask(Ring(clients={"main": first, "spare": second}), a_call())
    assert (response.upstream, response.attempts, first.asked) == ("spare", 3, 2)


async def test_of_all_refusals_the_soonest_is_told() -> None:
    clock, first, second = FakeClock(), ScriptedClient(limited(retry_after="90")), ScriptedClient(GOOD)
    upstream = Ring(clients={"main": first, "spare": second}, clock=clock)
    assert (await ask(upstream, a_call(clock=clock))).upstream == "spare"
    upstream.circuits.of(f"spare/{MODEL}").adopt("open", retry_after=4.0)
    with pytest.raises(CallNotPermitted) as caught:
        await upstream.attempts(a_call(clock=clock))
    assert caught.value.retry_after == pytest.approx(4.0)
    upstream.circuits.of(f"spare/{MODEL}").force_open()
    with pytest.raises(RateLimited):
        await upstream.attempts(a_call(clock=clock))


async def test_a_probe_of_a_gate_goes_back_when_the_circuit_refuses() -> None:
    clock, client = FakeClock(), ScriptedClient(REJECTED, GOOD)
    upstream = ring(client, clock=clock)
    await ask(upstream, a_call(clock=clock))
    clock.advance(901)
    upstream.circuits.of(f"main/{MODEL}").force_open()
    with pytest.raises(CallNotPermitted):
        await upstream.attempts(a_call(clock=clock))
    upstream.circuits.of(f"main/{MODEL}").reset()
    assert (await ask(upstream, a_call(clock=clock))).status == 200
    assert upstream.gates.closed() == {}


async def test_the_first_content_of_a_probing_stream_opens_the_gate() -> None:
    clock, client = FakeClock(), ScriptedClient(REJECTED, Reply.stream(*STREAM[:4], Silence()))
    upstream = ring(client, clock=clock)
    await ask(upstream, a_call(clock=clock))
    clock.advance(901)
    response = await ask(upstream, a_call(stream=True, clock=clock))
    assert upstream.gates.closed() == {}
    await response.body.aclose()


async def test_ramp_limits_bound_the_calls_in_flight_until_streams_end() -> None:
    clock = FakeClock()
    ramp = Reply(
        status=429,
        pieces=(
            b'{"type":"error","error":{"type":"rate_limit_error","message":"No","details":{"error_code":"ramp_limit_exceeded"}}}',
        ),
    )
    client = ScriptedClient(ramp, Reply.stream())
    upstream = ring(client, clock=clock, retry=RetryConfig(attempts=1))
    assert (await ask(upstream, a_call(clock=clock))).status == 429
    clock.advance(1.2)
    stream = await ask(upstream, a_call(stream=True, clock=clock))
    with pytest.raises(RateLimited):
        await upstream.attempts(a_call(clock=clock))
    assert await Settling(stream, ()).read() == b"".join(STREAM)
    await ask(upstream, a_call(clock=clock))


async def test_a_cancelled_call_gives_its_place_at_the_gates_back() -> None:
    clock, client = FakeClock(), ScriptedClient(REJECTED, Silence(), GOOD)
    upstream = ring(client, clock=clock)
    await ask(upstream, a_call(clock=clock))
    clock.advance(901)
    probe = asyncio.ensure_future(upstream.attempts(a_call(clock=clock)))
    await asyncio.sleep(0.01)
    probe.cancel()
    await asyncio.gather(probe, return_exceptions=True)
    assert (await ask(upstream, a_call(clock=clock))).status == 200
