"""Calls keep to the limits that an upstream's answers tell of, and so are hardly ever told off by it."""

from dataclasses import replace
from datetime import timedelta

from holdfast.call import Response
from holdfast.testing.virtual import VirtualClock, run
from holdfast.upstream.attempts import Attempts
from holdfast.upstream.pacing import Pacing
from holdfast.wire.headers import Headers
from tests.upstream.scripted import JSON, MESSAGE, Reply, Ring, ScriptedClient, a_call


def spent(clock: VirtualClock, seconds: float) -> Headers:
    """What an answer says that used up the last of 50 requests, which are whole again in so many seconds."""
    reset = (clock.now() + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")
    return (
        *JSON,
        ("anthropic-ratelimit-requests-limit", "50"),
        ("anthropic-ratelimit-requests-remaining", "0"),
        ("anthropic-ratelimit-requests-reset", reset),
    )


def paced(upstream: Ring, clock: VirtualClock) -> Attempts:
    return replace(upstream.attempts, pacing=Pacing(clock=clock))


async def ask(attempts: Attempts, clock: VirtualClock, *, seconds: float = 600.0) -> tuple[int, float]:
    """The status of one call, and how long it took."""
    began = clock.monotonic()
    found = await attempts(a_call(clock=clock, seconds=seconds))
    assert isinstance(found, Response)
    await found.body.aclose()
    return found.status, clock.monotonic() - began


def test_a_call_waits_until_the_account_has_room_for_one_more() -> None:
    async def main() -> tuple[int, float]:
        clock = VirtualClock()
        client = ScriptedClient(
            Reply(headers=spent(clock, 20), pieces=(MESSAGE,)), Reply(headers=JSON, pieces=(MESSAGE,))
        )
        attempts = paced(Ring(clients={"main": client}, clock=clock), clock)
        await ask(attempts, clock)
        return await ask(attempts, clock)

    status, waited = run(main())
    assert (status, round(waited, 3)) == (200, 0.4)


def test_a_call_goes_to_another_upstream_that_has_room_at_once() -> None:
    async def main() -> tuple[tuple[int, float], int, int]:
        clock = VirtualClock()
        busy = ScriptedClient(Reply(headers=spent(clock, 20), pieces=(MESSAGE,)))
        free = ScriptedClient(Reply(headers=JSON, pieces=(MESSAGE,)))
        attempts = paced(Ring(clients={"busy": busy, "free": free}, clock=clock), clock)
        await ask(attempts, clock)
        found = await ask(attempts, clock)
        return found, len(busy.requests), len(free.requests)

    (status, waited), busy, free = run(main())
    assert (status, busy, free) == (200, 1, 1)
    assert waited == 0


def test_who_has_not_the_time_to_wait_is_sent_at_once() -> None:
    async def main() -> tuple[int, float]:
        clock = VirtualClock()
        client = ScriptedClient(
            Reply(headers=spent(clock, 50), pieces=(MESSAGE,)), Reply(headers=JSON, pieces=(MESSAGE,))
        )
        attempts = paced(Ring(clients={"main": client}, clock=clock), clock)
        await ask(attempts, clock)
        return await ask(attempts, clock, seconds=0.5)

    status, waited = run(main())
    assert (status, waited) == (200, 0)
