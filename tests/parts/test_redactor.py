"""The redactor as its users meet it."""

import re
import sys
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.errors import ConfigError
from holdfast.parts.redactor import Redactor
from holdfast.policy.redaction import RedactionConfig


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


def test_it_explains_which_rule_fired_where_and_never_shows_the_value() -> None:
    key = "ghp" + "_" + "a1B2" * 9
    text = f"password=hunter2! {key} a@example.com 4111111111111111"
    told = Redactor().explain(text)
    assert [(one["kind"], one["rule"]) for one in told] == [
        ("secret", "name password"),
        ("key", "prefix ghp_"),
        ("email", "address"),
        ("card", "Luhn"),
    ]
    assert (told[0]["start"], told[0]["end"]) == (9, 17)
    assert not any(value in repr(told) for value in ("hunter2", key, "example", "4111"))


def test_only_secrets_can_be_asked_for() -> None:
    redactor = Redactor(kinds=Redactor.SECRETS)
    assert redactor.redact("a@example.com password=hunter2!") == "a@example.com password=[secret]"


KEY = b"sixteen bytes or more"


def test_with_a_key_marks_tell_equal_values_from_others() -> None:
    redactor = Redactor(tag_key=KEY)
    first, again, other = redactor.redact("a@example.com a@example.com b@example.com").split()
    assert first == again != other
    assert first.startswith("[REDACTED:email:")
    assert first != Redactor(tag_key=KEY[::-1]).redact("a@example.com")


@settings(max_examples=150, deadline=None)
@given(
    st.lists(
        st.one_of(
            st.sampled_from(["password=hunter2! ", "a@b.co ", "secret: x9y8z7 ", "[REDACTED:"]),
            st.text(max_size=5),
        )
    )
)
def test_redacting_tagged_text_again_changes_nothing(parts: list[str]) -> None:
    redactor = Redactor(tag_key=KEY)
    once = redactor.redact("".join(parts))
    assert redactor.redact(once) == once


@pytest.mark.parametrize("key", [b"", b"fifteen bytes.."])
def test_a_key_that_could_be_guessed_is_refused(key: bytes) -> None:
    with pytest.raises(ConfigError, match="fewer than 16 bytes"):
        Redactor(tag_key=key)
    assert "tag_key" not in repr(Redactor(tag_key=KEY).config)


class Engine(ModuleType):
    """RE2's interface, as far as it is used, on the linear patterns of these tests."""

    error = re.error

    class Options:
        log_errors = True

    @staticmethod
    def compile(pattern: str, *, options: Options) -> re.Pattern[str]:
        assert not options.log_errors
        if "(?=" in pattern:
            raise Engine.error("invalid perl operator")
        return re.compile(pattern)


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "re2", Engine("re2"))


@pytest.mark.usefixtures("engine")
def test_patterns_of_the_house_are_redacted_and_explained() -> None:
    redactor = Redactor(patterns={"employee": r"EMP-[0-9]{4}"})
    assert redactor.redact("half \ud800 EMP-1234 x") == "half \ud800 [custom] x"
    assert redactor.explain("EMP-1234")[0]["rule"] == "pattern employee"
    assert Redactor(patterns={"mark": "[a-z]*"}).redact("ab [custom]") == "[custom] [custom]"


@pytest.mark.usefixtures("engine")
def test_a_pattern_that_is_none_is_refused_with_its_name() -> None:
    with pytest.raises(ConfigError, match="'ahead' is no regular expression of RE2: invalid perl operator"):
        Redactor(patterns={"ahead": "(?=x)"})


def test_patterns_without_re2_are_refused_with_the_cure_and_never_left_to_another_engine(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "re2", None)
    with pytest.raises(ConfigError, match=r"pip install \"holdfast\[re2\]\""):
        Redactor(patterns={"any": "x"})


def test_an_empty_pattern_is_refused() -> None:
    with pytest.raises(ConfigError, match="patterns"):
        Redactor(patterns={"any": ""})


def test_settings_and_environment_make_a_redactor() -> None:
    config = RedactionConfig(names=("badge",), prefixes=("acme_",), tag_key_env="TAGS")
    redactor = Redactor.configured(config, {"TAGS": KEY.decode()}, kinds=["secret", "key"])
    assert redactor.redact("badge=77120 a@b.co").startswith("badge=[REDACTED:secret:")
    with pytest.raises(ConfigError, match="missing"):
        Redactor.configured(config, {})


@pytest.mark.parametrize("wrong", [{"names": ("",)}, {"prefixes": ("a", "")}, {"patterns": {"x": ""}}])
def test_settings_that_would_match_everything_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=next(iter(wrong))):
        RedactionConfig(**wrong)
