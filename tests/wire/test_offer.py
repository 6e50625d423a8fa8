"""Tools on offer and the digests of what they say."""

import json
from typing import Any

from holdfast.wire.offer import read_offer

TOOL: dict[str, Any] = {
    "name": "find",
    "description": "Finds.",
    "input_schema": {"type": "object", "properties": {"q": {"type": "string"}}, "required": ["q"]},
}


def offered(**changes: Any) -> Any:
    (found,) = read_offer(json.dumps({"tools": [{**TOOL, **changes}]}).encode())
    return found


def test_a_tool_is_the_same_however_it_is_spaced_ordered_and_cached() -> None:
    turned = json.dumps({"tools": [dict(reversed([*TOOL.items()]))]}, indent=2).encode()
    assert read_offer(turned)[0].fingerprint == offered().fingerprint
    assert offered(cache_control={"type": "ephemeral"}).fingerprint == offered().fingerprint


def test_another_description_schema_or_member_is_another_tool() -> None:
    changes: list[dict[str, Any]] = [
        {},
        {"description": "Finds!"},
        {"input_schema": {"type": "object"}},
        {"strict": True},
    ]
    assert len({offered(**change).fingerprint for change in changes}) == 4


def test_all_that_it_says_is_read_the_names_of_its_arguments_too() -> None:
    assert {"find", "Finds.", "q", "string"} <= set(offered().texts)


def test_characters_that_nobody_sees_are_noticed() -> None:
    assert offered(description="Finds.\U000e0041").hides
    assert offered(description="Finds.\u200b").hides
    assert not offered(description="찾습니다 — ça va").hides


def test_tools_that_the_api_knows_by_type_and_bodies_without_sense_offer_nothing() -> None:
    assert read_offer(b'{"tools": [{"type": "web_search_20250305", "name": "web_search"}]}') == ()
    assert read_offer(b"no") == ()
