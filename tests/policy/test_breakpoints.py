"""Where an agent marks its prompts for the cache of the API."""

import json
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.policy.breakpoints import MARK, hit_share, marked

LONG = "word " * 1_000
TOOLS: list[dict[str, Any]] = [{"name": "a", "input_schema": {}}, {"name": "b", "input_schema": {}}]


def user(content: Any) -> dict[str, Any]:
    return {"role": "user", "content": content}


def model(content: Any) -> dict[str, Any]:
    return {"role": "assistant", "content": content}


def places(body: object, path: str = "") -> list[str]:
    """Where marks stand."""
    inner: list[tuple[str, object]] = []
    if isinstance(body, dict):
        inner = [*cast("dict[str, object]", body).items()]
    elif isinstance(body, list):
        inner = [(str(at), value) for at, value in enumerate(cast("list[object]", body))]
    own = [path] if ("cache_control", dict(MARK)) in inner else []
    return own + [place for name, value in inner for place in places(value, f"{path}.{name}")]


def test_four_marks_in_a_conversation_with_tools() -> None:
    body = {
        "system": LONG,
        "tools": [{**TOOLS[0], "description": LONG}, TOOLS[1]],
        "messages": [user("one"), model("two"), user("three")],
    }
    found = marked(body)
    assert places(found) == [".system.0", ".tools.1", ".messages.0.content.0", ".messages.2.content.0"]
    assert found["system"] == [{"type": "text", "text": LONG, "cache_control": MARK}]
    assert body["system"] == LONG


def test_the_mark_of_this_turn_is_where_the_next_one_reads() -> None:
    before = {"system": LONG, "messages": [user("a"), model("b"), user("c")]}
    after = {"system": LONG, "messages": [*before["messages"], model("d"), user("e")]}
    assert places(marked(before))[-1] == ".messages.2.content.0"
    assert ".messages.2.content.0" in places(marked(after))


def test_a_single_question_is_not_paid_dearer_for_nobody() -> None:
    assert places(marked({"messages": [user(LONG)]})) == []
    assert places(marked({"system": LONG, "messages": [user(LONG)]})) == [".system.0"]


def test_a_single_question_with_tools_is_read_again_with_their_results() -> None:
    assert places(marked({"tools": TOOLS, "messages": [user(LONG)]})) == [".messages.0.content.0"]


def test_a_prompt_that_is_too_short_is_left_alone() -> None:
    body = {"system": "Be kind.", "tools": TOOLS, "messages": [user("a"), model("b"), user("c")]}
    assert marked(body) == body
    assert places(marked(body, least=1)) != []


def test_tools_too_short_by_themselves_leave_their_mark_to_the_system_prompt() -> None:
    assert places(marked({"tools": TOOLS, "system": LONG, "messages": [user("a")]})) == [
        ".system.0",
        ".messages.0.content.0",
    ]


def test_a_turn_before_the_least_length_is_not_marked() -> None:
    body = {"messages": [user("a"), model("b"), user(LONG)]}
    assert places(marked(body)) == [".messages.2.content.0"]


def test_tools_that_are_looked_up_later_take_no_mark() -> None:
    tools = [{**TOOLS[0], "description": LONG}, {**TOOLS[1], "defer_loading": True}]
    assert places(marked({"tools": tools, "messages": []})) == [".tools.0"]
    assert places(marked({"tools": [{**tools[1], "description": LONG}], "messages": []})) == []


@pytest.mark.parametrize(
    ("content", "place"),
    [
        ([{"type": "text", "text": LONG}, {"type": "thinking", "thinking": "x"}], [".messages.2.content.0"]),
        ([{"type": "text", "text": LONG}, {"type": "text", "text": ""}], [".messages.2.content.0"]),
        ([{"type": "tool_result", "tool_use_id": "t", "content": LONG}], [".messages.2.content.0"]),
        ([{"type": "odd", "text": LONG}], []),
        ("", []),
    ],
)
def test_the_last_block_that_takes_one_is_marked(content: Any, place: list[str]) -> None:
    body = {"system": LONG, "messages": [model("x"), model("y"), user(content)]}
    assert places(marked(body))[1:] == place


def test_marks_of_somebody_else_are_left_alone() -> None:
    own = [{"type": "text", "text": LONG, "cache_control": {"type": "ephemeral", "ttl": "1h"}}]
    body = {"system": LONG, "messages": [user(own)]}
    assert marked(body) is body


contents = st.one_of(
    st.text(max_size=5),
    st.lists(
        st.sampled_from([{"type": "text", "text": "x"}, {"type": "thinking", "thinking": "x"}]), max_size=3
    ),
)


@given(
    st.lists(st.builds(user, contents) | st.builds(model, contents), min_size=1, max_size=6), st.booleans()
)
def test_there_are_never_more_than_four_and_nothing_else_changes(messages: list[Any], tools: bool) -> None:
    body = {"system": "x", "messages": messages, **({"tools": TOOLS} if tools else {})}
    found = marked(body, least=0)
    assert len(places(found)) <= 4
    assert plain(found) == plain(body)


def plain(body: object) -> object:
    """A body without marks, with every text as a block."""
    if isinstance(body, dict):
        members = cast("dict[str, object]", body)
        inner = {name: plain(value) for name, value in members.items() if name != "cache_control"}
        for name in ("system", "content"):
            if isinstance(inner.get(name), str) and inner[name]:
                inner[name] = [{"type": "text", "text": inner[name]}]
        return inner
    return [plain(one) for one in cast("list[object]", body)] if isinstance(body, list) else body


def test_the_share_of_hits_is_that_of_the_tokens() -> None:
    assert hit_share(25, 100) == 0.25
    assert hit_share(0, 0) is None
    assert json.dumps(MARK) == '{"type": "ephemeral"}'
