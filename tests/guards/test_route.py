"""The station that chooses a model: what it changes, what it leaves alone, and what it says was saved."""

import asyncio
import json
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast import Route
from holdfast.call import Call, Outcome, OwnWays, Principal
from holdfast.errors import NotAllowed, Stopped
from holdfast.events import Event, RouteChosen
from holdfast.guards import route
from holdfast.guards.route import RouteGuard
from holdfast.policy.price_table import ModelFacts
from holdfast.policy.route import AUTO, STICKY, RouteConfig, RouteRule
from holdfast.policy.routing import ModelsConfig
from holdfast.wire.messages import read_request
from holdfast.wire.usage import Usage
from tests.upstream.scripted import a_call

MODELS = ModelsConfig(small="small-1", standard="standard-1", large="large-1")
PRICES = {"small-1": 1, "standard-1": 10, "large-1": 100}
THOUGHT = {"type": "thinking", "thinking": "Hm.", "signature": "s"}
USAGE = Usage(input_tokens=1, output_tokens=2)


def price(model: str, usage: Usage, at: datetime) -> int | None:
    each = PRICES.get(model)
    return None if each is None else each * usage.output_tokens * 10**12


class World:
    """The station with models of three sizes, and what it announced."""

    def __init__(
        self, config: RouteConfig | None = None, *, only: tuple[str, ...] = (), **facts: Any
    ) -> None:
        self.events: list[Event] = []
        self.route = Route()
        self.guard = RouteGuard(
            config=RouteConfig(enabled=True) if config is None else config,
            models=MODELS,
            facts=lambda model: ModelFacts(id=model, **facts[model]) if model in facts else None,
            serves=lambda model: not only or model in only,
            price=price,
            told=self.route.told,
            observe=self.events.append,
        )

    async def sent(self, call: Call, *, served: str | None = None, **outcome: Any) -> Call:
        """The call as it goes on, answered and settled."""
        step = await self.guard(call)
        if step.settle is not None:
            said: dict[str, Any] = {
                "end": "answered",
                "status": 200,
                "attempts": 1,
                "usage": USAGE,
                **outcome,
            }
            await step.settle(Outcome(**said, served_model=served))
        return step.call

    async def model(self, call: Call, **outcome: Any) -> str:
        return (await self.sent(call, **outcome)).request.model

    @property
    def chosen(self) -> RouteChosen:
        event = self.events[-1]
        assert isinstance(event, RouteChosen)
        return event


def talk(
    *content: Any, model: str = "standard-1", run: str | None = None, agent: str | None = None, **members: Any
) -> Call:
    """A call of a conversation with these turns."""
    roles = ("user", "assistant")
    messages = [{"role": roles[at % 2], "content": one} for at, one in enumerate(content or ("Hi",))]
    body = json.dumps({"model": model, "max_tokens": 10, "messages": messages, **members}).encode()
    principal = Principal(door="gateway", key="web", run=run, agent=agent)
    return replace(a_call(), body=body, request=read_request(body), principal=principal)


def thinking(first: str = "Hi", **members: Any) -> Call:
    return talk(first, [THOUGHT, {"type": "text", "text": "Yes."}], "And?", **members)


async def test_a_simple_request_goes_to_the_small_model_and_changes_in_nothing_else() -> None:
    world, call = World(), talk()
    sent = await world.sent(call, served="small-1")
    assert sent.request == replace(call.request, model="small-1")
    assert sent.body == call.body.replace(b"standard-1", b"small-1")
    assert world.chosen == RouteChosen(
        request_id="hfr_test", asked="standard-1", chosen="small-1", rule="score", shadow=False, saved="18"
    )
    stats = world.route.stats()
    assert (stats.calls, stats.changed, stats.saved, stats.by_model) == (1, 1, Decimal(18), {"small-1": 1})


async def test_a_request_that_stays_where_it_is_is_not_touched() -> None:
    world, call = World(RouteConfig(enabled=True, rules=(RouteRule(to="standard"),))), talk()
    assert await world.sent(call) is call
    assert world.chosen.saved == "0"
    assert world.route.stats().changed == 0


@pytest.mark.parametrize("config", [RouteConfig(), RouteConfig(enabled=True, models=("other",))])
async def test_what_is_not_to_be_routed_is_left_alone(config: RouteConfig) -> None:
    world, call = World(config), talk()
    assert await world.sent(call) is call
    assert world.events == []


async def test_a_model_that_was_asked_for_by_name_is_what_is_asked() -> None:
    assert await World().model(talk(model="large-1")) == "large-1"


async def test_auto_is_whatever_fits() -> None:
    world = World()
    assert await world.model(talk(model=AUTO)) == "small-1"
    assert world.chosen.asked == AUTO
    assert world.chosen.saved == "18"


@pytest.mark.requirement("route:shadow")
async def test_in_shadow_nothing_changes_and_the_saving_is_reckoned_from_what_was_used() -> None:
    world, call = World(RouteConfig(enabled=True, shadow=True)), talk()
    assert await world.sent(call, served="standard-1") is call
    assert (world.chosen.shadow, world.chosen.chosen, world.chosen.saved) == (True, "small-1", "18")
    assert await world.model(talk(model=AUTO)) == "standard-1"


async def test_a_dearer_choice_saves_less_than_nothing() -> None:
    world = World(RouteConfig(enabled=True, rules=(RouteRule(to="large"),)))
    await world.sent(talk(), served="large-1")
    assert world.chosen.saved == "-180"
    assert world.route.stats().saved == Decimal(-180)


@pytest.mark.parametrize(
    ("outcome", "saved"),
    [({"served": "unpriced"}, None), ({"is_unbilled": True}, "0"), ({"usage": Usage()}, "0")],
)
async def test_what_was_saved_is_never_guessed(outcome: dict[str, Any], saved: str | None) -> None:
    world = World()
    await world.sent(talk(), **outcome)
    assert world.chosen.saved == saved


@pytest.mark.parametrize("outcome", [{"attempts": 0}, {"label": "fallback"}, {"label": "cached"}])
async def test_a_call_that_no_model_has_answered_counts_for_nothing(outcome: dict[str, Any]) -> None:
    world = World()
    await world.sent(talk(), **outcome)
    assert world.events == []


async def test_a_conversation_with_thinking_stays_with_the_model_that_has_thought() -> None:
    world = World(RouteConfig(enabled=True, rules=(RouteRule(to="large", words=("audit",)),)))
    assert await world.model(talk("Hi")) == "small-1"
    assert await world.model(thinking("Hi")) == "small-1"
    assert world.chosen.rule == STICKY
    assert await world.model(talk("An audit")) == "large-1"
    assert await world.model(thinking("An audit", model=AUTO)) == "large-1"


async def test_a_conversation_that_nobody_remembers_stays_with_the_model_it_names() -> None:
    assert await World().model(thinking()) == "standard-1"
    assert await World().model(thinking(model=AUTO)) == "standard-1"


async def test_a_conversation_whose_beginning_was_cut_off_is_known_by_its_run() -> None:
    world = World()
    assert await world.model(talk("Hi", run="r", agent="a")) == "small-1"
    assert await world.model(thinking("later", run="r", agent="a")) == "small-1"
    assert await world.model(thinking("later", run="r", agent="b")) == "standard-1"
    assert await world.model(thinking("later")) == "standard-1"
    assert await world.model(talk([], run=None)) == "small-1"


async def test_the_model_that_stood_in_is_the_one_that_is_remembered() -> None:
    world = World()
    await world.model(talk("Hi"), asked_model="large-1")
    assert await world.model(thinking("Hi")) == "large-1"


async def test_only_so_many_conversations_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(route, "KEPT", 2)
    world = World()
    for first in ("one", "two", "three"):
        await world.model(talk(first))
    assert [await world.model(thinking(first)) for first in ("two", "one")] == ["small-1", "standard-1"]


@pytest.mark.requirement("route:sticky")
@given(
    st.lists(st.tuples(st.sampled_from(["Hi", "prove", "An audit"]), st.booleans()), min_size=1, max_size=12)
)
def test_thinking_never_meets_another_model_than_its_own(turns: list[tuple[str, bool]]) -> None:
    """However conversations are mixed: one with thinking in it is served by the model that served it before."""

    async def story() -> None:
        world = World(RouteConfig(enabled=True, rules=(RouteRule(to="large", words=("audit",)),)))
        served: dict[str, str] = {}
        for first, has_thought in turns:
            model = await world.model(thinking(first) if has_thought else talk(first))
            if has_thought:
                assert model == served.get(first, "standard-1")
            served[first] = model

    asyncio.run(story())


@pytest.mark.parametrize(
    ("call", "facts", "model"),
    [
        (talk(max_tokens=9), {"small-1": {"max_output_tokens": 8}}, "standard-1"),
        (talk(), {"small-1": {"context_window": 15}, "standard-1": {"context_window": 15}}, "large-1"),
        (talk(thinking={"type": "enabled"}), {"small-1": {"thinking": "adaptive opt-in"}}, "standard-1"),
        (talk(tool_choice={"type": "any"}), {"small-1": {"forced_tool_choice": False}}, "standard-1"),
    ],
)
async def test_nothing_goes_to_a_model_that_lacks_what_it_needs(
    call: Call, facts: dict[str, Any], model: str
) -> None:
    small = RouteConfig(enabled=True, rules=(RouteRule(to="small"),))
    assert await World(small, **facts).model(call) == model


async def test_images_go_to_no_model_that_takes_none() -> None:
    image = {"type": "image", "source": {"type": "url", "url": "https://example.com/a.png"}}
    world = World(RouteConfig(enabled=True, text_only=("small-1",)))
    assert await world.model(talk([image])) == "standard-1"
    assert await world.model(talk()) == "small-1"


async def test_nothing_goes_to_a_model_that_no_upstream_has() -> None:
    assert await World(only=("standard-1",)).model(talk()) == "standard-1"
    assert await World(only=("nothing",)).model(talk()) == "standard-1"
    assert await World(only=("nothing",)).model(talk(model=AUTO)) == "standard-1"


def barred(call: Call, *models: str) -> Call:
    def barrier(model: str) -> Stopped | None:
        return Stopped("stopped") if model in models else None

    return replace(call, barrier=barrier)


async def test_nothing_goes_to_a_model_that_is_stopped() -> None:
    assert await World().model(barred(talk(), "small-1")) == "standard-1"
    world = World()
    await world.model(talk("Hi"))
    with pytest.raises(Stopped):
        await world.model(barred(thinking("Hi"), "small-1"))


async def test_nobody_gets_to_a_model_that_his_key_is_not_for() -> None:
    def of(call: Call, *models: str) -> Call:
        return replace(call, own_ways=OwnWays(models=frozenset(models)))

    assert await World().model(of(talk(), "standard-1", "large-1")) == "standard-1"
    assert await World().model(of(talk(model=AUTO), AUTO, "small-1")) == "small-1"
    with pytest.raises(NotAllowed) as caught:
        await World().model(of(talk(model=AUTO), AUTO, "another"))
    assert "standard-1" in caught.value.say("en")
    assert "standard-1" in caught.value.say("ko")


async def test_a_call_that_brings_its_own_route_is_routed_by_that_whatever_it_asks_for() -> None:
    world, own = World(RouteConfig()), Route(rules=[{"to": "large"}])
    call = replace(talk(model="whatever"), own_ways=OwnWays(route=own.config, routed=own.told))
    assert await world.model(call) == "large-1"
    assert own.stats().by_model == {"large-1": 1}
    assert world.route.stats().calls == 0


async def test_an_own_route_that_names_models_leaves_others_alone() -> None:
    own = Route(models=["x"])
    call = replace(talk(), own_ways=OwnWays(route=own.config, routed=own.told))
    assert await World().sent(call) is call
