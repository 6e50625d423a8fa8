"""The catalogue: every code that the product can say is explained, in both languages."""

import importlib
import pkgutil
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import holdfast
from holdfast.catalogue.codes import EXPLANATIONS, explained, resembling
from holdfast.catalogue.settings import MEANINGS, general, meaning
from holdfast.errors import HoldfastError
from holdfast.operations.reference import reference

SOURCE = Path(holdfast.__file__).parent
LATER = ("holdfast.cli.top",)
"""Modules that need an extra which the suite may not have."""


def errors(kind: type[HoldfastError]) -> Iterator[type[HoldfastError]]:
    yield kind
    for below in kind.__subclasses__():
        yield from errors(below)


def test_every_code_of_an_error_is_explained() -> None:
    for found in pkgutil.walk_packages(holdfast.__path__, "holdfast."):
        if not found.name.endswith("__main__") and found.name not in LATER:
            importlib.import_module(found.name)
    codes = {kind.error_code for kind in errors(HoldfastError) if kind.__module__.startswith("holdfast.")}

    assert len(codes) > 40
    assert codes - set(EXPLANATIONS) == set()


def test_every_code_of_a_configuration_is_explained_and_none_is_made_up() -> None:
    written = {
        code
        for path in SOURCE.rglob("*.py")
        if "catalogue" not in path.parts
        for code in re.findall(r'"(HF\d{3})"', path.read_text("utf-8"))
    }

    assert written == {code for code in EXPLANATIONS if code.startswith("HF")}


@pytest.mark.parametrize("entry", EXPLANATIONS.values(), ids=EXPLANATIONS.keys())
def test_every_explanation_says_what_why_and_what_to_do_in_both_languages(entry: object) -> None:
    for name in ("what", "why", "cure"):
        sentence = getattr(entry, name)
        assert sentence.en.endswith(".")
        assert re.search("[가-힣]", sentence.ko)


@pytest.mark.parametrize(
    "spelling", ["circuit_open", "holdfast_circuit_open", "CIRCUIT-OPEN", " circuit-open "]
)
def test_a_code_is_found_by_its_short_form(spelling: str) -> None:
    found = explained(spelling)
    assert found is not None
    assert found.code == "holdfast_circuit_open"


def test_a_code_of_check_is_found_in_brackets_and_small_letters() -> None:
    for spelling in ("[HF112]", "hf112", "HF112"):
        found = explained(spelling)
        assert found is not None
        assert found.code == "HF112"


def test_nothing_is_made_up_for_an_unknown_code_and_what_resembles_it_is_named() -> None:
    assert explained("no_such_code") is None
    assert "holdfast_budget_exhausted" in resembling("budget_exausted")


def test_every_setting_has_a_meaning_and_no_meaning_lacks_its_setting() -> None:
    assert {entry.path for entry in reference()} == set(MEANINGS)


def test_a_setting_of_a_real_file_has_the_meaning_of_its_kind() -> None:
    assert general("budgets.team.usd") == "budgets.NAME.usd"
    assert general("budgets.team.ladder.2.at") == "budgets.NAME.ladder.1.at"
    assert general("alerts.channels.ops.url") == "alerts.channels.NAME.url"
    assert general("breaker.window") == "breaker.window"
    assert meaning("quotas.users.requests") == MEANINGS["quotas.NAME.requests"]
    assert meaning("breaker.nothing") is None
