"""Overload that callers cause: places and queues, buckets and ramps, money and credentials."""

import asyncio
from datetime import datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import anthropic
import pytest

from holdfast.simulator import Capacity, Latency, Pace, Ramp, RateLimits, RefusalKind, Simulator, Stall
from holdfast.simulator.capacity import Service
from holdfast.simulator.exchange import CallerLeft
from holdfast.simulator.limits import Who
from holdfast.simulator.server import RunningSimulator
from holdfast.testing import FakeClock
from holdfast.testing.virtual import VirtualClock, run
from tests.simulator.raw import Answer, ask, call

if TYPE_CHECKING:
    from tests.simulator.conftest import Api

SECOND = Latency(paces={}, otherwise=Pace(first_token=1.0, tokens_per_second=1e9), sigma=0)
"""Every answer takes one second, with next to nothing for its tokens."""


def service(capacity: Capacity, latency: Latency = SECOND) -> Simulator:
    return Simulator(clock=VirtualClock(), capacity=capacity, latency=latency)


async def crowd(simulator: Simulator, count: int) -> list[Answer]:
    return await asyncio.gather(*(call(simulator, ask(f"Question {n}")) for n in range(count)))


def test_what_is_above_the_capacity_waits_and_what_is_above_the_queue_is_turned_away() -> None:
    async def main() -> None:
        simulator = service(Capacity(concurrent=2, queue=3))
        answers = await crowd(simulator, 7)
        assert [answer.status for answer in answers] == [200] * 5 + [529] * 2
        assert [round(answer.ended, 3) for answer in answers] == [1, 1, 2, 2, 3, 0, 0]
        assert answers[-1].error == {"type": "overloaded_error", "message": "Overloaded"}
        assert "retry-after" not in answers[-1].headers
        assert answers[-1].headers["anthropic-ratelimit-requests-limit"] == "4000"
        assert (simulator.service.working, simulator.service.waiting) == (0, 0)
        assert len(simulator.ledger) == 5

    run(main())


def test_an_overload_passes_when_the_crowd_goes() -> None:
    async def main() -> None:
        simulator = service(Capacity(concurrent=1))
        assert [answer.status for answer in await crowd(simulator, 3)] == [200, 529, 529]
        assert [answer.status for answer in await crowd(simulator, 1)] == [200]

    run(main())


def test_who_waits_too_long_is_turned_away() -> None:
    async def main() -> None:
        simulator = service(Capacity(concurrent=1, queue=9, patience=1.5))
        answers = await crowd(simulator, 3)
        assert [(answer.status, round(answer.ended, 3)) for answer in answers] == [
            (200, 1),
            (200, 2),
            (529, 1.5),
        ]

    run(main())


def test_who_leaves_the_queue_gives_up_the_place_in_it() -> None:
    async def main() -> None:
        simulator = service(Capacity(concurrent=1, queue=2))
        gone = asyncio.Event()
        first = asyncio.ensure_future(call(simulator, ask("one")))
        leaver = asyncio.ensure_future(call(simulator, ask("two"), gone=gone))
        await asyncio.sleep(0.5)
        assert (simulator.service.working, simulator.service.waiting) == (1, 1)
        gone.set()
        await leaver
        assert simulator.service.waiting == 0
        assert (await call(simulator, ask("three"))).status == 200
        assert round((await first).ended, 3) == 1
        assert [seen.ending for seen in simulator.requests] == ["completed", "disconnected", "completed"]
        assert len(simulator.ledger) == 2

    run(main())


@pytest.mark.parametrize("moment", [0.5, 1.0, 1.5])
def test_a_cancelled_caller_leaves_no_place_taken(moment: float) -> None:
    async def main() -> None:
        simulator = service(Capacity(concurrent=1, queue=2))
        calls = [asyncio.ensure_future(call(simulator, ask(name))) for name in ("one", "two")]
        await asyncio.sleep(moment)
        calls[1].cancel()
        await asyncio.wait(calls)
        assert (simulator.service.working, simulator.service.waiting) == (0, 0)
        assert (await call(simulator, ask("three"))).status == 200

    for seed in range(5):
        run(main(), seed=seed)


def test_a_stalled_answer_keeps_its_place_and_so_causes_an_overload() -> None:
    async def main() -> None:
        simulator = service(Capacity(concurrent=1))
        simulator.fault(Stall(seconds=60))
        stalled = asyncio.ensure_future(call(simulator, ask(stream=True)))
        await asyncio.sleep(30)
        assert (await call(simulator, ask())).status == 529
        assert (await stalled).status == 200

    run(main())


def test_a_busy_service_begins_to_answer_later() -> None:
    async def main() -> list[float]:
        simulator = service(Capacity(concurrent=4, slowdown=2.0))
        return [round(answer.began, 3) for answer in await crowd(simulator, 4)]

    assert run(main()) == [1.0, 1.5, 2.0, 2.5]


def test_without_a_capacity_everybody_is_served_at_once() -> None:
    async def main() -> set[float]:
        simulator = Simulator(clock=VirtualClock(), latency=SECOND)
        return {round(answer.ended, 3) for answer in await crowd(simulator, 50)}

    assert run(main()) == {1.0}


def test_a_greater_capacity_lets_the_queue_in_with_the_next_that_leaves() -> None:
    async def main() -> None:
        simulator = service(Capacity(concurrent=1, queue=5))
        waiting = asyncio.ensure_future(crowd(simulator, 3))
        await asyncio.sleep(0.5)
        simulator.capacity = None
        assert [round(answer.ended, 3) for answer in await waiting] == [1, 2, 3]

    run(main())


def test_a_place_is_passed_on_from_one_event_loop_to_another() -> None:
    simulator = Simulator(time_scale=0, capacity=Capacity(concurrent=1, queue=1))
    with RunningSimulator(simulator) as running:
        simulator.fault(Stall(seconds=0.2))
        client = anthropic.Anthropic(api_key="k", base_url=running.url, max_retries=0)
        with (
            client,
            client.messages.stream(
                model="claude-sonnet-5-5", max_tokens=99, messages=[{"role": "user", "content": "Hi"}]
            ) as stream,
        ):
            running.until(lambda simulator: simulator.service.working == 1)
            assert asyncio.run(call(simulator, ask())).status == 200
            assert stream.get_final_message().stop_reason == "end_turn"


@pytest.mark.parametrize(("concurrent", "queue"), [(0, 0), (1, -1)])
def test_a_service_without_places_is_refused(concurrent: int, queue: int) -> None:
    with pytest.raises(ValueError, match="place"):
        Capacity(concurrent=concurrent, queue=queue)


def standing(answer: Answer) -> dict[str, str]:
    prefix = "anthropic-ratelimit-"
    return {
        name.removeprefix(prefix): value for name, value in answer.headers.items() if name.startswith(prefix)
    }


async def test_every_answer_tells_the_whole_standing(clock: FakeClock) -> None:
    simulator = Simulator(
        time_scale=0, clock=clock, limits=RateLimits(requests=2, input_tokens=600, output_tokens=60)
    )
    first, second, third = [await call(simulator, ask(max_tokens=30)) for _ in range(3)]
    assert (first.status, second.status, third.status) == (200, 200, 429)
    for answer, requests, given, written in ((first, 1, 592, 60), (second, 0, 584, 30), (third, 0, 584, 0)):
        told = standing(answer)
        assert {name: told[name] for name in told if not name.endswith("reset")} == {
            "requests-limit": "2",
            "requests-remaining": str(requests),
            "input-tokens-limit": "600",
            "input-tokens-remaining": str(given),
            "output-tokens-limit": "60",
            "output-tokens-remaining": str(written),
            "tokens-limit": "660",
            "tokens-remaining": str(given + written),
        }
    assert standing(third)["requests-reset"] == "2026-11-22T12:01:00Z"
    assert third.headers["retry-after"] == "30"


async def test_a_reset_is_when_the_bucket_is_full_and_never_too_early(clock: FakeClock) -> None:
    simulator = Simulator(time_scale=0, clock=clock, limits=RateLimits(requests=7))
    clock.advance(0.25)
    told = standing(await call(simulator, ask()))["requests-reset"]
    full = clock.now() + timedelta(seconds=60 / 7)
    assert timedelta(0) <= datetime.fromisoformat(told) - full < timedelta(seconds=1)


async def test_a_bucket_fills_continuously_and_the_told_wait_is_enough(clock: FakeClock) -> None:
    simulator = Simulator(time_scale=0, clock=clock, limits=RateLimits(requests=6))
    for _ in range(6):
        assert (await call(simulator, ask())).status == 200
    for _ in range(3):
        refused = await call(simulator, ask())
        assert refused.status == 429
        clock.advance(float(refused.headers["retry-after"]))
        assert (await call(simulator, ask())).status == 200
        clock.advance(3)


@pytest.mark.parametrize(
    ("limits", "words"),
    [
        (RateLimits(requests=1), "rate limit of 1 requests per minute"),
        (RateLimits(input_tokens=8), "rate limit of 8 input tokens per minute"),
        (RateLimits(output_tokens=1_000), "rate limit of 1,000 output tokens per minute"),
    ],
)
async def test_a_429_names_the_limit_that_was_reached(limits: RateLimits, words: str) -> None:
    simulator = Simulator(time_scale=0, clock=FakeClock(), limits=limits)
    simulator.say("word " * 900)
    await call(simulator, ask(max_tokens=1_024))
    refused = await call(simulator, ask())
    assert refused.status == 429
    assert refused.error["type"] == "rate_limit_error"
    assert words in refused.error["message"]
    assert "model: claude-sonnet-5-5" in refused.error["message"]


async def test_reads_from_the_cache_are_free_of_the_input_limit(clock: FakeClock) -> None:
    simulator = Simulator(time_scale=0, clock=clock, limits=RateLimits(input_tokens=5_000))
    cached = [{"type": "text", "text": "word " * 3_000, "cache_control": {"type": "ephemeral"}}]
    found = [await call(simulator, ask(system=cached, max_tokens=1)) for _ in range(3)]
    assert [answer.status for answer in found] == [200, 200, 200]
    assert found[1].json()["usage"]["cache_read_input_tokens"] > 2_500


async def test_more_output_than_the_limit_is_owed(clock: FakeClock) -> None:
    simulator = Simulator(time_scale=0, clock=clock, limits=RateLimits(output_tokens=60))
    simulator.say("word " * 900)
    written = (await call(simulator, ask(max_tokens=200))).json()["usage"]["output_tokens"]
    refused = await call(simulator, ask())
    assert (written, refused.headers["retry-after"]) == (200, "141")
    assert standing(refused)["output-tokens-remaining"] == "0"


async def test_each_key_and_model_has_limits_of_its_own(clock: FakeClock) -> None:
    simulator = Simulator(time_scale=0, clock=clock, limits=RateLimits(requests=1))
    found = [
        (await call(simulator, ask(model=model), key=key)).status
        for key, model in (
            ("a", "claude-sonnet-5-5"),
            ("b", "claude-sonnet-5-5"),
            ("a", "claude-haiku-5-5"),
            ("a", "claude-sonnet-5-5"),
        )
    ]
    assert found == [200, 200, 200, 429]


async def test_unenforced_limits_are_never_owed(api: "Api", clock: FakeClock) -> None:
    who = Who(key="k", model="claude-sonnet-5-5")
    for _ in range(9_000):
        api.simulator.standing.admit(who, None, 1_000, 0.0)
    clock.advance(60)
    assert standing(await call(api.simulator, ask()))["input-tokens-remaining"] == "1999992"


@pytest.mark.parametrize("wrong", [{"requests": 0}, {"input_tokens": 0}, {"output_tokens": -1}])
def test_a_limit_that_lets_nobody_through_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="at least one"):
        RateLimits(**wrong)


async def test_growing_too_fast_is_refused_with_its_code_and_passes(clock: FakeClock) -> None:
    tokens = await input_tokens()
    limits = RateLimits(ramp=Ramp(input_tokens=2 * tokens, growth=2))
    simulator = Simulator(time_scale=0, clock=clock, limits=limits)

    async def minute() -> list[int]:
        found = [(await call(simulator, ask())).status for _ in range(10)]
        clock.advance(60)
        return [found.count(200), found.count(429)]

    assert [await minute() for _ in range(4)] == [[2, 8], [4, 6], [8, 2], [10, 0]]


async def input_tokens() -> int:
    answer = await call(Simulator(time_scale=0), ask())
    found: int = answer.json()["usage"]["input_tokens"]
    return found


async def test_a_ramp_says_when_to_come_back(clock: FakeClock) -> None:
    simulator = Simulator(time_scale=0, clock=clock, limits=RateLimits(ramp=Ramp(input_tokens=1)))
    assert (await call(simulator, ask())).status == 200
    clock.advance(20)
    refused = await call(simulator, ask())
    assert refused.error["details"] == {"error_code": "ramp_limit_exceeded"}
    assert refused.headers["retry-after"] == "40"
    clock.advance(40)
    assert (await call(simulator, ask())).status == 200
    clock.advance(500)
    assert (await call(simulator, ask())).status == 200


@pytest.mark.parametrize(("tokens", "growth"), [(0, 2), (1, 0)])
def test_a_ramp_that_lets_nobody_through_is_refused(tokens: int, growth: float) -> None:
    with pytest.raises(ValueError, match="ramp"):
        Ramp(input_tokens=tokens, growth=growth)


async def test_a_key_that_has_spent_its_limit_is_refused_for_good(clock: FakeClock) -> None:
    simulator = Simulator(time_scale=0, clock=clock, spend_limit=Decimal("0.001"))
    found = [await call(simulator, ask()) for _ in range(4)]
    refused = found[-1]
    assert refused.status == 429
    assert refused.error["details"] == {"error_code": "enforced_spend_limit_reached"}
    assert "retry-after" not in refused.headers
    spent = simulator.bills.spent("k")
    assert spent >= Decimal("0.001") > spent - simulator.ledger[-1].cost
    assert (await call(simulator, ask(), key="rich")).status == 200


async def test_a_key_may_lose_its_standing_and_get_it_back(api: "Api") -> None:
    simulator = api.simulator
    assert (await call(simulator, ask())).status == 200
    simulator.keys = {"k": "organization_on_hold"}
    assert (await call(simulator, ask())).error["details"] == {"error_code": "organization_on_hold"}
    assert (await call(simulator, ask(), path="/v1/messages/count_tokens")).status == 400
    assert (await call(simulator, ask(), key="other")).status == 200
    simulator.keys = {}
    assert (await call(simulator, ask())).status == 200


async def test_a_revoked_key_is_answered_like_a_wrong_one(api: "Api") -> None:
    api.simulator.keys = {"test-key": "key_revoked"}
    assert (await api.post(ask())).json()["error"]["message"] == "invalid x-api-key"
    del api.headers["x-api-key"]
    bearer = await api.post(ask(), authorization="Bearer test-key")
    assert bearer.json()["error"]["message"] == "Invalid bearer token"
    assert bearer.headers["x-should-retry"] == "false"


async def test_a_refused_request_uses_up_no_scripted_answer(clock: FakeClock) -> None:
    simulator = Simulator(time_scale=0, clock=clock, limits=RateLimits(requests=1))
    simulator.say("first", "second")
    said = [await call(simulator, ask()) for _ in range(2)]
    clock.advance(60)
    assert said[1].status == 429
    assert (await call(simulator, ask())).json()["content"][0]["text"] == "second"


async def test_settings_of_overload_can_be_changed_over_http(api: "Api") -> None:
    changes = {
        "limits": {"requests": 1, "ramp": {"input_tokens": 5}},
        "capacity": {"concurrent": 3, "queue": 2},
        "spend_limit": "0.5",
        "keys": {"lost": "key_revoked"},
        "profile": [{"type": "outage", "start": 100}],
    }
    shown = (await api.call("POST", "/__sim/config", json=changes)).json()
    assert shown["limits"] == {
        "requests": 1,
        "input_tokens": 2_000_000,
        "output_tokens": 400_000,
        "ramp": {"input_tokens": 5, "growth": 2.0},
    }
    assert shown["capacity"] == {"concurrent": 3, "queue": 2, "patience": None, "slowdown": 0.0}
    assert (shown["spend_limit"], shown["keys"]) == ("0.5", {"lost": "key_revoked"})
    assert [(await call(api.simulator, ask())).status for _ in range(2)] == [200, 429]
    assert (await call(api.simulator, ask(), key="lost")).status == 401
    undone = (await api.call("POST", "/__sim/config", json={"limits": None, "capacity": None})).json()
    assert (undone["limits"], undone["capacity"], undone["spend_limit"]) == (None, None, "0.5")
    assert (await call(api.simulator, ask())).status == 200


async def test_scripted_turns_can_be_posted_as_objects(api: "Api") -> None:
    script = ["plain", {"text": "paused", "stop_reason": "pause_turn"}, {"refuse": True}]
    await api.call("POST", "/__sim/config", json={"script": script})
    assert [(await api.message())["stop_reason"] for _ in range(3)] == ["end_turn", "pause_turn", "refusal"]


async def test_the_load_can_be_read_over_http(api: "Api", clock: FakeClock) -> None:
    clock.advance(3)
    load = (await api.call("GET", "/__sim/load")).json()
    assert load == {"elapsed": 3.0, "working": 0, "waiting": 0, "refusing": 0.0}


REFUSALS: dict[RefusalKind, type[anthropic.APIStatusError]] = {
    "key_revoked": anthropic.AuthenticationError,
    "organization_on_hold": anthropic.BadRequestError,
    "ramp_limit_exceeded": anthropic.RateLimitError,
    "enforced_spend_limit_reached": anthropic.RateLimitError,
    "overloaded": anthropic.InternalServerError,
}


@pytest.mark.parametrize("reason", REFUSALS)
def test_the_sdk_knows_each_refusal_by_its_class(simulator: RunningSimulator, reason: RefusalKind) -> None:
    simulator.simulator.keys = {"k": reason}
    with (
        anthropic.Anthropic(api_key="k", base_url=simulator.url, max_retries=0) as client,
        pytest.raises(REFUSALS[reason]),
    ):
        client.messages.create(
            model="claude-sonnet-5-5", max_tokens=9, messages=[{"role": "user", "content": "Hi"}]
        )


class Latecomer:
    """Gets its turn in the moment in which it leaves."""

    async def wait_for(self, turn: "asyncio.Future[None]", seconds: float | None) -> bool:
        await turn
        raise CallerLeft


async def test_a_place_that_comes_as_its_caller_leaves_is_passed_on() -> None:
    service, rules = Service(), Capacity(concurrent=1, queue=1)

    async def late() -> None:
        async with service.place(rules, Latecomer()):
            raise AssertionError

    async with service.place(rules, Latecomer()):
        waiting = asyncio.ensure_future(late())
        await asyncio.sleep(0)
        assert (service.working, service.waiting) == (1, 1)
    with pytest.raises(CallerLeft):
        await waiting
    assert (service.working, service.waiting) == (0, 0)
