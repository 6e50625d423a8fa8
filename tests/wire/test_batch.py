"""A batch as it is read: every request as it was written, and nothing that two readers could read in two ways."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.errors import MalformedRequest
from holdfast.wire import batch
from holdfast.wire.batch import BatchItem, read_batch, write_batch

TEXTS = st.text(max_size=20)
PARAMS = st.dictionaries(TEXTS, st.one_of(TEXTS, st.integers(), st.lists(TEXTS, max_size=3)), max_size=4)


@given(items=st.lists(st.tuples(TEXTS, PARAMS), max_size=5), indent=st.sampled_from([None, 2]))
def test_every_request_is_read_as_it_was_written(
    items: list[tuple[str, dict[str, object]]], indent: int | None
) -> None:
    document = {"requests": [{"custom_id": name, "params": params} for name, params in items]}
    found = read_batch(json.dumps(document, indent=indent).encode())
    assert [(one.custom_id, json.loads(one.params)) for one in found] == items


@given(items=st.lists(st.tuples(TEXTS, PARAMS), max_size=5))
def test_what_is_put_together_again_says_the_same(items: list[tuple[str, dict[str, object]]]) -> None:
    found = tuple(BatchItem(custom_id=name, params=json.dumps(params).encode()) for name, params in items)
    assert read_batch(write_batch(found)) == found


def test_members_that_nobody_knows_are_left_alone() -> None:
    body = b'{"x": {"a": ["b", "\\"c\\\\"]}, "requests": [{"custom_id": "a", "params": {}, "y": "z"}]}'
    assert read_batch(body) == (BatchItem(custom_id="a", params=b"{}"),)


@pytest.mark.parametrize(
    "body",
    [
        b'{"requests": [], "requests": []}',
        b'{"requests": [{"custom_id": "a", "params": {}, "params": {"model": "x"}}]}',
        b'{"requests": [{"custom_id": "a", "custom_id": "b", "params": {}}]}',
        b'{"x": {"a": 1, "a": 2}, "requests": []}',
    ],
)
def test_a_member_named_twice_is_no_batch(body: bytes) -> None:
    with pytest.raises(MalformedRequest, match="named twice"):
        read_batch(body)


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"requests": [1]}', b"\xff\xfe", b"[" * 100_000])
def test_what_is_no_batch_is_told(body: bytes) -> None:
    with pytest.raises(MalformedRequest, match="no batch"):
        read_batch(body)


def test_a_batch_has_its_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batch, "MOST", 2)
    body = json.dumps({"requests": [{"custom_id": "a", "params": {}}] * 3}).encode()
    with pytest.raises(MalformedRequest, match="3 are more than the 2"):
        read_batch(body)
