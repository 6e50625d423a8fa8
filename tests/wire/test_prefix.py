"""A prompt as the cache sees it: blocks in order, told apart by digests that nobody can read."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.wire.prefix import MOST_BLOCKS, SIZE, Prefix, read_prefix

KEY = b"a key of this process"


def prefix(key: bytes = KEY, **body: Any) -> Prefix:
    return read_prefix(json.dumps(body).encode(), key)


WHOLE: dict[str, Any] = {
    "model": "m",
    "tools": [{"name": "a"}, {"name": "b"}],
    "system": [{"type": "text", "text": "You help."}],
    "tool_choice": {"type": "auto"},
    "messages": [
        {"role": "user", "content": "hello"},
        {"role": "assistant", "content": [{"type": "text", "text": "hi"}, {"type": "text", "text": "there"}]},
    ],
}


def test_blocks_come_in_the_order_of_the_prompt() -> None:
    found = prefix(**WHOLE)
    assert found.paths == (
        *("tools.0", "tools.1", "system.0", "tool_choice"),
        *("messages.0.content", "messages.1.content.0", "messages.1.content.1"),
    )
    assert found.settled == 4
    assert len(found.digests) == len(found.paths) * SIZE


def test_the_same_request_has_the_same_digests_whatever_its_spacing() -> None:
    wide = read_prefix(json.dumps(WHOLE, indent=4).encode(), KEY)
    assert wide == prefix(**WHOLE)


def test_another_key_gives_other_digests() -> None:
    assert prefix(b"another", **WHOLE).digests != prefix(**WHOLE).digests


def test_text_is_a_block_of_text_however_it_is_written() -> None:
    short = prefix(messages=[{"role": "user", "content": "hello"}])
    long = prefix(messages=[{"role": "user", "content": [{"type": "text", "text": "hello"}]}])
    assert short.digests == long.digests


def test_where_a_client_marks_the_end_of_what_is_cached_changes_nothing() -> None:
    inner = {
        "type": "tool_result",
        "content": [{"type": "text", "text": "x", "cache_control": {"type": "a"}}],
    }
    marked = {"type": "text", "text": "x", "cache_control": {"type": "ephemeral"}}
    plain = {"type": "text", "text": "x"}
    first = prefix(system=[marked], messages=[{"role": "user", "content": [inner]}])
    bare = {"type": "tool_result", "content": [plain]}
    assert first.digests == prefix(system=[plain], messages=[{"role": "user", "content": [bare]}]).digests


def test_the_order_of_members_counts_since_the_cache_minds_it() -> None:
    one = prefix(tools=[{"name": "a", "description": "b"}])
    other = prefix(tools=[{"description": "b", "name": "a"}])
    assert one.digests != other.digests


def test_who_says_it_counts() -> None:
    one = prefix(messages=[{"role": "user", "content": "x"}])
    assert one.digests != prefix(messages=[{"role": "assistant", "content": "x"}]).digests


@pytest.mark.parametrize("body", [b"", b"[]", b"no json", b'{"a":', b"\xff", b"[" * 5_000])
def test_what_is_no_request_has_no_blocks(body: bytes) -> None:
    assert read_prefix(body, KEY) == Prefix()


@pytest.mark.parametrize("messages", ["text", [1, "two", None], [{"role": "user"}], {"a": 1}])
def test_what_has_no_known_shape_has_no_blocks(messages: object) -> None:
    assert prefix(messages=messages).paths == ()


def test_only_so_many_blocks_are_told_apart() -> None:
    found = prefix(messages=[{"role": "user", "content": "x"}] * (MOST_BLOCKS + 5))
    assert len(found.paths) == MOST_BLOCKS


@given(
    st.binary(max_size=300)
    | st.recursive(
        st.none() | st.booleans() | st.text(max_size=5) | st.integers(),
        lambda inner: (
            st.lists(inner, max_size=4)
            | st.dictionaries(
                st.sampled_from(["messages", "content", "system", "tools", "role", "cache_control", "text"]),
                inner,
                max_size=4,
            )
        ),
        max_leaves=20,
    ).map(lambda value: json.dumps(value).encode())
)
def test_nothing_makes_it_raise(body: bytes) -> None:
    found = read_prefix(body, KEY)
    assert len(found.digests) == len(found.paths) * SIZE
    assert 0 <= found.settled <= len(found.paths)
