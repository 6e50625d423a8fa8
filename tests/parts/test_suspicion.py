"""How much a text reads like an attack, and that it is read once."""

from dataclasses import replace

import pytest

from holdfast.parts.reading import Reader
from holdfast.parts.suspicion import Suspicion
from holdfast.parts.validator import DETECTED, InputValidator
from holdfast.parts.verdicts import Verdicts
from holdfast.policy.screening import ScreenConfig


def counting(seen: list[str], score: float = 0.6) -> Suspicion:
    def detect(text: str) -> float:
        seen.append(text)
        return score if "ATTACK" in text else 0.0

    return Suspicion(config=ScreenConfig(), validator=InputValidator(detector=detect))


def test_a_text_may_be_suspicious_without_being_surely_an_attack() -> None:
    assert counting([]).is_suspicious("ATTACK")
    assert not counting([]).is_attack("ATTACK")
    assert counting([], 0.9).is_attack("ATTACK")
    assert not counting([]).is_suspicious("fine")


def test_the_same_text_is_read_once() -> None:
    seen: list[str] = []
    suspicion = counting(seen)
    assert not suspicion.knows("ATTACK")
    assert suspicion.is_suspicious("ATTACK") == suspicion.is_suspicious("ATTACK")
    assert not suspicion.is_attack("ATTACK")
    assert suspicion.knows("ATTACK")
    assert seen == ["ATTACK"]


def test_only_the_newest_are_remembered() -> None:
    suspicion = replace(counting([]), verdicts=Verdicts(most=2))
    for text in ("a", "b", "a", "c"):
        suspicion.is_attack(text)
    assert [suspicion.knows(text) for text in ("a", "b", "c")] == [True, False, True]


@pytest.mark.parametrize("config", [ScreenConfig(enabled=False), ScreenConfig(channels=("user",))])
def test_nothing_is_suspicious_where_tools_are_not_screened(config: ScreenConfig) -> None:
    seen: list[str] = []
    suspicion = replace(counting(seen), config=config)
    assert not suspicion.is_suspicious("ATTACK")
    assert seen == []


def test_what_the_screen_has_read_before_is_known_to_it() -> None:
    suspicion = Suspicion(config=ScreenConfig())
    Reader(verdicts=suspicion.verdicts).read("hello there", "tool")
    assert suspicion.knows("hello there")
    assert not suspicion.knows("hello")


def test_what_a_rule_sees_that_only_watches_is_suspicious_but_no_attack() -> None:
    suspicion = replace(counting([], 0.9), config=ScreenConfig(monitor=(DETECTED,)))
    assert suspicion.is_suspicious("ATTACK")
    assert not suspicion.is_attack("ATTACK")


def test_of_a_text_that_is_too_much_both_ends_are_read_and_the_rest_is_suspicious() -> None:
    seen: list[str] = []
    suspicion = replace(counting(seen, 0.9), config=ScreenConfig(max_examined=20))
    assert suspicion.is_suspicious("x" * 21)
    assert not suspicion.is_attack("x" * 21)
    assert suspicion.knows("x" * 21)
    assert suspicion.is_attack("x" * 100 + "ATTACK")
    assert max(map(len, seen)) < 25
    off = replace(suspicion, config=ScreenConfig(max_examined=20, enabled=False))
    assert not off.is_suspicious("x" * 21)
