"""The station of answers that are given again: to whom, when, and what happens to those who ask at once."""

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast import Cache
from holdfast.call import Call, Outcome, OwnTools, OwnWays, Principal, Response, Unanswered
from holdfast.errors import StoreUnavailable, UpstreamUnavailable
from holdfast.events import AnswerReused, Event
from holdfast.guards.cache import CacheGuard
from holdfast.parts.cache import MemoryAnswers
from holdfast.pipeline import Answer, Guard, Pipeline, Proceed, Settling
from holdfast.policy.caching import CacheConfig, Stored
from holdfast.ports import Vector
from holdfast.testing import FakeClock
from holdfast.upstream.bodies import WholeBody
from holdfast.wire.headers import Headers, get
from holdfast.wire.messages import read_request
from holdfast.wire.meter import Meter
from holdfast.wire.replay import stream_of, whole_of_stream
from holdfast.wire.sse import Splitter
from holdfast.wire.usage import Usage
from tests.upstream.scripted import a_call

MESSAGE: dict[str, Any] = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "claude-sonnet-5-5",
    "content": [{"type": "text", "text": "Hello, Alice."}],
    "stop_reason": "end_turn",
    "stop_sequence": None,
    "usage": {"input_tokens": 7, "output_tokens": 3},
}
RESULT = {"type": "tool_result", "tool_use_id": "t", "content": "sunny"}


@dataclass
class Upstream:
    """Answers every call with one message, as soon as it may; counts the calls."""

    message: dict[str, Any] = field(default_factory=lambda: MESSAGE)
    headers: Headers = ()
    calls: list[Call] = field(default_factory=list[Call])
    may_go: asyncio.Event = field(default_factory=asyncio.Event)
    fails: int = 0
    status: int = 200
    label: Any = "answered"
    asked_model: str | None = None

    async def __call__(self, call: Call) -> Response | Unanswered:
        self.calls.append(call)
        call.tally.attempts += 1
        await self.may_go.wait()
        if len(self.calls) <= self.fails:
            return Unanswered(error=UpstreamUnavailable("nobody there"))
        whole = json.dumps(self.message).encode()
        body = stream_of(whole) if call.request.stream else whole
        meter = Meter()
        if call.request.stream:
            for event in Splitter().feed(body):
                meter.observe(event)
        else:
            meter.observe_body(whole)
        kind = "text/event-stream" if call.request.stream else "application/json"
        return Response(
            status=self.status,
            headers=(("content-type", kind), *self.headers),
            body=WholeBody(body),
            meter=meter,
            length=None if call.request.stream else len(body),
            attempts=1,
            asked_model=self.asked_model,
            label=self.label,
        )


def price(model: str, usage: Usage, at: datetime) -> int | None:
    return None if model == "free" else usage.output_tokens * 10**12


class World:
    """A cache, the station before an upstream, and what was announced and settled."""

    def __init__(self, *behind: Guard, fleet: MemoryAnswers | None = None, **settings: Any) -> None:
        self.clock = FakeClock()
        self.cache = Cache.of(replace(CacheConfig(enabled=True), **settings), self.clock)
        self.events: list[Event] = []
        self.upstream = Upstream()
        self.upstream.may_go.set()
        self.outcomes: list[Outcome] = []
        self.guard = CacheGuard(
            cache=self.cache.own,
            fleet=fleet,
            secret=b"s" * 32,
            price=price,
            clock=self.clock,
            observe=self.events.append,
        )
        self.pipeline = Pipeline((self._note, self.guard, *behind), lambda call: self.upstream(call))

    async def _note(self, call: Call) -> Proceed:
        async def settle(outcome: Outcome) -> None:
            self.outcomes.append(outcome)

        return Proceed(call, settle)

    async def ask(self, call: Call | None = None) -> tuple[Settling, bytes]:
        answer = await self.pipeline(a_question(clock=self.clock) if call is None else call)
        return answer, await answer.read()

    async def labels(self, *calls: Call) -> list[str]:
        return [(await self.ask(call))[0].response.label for call in calls]

    def call(self, text: str = "Hi", **members: Any) -> Call:
        return a_question(text, clock=self.clock, **members)


def a_question(
    text: str = "Hi", *, clock: FakeClock, stream: bool = False, user: str | None = "alice", **members: Any
) -> Call:
    call = a_call(text, clock=clock)
    document = {**json.loads(call.body), "stream": stream, **members}
    body = json.dumps(document).encode()
    principal = Principal(door="gateway", key="web", user=user)
    return replace(call, body=body, request=read_request(body), principal=principal)


async def test_the_same_question_is_answered_again_and_nobody_is_asked() -> None:
    world = World()
    _, first = await world.ask()
    world.clock.advance(12.5)
    answer, again = await world.ask()
    assert again == first
    assert len(world.upstream.calls) == 1
    response = answer.response
    assert (response.status, response.label, response.attempts, response.length) == (
        200,
        "cached",
        0,
        len(again),
    )
    assert get(response.headers, "age") == "12"
    assert get(response.headers, "content-type") == "application/json"


async def test_a_hit_costs_nothing_and_says_what_it_had_used() -> None:
    world = World()
    await world.ask()
    answer, body = await world.ask()
    outcome = world.outcomes[-1]
    assert (outcome.end, outcome.label, outcome.attempts, outcome.usage) == ("answered", "cached", 0, Usage())
    assert answer.response.meter.usage.output_tokens == json.loads(body)["usage"]["output_tokens"] == 3
    assert answer.response.meter.is_unbilled


async def test_what_was_saved_is_announced_and_counted() -> None:
    world = World()
    await world.ask()
    world.clock.advance(2.0)
    await world.ask()
    assert world.events == [
        AnswerReused(request_id="hfr_test", model="claude-sonnet-5-5", how="exact", age=2.0, saved="3")
    ]
    stats = world.cache.stats()
    assert (stats.hits, stats.misses, stats.saved, stats.entries) == (1, 1, Decimal(3), 1)
    assert stats.hit_rate == 0.5


async def test_an_answer_without_a_price_saves_nobody_knows_what() -> None:
    world = World()
    world.upstream.message = {**MESSAGE, "model": "free"}
    await world.ask()
    await world.ask()
    assert [event.saved for event in world.events if isinstance(event, AnswerReused)] == [None]
    assert world.cache.stats().saved == 0


@pytest.mark.parametrize("first", [False, True])
async def test_a_whole_answer_is_streamed_and_a_streamed_one_told_whole(first: bool) -> None:
    world = World()
    await world.ask(world.call(stream=first))
    answer, body = await world.ask(world.call(stream=not first))
    assert answer.response.label == "cached"
    told = body if first else whole_of_stream(body)
    assert told is not None
    assert json.loads(told) == MESSAGE
    kind = get(answer.response.headers, "content-type") or ""
    assert kind.startswith("text/event-stream") is not first


async def test_an_answer_is_too_old_after_its_time() -> None:
    world = World(ttl=60.0)
    assert await world.labels(world.call()) == ["answered"]
    world.clock.advance(59.0)
    assert await world.labels(world.call()) == ["cached"]
    world.clock.advance(1.0)
    assert await world.labels(world.call()) == ["answered"]


async def test_users_share_nothing_unless_told_to() -> None:
    world = World()
    assert await world.labels(world.call(), world.call(user="bob")) == ["answered", "answered"]
    shared = World(scope="key", personalised=True)
    assert await shared.labels(shared.call(), shared.call(user="bob")) == ["answered", "cached"]
    personal = World(scope="key")
    assert await personal.labels(personal.call(), personal.call()) == ["answered", "answered"]


@pytest.mark.requirement("cache:tenants")
@given(st.lists(st.tuples(*[st.sampled_from(["a", "b"])] * 3), min_size=2, max_size=6))
def test_nobody_ever_hears_what_another_tenant_was_told(askers: list[tuple[str, str, str]]) -> None:
    async def story() -> None:
        world = World()
        for key, user, words in askers:
            said = f"to {key} {user}: {words}"
            world.upstream.message = {**MESSAGE, "content": [{"type": "text", "text": said}]}
            call = replace(world.call(words), principal=Principal(door="gateway", key=key, user=user))
            _, body = await world.ask(call)
            assert json.loads(body)["content"][0]["text"] == said

    asyncio.run(story())


@pytest.mark.parametrize(
    ("message", "headers"),
    [
        ({"stop_reason": "max_tokens"}, ()),
        ({"stop_reason": "refusal"}, ()),
        ({"stop_reason": "tool_use"}, ()),
        ({"stop_reason": None}, ()),
        ({"content": "odd"}, ()),
        ({}, (("x-holdfast-degraded", "model"),)),
        ({}, (("x-holdfast-held-tools", "pay"),)),
    ],
)
async def test_what_is_no_whole_and_plain_answer_is_not_given_again(
    message: dict[str, Any], headers: Headers
) -> None:
    world = World()
    world.upstream.message = {**MESSAGE, **message}
    world.upstream.headers = headers
    assert await world.labels(world.call(), world.call()) == ["answered", "answered"]


@pytest.mark.parametrize(
    "change", [{"status": 529}, {"label": "fallback"}, {"asked_model": "claude-haiku-5-5"}]
)
async def test_an_error_and_what_others_said_instead_are_not_given_again(change: dict[str, Any]) -> None:
    world = World()
    for name, value in change.items():
        setattr(world.upstream, name, value)
    await world.labels(world.call(), world.call())
    assert len(world.upstream.calls) == 2


async def test_an_answer_that_is_too_long_is_not_kept() -> None:
    world = World(max_answer=100)
    assert await world.labels(world.call(), world.call()) == ["answered", "answered"]


async def test_an_answer_that_was_not_read_to_its_end_is_not_kept() -> None:
    world = World()
    answer = await world.pipeline(world.call(stream=True))
    await answer.aclose()
    assert await world.labels(world.call()) == ["answered"]


@pytest.mark.parametrize(
    "members",
    [
        {"messages": [{"role": "user", "content": [RESULT]}]},
        {"messages": [{"role": "user", "content": [RESULT]}, {"role": "assistant", "content": "x"}]},
        {"container": "c_1"},
    ],
)
async def test_what_has_read_other_texts_is_not_kept(members: dict[str, Any]) -> None:
    world = World()
    assert await world.labels(world.call(**members), world.call(**members)) == ["answered", "answered"]
    assert world.cache.stats().misses == 0


async def test_it_is_kept_where_that_was_asked_for() -> None:
    world = World(tainted=True)
    call = world.call(messages=[{"role": "user", "content": [RESULT]}])
    assert await world.labels(call, replace(call)) == ["answered", "cached"]


async def test_a_call_with_a_note_to_the_model_is_always_sent() -> None:
    world = World()
    noted = replace(world.call(), notices=("You repeat yourself.",))
    assert await world.labels(world.call(), noted) == ["answered", "answered"]


@pytest.mark.parametrize("said", ["no-cache", "max-age=0, No-Store"])
async def test_a_caller_may_ask_for_a_fresh_answer(said: str) -> None:
    world = World()
    call = world.call()
    fresh = replace(call, headers=(*call.headers, ("cache-control", said)))
    assert await world.labels(fresh, call, fresh, call) == ["answered", "answered", "answered", "cached"]


async def test_calls_of_tools_are_given_again_only_where_nothing_has_to_be_judged() -> None:
    world = World(tool_calls=True, tainted=True)
    world.upstream.message = {**MESSAGE, "stop_reason": "tool_use"}
    plain = world.call()
    own = replace(world.call("mine"), own_tools=OwnTools(doubted=lambda id, why: None))
    tainted = world.call(messages=[{"role": "user", "content": [RESULT]}])
    for call, label in ((plain, "cached"), (own, "answered"), (tainted, "answered")):
        assert await world.labels(call, replace(call)) == ["answered", label]


async def test_without_a_cache_nothing_is_kept() -> None:
    world = World(enabled=False)
    assert await world.labels(world.call(), world.call()) == ["answered", "answered"]


async def test_a_call_brings_a_cache_of_its_own() -> None:
    world = World(enabled=False)
    own = Cache(clock=world.clock)
    call = replace(world.call(), own_ways=OwnWays(cache=own.own))
    assert await world.labels(call, replace(call)) == ["answered", "cached"]
    assert own.stats().hits == 1
    assert repr(own) == "Cache(ttl=3600, scope='user', entries=1)"


async def test_a_question_that_a_later_guard_has_changed_is_not_kept_under_its_old_name() -> None:
    async def shorten(call: Call) -> Proceed:
        return Proceed(replace(call, body=call.body.replace(b"1024", b"10")))

    world = World(shorten)
    assert await world.labels(world.call(), world.call()) == ["answered", "answered"]


@pytest.mark.requirement("cache:once")
async def test_a_hundred_who_ask_at_once_are_answered_by_one_call() -> None:
    world = World()
    world.upstream.may_go.clear()
    asking = [asyncio.ensure_future(world.ask(world.call(stream=n % 2 == 0))) for n in range(100)]
    await asyncio.sleep(0.01)
    world.upstream.may_go.set()
    answers = await asyncio.gather(*asking)
    assert len(world.upstream.calls) == 1
    labels = [answer.response.label for answer, _ in answers]
    assert (labels.count("answered"), labels.count("cached")) == (1, 99)
    hows = {event.how for event in world.events if isinstance(event, AnswerReused)}
    assert hows == {"waited"}


async def test_those_of_another_cache_do_not_wait_for_one_another() -> None:
    world = World()
    world.upstream.may_go.clear()
    caches = [Cache(clock=world.clock) for _ in range(2)]
    calls = [replace(world.call(), own_ways=OwnWays(cache=cache.own)) for cache in caches]
    asking = [asyncio.ensure_future(world.ask(call)) for call in calls]
    await asyncio.sleep(0.01)
    assert len(world.upstream.calls) == 2
    world.upstream.may_go.set()
    await asyncio.gather(*asking)


async def test_when_the_one_who_goes_fails_each_goes_by_himself() -> None:
    world = World()
    world.upstream.fails = 1
    world.upstream.may_go.clear()
    asking = [asyncio.ensure_future(world.ask(world.call())) for _ in range(5)]
    await asyncio.sleep(0.01)
    world.upstream.may_go.set()
    ended = await asyncio.gather(*asking, return_exceptions=True)
    assert sum(isinstance(one, UpstreamUnavailable) for one in ended) == 1
    assert len(world.upstream.calls) == 5
    assert await world.labels(world.call()) == ["cached"]


async def test_when_the_one_who_goes_is_cancelled_the_others_live_on() -> None:
    world = World()
    world.upstream.may_go.clear()
    leader = asyncio.ensure_future(world.ask(world.call()))
    await asyncio.sleep(0.001)
    others = [asyncio.ensure_future(world.ask(world.call())) for _ in range(3)]
    await asyncio.sleep(0.001)
    leader.cancel()
    await asyncio.wait([leader])
    world.upstream.may_go.set()
    answers = await asyncio.gather(*others)
    assert leader.cancelled()
    assert [answer.response.status for answer, _ in answers] == [200, 200, 200]


async def test_one_who_stops_waiting_disturbs_nobody() -> None:
    world = World()
    world.upstream.may_go.clear()
    leader = asyncio.ensure_future(world.ask(world.call()))
    await asyncio.sleep(0.001)
    gone, stays = (asyncio.ensure_future(world.ask(world.call())) for _ in range(2))
    await asyncio.sleep(0.001)
    gone.cancel()
    await asyncio.wait([gone])
    world.upstream.may_go.set()
    assert (await leader)[0].response.label == "answered"
    assert (await stays)[0].response.label == "cached"


async def test_nobody_waits_longer_than_he_is_told_to() -> None:
    world = World(wait=0.01)
    world.upstream.may_go.clear()
    asking = [asyncio.ensure_future(world.ask(world.call())) for _ in range(2)]
    await asyncio.sleep(0.1)
    assert len(world.upstream.calls) == 2
    world.upstream.may_go.set()
    assert {answer.response.label for answer, _ in await asyncio.gather(*asking)} == {"answered"}


async def test_a_call_that_is_refused_behind_the_cache_leaves_the_way_to_others() -> None:
    refusing = [True]

    async def refuse(call: Call) -> Proceed:
        if refusing.pop():
            raise StoreUnavailable("no money")
        return Proceed(call)

    world = World(refuse)
    with pytest.raises(StoreUnavailable):
        await world.ask()
    refusing.append(False)
    assert await world.labels(world.call()) == ["answered"]


class Broken(MemoryAnswers):
    """A store that fails in a way that no store may."""

    async def find(self, name: str) -> Stored | None:
        raise KeyError(name)


async def test_a_store_that_crashes_costs_one_call_and_blocks_no_other() -> None:
    world = World()
    broken = replace(world.cache.own, store=Broken(CacheConfig(), world.clock))
    call = replace(world.call(), own_ways=OwnWays(cache=broken))
    for _ in range(2):
        with pytest.raises(KeyError):
            await world.ask(call)


async def test_what_another_worker_was_told_is_given_again_and_kept_here() -> None:
    fleet = MemoryAnswers(CacheConfig(), FakeClock())
    one, two = World(fleet=fleet), World(fleet=fleet)
    assert await one.labels(one.call()) == ["answered"]
    assert await two.labels(two.call()) == ["cached"]
    assert two.cache.stats().entries == 1
    assert two.upstream.calls == []


async def test_a_cache_that_is_not_shared_neither_tells_nor_asks_the_fleet() -> None:
    fleet = MemoryAnswers(CacheConfig(), FakeClock())
    alone = World(fleet=fleet, shared=False)
    assert await alone.labels(alone.call()) == ["answered"]
    assert fleet.entries == 0


class Meanings:
    """Says that two questions mean the same if they begin with the same letter; fails where it is told to."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.fails = False

    async def embed(self, texts: Sequence[str]) -> Sequence[Vector]:
        self.asked += texts
        if self.fails:
            raise ValueError("no model")
        return [(1.0, 0.0) if text.startswith("H") else (0.0, 1.0) for text in texts]


def with_meanings(world: World, meanings: Meanings) -> Cache:
    world.cache = Cache(embedder=meanings, clock=world.clock)
    return world.cache


async def similar(world: World, cache: Cache, *calls: Call) -> list[str]:
    return await world.labels(*(replace(call, own_ways=OwnWays(cache=cache.own)) for call in calls))


async def test_a_question_that_means_the_same_gets_the_same_answer() -> None:
    world, meanings = World(), Meanings()
    cache = with_meanings(world, meanings)
    calls = [world.call(text) for text in ("Hi", "Hello", "Bye", "Hello")]
    assert await similar(world, cache, *calls) == ["answered", "cached", "answered", "cached"]
    assert [event.how for event in world.events if isinstance(event, AnswerReused)] == ["similar", "similar"]


async def test_meaning_the_same_counts_only_where_all_else_is_the_same() -> None:
    world, meanings = World(), Meanings()
    cache = with_meanings(world, meanings)
    calls = [world.call("Hi"), world.call("Hello", system="Be brief."), world.call("Hello", user="bob")]
    assert await similar(world, cache, *calls) == ["answered"] * 3


@pytest.mark.parametrize(
    "turns",
    [
        [
            {
                "role": "user",
                "content": [{"type": "image", "source": {"type": "url", "url": "https://a.example"}}],
            }
        ],
        [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Dear"}],
    ],
)
async def test_what_is_no_plain_question_is_not_looked_up_by_meaning(turns: list[Any]) -> None:
    world, meanings = World(), Meanings()
    call = world.call(messages=turns)
    assert await similar(world, with_meanings(world, meanings), call) == ["answered"]
    assert meanings.asked == []


async def test_an_embedder_that_fails_makes_it_a_new_question() -> None:
    world, meanings = World(), Meanings()
    meanings.fails = True
    cache = with_meanings(world, meanings)
    assert await similar(world, cache, world.call("Hi"), world.call("Hi")) == ["answered", "cached"]


async def test_an_answer_that_is_gone_is_not_found_by_its_meaning() -> None:
    world, meanings = World(), Meanings()
    cache = with_meanings(world, meanings)
    await similar(world, cache, world.call("Hi"))
    world.clock.advance(4_000.0)
    assert await similar(world, cache, world.call("Hello")) == ["answered"]


async def test_a_hit_passes_by_every_station_behind() -> None:
    passed: list[str] = []

    async def money(call: Call) -> Proceed | Answer:
        passed.append(call.request_id)
        return Proceed(call)

    world = World(money)
    await world.labels(world.call(), world.call(), world.call())
    assert len(passed) == 1
