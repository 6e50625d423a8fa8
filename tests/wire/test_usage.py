"""The usage object of a message."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.wire.usage import Iteration, Usage, is_count

FULL: dict[str, Any] = {
    "input_tokens": 10,
    "output_tokens": 20,
    "cache_read_input_tokens": 30,
    "cache_creation_input_tokens": 40,
    "cache_creation": {"ephemeral_5m_input_tokens": 15, "ephemeral_1h_input_tokens": 25},
    "server_tool_use": {"web_search_requests": 2, "web_fetch_requests": 3},
    "output_tokens_details": {"thinking_tokens": 5},
    "service_tier": "batch",
    "speed": "fast",
    "inference_geo": "us",
    "iterations": [{"type": "compaction", "model": "m", "input_tokens": 1}, "odd"],
    "novel": {"kept": True},
}
junk = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3) | st.lists(st.integers())


def test_every_member_is_read() -> None:
    usage = Usage.of(FULL)
    assert usage.prompt_tokens == 80
    assert (usage.output_tokens, usage.thinking_tokens) == (20, 5)
    assert usage.cache_creation_1h_input_tokens == 25
    assert (usage.web_search_requests, usage.web_fetch_requests) == (2, 3)
    assert (usage.service_tier, usage.speed, usage.inference_geo) == ("batch", "fast", "us")
    assert usage.iterations == (Iteration(type="compaction", model="m", input_tokens=1),)


def test_it_can_be_written_again() -> None:
    assert Usage.of(Usage.of(FULL).as_mapping()) == Usage.of(FULL)
    assert Usage.of(FULL).as_mapping()["novel"] == {"kept": True}


def test_a_usage_is_its_own_reading() -> None:
    usage = Usage.of(FULL)
    assert Usage.of(usage) is usage


def test_no_usage_is_none_used() -> None:
    assert Usage.of(None) == Usage()


def test_cache_writes_are_at_least_the_sum_of_their_kinds() -> None:
    assert Usage.of({"cache_creation": {"ephemeral_1h_input_tokens": 7}}).cache_creation_input_tokens == 7


def test_later_counts_replace_earlier_ones() -> None:
    later = Usage.of(FULL).merged({"output_tokens": 99, "input_tokens": 0})
    assert (later.output_tokens, later.input_tokens, later.cache_read_input_tokens) == (99, 0, 30)


@given(
    st.dictionaries(st.sampled_from(sorted(set(FULL) - {"novel"})), junk.filter(lambda v: not is_count(v)))
)
def test_junk_never_makes_known_counts_smaller(newer: dict[str, Any]) -> None:
    before, after = Usage.of(FULL), Usage.of(FULL).merged(newer)
    assert after.as_mapping()["output_tokens"] == before.output_tokens
    assert after.prompt_tokens == before.prompt_tokens
    assert after.web_search_requests == before.web_search_requests
    assert after.thinking_tokens == before.thinking_tokens


@pytest.mark.parametrize("value", [0, 3, 3.0])
def test_whole_numbers_from_zero_up_are_counts(value: object) -> None:
    assert is_count(value)


@pytest.mark.parametrize("value", [-1, -1.0, 1.5, float("nan"), float("inf"), True, "3", None])
def test_nothing_else_is_a_count(value: object) -> None:
    assert not is_count(value)


def test_a_count_written_as_a_decimal_is_read() -> None:
    output = Usage.of({"output_tokens": 12.0}).output_tokens
    assert output == 12
    assert isinstance(output, int)


def test_with_output_changes_nothing_else() -> None:
    assert Usage.of(FULL).with_output(1) == Usage.of({**FULL, "output_tokens": 1})


@pytest.mark.parametrize("iterations", ["text", b"bytes", 5, None])
def test_iterations_of_another_shape_are_none(iterations: object) -> None:
    assert Usage.of({"iterations": iterations}).iterations == ()


@pytest.mark.parametrize("value", [10**10 + 1, 1e11, 10**30])
def test_more_tokens_than_any_message_has_are_no_count(value: float) -> None:
    assert not is_count(value)
    assert Usage.of({"input_tokens": value, "output_tokens": 5}) == Usage.of({"output_tokens": 5})
    assert Usage.of({"output_tokens": 5}).merged({"output_tokens": value}).output_tokens == 5


def test_the_most_that_is_believed_is_read() -> None:
    assert is_count(10**10)
    assert Usage.of({"server_tool_use": {"web_search_requests": 10**6}}).web_search_requests == 10**6
    assert Usage.of({"server_tool_use": {"web_search_requests": 10**6 + 1}}).web_search_requests == 0
