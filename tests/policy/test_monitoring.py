from math import prod

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.errors import ConfigError
from holdfast.language import Sentence
from holdfast.policy.monitoring import decide, decided
from holdfast.policy.screening import DETECTED, Finding, ScreenConfig

NAMES = ("a", "b", "c")


def found(rule: str, weight: float) -> Finding:
    return Finding(
        rule=rule,
        language="any",
        start=0,
        end=1,
        excerpt="",
        view="source",
        weight=weight,
        reason=Sentence("It is so.", ko="그렇습니다."),
    )


@given(
    weights=st.dictionaries(st.sampled_from(NAMES), st.floats(0.01, 1)),
    detected=st.floats(0, 1),
    watching=st.sets(st.sampled_from((*NAMES, DETECTED, "*"))),
    may_block=st.booleans(),
)
def test_a_rule_that_only_watches_never_refuses_and_never_hides(
    weights: dict[str, float], detected: float, watching: set[str], may_block: bool
) -> None:
    config = ScreenConfig(monitor=tuple(watching))
    findings = [found(rule, weight) for rule, weight in weights.items()]
    every = {**weights, DETECTED: detected}

    def score(rules: set[str]) -> float:
        return round(1 - prod(1 - every[rule] for rule in rules), 4)

    watched = set(every) if "*" in watching else watching & set(every)
    whole, binding = score(set(every)), score(set(every) - watched)
    decision = decide(findings, config, detected=detected, may_block=may_block)
    assert abs(decision.score - whole) < 2e-4
    if min(abs(one - limit) for one in (whole, binding) for limit in (0.5, 0.7)) < 2e-4:
        return
    assert (decision.action == "block") == (may_block and binding >= 0.7)
    assert (decision.action == "allow") == (whole < 0.5)
    assert bool(decision.would_block) == (may_block and whole >= 0.7 > binding)
    assert set(decision.would_block) <= watched
    assert set(weights) <= set(decision.rules)


def test_mode_monitor_is_every_rule_at_once() -> None:
    config = ScreenConfig(mode="monitor")
    decision = decide([found("a", 0.9)], config, detected=0.9)
    assert decision.action == "flag"
    assert decision.would_block == ("a", DETECTED)


def test_the_word_of_the_trained_detector_is_counted_once_though_it_is_among_the_findings() -> None:
    decision = decide([found(DETECTED, 0.6)], ScreenConfig(), detected=0.6)
    assert (decision.score, decision.rules, decision.action) == (0.6, (DETECTED,), "flag")


def test_one_rule_that_is_sure_refuses_unless_it_watches_or_nobody_may() -> None:
    assert decided("x", ScreenConfig()).action == "block"
    assert decided("x", ScreenConfig(monitor=("x",))).would_block == ("x",)
    spared = decided("x", ScreenConfig(monitor=("x",)), may_block=False)
    assert (spared.action, spared.would_block) == ("flag", ())


def test_a_screen_that_is_off_cannot_refuse_what_it_does_not_examine() -> None:
    with pytest.raises(ConfigError) as caught:
        ScreenConfig(enabled=False, unexamined="refuse")
    assert "screen.unexamined" in caught.value.say("en")
    assert "screen.enabled" in caught.value.say("ko")
