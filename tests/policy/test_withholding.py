"""What a person reads of a call that was held."""

from typing import get_args

import pytest

from holdfast.policy.taint import Code, Doubt
from holdfast.policy.withholding import LONGEST_SHOWN, denied, reason, shown, unconfirmed


def test_what_hides_in_an_input_is_shown() -> None:
    text = shown('{"to": "a\u202eb\u200bc\U000e0041", "n": "1\n2`"}'.encode())
    assert text == '{"to": "a\\u202eb\\u200bc\\U000e0041", "n": "1 2\\u0060"}'


def test_a_word_of_two_scripts_is_spelled_out_and_korean_stays() -> None:
    assert (
        shown('{"to": "pаypal.example 한글 привет"}'.encode()) == '{"to": "p\\u0430ypal.example 한글 привет"}'
    )


def test_a_long_input_ends_with_the_number_of_what_is_left_out() -> None:
    assert shown(b"x" * (LONGEST_SHOWN + 1_234)).endswith("x … (+1,234)")


@pytest.mark.parametrize("code", get_args(Code))
def test_every_reason_is_a_sentence_in_both_languages(code: Code) -> None:
    sentence = reason(Doubt(code, "to"))
    assert sentence.en.endswith(" (`to`)")
    assert sentence.ko.endswith("(`to`)")


def test_a_person_reads_what_why_and_what_to_do() -> None:
    doubt = Doubt("flagged")
    asked = unconfirmed("pay", b'{"to": "Ann"}', doubt, "c0de")
    for language in (asked.en, asked.ko):
        assert "`pay`" in language
        assert '{"to": "Ann"}' in language
        assert "x-holdfast-approve: c0de" in language
    refused = denied("pay", b"{}", doubt)
    assert "tools.while_tainted" in refused.en
    assert "실행되지 않았습니다" in refused.ko


def test_a_huge_input_is_shown_at_once() -> None:
    assert len(shown(b"a" * 5_000_000)) < LONGEST_SHOWN + 30
