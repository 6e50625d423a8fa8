from holdfast.policy import expectation
from holdfast.policy.expectation import Expectation


def learned(*counts: int, model: str = "m") -> Expectation:
    found = Expectation()
    for count in counts:
        found.learn(model, count)
    return found


def test_nothing_is_expected_of_a_model_that_few_answers_were_seen_of() -> None:
    assert learned(*range(expectation.ENOUGH - 1)).output_tokens("m") is None
    assert learned(*range(expectation.ENOUGH)).output_tokens("other") is None


def test_ninety_five_of_a_hundred_answers_stay_within_what_is_expected() -> None:
    assert learned(*range(1, 101)).output_tokens("m") == 95


def test_only_the_newest_answers_count() -> None:
    assert learned(*[9_999] * 500, *[10] * expectation.REMEMBERED).output_tokens("m") == 10


def test_models_unheard_of_for_long_are_forgotten() -> None:
    found = learned(*[5] * expectation.ENOUGH, model="first")
    for number in range(expectation.MODELS):
        found.learn(f"model-{number}", 1)
    assert found.output_tokens("first") is None
