"""Values drawn for a JSON Schema satisfy it."""

from collections.abc import Callable
from random import Random
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.simulator.schema import Sampler, mentioned
from holdfast.simulator.values import as_list

Json = dict[str, Any]


def draw(schema: Json, seed: int = 0, hint: str = "") -> Any:
    return Sampler(schema, Random(seed), hint).draw()


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ({"const": 7}, 7),
        ({"type": "string", "default": "d"}, "d"),
        ({"enum": ["only"]}, "only"),
        ({"type": "null"}, None),
        ({"type": ["null"]}, None),
        ({"type": "string", "format": "date"}, "2026-11-22"),
        ({"type": "string", "format": "uuid"}, "7b6f4a52-2f0e-4d8a-9c3b-1e5d7f9a0b2c"),
        ({"type": "string", "format": "unheard-of"}, "hint"),
        ({"type": "string", "maxLength": 2}, "hi"),
        ({"type": ["null", "string"]}, "hint"),
        ({}, "hint"),
        ({"type": "integer", "minimum": 3, "maximum": 3}, 3),
        ({"type": "integer", "exclusiveMinimum": 3, "exclusiveMaximum": 5}, 4),
        ({"type": "integer", "minimum": 5, "maximum": 8, "multipleOf": 7}, 7),
        ({"type": "number", "minimum": 2, "maximum": 2}, 2),
        ({"type": "object"}, {}),
        ({"type": "array", "items": {"const": 1}, "minItems": 2, "maxItems": 2}, [1, 1]),
        ({"type": "array", "prefixItems": [{"const": 1}, {"const": "a"}], "maxItems": 2}, [1, "a"]),
        ({"anyOf": [{"type": "null"}, {"const": 2}]}, 2),
        ({"oneOf": [{"const": 2}]}, 2),
        ({"$ref": "#/$defs/a~1b", "$defs": {"a/b": {"const": 5}}}, 5),
        (
            {
                "allOf": [
                    {"properties": {"a": {"const": 1}}, "required": ["a"]},
                    {"properties": {"b": {"const": 2}}, "required": ["b"]},
                ]
            },
            {"a": 1, "b": 2},
        ),
        ({"properties": {"a": {"const": 1}, "b": {}}, "required": ["a"]}, {"a": 1}),
    ],
)
def test_a_schema_that_allows_one_value_gets_it(schema: Json, value: object) -> None:
    assert draw(schema, hint="hint") == value


def test_a_string_is_as_long_as_asked() -> None:
    assert len(draw({"type": "string", "minLength": 200})) >= 200


def test_booleans_are_drawn() -> None:
    assert {draw({"type": "boolean"}, seed) for seed in range(20)} == {True, False}


def test_a_recursive_schema_comes_to_an_end() -> None:
    schema = {
        "$ref": "#/$defs/node",
        "$defs": {
            "node": {
                "type": "object",
                "properties": {"next": {"anyOf": [{"$ref": "#/$defs/node"}, {"type": "null"}]}},
                "required": ["next"],
            }
        },
    }
    assert "next" in draw(schema)


def test_recursive_arrays_come_to_an_end() -> None:
    schema: Json = {"type": "array", "items": {"$ref": "#"}}
    assert isinstance(draw(schema), list)


def test_parts_within_parts_are_merged() -> None:
    inner = {"allOf": [{"properties": {"a": {"const": 1}}, "required": ["a"]}]}
    assert draw({"type": "object", "allOf": [inner]}) == {"a": 1}


def test_a_reference_that_only_leads_to_itself_is_a_string() -> None:
    assert draw({"$ref": "#"}, hint="hint") == "hint"


def test_the_same_dice_draw_the_same_value() -> None:
    schema: Json = {"type": "array", "items": {"type": "integer"}, "minItems": 5}
    assert draw(schema, 3) == draw(schema, 3)


def whole(low: int, span: int) -> Json:
    return {"type": "integer", "minimum": low, "maximum": low + span}


def at_least(low: int) -> Json:
    return {"type": "integer", "minimum": low}


def at_most(high: int) -> Json:
    return {"type": "integer", "maximum": high}


def number(low: int, span: int) -> Json:
    return {"type": "number", "minimum": low, "maximum": low + span}


def string(low: int, more: int) -> Json:
    return {"type": "string", "minLength": low, "maxLength": low + more}


def boolean() -> Json:
    return {"type": "boolean"}


def choice(items: list[int]) -> Json:
    return {"enum": items}


def mapping(parts: dict[str, Json]) -> Json:
    return {"type": "object", "properties": parts, "required": list(parts)}


def array(items: Json) -> Json:
    return {"type": "array", "items": items, "minItems": 1, "maxItems": 2}


def either(options: list[Json]) -> Json:
    return {"anyOf": options}


def nested(inner: st.SearchStrategy[Json]) -> st.SearchStrategy[Json]:
    return st.one_of(
        st.builds(mapping, st.dictionaries(st.sampled_from("abcd"), inner, max_size=3)),
        st.builds(array, inner),
        st.builds(either, st.lists(inner, min_size=1, max_size=2)),
    )


SCALARS: st.SearchStrategy[Json] = st.one_of(
    st.builds(whole, st.integers(-1000, 1000), st.integers(0, 50)),
    st.builds(at_least, st.integers(-1000, 1000)),
    st.builds(at_most, st.integers(-1000, 1000)),
    st.builds(number, st.integers(-9, 9), st.integers(0, 3)),
    st.builds(string, st.integers(0, 30), st.integers(0, 30)),
    st.builds(boolean),
    st.builds(choice, st.lists(st.integers(), min_size=1, max_size=3)),
)
SCHEMAS = st.recursive(SCALARS, nested, max_leaves=6)


def satisfies(value: Any, schema: Json) -> bool:
    """A small checker of its own."""
    if "enum" in schema:
        return value in schema["enum"]
    if "anyOf" in schema:
        return any(satisfies(value, option) for option in schema["anyOf"])
    return CHECKS[schema["type"]](value, schema)


def is_mapping(value: Any, schema: Json) -> bool:
    if not isinstance(value, dict):
        return False
    members, parts = cast("Json", value), cast("Json", schema["properties"])
    return members.keys() == parts.keys() and all(
        satisfies(members[name], part) for name, part in parts.items()
    )


def is_array(value: object, schema: Json) -> bool:
    items = as_list(value)
    return 1 <= len(items) <= 2 and all(satisfies(item, schema["items"]) for item in items)


def is_string(value: Any, schema: Json) -> bool:
    return isinstance(value, str) and bool(schema["minLength"] <= len(value) <= schema["maxLength"])


def is_boolean(value: Any, _: Json) -> bool:
    return isinstance(value, bool)


def is_number(value: Any, schema: Json) -> bool:
    kinds = (int,) if schema["type"] == "integer" else (int, float)
    if isinstance(value, bool) or not isinstance(value, kinds):
        return False
    return bool(schema.get("minimum", value) <= value <= schema.get("maximum", value))


CHECKS: dict[str, Callable[[Any, Json], bool]] = {
    "object": is_mapping,
    "array": is_array,
    "string": is_string,
    "boolean": is_boolean,
    "integer": is_number,
    "number": is_number,
}


@given(SCHEMAS, st.integers(0, 1000))
@settings(max_examples=80, deadline=None)
def test_every_drawn_value_satisfies_its_schema(schema: Json, seed: int) -> None:
    assert satisfies(draw(schema, seed, "안녕하세요"), schema)


PROPERTIES: Json = {
    "properties": {
        "city": {"type": "string"},
        "days": {"type": "integer"},
        "share": {"type": "number"},
        "now": {"type": "boolean"},
        "list": {"type": "array"},
        "any": {},
    }
}


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ('city="New York"', {"city": "New York"}),
        ("city: 'Seoul', days=3", {"city": "Seoul", "days": 3}),
        ("share=0.5 now: true", {"share": 0.5, "now": True}),
        ("days=many list=[1] velocity=3", {}),
        ("now=1 days=true", {}),
        ("any=thing", {"any": "thing"}),
    ],
)
def test_values_named_in_a_text_are_read_by_their_type(text: str, found: Json) -> None:
    assert mentioned(PROPERTIES, text) == found
