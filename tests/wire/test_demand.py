"""What is read of a body that is billed beside its text."""

import json
from typing import Any

import pytest

from holdfast.wire.demand import Demand, ServerTool, Substitute
from holdfast.wire.messages import read_request


def demand(*content: dict[str, Any], **body: Any) -> Demand:
    whole = {"model": "m", "messages": [{"role": "user", "content": list(content)}], **body}
    return read_request(json.dumps(whole, indent=1).encode()).demand


def test_a_plain_request_demands_nothing() -> None:
    assert demand({"type": "text", "text": "hi"}, tools=[{"name": "t", "input_schema": {}}]) == Demand()
    assert demand(tools=[{"type": "custom", "name": "t"}]) == Demand()


def test_speed_and_place() -> None:
    found = demand(speed="fast", inference_geo="eu")
    assert (found.fast, found.geo) == (True, "eu")
    assert demand(speed="standard", inference_geo=7) == Demand()


@pytest.mark.parametrize(
    ("control", "cache"),
    [({}, "5m"), ({"ttl": "5m"}, "5m"), ({"ttl": "1h"}, "1h"), ({"ttl": "one hour"}, "5m")],
)
def test_the_longest_lived_cache_entry(control: dict[str, str], cache: str) -> None:
    control = {"type": "ephemeral", **control}
    assert demand({"type": "text", "text": "hi", "cache_control": control}).cache == cache
    assert demand(cache_control=control).cache == cache
    assert demand(tools=[{"type": "advisor_20260301", "caching": control}]).cache == cache


def test_text_about_caching_caches_nothing() -> None:
    assert demand({"type": "text", "text": '"cache_control":{"ttl":"1h"}'}).cache == "none"


def test_server_tools_with_their_bounds() -> None:
    found = demand(
        tools=[
            {"type": "web_search_20260209", "name": "web_search", "max_uses": 3},
            {"type": "web_fetch_20250910", "max_content_tokens": 500.0, "max_uses": -1},
            {"type": "advisor_20260301", "model": "claude-opus-5-5", "max_tokens": 2048, "max_uses": True},
            {"type": "code_execution_20260521", "name": "code_execution"},
            {"type": "unheard_of_20270101", "max_uses": "many"},
        ]
    )
    assert found.server_tools == (
        ServerTool(kind="search", max_uses=3),
        ServerTool(kind="fetch", max_content_tokens=500),
        ServerTool(kind="advisor", model="claude-opus-5-5", max_tokens=2048),
        ServerTool(),
        ServerTool(),
    )
    assert found.typed_tools == 5


@pytest.mark.parametrize("kind", ["bash_20250124", "computer_toolset_20260801", "memory_20250818"])
def test_tools_that_the_caller_runs_make_no_loop(kind: str) -> None:
    found = demand(tools=[{"type": kind, "name": "t"}, "no tool"])
    assert (found.server_tools, found.typed_tools) == ((), 1)


def test_models_that_may_stand_in() -> None:
    listed = [{"model": "a", "max_tokens": 5}, {"model": "b", "speed": "fast"}, 7]
    found = demand(fallbacks=listed)
    assert found.substitutes == (Substitute(model="a", max_tokens=5), Substitute(model="b"))
    assert found.fast
    assert demand(fallbacks="default").substitutes == (Substitute(),)
    assert demand(fallbacks={"model": "a"}).substitutes == ()


@pytest.mark.parametrize(
    ("body", "trigger"),
    [
        ({"compaction": {}}, 0),
        ({"context_management": {"edits": [{"type": "compact_20260112"}]}}, 150_000),
        (
            {"context_management": {"edits": [{"type": "compact_20260112", "trigger": {"value": 60_000}}]}},
            60_000,
        ),
        ({"context_management": {"edits": [{"type": "clear_tool_uses_20250919"}, {}]}}, None),
        ({"context_management": "no object"}, None),
    ],
)
def test_from_where_a_conversation_is_compacted(body: dict[str, Any], trigger: int | None) -> None:
    assert demand(**body).compacts_from == trigger


def test_pdfs_at_any_depth() -> None:
    pdf = {"type": "document", "source": {"type": "base64", "data": "abcd"}}
    url = {"type": "document", "source": {"type": "url", "url": "https://example.com"}}
    text = {"type": "document", "source": {"type": "text", "data": "abcd"}}
    found = demand(pdf, text, {"type": "tool_result", "content": [url, {"type": "document"}]})
    assert sorted(found.pdf_sizes, key=str) == [4, None, None]


def test_the_rest_is_counted() -> None:
    found = demand(mcp_servers=[{"type": "url"}, None], thinking={"type": "enabled", "budget_tokens": 2000})
    assert (found.mcp_servers, found.thinking_budget) == (1, 2000)
