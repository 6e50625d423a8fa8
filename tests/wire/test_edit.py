"""The one edit of a request: another model, and not a byte else."""

import json
import re
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.errors import MalformedRequest
from holdfast.wire.edit import with_max_tokens, with_model
from holdfast.wire.messages import read_request

WORDS = st.sampled_from(["model", '"model"', "\\", "모델", 'model":"x', "{", "]", "\n\t", "", "a"]) | st.text(
    max_size=8
)
VALUES: st.SearchStrategy[Any] = st.recursive(
    WORDS | st.none() | st.booleans() | st.integers(-9, 9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=3),
    max_leaves=8,
)
NAMES = WORDS.filter(lambda name: name not in ("model", "messages", "stream", "max_tokens", "thread"))
LAYOUTS = st.sampled_from([(",", ":"), (", ", ": "), (" ,\n", " :\t")])


@given(
    before=st.dictionaries(NAMES, VALUES, max_size=3),
    after=st.dictionaries(NAMES, VALUES, max_size=3),
    models=st.tuples(WORDS, WORDS),
    layout=LAYOUTS,
    ascii_only=st.booleans(),
)
@settings(max_examples=200)
def test_the_model_is_changed_and_no_other_byte(
    before: dict[str, Any],
    after: dict[str, Any],
    models: tuple[str, str],
    layout: tuple[str, str],
    ascii_only: bool,
) -> None:
    comma, colon = layout

    def members(document: dict[str, Any]) -> str:
        return json.dumps(document, separators=layout, ensure_ascii=ascii_only)[1:-1]

    def around(value: str) -> bytes:
        model = f'"model"{colon}{json.dumps(value, ensure_ascii=False)}'
        return f"{{{comma.join(filter(None, [members(before), model, members(after)]))}}}".encode()

    old, new = models
    edited = with_model(around(old), new)
    assert json.loads(edited)["model"] == new
    assert edited.replace(msgspec.json.encode(new), b"?") == around(new).replace(
        json.dumps(new, ensure_ascii=False).encode(), b"?"
    )
    assert with_model(edited, "claude") == around("claude")


@pytest.mark.parametrize(
    "body",
    [
        b'{"model": "a"}',
        b'{"messages":[{"model":"b"}],"system":"model","metadata":{"model":{"model":"c"}},"model":"a"}',
        b'{ "x": "\\"model\\":", "model" :\r\n "a" , "y": ["model"] }',
        b'{"m\\u006fdel":"a"}',
        b'{"x":"model","model":"a"}',
        b'{"\\u00e9":"\\\\","model":"a","z":1e5}',
    ],
)
def test_only_the_top_level_name_counts(body: bytes) -> None:
    edited = with_model(body, "claude-haiku-5-5")
    assert read_request(edited).model == "claude-haiku-5-5"
    assert edited == re.sub(rb'"a"', b'"claude-haiku-5-5"', body)


@pytest.mark.parametrize(
    "body", [b"{}", b"[]", b'{"messages":[{"model":"a"}]}', b'{"model":null}', b'{"x":"model"}']
)
def test_a_body_without_a_model_is_refused(body: bytes) -> None:
    with pytest.raises(MalformedRequest) as caught:
        with_model(body, "claude")
    assert "model" in caught.value.say("ko")


@pytest.mark.parametrize(
    ("body", "edited"),
    [
        (b'{"max_tokens": 4096, "model": "m"}', b'{"max_tokens": 7, "model": "m"}'),
        (b'{"model":"m","max_tokens":1e3}', b'{"model":"m","max_tokens":7}'),
        (b'{"max_tokens" : null }', b'{"max_tokens" : 7 }'),
        (b'{"max\\u005ftokens": 9}', b'{"max\\u005ftokens": 7}'),
        (b'{"model": "m"}', b'{"max_tokens": 7, "model": "m"}'),
        (b"{ }", b'{"max_tokens": 7 }'),
        (b'{"metadata": {"max_tokens": 9}}', b'{"max_tokens": 7, "metadata": {"max_tokens": 9}}'),
        (b'{"a": "max_tokens", "b": 1}', b'{"max_tokens": 7, "a": "max_tokens", "b": 1}'),
    ],
)
def test_the_longest_answer_is_edited_where_it_stands_or_added(body: bytes, edited: bytes) -> None:
    assert with_max_tokens(body, 7) == edited
