"""The read-only MCP server of a gateway, with the official client as the judge."""

from typing import Any

import httpx2
import pytest
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from mcp_types import TextContent

from tests.admin.operating import TOKEN, Operator, in_memory
from tests.doors.talking import ask

PATH = "/mcp"


def call(operator: Operator, name: str, **arguments: object) -> dict[str, Any]:
    said = {
        "jsonrpc": "2.0",
        "id": 1,
        "method": "tools/call",
        "params": {"name": name, "arguments": arguments},
    }
    found: dict[str, Any] = operator.ask("POST", PATH, said).json["result"]
    return found


async def test_the_official_client_reads_status_spending_and_requests(operator: Operator) -> None:
    name = operator.answered()
    headers = {"x-api-key": TOKEN}
    async with (
        httpx2.AsyncClient(headers=headers, trust_env=False) as http,
        Client(streamable_http_client(operator.gateway.url + PATH, http_client=http)) as client,
    ):
        assert [tool.name for tool in (await client.list_tools()).tools] == [
            "status",
            "spend",
            "explain_request",
        ]
        status = await client.call_tool("status", {})
        spend = await client.call_tool("spend", {"since": "today", "by": ["model"]})
        story = await client.call_tool("explain_request", {"id": name})

    (said,) = status.content
    assert isinstance(said, TextContent)
    assert said.text
    assert status.structured_content["ok"] is True
    assert spend.structured_content["total"]["attempts"] == 1
    assert story.structured_content["request_id"] == name


@in_memory
def test_whoever_has_no_token_hears_nothing(operator: Operator) -> None:
    refusal = ask(
        operator.gateway.url, {"method": "ping", "id": 1}, path=PATH, headers={"x-api-key": "guess"}
    )
    assert refusal.status == 401


@in_memory
def test_what_nobody_knows_is_an_error_of_the_tool(operator: Operator) -> None:
    for result in (
        call(operator, "explain_request", id="hfr_none"),
        call(operator, "spend", since="whenever"),
    ):
        assert result["isError"] is True
        assert result["content"][0]["text"]


@in_memory
@pytest.mark.parametrize("method", ["GET", "DELETE"])
def test_there_is_no_stream_and_no_session(operator: Operator, method: str) -> None:
    assert operator.ask(method, PATH).status == 405


@in_memory
def test_a_notification_is_accepted_and_not_answered(operator: Operator) -> None:
    heard = ask(
        operator.gateway.url, {"method": "notifications/initialized"}, path=PATH, headers={"x-api-key": TOKEN}
    )
    assert (heard.status, heard.body) == (202, b"")
