"""Answers given again at the doors: the official SDK takes them for what they are, whole and streamed."""

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from typing import Any, cast

import anthropic
import pytest
from anthropic.types import Message, MessageParam

from holdfast import Holdfast
from holdfast.policy.budget import BudgetConfig
from holdfast.policy.caching import CacheConfig
from holdfast.policy.quota import QuotaConfig
from holdfast.policy.route import RouteConfig, RouteRule
from holdfast.ports import CallRecord
from holdfast.settings import FleetConfig, TimeoutsConfig
from holdfast.simulator import Delay
from holdfast.simulator.server import RunningSimulator
from holdfast.testing.quota_conformance import a_take, an_ask
from tests.agent.conftest import World
from tests.doors.running import quick_settings, serving
from tests.doors.talking import QUESTION, ask
from tests.servers.redis import RedisServer

MODEL = "claude-sonnet-5-5"
CACHED = CacheConfig(enabled=True, tool_calls=True)


def said(text: str = "Hello") -> list[MessageParam]:
    return [{"role": "user", "content": text}]


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def hold(world: World) -> Iterator[Holdfast]:
    with world.hold(cache=CACHED) as hold:
        yield hold


async def ledger(hold: Holdfast) -> tuple[CallRecord, ...]:
    return await hold.runtime.ledger.newest(1_000)


TOOL: Any = {
    "name": "weather",
    "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}},
}


@pytest.mark.requirement("cache:forms")
@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize(
    "more",
    [
        {},
        {"thinking": {"type": "adaptive"}},
        {"tools": [TOOL], "messages": said("Please use the tool weather for Seoul.")},
    ],
)
async def test_the_sdk_takes_an_answer_in_the_other_form_for_the_same(
    world: World, hold: Holdfast, more: dict[str, Any], streamed: bool
) -> None:
    asked: dict[str, Any] = {"model": MODEL, "max_tokens": 2_000, "messages": said(), **more}
    async with hold.anthropic(user="alice") as client:
        first = await final(client, asked, stream=streamed)
        again = await final(client, asked, stream=not streamed)
    assert len(world.simulator.requests) == 1
    assert again.model_dump(exclude={"usage"}) == first.model_dump(exclude={"usage"})
    assert again.usage.output_tokens == first.usage.output_tokens > 0


async def final(client: anthropic.AsyncAnthropic, asked: dict[str, Any], *, stream: bool) -> Message:
    """The whole message, however it comes."""
    if not stream:
        whole = cast("object", await client.messages.create(**asked))
        assert isinstance(whole, Message)
        return whole
    async with client.messages.stream(**asked) as events:
        return Message.model_validate((await events.get_final_message()).model_dump())


async def test_every_event_of_a_replay_is_one_that_the_sdk_knows(hold: Holdfast) -> None:
    async with hold.anthropic(user="alice") as client:
        await client.messages.create(model=MODEL, max_tokens=200, messages=said())
        stream = await client.messages.create(model=MODEL, max_tokens=200, messages=said(), stream=True)
        kinds = [event.type async for event in stream]
    assert kinds == [
        "message_start",
        "content_block_start",
        "content_block_delta",
        "content_block_stop",
        "message_delta",
        "message_stop",
    ]


async def test_a_hit_is_in_the_ledger_at_no_cost(world: World, hold: Holdfast) -> None:
    async with hold.anthropic(user="alice") as client:
        for _ in range(2):
            await client.messages.create(model=MODEL, max_tokens=200, messages=said())
    hit, first = await ledger(hold)
    assert (hit.outcome, hit.cost, hit.attempts, hit.usage.output_tokens) == ("cached", Decimal(0), 0, 0)
    assert (hit.end, hit.decided_by, hit.served_model) == ("answered", "cache", MODEL)
    assert first.outcome == "answered"
    assert first.cost == world.simulator.billed
    assert (await hold.runtime.ledger.totals()).cost == world.simulator.billed
    assert hold.runtime.stations.cache.stats().saved == first.cost


async def test_a_hundred_at_once_are_one_request(world: World, hold: Holdfast) -> None:
    async with hold.anthropic(user="alice") as client:
        answers = await asyncio.gather(
            *(client.messages.create(model=MODEL, max_tokens=200, messages=said()) for _ in range(100))
        )
    assert len(world.simulator.requests) == 1
    assert len({answer.model_dump_json() for answer in answers}) == 1


@pytest.mark.requirement("cache:free")
async def test_a_hit_needs_no_money_and_counts_as_a_request(world: World) -> None:
    hold = world.hold(
        cache=CACHED,
        budgets={"day": BudgetConfig(usd=Decimal("0.02"), per="day")},
        quotas={"rate": QuotaConfig(requests=3, per=60.0)},
    )
    async with hold, hold.anthropic(user="alice") as client:
        await client.messages.create(model=MODEL, max_tokens=900, messages=said())
        with pytest.raises(anthropic.RateLimitError) as caught:
            await client.messages.create(model=MODEL, max_tokens=4_000, messages=said("More"))
        assert "budget" in str(caught.value)
        await client.messages.create(model=MODEL, max_tokens=900, messages=said())
        with pytest.raises(anthropic.RateLimitError) as caught:
            await client.messages.create(model=MODEL, max_tokens=900, messages=said())
        assert "quota" in str(caught.value)


async def test_a_stream_that_was_begun_with_pings_is_kept_like_any_other(world: World) -> None:
    world.simulator.fault(Delay(seconds=0.05))
    asked: dict[str, Any] = {"model": MODEL, "max_tokens": 200, "messages": said()}
    hold = world.hold(cache=CACHED, timeouts=TimeoutsConfig(commit_after=0.001))
    async with hold, hold.anthropic(user="alice") as client:
        first = await final(client, asked, stream=True)
        again = await final(client, asked, stream=False)
    assert len(world.simulator.requests) == 1
    assert again.content == first.content


@pytest.mark.requirement("cache:redis-away")
async def test_workers_of_a_fleet_share_answers_and_do_without_when_redis_is_gone(
    world: World, redis_server: RedisServer
) -> None:
    fleet = FleetConfig(redis_url=redis_server.url, workers=2)
    asked: dict[str, Any] = {"model": MODEL, "max_tokens": 200, "messages": said()}
    one, two, three = (world.hold(cache=CACHED, fleet=fleet) for _ in range(3))
    async with one, two, three:
        for hold in (one, two):
            await _connected(hold)
            async with hold.anthropic(user="alice") as client:
                await final(client, asked, stream=hold is two)
        assert len(world.simulator.requests) == 1
        redis_server.freeze()
        async with three.anthropic(user="alice") as client:
            await final(client, asked, stream=False)
        assert len(world.simulator.requests) == 2
        redis_server.thaw()


async def _connected(hold: Holdfast) -> None:
    """Come back once this worker has reached Redis: the first answer on a new line may come too late."""
    answers = hold.runtime.stations.quotas
    for _ in range(300):
        await answers.acquire(an_ask("warm", a_take(0)))
        if not answers.degraded:
            return
        await asyncio.sleep(0.01)


def test_the_gateway_says_that_an_answer_is_given_again(simulator: RunningSimulator) -> None:
    with serving(simulator, replace(quick_settings(simulator), cache=CACHED)) as gateway:
        first = ask(gateway.url, QUESTION)
        again = ask(gateway.url, QUESTION)
        stream = ask(gateway.url, {**QUESTION, "stream": True})
    assert again.json == first.json
    for answer in (again, stream):
        assert answer.headers["x-holdfast-outcome"] == "cached"
        assert answer.headers["x-holdfast-attempts"] == "0"
        assert Decimal(answer.headers["x-holdfast-cost"]) == 0
        assert answer.headers["x-holdfast-model"] == MODEL
        assert int(answer.headers["age"]) >= 0


def test_the_gateway_says_which_model_it_has_sent_a_request_to(simulator: RunningSimulator) -> None:
    routed = RouteConfig(enabled=True, rules=(RouteRule(to="large", words=("audit",)),))
    with serving(simulator, replace(quick_settings(simulator), route=routed)) as gateway:
        small = ask(gateway.url, {**QUESTION, "model": "auto"})
        large = ask(gateway.url, {**QUESTION, "messages": said("An audit, please.")})
        (dear, cheap) = gateway.records()
    assert small.headers["x-holdfast-model"] == "claude-haiku-5-5" == small.json["model"]
    assert large.headers["x-holdfast-model"] == "claude-opus-5-5"
    assert (cheap.model, cheap.served_model) == ("auto", "claude-haiku-5-5")
    assert cheap.cost is not None
    assert dear.cost is not None
    assert cheap.cost < dear.cost
    assert Decimal(small.headers["x-holdfast-cost"]) == cheap.cost


async def test_budgets_and_quotas_of_a_model_count_where_a_request_was_sent(world: World) -> None:
    hold = world.hold(
        route=RouteConfig(enabled=True, rules=(RouteRule(to="small"),)),
        quotas={"haiku": QuotaConfig(requests=1, per=60.0, scope="model")},
    )
    async with hold, hold.anthropic(user="alice") as client:
        await client.messages.create(model=MODEL, max_tokens=200, messages=said())
        with pytest.raises(anthropic.RateLimitError) as caught:
            await client.messages.create(model=MODEL, max_tokens=200, messages=said("More"))
        (attempt,) = await hold.runtime.ledger.attempts_of((await ledger(hold))[-1].request_id)
    assert "haiku" in str(caught.value)
    assert attempt.model == "claude-haiku-5-5"
