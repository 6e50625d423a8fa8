"""Sentences in two languages, and whose language it is."""

import pytest

from holdfast.language import Language, Sentence, preferred


def test_a_sentence_says_itself_in_both_languages_and_is_english_to_programs() -> None:
    sentence = Sentence("Hello", ko="안녕하세요")

    assert (sentence.say("en"), sentence.say("ko"), str(sentence)) == ("Hello", "안녕하세요", "Hello")


@pytest.mark.parametrize(
    ("environment", "language"),
    [
        ({}, "en"),
        ({"LANG": "ko_KR.UTF-8"}, "ko"),
        ({"LANG": "KO"}, "ko"),
        ({"LANG": "ko.UTF-8"}, "ko"),
        ({"LANG": "Korean_Korea.949"}, "ko"),
        ({"LANG": "kok_IN"}, "en"),
        ({"LANG": "en_US.UTF-8"}, "en"),
        ({"LANG": "C"}, "en"),
        ({"LC_ALL": "C", "LANG": "ko_KR"}, "en"),
        ({"LC_ALL": "", "LC_MESSAGES": "ko_KR", "LANG": "en_US"}, "ko"),
        ({"HOLDFAST_LANG": "en", "LC_ALL": "ko_KR"}, "en"),
        ({"HOLDFAST_LANG": "ko", "LC_ALL": "en_US"}, "ko"),
    ],
)
def test_the_language_is_that_of_the_terminal(environment: dict[str, str], language: Language) -> None:
    assert preferred(environment) == language
