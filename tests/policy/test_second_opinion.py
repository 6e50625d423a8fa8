from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.errors import ConfigError
from holdfast.policy.second_opinion import SecondOpinionConfig, is_uncertain, rate_at


@pytest.mark.parametrize(
    ("settings", "word"),
    [
        ({"kind": "onnx"}, "path"),
        ({"kind": "http"}, "url"),
        ({"timeout": 0.0}, "timeout"),
        ({"timeout": float("inf")}, "timeout"),
        ({"budget_usd": Decimal(0)}, "budget_usd"),
        ({"band": (0.5, 0.1)}, "band"),
        ({"scores": (0.9, 0.5)}, "scores"),
        ({"scores": (0.0, 0.5)}, "scores"),
    ],
)
def test_a_setting_that_makes_no_sense_is_named_in_both_languages(
    settings: dict[str, Any], word: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        SecondOpinionConfig(**settings)
    assert word in caught.value.say("en")
    assert word in caught.value.say("ko")


def test_a_judge_needs_nothing_but_its_name() -> None:
    assert SecondOpinionConfig(kind="judge").budget_usd == Decimal(1)


def test_both_ends_of_the_band_are_in_it() -> None:
    assert [is_uncertain(rate, (0.001, 0.05)) for rate in (0.0009, 0.001, 0.05, 0.051)] == [
        False,
        True,
        True,
        False,
    ]


SHARES = st.floats(0.001, 0.999)


@given(one=st.floats(0, 1), other=st.floats(0, 1), low=SHARES, high=SHARES)
def test_a_higher_score_never_means_a_higher_rate(one: float, other: float, low: float, high: float) -> None:
    scores = (min(low, high), max(low, high) + 0.0005)
    rates = [rate_at(score, scores) for score in sorted((one, other))]
    assert 1 >= rates[0] >= rates[1] * (1 - 1e-9) > 0


def test_the_two_scores_that_were_measured_mean_what_was_measured() -> None:
    assert [round(rate_at(score, (0.8, 0.99)), 6) for score in (0.0, 0.8, 0.99, 1.0)] == [
        1.0,
        0.01,
        0.001,
        0.00001,
    ]
