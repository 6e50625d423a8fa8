"""Alert rules in words: read as they are meant, or refused with what was probably meant."""

from typing import Any

import pytest

from holdfast.errors import ConfigError
from holdfast.language import Sentence
from holdfast.policy.alert_rules import (
    DEFAULT_RULES,
    FORMS,
    OCCURRENCES,
    AlertRuleConfig,
    AlertsConfig,
    ChannelConfig,
    Condition,
    Exceeds,
    Happens,
    RateExceeds,
    VerdictIs,
    is_momentary,
    parse,
)
from holdfast.policy.alert_words import condition, told
from holdfast.policy.incidents import Case, Incident, Notice, What

MAIL: dict[str, Any] = {"kind": "email", "host": "mail", "sender": "a@x", "to": ("b@x",)}


@pytest.mark.parametrize(
    ("when", "expected"),
    [
        ("circuit open", Happens(what="circuit open")),
        ("  Budget   THRESHOLD ", Happens(what="budget threshold")),
        ("unsettled > 0", Exceeds(measure="unsettled", above=0)),
        ("dropped>12", Exceeds(measure="dropped", above=12)),
        ("error rate > 5 % for 5m", RateExceeds(rate="error rate", above=0.05, length=300.0)),
        ("error rate > 2.5%", RateExceeds(rate="error rate", above=0.025)),
        ("verdict is overloaded for 2m", VerdictIs(kind="overloaded", length=120.0)),
        ("verdict is not holding", VerdictIs(kind="holding", negated=True)),
    ],
)
def test_a_rule_is_read_as_it_is_meant(when: str, expected: Condition) -> None:
    assert parse(when) == expected
    assert AlertRuleConfig(when=when).condition == expected


@pytest.mark.parametrize("form", FORMS)
def test_every_form_that_is_suggested_is_one(form: str) -> None:
    said = condition(AlertRuleConfig(when=form))
    assert said.en != said.ko


@pytest.mark.parametrize(
    ("when", "meant"),
    [
        ("circut open", "circuit open"),
        ("unsetled > 0", "unsettled > 0"),
        ("verdict is overload for 2m", "verdict is overloaded for 2m"),
        ("error rate > 5 for 5m", "error rate > 5 % for 5m"),
        ("unpriced > 0 %", "unpriced > 0"),
        ("unpriced > 0.5", "unpriced > 0"),
        ("unpriced > 0 for 5m", "unpriced > 0"),
        ("circuit open for 5m", "circuit open"),
        ("error rate > 100 %", "error rate > 5 % for 5m"),
    ],
)
def test_a_slip_of_the_pen_is_told_with_what_was_meant(when: str, meant: str) -> None:
    with pytest.raises(ConfigError) as refused:
        parse(when)
    assert f"did you mean `{meant}`?" in refused.value.say("en")
    assert f"혹시 `{meant}`인가요?" in refused.value.say("ko")


@pytest.mark.parametrize("when", ["", "xyzzy", "💥"])
def test_what_is_like_nothing_is_told_with_examples(when: str) -> None:
    with pytest.raises(ConfigError, match="write one such as budget threshold, circuit open"):
        parse(when)


@pytest.mark.parametrize("length", ["5", "0m", "48h", "soon"])
def test_a_length_that_is_none_is_told_as_one(length: str) -> None:
    with pytest.raises(ConfigError, match="no length of time from 1s to 24h"):
        parse(f"verdict is overloaded for {length}")


def test_only_occurrences_that_do_not_last_are_moments() -> None:
    moments = [what for what in OCCURRENCES if is_momentary(Happens(what=what))]
    assert moments == ["budget threshold", "runaway run", "crash"]
    assert not is_momentary(parse("unsettled > 0"))


def test_with_a_channel_and_no_rule_the_usual_rules_hold() -> None:
    hook = ChannelConfig(kind="webhook", url="https://alerts.example/x")
    own = {"mine": AlertRuleConfig(when="crash")}
    assert AlertsConfig().in_force == {}
    assert AlertsConfig(channels={"hook": hook}).in_force == DEFAULT_RULES
    assert AlertsConfig(channels={"hook": hook}, rules=own).in_force == own
    assert AlertsConfig(rules=own).in_force == own


def test_a_rule_for_a_channel_that_is_not_there_is_refused() -> None:
    hook = ChannelConfig(kind="slack", url_env="SLACK_URL")
    rule = AlertRuleConfig(when="crash", channels=("slak",))
    with pytest.raises(ConfigError, match="did you mean `slack`"):
        AlertsConfig(channels={"slack": hook}, rules={"mine": rule})
    with pytest.raises(ConfigError, match="there are: none"):
        AlertsConfig(rules={"mine": rule})


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"kind": "webhook"}, "url_env"),
        ({"kind": "slack", "url": "https://x", "url_env": "X"}, "url_env"),
        ({"kind": "email"}, "host"),
        ({"kind": "email", "host": "mail", "port": 0}, "port"),
        ({"kind": "email", "host": "mail"}, "sender"),
        ({"kind": "email", "host": "mail", "sender": "a b@x"}, "sender"),
        ({"kind": "email", "host": "mail", "sender": "a@x"}, "to"),
        ({"kind": "email", "host": "mail", "sender": "a@x", "to": ("b@x\n",)}, "to"),
        ({**MAIL, "user_env": "U"}, "password_env"),
        ({**MAIL, "user_env": "U", "password_env": "P", "starttls": False}, "starttls"),
    ],
)
def test_a_channel_without_what_its_kind_needs_is_refused(given: dict[str, Any], named: str) -> None:
    with pytest.raises(ConfigError, match=f"^{named}: must be"):
        ChannelConfig(**given)


def test_a_rule_may_be_told_over_letters_alone() -> None:
    rules = {"mine": AlertRuleConfig(when="crash", channels=("mail",))}
    alerts = AlertsConfig(channels={"mail": ChannelConfig(**MAIL)}, rules=rules)
    assert alerts.in_force == rules


@pytest.mark.parametrize("given", [{"again_every": 1.0}, {"calm": -1.0}])
def test_times_that_are_none_are_refused(given: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        AlertRuleConfig(when="crash", **given)


@pytest.mark.parametrize(
    ("what", "english", "korean"),
    [
        (
            "began",
            "[holdfast] Alert: A circuit is open (live/x). More.",
            "[holdfast 알림] 발생: 서킷이 열렸습니다 (live/x). 더.",
        ),
        ("goes_on", "[holdfast] Still so: A circuit is open (live/x). For 90 s now. More.", "90초째입니다."),
        (
            "over",
            "[holdfast] Over: A circuit is open (live/x). It lasted 90 s. More.",
            "90초 동안 이어졌습니다.",
        ),
    ],
)
def test_an_alert_is_one_line_in_both_languages(what: What, english: str, korean: str) -> None:
    incident = Incident(case=Case(rule="c", label="live/x"), began=10.0, seen=100.0)
    said = told(
        Notice(what=what, incident=incident),
        AlertRuleConfig(when="circuit open"),
        Sentence("More.", ko="더."),
    )
    assert said.en == english
    assert korean in said.ko


def test_a_measure_above_none_says_how_many() -> None:
    said = condition(AlertRuleConfig(when="unpriced > 3"))
    assert (said.en, said.ko) == (
        "Calls have no known price (more than 3)",
        "요금을 알 수 없는 호출이 있습니다(3건 초과)",
    )
