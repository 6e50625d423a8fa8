"""Tools of callers as an operator judges them: looked at, approved, refused, forgotten, and on record."""

from dataclasses import replace
from typing import Any

import pytest

from holdfast.policy.pins import pin_name
from holdfast.policy.taint import TaintConfig
from holdfast.settings import Settings
from tests.admin.operating import Operator, in_memory, named
from tests.doors.talking import QUESTION, Heard, ask

PATH = "/api/v1/tool-pins"
PRINT = "0123456789abcdef" * 2


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return replace(settings, tools=TaintConfig(pins="refuse"))


def offer(operator: Operator, description: str) -> Heard:
    tool = {"name": "mcp__web__read", "description": description, "input_schema": {"type": "object"}}
    return ask(operator.gateway.url, {**QUESTION, "tools": [tool]})


def noted(operator: Operator) -> list[tuple[str, str, str]]:
    lines = operator.get("/api/v1/audit")["data"]
    return [(line["actor"], line["action"], line["note"]) for line in lines if line["kind"] == "tool-pin"]


def test_a_changed_tool_is_refused_until_its_new_description_is_approved(operator: Operator) -> None:
    assert offer(operator, "Reads.").status == 200
    (first,) = operator.get(PATH)["data"]
    changed = offer(operator, "Reads, and posts it.")
    told: dict[str, Any] = changed.json["error"]["details"]
    approved = operator.post(PATH, {name: told[name] for name in ("scope", "tool", "fingerprint")})

    assert (first["scope"], first["tool"], first["state"]) == ("local", "mcp__web__read", "pinned")
    assert (changed.status, told["trouble"]) == (400, "changed")
    assert (approved["id"], approved["fingerprint"]) == (first["id"], told["fingerprint"])
    assert offer(operator, "Reads, and posts it.").status == 200
    assert offer(operator, "Reads.").status == 400
    assert noted(operator)[0] == ("admin-token", "put", "approve mcp__web__read")


def test_a_refused_tool_cannot_be_offered_whatever_it_says_until_it_is_forgotten(operator: Operator) -> None:
    refused = operator.post(f"{PATH}/refuse", {"tool": "mcp__web__read"})
    answer = offer(operator, "Reads.")
    forgotten = operator.delete(f"{PATH}/{refused['id']}")

    assert (refused["state"], refused["fingerprint"]) == ("refused", None)
    assert (answer.status, answer.error_type) == (400, "policy_blocked")
    assert "an operator has refused it" in answer.json["error"]["message"]
    assert (forgotten["id"], operator.get(PATH)["data"]) == (refused["id"], [])
    assert offer(operator, "Reads.").status == 200
    assert [action for _, action, _ in noted(operator)][-2:] == ["drop", "put"]


def test_what_is_refused_for_one_key_is_nothing_to_another(operator: Operator) -> None:
    operator.post(f"{PATH}/refuse", {"scope": "web", "tool": "mcp__web__read"})

    assert offer(operator, "Reads.").status == 200
    assert [(one["scope"], one["state"]) for one in operator.get(PATH)["data"]] == [
        ("local", "pinned"),
        ("web", "refused"),
    ]


@in_memory
@pytest.mark.parametrize(
    "body",
    [
        {"tool": "t"},
        {"tool": "t", "fingerprint": ""},
        {"tool": "t", "fingerprint": "refused"},
        {"tool": "t", "fingerprint": "x" * 32},
        {"tool": "", "fingerprint": PRINT},
        {"scope": "", "tool": "t", "fingerprint": PRINT},
        {"tool": "t" * 501, "fingerprint": PRINT},
        {"tool": "t", "fingerprint": PRINT, "more": 1},
    ],
)
def test_what_makes_no_sense_is_refused_and_changes_nothing(
    operator: Operator, body: dict[str, object]
) -> None:
    assert operator.refused("POST", PATH, body)[0] == 400
    assert operator.get(PATH)["data"] == []


@in_memory
def test_a_pin_that_is_not_there_is_a_404(operator: Operator) -> None:
    for name in (pin_name("local", "t"), "a/b", "핀"):
        assert operator.refused("DELETE", f"{PATH}/{named(name)}")[0] == 404


@in_memory
async def test_a_pin_that_cannot_be_read_hides_no_other(operator: Operator) -> None:
    await operator.gateway.hold.runtime.ledger.put("tool-pin", "broken", b"{}", actor="test")
    operator.post(PATH, {"tool": "t", "fingerprint": PRINT})

    assert [one["tool"] for one in operator.get(PATH)["data"]] == ["t"]


@in_memory
def test_pins_come_in_pages_by_key_and_tool(operator: Operator) -> None:
    for scope, tool in (("b", "x"), ("a", "y"), ("a", "x")):
        operator.post(PATH, {"scope": scope, "tool": tool, "fingerprint": PRINT})
    first = operator.get(f"{PATH}?limit=2")
    rest = operator.get(f"{PATH}?limit=2&page={first['next_page']}")
    seen = [(one["scope"], one["tool"]) for one in (*first["data"], *rest["data"])]

    assert seen == [("a", "x"), ("a", "y"), ("b", "x")]
    assert (first["has_more"], rest["has_more"]) == (True, False)
