"""No answer that a request can lead to is billed above its ceiling: answers are made up step by step."""

from dataclasses import dataclass, replace
from datetime import date
from importlib import resources

from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.policy import price_table, pricing
from holdfast.policy.ceiling import affordable_max_tokens, ceiling
from holdfast.wire.demand import Demand, ServerTool, Substitute
from holdfast.wire.messages import MessagesRequest
from holdfast.wire.usage import Iteration, TokenCounts, Usage

TABLE = price_table.read(resources.files("holdfast.policy").joinpath("prices.json").read_bytes())
PRICED = sorted(name for name, model in TABLE.models.items() if model.periods)
MODELS = st.sampled_from(PRICED)
DAYS = st.dates(min_value=date(2025, 9, 1), max_value=date(2027, 6, 1))
COUNTS = ("input_tokens", "output_tokens", "cache_read_input_tokens", "cache_creation_input_tokens")

TOOLS = st.one_of(
    st.builds(ServerTool, kind=st.just("search"), max_uses=st.integers(0, 14)),
    st.builds(
        ServerTool, kind=st.just("fetch"), max_uses=st.integers(0, 3), max_content_tokens=st.just(9_000)
    ),
    st.builds(
        ServerTool,
        kind=st.just("advisor"),
        max_uses=st.integers(0, 14),
        model=MODELS,
        max_tokens=st.just(2_048),
    ),
)
DEMANDS = st.builds(
    Demand,
    cache=st.sampled_from(["none", "5m", "1h"]),
    fast=st.booleans(),
    geo=st.sampled_from([None, "us", "global"]),
    server_tools=st.lists(TOOLS, max_size=2).map(tuple),
    compacts_from=st.sampled_from([None, 50_000, 150_000]),
    substitutes=st.lists(st.builds(Substitute, model=MODELS), max_size=1).map(tuple),
)
REQUESTS = st.builds(
    MessagesRequest,
    text_bytes=st.one_of(st.integers(0, 500_000), st.sampled_from([199_998, 200_000, 200_002])),
    max_tokens=st.integers(0, 60_000),
    demand=DEMANDS,
)


@dataclass(frozen=True)
class Hop:
    """What one model makes of a request: its own steps, and those that are billed beside them."""

    own: list[Iteration]
    beside: list[Iteration]
    searches: int


@dataclass(frozen=True)
class Luck:
    """How an answer turns out: at random, or as dear as it can be."""

    draw: st.DrawFn
    is_worst: bool

    def up_to(self, most: int, *, least: int = 0) -> int:
        return most if self.is_worst else self.draw(st.integers(least, most))

    def cheap(self, most: int) -> int:
        return 0 if self.is_worst else self.draw(st.integers(0, most))


def step(
    luck: Luck, demand: Demand, prompt: int, output: int, *, kind: str, model: str | None = None
) -> Iteration:
    """One iteration: any part of its prompt is read from the cache, and any part written where that was asked for."""
    read = luck.cheap(prompt)
    written = 0 if demand.cache == "none" else luck.up_to(prompt - read)
    return Iteration(
        type=kind,
        model=model,
        input_tokens=prompt - read - written,
        output_tokens=output,
        cache_read_input_tokens=read,
        cache_creation_input_tokens=written,
        cache_creation_1h_input_tokens=luck.up_to(written) if demand.cache == "1h" else 0,
    )


@st.composite
def hops(draw: st.DrawFn, model: str, request: MessagesRequest, kind: str) -> Hop:
    luck = Luck(draw, draw(st.booleans()))
    is_eager = draw(st.booleans())
    demand, room = request.demand, request.max_tokens or 0
    window = TABLE.models[model].facts.context_window or 0
    base = prompt = -(-request.text_bytes // 2)
    left = [tool for tool in demand.server_tools for _ in range(tool.max_uses or 0)]
    left = draw(st.permutations(left))
    own: list[Iteration] = []
    beside: list[Iteration] = []
    searches = 0
    for turn in range(11):
        if (
            demand.compacts_from is not None
            and prompt >= demand.compacts_from
            and (luck.is_worst or draw(st.booleans()))
        ):
            summary = luck.up_to(20_000)
            beside.append(step(luck, demand, prompt + 2_000, summary, kind="compaction"))
        output = luck.up_to(room)
        room -= output
        own.append(step(luck, demand, prompt, output, kind=kind, model=model))
        if not left or turn == 10:
            break
        spare = max(1, len(left) - 9 + turn)
        uses = luck.up_to(len(left) if is_eager else spare, least=1)
        used, left = left[:uses], left[uses:]
        for tool in used:
            searches += tool.kind == "search"
            if tool.kind == "advisor":
                read, written = prompt + output + 2_000, luck.up_to(2_048)
                beside.append(step(luck, demand, read, written, kind="advisor_message", model=tool.model))
        found = sum(2_048 if tool.kind == "advisor" else 25_000 for tool in used)
        prompt = min(max(base, window), prompt + output + found)
    return Hop(own, beside, searches)


@st.composite
def answers(draw: st.DrawFn, model: str, request: MessagesRequest) -> Usage:
    first = draw(hops(model, request, "message"))
    chain = [first]
    for stand_in in request.demand.substitutes:
        if draw(st.booleans()):
            chain.append(draw(hops(stand_in.model or "", request, "fallback_message")))
    serving = chain[-1]
    steps = tuple(one for hop in chain for one in (*hop.own, *hop.beside))
    top = {name: sum(getattr(one, name) for one in serving.own) for name in COUNTS}
    hour = sum(one.cache_creation_1h_input_tokens for one in serving.own)
    whole = TokenCounts(**top, cache_creation_1h_input_tokens=hour)
    is_listed = len(chain) > 1 or draw(st.booleans())
    return Usage(
        **{name: getattr(whole, name) for name in (*COUNTS, "cache_creation_1h_input_tokens")},
        web_search_requests=sum(hop.searches for hop in chain),
        speed="fast" if request.demand.fast and draw(st.booleans()) else "standard",
        inference_geo="us" if request.demand.geo in (None, "us") else "global",
        iterations=steps if is_listed else (),
    )


@settings(max_examples=400, deadline=None)
@given(data=st.data(), model=MODELS, request=REQUESTS, day=DAYS)
def test_no_answer_to_a_request_is_billed_above_its_ceiling(
    data: st.DataObject, model: str, request: MessagesRequest, day: date
) -> None:
    usage = data.draw(answers(model, request))

    bill = pricing.cost(TABLE, model, usage, at=day).pico

    assert bill <= ceiling(TABLE, model, request, at=day).pico


@settings(max_examples=100, deadline=None)
@given(model=MODELS, request=REQUESTS, day=DAYS, share=st.fractions(0, 1))
def test_the_affordable_answer_fits_and_a_longer_one_does_not(
    model: str, request: MessagesRequest, day: date, share: float
) -> None:
    money = int(ceiling(TABLE, model, request, at=day).pico * share)

    found = affordable_max_tokens(TABLE, model, request, money, at=day)

    asked = request.max_tokens or 0
    if found is None:
        assert ceiling(TABLE, model, request, at=day, max_tokens=min(1, asked)).pico > money
        return
    assert ceiling(TABLE, model, replace(request, max_tokens=found), at=day).pico <= money
    assert found == asked or ceiling(TABLE, model, request, at=day, max_tokens=found + 1).pico > money
