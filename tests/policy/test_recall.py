from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.policy.recall import (
    ALIKE,
    MOST_TERMS,
    SCANNED,
    affordable,
    close,
    fused,
    impacts,
    nearest,
    packed,
    terms,
    wanted,
    weights,
)


@pytest.mark.parametrize(
    ("question", "fact"),
    [
        ("서킷", "결제 서버의 서킷이 자주 열린다"),
        ("서킷은 언제 열려?", "서킷을 점검했다"),
        ("집에 가자", "집이 부산에 있다"),
        ("집", "집이 부산에 있다"),
        ("회의는 언제야?", "주간회의: 화요일"),
        ("東京の天気", "彼女は東京に住んでいる"),
        ("北京", "我住在北京"),
        ("invoices", "the invoice is due"),
        ("Which companies?", "a company in Seoul"),
        ("CAFÉ", "the café on the corner"),
        ("한글", "\u1112\u1161\u11ab\u1100\u1173\u11af 문서"),
        ("ＡＰＩ", "the api key"),
    ],
)
def test_a_question_finds_the_fact_that_it_means(question: str, fact: str) -> None:
    assert terms(fact).keys() & set(wanted(question))


@pytest.mark.parametrize(
    ("question", "fact"),
    [
        ("What is your name?", "The weather is what it is for you"),
        ("무엇을 알려 줄까요?", "회의는 화요일입니다"),
        ("glass", "the glas factory"),
        ("버스", "서킷이 열린다"),
    ],
)
def test_words_that_every_sentence_has_find_nothing(question: str, fact: str) -> None:
    assert not terms(fact).keys() & set(wanted(question))


def test_words_that_say_nothing_are_all_there_is_to_go_by() -> None:
    assert wanted("To be or not to be") == ("to", "be", "or", "not")


def test_nothing_is_found_by_nothing() -> None:
    assert wanted(" \n?!") == ()
    assert impacts("…") == {}


def test_of_a_long_question_the_beginning_counts() -> None:
    words = [f"word{n}x" for n in range(1_000)]
    assert wanted(" ".join(words)) == tuple(words[:MOST_TERMS])


def test_a_term_says_more_the_more_often_it_is_said_and_less_in_a_long_fact() -> None:
    assert impacts("tea tea tea milk")["tea"] > impacts("tea milk rice soup")["tea"]
    assert impacts("tea milk")["tea"] > impacts("tea " + " ".join(f"word{n}x" for n in range(50)))["tea"]


def test_rare_terms_count_more_and_terms_that_nobody_has_do_not_count() -> None:
    weighed = weights({"rare": 1, "common": 90, "never": 0}, 100)
    assert weighed["rare"] > weighed["common"] > 0
    assert "never" not in weighed
    assert weights({}, 10) == {}


def test_terms_that_too_many_facts_have_are_left_out_unless_there_are_no_others() -> None:
    assert list(weights({"rare": 10, "common": SCANNED}, 50_000)) == ["rare"]
    assert list(weights({"common": SCANNED + 1, "more": SCANNED + 2}, 50_000)) == ["common"]


@given(st.dictionaries(st.text(max_size=3), st.integers(0, 10_000)), st.integers(0, 10_000))
def test_no_term_counts_against_a_fact(frequencies: dict[str, int], facts: int) -> None:
    assert all(weight >= 0 for weight in weights(frequencies, facts).values())


def test_what_falls_far_behind_the_best_is_left_out() -> None:
    assert close([("a", 100), ("b", 20), ("c", 19)]) == ["a", "b"]
    assert close([]) == []


def test_two_rankings_agree_on_what_both_have_near_the_top() -> None:
    assert fused([["a", "b", "c"], ["d", "b", "e"]])[0] == "b"
    assert fused([["a", "b"]]) == ["a", "b"]
    assert fused([[], ["x"]]) == ["x"]
    assert fused([["b"], ["a"]]) == ["a", "b"]


def test_vectors_that_point_the_same_way_are_near() -> None:
    kept = {
        "same": packed([2, 0]),
        "near": packed([1, 0.5]),
        "across": packed([0, 1]),
        "nowhere": packed([0, 0]),
        "other": packed([1, 0, 0]),
    }
    assert nearest(packed([1, 0]), kept, 5) == ["same", "near"]
    assert nearest(packed([1, 0]), kept, 1) == ["same"]
    assert ALIKE > 0


@pytest.mark.parametrize("question", [[0.0, 0.0], [inf, 0.0], [1.0]])
def test_a_vector_that_points_nowhere_is_near_nothing(question: list[float]) -> None:
    assert nearest(packed(question), {"a": packed([1, 0])}, 5) == []


def test_what_does_not_fit_makes_room_for_what_does() -> None:
    assert affordable([5, 9, 3, 2], 8) == [0, 2]
    assert affordable([], 8) == []


@given(st.text())
def test_every_text_can_be_read_and_finds_itself(text: str) -> None:
    assert set(wanted(text)) <= terms(text).keys()
