"""The place of a value in a JSON text, whatever the text looks like."""

import json
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.wire.place import find_value

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=20,
)


def paths(value: Any) -> list[tuple[tuple[str | int, ...], Any]]:
    """Every path in a value, and what stands there."""
    found: list[tuple[tuple[str | int, ...], Any]] = [((), value)]
    inner: list[tuple[str | int, Any]] = []
    if isinstance(value, dict):
        inner = list(cast("dict[str, object]", value).items())
    elif isinstance(value, list):
        inner = list(enumerate(cast("list[object]", value)))
    for step, held in inner:
        found += [((step, *path), deep) for path, deep in paths(held)]
    return found


@given(VALUES, st.sampled_from([None, 2]), st.booleans())
def test_every_value_is_found_at_its_path(value: Any, indent: int | None, ascii_only: bool) -> None:
    data = json.dumps(value, indent=indent, ensure_ascii=ascii_only).encode("utf-8", "replace")
    value = json.loads(data)

    for path, held in paths(value):
        found = find_value(data, path)
        assert found is not None
        assert json.loads(data[slice(*found)]) == held


@pytest.mark.parametrize("path", [("b",), ("a", 2), ("a", 5), ("a", "x"), ("a", 0, 0), (0,), ("a", 1, "y")])
def test_a_path_that_leads_nowhere_has_no_value(path: tuple[str | int, ...]) -> None:
    assert find_value(b'{"a": ["b", {"x": {}}]}', path) is None


def test_broken_json_has_no_place_of_its_own() -> None:
    assert find_value(b'{"a": [1, ', ("a",)) == (6, 10)
    assert find_value(b'{"a": ', ("a",)) == (6, 6)


def test_a_name_that_is_no_text_is_passed_over() -> None:
    data = b'{"\xd5\xff": 1, "a": 2}'
    assert find_value(data, ("a",)) == (data.index(b"2"), data.index(b"2") + 1)
