"""Agents that are routed, whose answers are kept, and whose prompts are marked for the cache of the API."""

import asyncio
import json
from decimal import Decimal

import pytest

from holdfast import Budget, Cache, Holdfast, Route, tool
from holdfast.agent import shares
from holdfast.agent.shares import CacheShares
from holdfast.agent.ways import ways_of
from holdfast.call import NO_WAYS
from holdfast.events import AnswerReused, RouteChosen
from holdfast.policy.routing import ModelsConfig
from holdfast.wire.meter import Meter
from tests.agent.conftest import World

PATIENT = "You are patient and kind. " * 400


@tool
def weather(city: str) -> str:
    """Look up the weather of a city."""
    return f"{city}: sunny"


async def test_the_same_question_is_answered_from_the_cache_and_costs_nothing(
    world: World, hold: Holdfast
) -> None:
    agent = hold.agent(cache=Cache())
    first = await agent.chat("Where is order 42?", user="alice")
    again = await agent.chat("Where is order 42?", user="alice")
    assert (first.outcome, again.outcome) == ("answered", "cached")
    assert again.text == first.text
    assert again.cost == Decimal(0)
    assert (again.attempts, again.usage.output_tokens) == (0, first.usage.output_tokens)
    assert len(world.bodies()) == 1
    metrics = agent.metrics()
    assert (metrics.total_cost, metrics.total_output_tokens) == (first.cost, first.usage.output_tokens)


async def test_a_stream_is_answered_from_it_too(hold: Holdfast) -> None:
    agent = hold.agent(cache=Cache())
    first = await agent.chat("Hello", user="alice")
    assert "".join([text async for text in agent.stream("Hello", user="alice")]) == first.text


async def test_a_conversation_goes_on_behind_an_answer_from_the_cache(world: World, hold: Holdfast) -> None:
    agent = hold.agent(cache=Cache())
    await agent.chat("Hello")
    cached = await agent.chat("Hello")
    await agent.chat("And then?", conversation=cached.conversation)
    assert [turn["role"] for turn in world.bodies()[-1]["messages"]] == ["user", "assistant", "user"]


async def test_a_hundred_chats_at_once_are_one_request(world: World, hold: Holdfast) -> None:
    agent = hold.agent(cache=Cache())
    replies = await asyncio.gather(*(agent.chat("Hello", user="alice") for _ in range(100)))
    assert len(world.bodies()) == 1
    assert len({reply.text for reply in replies}) == 1
    assert sum(reply.cost or 0 for reply in replies) == world.simulator.billed


async def test_agents_share_a_cache_that_both_were_given(hold: Holdfast) -> None:
    cache = Cache(scope="key")
    await hold.agent(cache=cache).chat("Hello")
    assert (await hold.agent(cache=cache).chat("Hello")).outcome == "cached"
    assert (await hold.agent().chat("Hello")).outcome == "answered"
    assert (cache.stats().hits, cache.stats().misses) == (1, 1)


async def test_results_of_tools_are_read_anew(world: World, hold: Holdfast) -> None:
    agent = hold.agent(cache=Cache(), tools=[weather])
    for _ in range(2):
        reply = await agent.chat("Please use the tool weather for Seoul.", user="alice")
        assert reply.outcome == "answered"
    assert len(world.bodies()) == 4


async def test_a_route_sends_each_question_to_its_model(world: World, hold: Holdfast) -> None:
    route = Route(rules=[{"words": ["audit", "감사"], "to": "large"}])
    agent = hold.agent(route=route)
    simple, hard = await agent.chat("Hello"), await agent.chat("감사를 준비해 줘")
    assert (simple.model, hard.model) == ("claude-haiku-5-5", "claude-opus-5-5")
    assert [body["model"] for body in world.bodies()] == [simple.model, hard.model]
    stats = route.stats()
    assert (stats.calls, stats.by_model) == (2, {"claude-haiku-5-5": 1, "claude-opus-5-5": 1})
    events = [event for event in world.events if isinstance(event, RouteChosen)]
    assert stats.saved == sum(Decimal(event.saved or 0) for event in events)
    assert [event.rule for event in events] == ["score", "rule 1"]


async def test_in_shadow_it_only_says_what_it_would_have_saved(world: World, hold: Holdfast) -> None:
    route = Route(shadow=True)
    reply = await hold.agent(route=route).chat("Hello")
    assert reply.model == "claude-sonnet-5-5"
    would = hold.runtime.prices.cost("claude-haiku-5-5", reply.usage)
    assert reply.cost is not None
    assert route.stats().saved == reply.cost - would > 0


async def test_an_own_budget_pays_for_the_model_that_was_chosen(world: World) -> None:
    with world.hold(models=ModelsConfig(standard="claude-opus-5-5")) as hold:
        budget = Budget(usd="0.003", per="day")
        reply = await hold.agent(route=Route(), budget=budget, fallback=None).chat("Hello")
    assert reply.model == "claude-haiku-5-5"


async def test_what_is_reused_is_announced(world: World, hold: Holdfast) -> None:
    agent = hold.agent(cache=Cache())
    first = await agent.chat("Hello")
    await agent.chat("Hello")
    (event,) = [event for event in world.events if isinstance(event, AnswerReused)]
    assert Decimal(event.saved or 0) == first.cost


async def test_a_long_prompt_is_marked_and_read_from_the_cache_of_the_api(
    world: World, hold: Holdfast
) -> None:
    agent = hold.agent(system=PATIENT, tools=[weather])
    first = await agent.chat("Please use the tool weather for Seoul.")
    later = await agent.chat("And now?", conversation=first.conversation)
    assert first.cache_hit_share is not None
    assert later.cache_hit_share is not None
    assert 0 < first.cache_hit_share < later.cache_hit_share < 1
    assert [json.dumps(body).count("cache_control") for body in world.bodies()] == [2, 3, 3]
    assert later.usage.cache_read_input_tokens > 0.9 * later.usage.prompt_tokens


async def test_a_short_prompt_is_sent_as_it_is(world: World, hold: Holdfast) -> None:
    reply = await hold.agent(system="Be kind.").chat("Hello")
    assert world.bodies()[0]["system"] == "Be kind."
    assert reply.cache_hit_share == 0.0


async def test_a_conversation_of_nothing_but_cached_answers_has_sent_nothing(hold: Holdfast) -> None:
    agent = hold.agent(cache=Cache())
    await agent.chat("Hello")
    assert (await agent.chat("Hello")).cache_hit_share is None


def test_only_so_many_conversations_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shares, "KEPT", 1)
    meter = Meter()
    usage = {"input_tokens": 30, "cache_read_input_tokens": 10, "output_tokens": 1}
    meter.observe_body(json.dumps({"type": "message", "content": [], "usage": usage}).encode())
    counted = CacheShares()
    assert counted.add("a", [meter]) == 0.25
    assert counted.add("b", []) is None
    assert counted.add("a", []) is None


def test_an_agent_without_either_goes_the_ways_of_the_settings() -> None:
    assert ways_of(None, None) is NO_WAYS
    assert ways_of(Cache(), None).route is None
    assert ways_of(None, Route()).cache is None
