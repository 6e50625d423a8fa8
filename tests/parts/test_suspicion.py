"""How much a text reads like an attack, and that it is read once."""

from dataclasses import replace

import pytest

from holdfast.parts import suspicion as module
from holdfast.parts.suspicion import Suspicion
from holdfast.parts.validator import InputValidator
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


def test_only_the_newest_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_KEPT", 2)
    suspicion = counting([])
    for text in ("a", "b", "a", "c"):
        suspicion.is_attack(text)
    assert [suspicion.knows(text) for text in ("a", "b", "c")] == [True, False, True]


@pytest.mark.parametrize("config", [ScreenConfig(enabled=False), ScreenConfig(channels=("user",))])
def test_nothing_is_suspicious_where_tools_are_not_screened(config: ScreenConfig) -> None:
    seen: list[str] = []
    suspicion = replace(counting(seen), config=config)
    assert not suspicion.is_suspicious("ATTACK")
    assert seen == []
