"""Names and sizes of the tools of MCP servers."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.policy.mcp import (
    LARGEST_SCHEMA,
    LONGEST_DESCRIPTION,
    LONGEST_NAME,
    LONGEST_REST,
    MOST_TOOLS,
    SERVER,
    Advertised,
    full_name,
    listed,
    rest,
)

NAME = re.compile(r"[a-zA-Z0-9_-]{1,128}")
servers = st.from_regex(SERVER, fullmatch=True)
names = st.one_of(st.text(max_size=200), st.from_regex(r"[a-z_]{1,140}", fullmatch=True))


def said(name: str, description: str = "Counts.", **schema: object) -> Advertised:
    return Advertised(name=name, description=description, input_schema={"type": "object", **schema})


@given(servers, names, servers, names)
def test_two_tools_never_share_a_name(one: str, tool: str, other: str, further: str) -> None:
    made, others = full_name(one, tool), full_name(other, further)
    assert NAME.fullmatch(made)
    assert (made == others) == ((one, tool) == (other, further))


@given(servers, names)
def test_a_name_says_which_server_it_belongs_to(server: str, tool: str) -> None:
    assert full_name(server, tool).removeprefix("mcp__").partition("__")[0] == server


@pytest.mark.parametrize(
    ("tool", "name"), [("read", "mcp__a__read"), ("", "mcp__a___"), ("../x y", "mcp__a_____x_y_")]
)
def test_a_plain_name_stays_and_any_other_gets_a_digest(tool: str, name: str) -> None:
    made = full_name("a", tool)
    assert made == name if tool == "read" else made.startswith(name) and len(made) == len(name) + 10


def test_a_name_that_is_too_long_is_cut_and_still_its_own() -> None:
    one, other = full_name("a", "x" * 200), full_name("a", "x" * 201)
    assert len(one) == len(other) == LONGEST_NAME
    assert one != other


@pytest.mark.parametrize("name", ["", "a__b", "_a", "a_", "-", "a b", "가", "x" * 33])
def test_what_is_no_name_of_a_server(name: str) -> None:
    assert SERVER.fullmatch(name) is None


def test_the_offer_is_what_the_model_is_shown_and_what_is_pinned() -> None:
    (one,) = listed("a", [said("read", properties={"path": {"type": "string"}})])
    assert one.offer == {
        "name": "mcp__a__read",
        "description": "Counts.",
        "input_schema": {"type": "object", "properties": {"path": {"type": "string"}}},
    }
    (changed,) = listed("a", [said("read", properties={"path": {"type": "string"}, "key": {}})])
    assert one.offered.fingerprint != changed.offered.fingerprint


def test_a_tool_without_a_description_and_one_with_a_very_long_one() -> None:
    silent, long = listed("a", [said("one", " "), said("two", "x" * (LONGEST_DESCRIPTION + 1))])
    assert silent.description == "The tool mcp__a__one."
    assert len(long.description) == LONGEST_DESCRIPTION


def test_what_cannot_be_offered_is_left_out() -> None:
    deep: dict[str, object] = {}
    for _ in range(5_000):
        deep = {"items": deep}
    tools = [
        said("large", description="", properties={"x": "y" * LARGEST_SCHEMA}),
        said("deep", items=deep),
        said("strange", default=object()),
        said("fine"),
        said("fine", "Another one of that name."),
    ]
    assert [one.own for one in listed("a", tools)] == ["fine"]


def test_no_two_tools_are_offered_under_one_name() -> None:
    plain = full_name("a", "x y").removeprefix("mcp__a__")
    assert [one.own for one in listed("a", [said("x y"), said(plain)])] == ["x y"]


def test_there_is_an_end_to_tools_and_a_choice_among_them() -> None:
    many = [said(f"tool_{at}") for at in range(MOST_TOOLS + 5)]
    assert len(listed("a", many)) == MOST_TOOLS
    assert [one.own for one in listed("a", many, ["*_7", "none"])] == ["tool_7"]


def test_rests_grow_to_a_minute() -> None:
    assert [rest(failures) for failures in (0, 1, 2, 3)] == [0, 1, 2, 4]
    assert rest(10**9) == LONGEST_REST
