"""`holdfast rule`: a code explained for people and as JSON."""

import json

import pytest

from tests.cli.conftest import Holdfast


@pytest.mark.requirement("cli:rule")
@pytest.mark.parametrize(
    ("language", "words"), [("en", "The budget cannot pay"), ("ko", "예산으로 이 호출을")]
)
def test_a_code_is_explained_in_the_readers_language(
    holdfast: Holdfast, monkeypatch: pytest.MonkeyPatch, language: str, words: str
) -> None:
    monkeypatch.setenv("HOLDFAST_LANG", language)
    ended = holdfast("rule", "holdfast_budget_exhausted")

    assert ended.code == 0
    assert words in ended.out
    assert "holdfast budgets set" in ended.out
    assert "429" in ended.out


def test_a_code_is_explained_as_json(holdfast: Holdfast) -> None:
    told = json.loads(holdfast("rule", "HF112", "--json").out)

    assert (told["code"], told["who"], told["status"]) == ("HF112", "operator", None)
    assert told["do"].startswith("Take the name")


def test_without_a_code_all_are_listed(holdfast: Holdfast) -> None:
    listed = holdfast("rule")
    assert "holdfast_circuit_open" in listed.out
    assert "HF201" in listed.out
    assert len(json.loads(holdfast("rule", "--json").out)) == len(listed.out.splitlines())


def test_an_unknown_code_is_wrong_usage_and_what_was_meant_is_named(holdfast: Holdfast) -> None:
    ended = holdfast("rule", "circuit_opne")
    assert ended.code == 2
    assert "did you mean holdfast_circuit_open" in ended.err

    lost = holdfast("rule", "zzzzzzzz")
    assert lost.code == 2
    assert "lists them all" in lost.err
