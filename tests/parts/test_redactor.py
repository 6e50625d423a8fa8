"""The redactor as its users meet it."""

import pytest

from holdfast.errors import ConfigError
from holdfast.parts.redactor import Redactor


def test_texts_and_values_are_redacted() -> None:
    redactor = Redactor()
    assert redactor.redact("minji@example.com used total_tokens=123") == "[email] used total_tokens=123"
    assert redactor.redact_value({"password": "x", "n": 5}) == {"password": "[secret]", "n": 5}


def test_findings_name_kind_and_place() -> None:
    (found,) = Redactor().find("call 010-0000-1234")
    assert (found.kind, found.start, found.end) == ("phone", 5, 18)


def test_kinds_can_be_chosen() -> None:
    redactor = Redactor(kinds=["email"])
    assert redactor.redact("a@example.com 010-0000-1234") == "[email] 010-0000-1234"
    assert repr(redactor) == "Redactor(kinds=['email'])"


def test_an_unknown_kind_is_refused_in_both_languages() -> None:
    with pytest.raises(ConfigError, match="does not know the kind 'mail'") as caught:
        Redactor(kinds=["mail"])
    assert "모르는 종류" in caught.value.say("ko")


def test_names_and_prefixes_of_the_house_can_be_added() -> None:
    redactor = Redactor(names=["Badge"], prefixes=["acme_"])
    assert redactor.redact("badge=77120 acme_a1b2") == "badge=[secret] [key]"
    assert redactor.redact_value({"BADGE": "x"}) == {"BADGE": "[secret]"}


@pytest.mark.parametrize("prefixes", [[""], "acme_"])
def test_a_prefix_that_would_match_everything_is_refused(prefixes: list[str] | str) -> None:
    with pytest.raises(ConfigError, match="non-empty strings"):
        Redactor(prefixes=prefixes)
