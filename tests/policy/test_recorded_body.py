"""What is kept of a body: masked, bounded, and JSON whatever it was."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.policy.masking import MaskingConfig
from holdfast.policy.masking_values import CUT
from holdfast.policy.recorded_body import GENEROSITY, kept_body

EVERYTHING = MaskingConfig()
KEY = "sk-" + "ant-api03-Qx93kdLwPz81mNvB72hsYtR5uGqWe04cXaJf6iZoKlT8bVnM"


def kept(value: object, limit: int = 64 * 1024) -> Any:
    found = kept_body(value, EVERYTHING, limit)
    assert len(found.body) <= limit
    return json.loads(found.body)


def test_a_body_that_fits_is_kept_whole() -> None:
    body = {"model": "m", "max_tokens": 7, "messages": [{"role": "user", "content": "hello"}], "stream": True}
    found = kept_body(body, EVERYTHING, 1_000)
    assert json.loads(found.body) == body
    assert not found.is_cut


def test_secrets_are_masked_wherever_they_stand() -> None:
    shown = kept({"a": f"my key is {KEY}", KEY: 1, "password": "hunter2", "list": [{"x": KEY}]})
    assert shown == {"a": "my key is [key]", "[key]": 1, "password": "[secret]", "list": [{"x": "[key]"}]}


@pytest.mark.parametrize("limit", [256, 1_000, 5_000])
def test_a_long_text_is_shortened_and_says_so(limit: int) -> None:
    found = kept_body({"text": "word " * 5_000, "short": "stays"}, EVERYTHING, limit)
    shown = json.loads(found.body)
    assert found.is_cut
    assert shown["short"] == "stays"
    assert "… [+" in shown["text"]
    assert limit * 0.9 <= len(found.body) <= limit


def test_of_too_many_members_the_first_are_kept() -> None:
    found = kept_body([{"role": "user", "number": n} for n in range(30_000)], EVERYTHING, 2_000)
    shown = json.loads(found.body)
    assert found.is_cut
    assert shown[0] == {"role": "user", "number": 0}
    assert len(found.body) <= 2_000


def test_of_what_cannot_be_made_to_fit_nothing_is_left() -> None:
    assert kept({f"{'name' * 40}{n}": 1 for n in range(100)}, 256) == CUT


def test_a_key_at_the_cut_does_not_survive_by_half() -> None:
    limit = 256
    for place in range(limit * GENEROSITY - 80, limit * GENEROSITY + 5):
        text = ("kim@example.com " * 400)[: place - 1] + " " + KEY + " and more " * 50
        assert KEY[14:30] not in kept_body(text, EVERYTHING, limit).body.decode()


def test_one_long_word_without_a_blank_is_left_out_if_it_cannot_be_read_whole() -> None:
    assert kept({"data": "A" * 100_000}, 256) == {"data": CUT}


@pytest.mark.parametrize("value", [None, True, 1, 1.5, "text", [], {}])
def test_a_plain_value_stays_what_it_is(value: object) -> None:
    assert kept(value) == value


trees = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.text(max_size=200),
    lambda inner: st.lists(inner, max_size=8) | st.dictionaries(st.text(max_size=20), inner, max_size=8),
    max_leaves=40,
)


@given(trees, st.integers(256, 3_000))
def test_whatever_it_was_it_fits_and_is_json(value: object, limit: int) -> None:
    found = kept_body(value, EVERYTHING, limit)
    assert len(found.body) <= limit
    json.loads(found.body)


@given(trees)
def test_what_fits_and_holds_no_secret_is_not_touched(value: object) -> None:
    found = kept_body(value, MaskingConfig(kinds=frozenset()), 10**7)
    assert found.is_cut == (CUT in found.body.decode())
