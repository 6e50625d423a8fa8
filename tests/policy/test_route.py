"""Which model a request goes to: rules, the measure of complexity, and what a model must be able to do."""

import json
from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.errors import ConfigError
from holdfast.parts.prices import PriceBook
from holdfast.policy import route
from holdfast.policy.price_table import ModelFacts
from holdfast.policy.route import (
    AUTO,
    SCORE,
    WEIGHTS,
    Need,
    RouteConfig,
    RouteRule,
    Traits,
    can,
    candidates,
    choose,
    fits,
    score,
    traits_of,
)
from holdfast.policy.routing import ModelsConfig
from holdfast.wire.messages import read_request
from holdfast.wire.wanted import Wanted, read_wanted

MODELS = ModelsConfig(small="s", standard="m", large="l")
DAY = date(2026, 11, 22)
counts = st.integers(min_value=0, max_value=10**6)
any_traits = st.builds(
    Traits,
    tokens=counts,
    tools=counts,
    images=counts,
    text=st.text(max_size=20),
    messages=counts,
    thinking=st.booleans(),
    max_tokens=counts,
)


def traits(*messages: str, **members: Any) -> Traits:
    """The traits of a conversation."""
    roles = ("user", "assistant")
    said = [{"role": roles[at % 2], "content": text} for at, text in enumerate(messages)]
    body = json.dumps({"model": "m", "messages": said, **members}).encode()
    return traits_of(read_request(body), read_wanted(body), user="alice", tags={"team": "search"})


def test_traits_are_read_from_the_request_and_its_sender() -> None:
    image = {"type": "image", "source": {"type": "url", "url": "https://example.com/a.png"}}
    content: Any = [image, {"type": "text", "text": "Describe THIS."}]
    found = traits(
        content, "A.", "설계를 봐 주세요", tools=[{"name": "a"}], max_tokens=7, thinking={"type": "adaptive"}
    )
    assert (found.tools, found.images, found.messages, found.max_tokens) == (1, 1, 3, 7)
    assert (found.thinking, found.user, found.tags) == (True, "alice", {"team": "search"})
    assert found.text == "설계를 봐 주세요"
    assert found.tokens > route.IMAGE_TOKENS


@pytest.mark.parametrize(
    ("rule", "holds"),
    [
        ({}, True),
        ({"tokens_over": 99}, True),
        ({"tokens_over": 100}, False),
        ({"tokens_under": 101}, True),
        ({"tokens_under": 100}, False),
        ({"tools_over": 2}, True),
        ({"tools_over": 3}, False),
        ({"images": True}, True),
        ({"images": False}, False),
        ({"messages_over": 3}, True),
        ({"messages_over": 4}, False),
        ({"thinking": False}, True),
        ({"thinking": True}, False),
        ({"max_tokens_over": 49, "max_tokens_under": 51}, True),
        ({"max_tokens_under": 50}, False),
        ({"words": ("Contract",)}, True),
        ({"words": ("계약",)}, True),
        ({"words": ("tract",)}, False),
        ({"words": ("zebra",)}, False),
        ({"users": ("bob", "al*")}, True),
        ({"users": ("bob",)}, False),
        ({"tag": "team=search"}, True),
        ({"tag": "team = chat"}, False),
        ({"tokens_over": 99, "images": False}, False),
    ],
)
def test_a_rule_fits_where_every_condition_holds(rule: dict[str, Any], holds: bool) -> None:
    found = Traits(
        tokens=100,
        tools=3,
        images=1,
        text="read the contract, 계약을 읽어",
        messages=4,
        max_tokens=50,
        user="alice",
        tags={"team": "search"},
    )
    assert fits(RouteRule(to="large", **rule), found) is holds


def test_the_first_rule_that_fits_decides() -> None:
    config = RouteConfig(
        rules=(
            RouteRule(to="large", words=("audit",)),
            RouteRule(to="claude-own", name="the rest", tokens_over=-1),
        )
    )
    assert choose(config, traits("An audit, please."), MODELS).rule == "rule 1"
    assert choose(config, traits("An audit, please."), MODELS).model == "l"
    other = choose(config, traits("Hello"), MODELS)
    assert (other.model, other.rule) == ("claude-own", "the rest")


@pytest.mark.parametrize(
    ("found", "model"),
    [
        (Traits(), "s"),
        (Traits(text="refactor this"), "m"),
        (Traits(text="prove it", thinking=True, tools=4), "l"),
    ],
)
def test_without_a_rule_the_complexity_decides(found: Traits, model: str) -> None:
    choice = choose(RouteConfig(), found, MODELS)
    assert (choice.model, choice.rule) == (model, SCORE)
    assert choice.score == score(found)


def test_a_route_names_models_of_its_own() -> None:
    config = RouteConfig(small="tiny")
    assert config.sizes(MODELS) == ModelsConfig(small="tiny", standard="m", large="l")


@given(any_traits)
def test_the_complexity_lies_between_nothing_and_one(found: Traits) -> None:
    assert 0 <= score(found) <= 1


@given(any_traits, counts, counts)
def test_more_of_anything_is_never_less_complex(found: Traits, tokens: int, tools: int) -> None:
    more = Traits(
        tokens=found.tokens + tokens,
        tools=found.tools + tools,
        images=found.images,
        text=found.text,
        messages=found.messages,
        thinking=True,
        max_tokens=found.max_tokens,
    )
    assert score(more) >= score(found)


def test_every_weight_is_one_of_a_trait() -> None:
    heaviest = Traits(
        tokens=10**6, tools=99, images=1, text="```", messages=99, thinking=True, max_tokens=10**6
    )
    assert score(heaviest) == 1.0 < sum(WEIGHTS.values())


@pytest.mark.parametrize(
    ("chosen", "asked", "tried"),
    [
        ("s", AUTO, ("s", "m", "l")),
        ("m", AUTO, ("m", "l", "s")),
        ("l", "x", ("l", "x", "m", "s")),
        ("own", "x", ("own", "s", "m", "l", "x")),
    ],
)
def test_larger_models_stand_in_first(chosen: str, asked: str, tried: tuple[str, ...]) -> None:
    assert candidates(chosen, MODELS, asked) == tried


def test_only_the_standard_model_and_auto_are_routed_unless_others_are_named() -> None:
    assert RouteConfig().routes("m", MODELS)
    assert RouteConfig().routes(AUTO, MODELS)
    assert not RouteConfig().routes("l", MODELS)
    assert RouteConfig(models=("l",)).routes("l", MODELS)
    assert not RouteConfig(models=("l",)).routes(AUTO, MODELS)


def need(**members: Any) -> Need:
    asked: dict[str, Any] = {
        "tokens": 10,
        "max_tokens": 10,
        "wanted": Wanted(),
        "images": False,
        "day": DAY,
    }
    return Need(**{**asked, **members})


@pytest.mark.parametrize(
    ("facts", "needed", "able"),
    [
        ({}, {}, True),
        ({"context_window": 20}, {}, True),
        ({"context_window": 19}, {}, False),
        ({"max_output_tokens": 9}, {}, False),
        ({"retires": DAY}, {}, False),
        ({"forced_tool_choice": False}, {"wanted": Wanted(forces_tool=True)}, False),
        ({"forced_tool_choice": False}, {}, True),
        ({"thinking": "enabled"}, {"wanted": Wanted(thinking="adaptive")}, False),
        ({"thinking": "enabled"}, {"wanted": Wanted(thinking="enabled")}, True),
        ({"thinking": "enabled"}, {}, True),
        ({"thinking": "in words that nobody knows"}, {"wanted": Wanted(thinking="adaptive")}, True),
    ],
)
def test_a_model_can_do_what_the_table_says(
    facts: dict[str, Any], needed: dict[str, Any], able: bool
) -> None:
    assert can(ModelFacts(id="x", **facts), need(**needed)) is able


def test_the_forms_of_thinking_of_every_model_are_known() -> None:
    book = PriceBook.default()
    said = {book.facts(model).thinking for model in book.models()} - {None}
    assert said <= set(route.FORMS)


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: RouteRule(to=" "),
        lambda: RouteRule(to="small", tag="team"),
        lambda: RouteRule(to="small", words=("a", " ")),
        lambda: RouteConfig(simple_below=0.7),
        lambda: RouteConfig(complex_from=1.1),
    ],
)
def test_what_makes_no_sense_is_refused_in_both_languages(wrong: Any) -> None:
    with pytest.raises(ConfigError) as caught:
        wrong()
    assert caught.value.say("en") != caught.value.say("ko")
