"""A route in the hand: rules as plain data, a choice, and nothing counted by asking."""

from typing import Any

import pytest

from holdfast import ConfigError, Route
from holdfast.events import RouteChosen
from holdfast.parts import route as module
from holdfast.policy.route import RouteRule

ASKED: dict[str, Any] = {"messages": [{"role": "user", "content": "계약을 검토해 주세요."}]}


def chosen(model: str, saved: str | None = "0.5", asked: str = "a") -> RouteChosen:
    return RouteChosen(request_id="r", asked=asked, chosen=model, rule="score", shadow=False, saved=saved)


def test_rules_are_dictionaries_or_values() -> None:
    route = Route(
        rules=[{"name": "legal", "words": "계약", "to": "large"}, RouteRule(to="own-model", tokens_over=0)],
        large="my-large",
    )
    choice = route.choose(ASKED)
    assert (choice.model, choice.rule) == ("my-large", "legal")
    assert route.choose({"messages": [{"role": "user", "content": "Hello"}]}).model == "own-model"
    assert route.stats().calls == 0
    assert repr(route) == "Route(2 rules, shadow=False)"


def test_who_asks_and_its_tags_may_decide() -> None:
    route = Route(rules=[{"users": ["test-*"], "to": "small"}, {"tag": "team=law", "to": "large"}])
    assert route.choose(ASKED, user="test-7").rule == "rule 1"
    assert route.choose(ASKED, tags={"team": "law"}).rule == "rule 2"


@pytest.mark.parametrize("rule", [{"to": "small", "token_over": 3}, {"to": 7}, {"words": ["a"]}, {"to": ""}])
def test_a_rule_that_makes_no_sense_is_refused_with_what_there_is(rule: dict[str, Any]) -> None:
    with pytest.raises(ConfigError) as caught:
        Route(rules=[rule])
    assert caught.value.say("en") != caught.value.say("ko")


def test_what_was_saved_adds_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MODELS_MOST", 2)
    route = Route()
    for event in (chosen("s"), chosen("a"), chosen("s", saved=None), chosen("third", saved="-0.25")):
        route.told(event)
    stats = route.stats()
    assert (stats.calls, stats.changed, str(stats.saved)) == (4, 3, "0.75")
    assert stats.by_model == {"s": 2, "a": 1, "other": 1}
