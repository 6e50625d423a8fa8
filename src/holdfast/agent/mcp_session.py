"""A conversation with one MCP server, as the official package holds it."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import Any

import anyio
import anyio.lowlevel
import httpx2
from mcp import Client, MCPError
from mcp.client.streamable_http import streamable_http_client
from mcp.client.subscriptions import SubscriptionLost
from mcp_types import (
    CONNECTION_CLOSED,
    INVALID_REQUEST,
    CallToolRequest,
    CallToolRequestParams,
    CallToolResult,
    Implementation,
    InputRequiredResult,
    Tool,
    ToolListChangedNotification,
)
from mcp_types.version import MODERN_PROTOCOL_VERSIONS
from pydantic import TypeAdapter, ValidationError

from holdfast.agent.mcp import Command, McpServer, Remote
from holdfast.agent.mcp_http import client_for
from holdfast.agent.mcp_link import Declined, Lost
from holdfast.agent.mcp_process import Streams, process
from holdfast.policy.mcp import MOST_TOOLS, Advertised
from holdfast.version import __version__

MOST_PAGES = 100
_TERMINATED = "Session terminated"
_RESULT: TypeAdapter[CallToolResult | InputRequiredResult] = TypeAdapter(CallToolResult | InputRequiredResult)


@dataclass(frozen=True, slots=True)
class Session:
    """What can be asked of a server while it is connected."""

    client: Client

    async def tools(self) -> list[Advertised]:
        """What the server says of its tools now, at most a few more than anybody offers. Raises as `call` does."""
        found: list[Advertised] = []
        cursor: str | None = None
        for _ in range(MOST_PAGES):
            try:
                page = await self.client.list_tools(cursor=cursor)
            except _TROUBLE as error:
                raise _understood(error) from error
            found += map(_advertised, page.tools)
            cursor = page.next_cursor
            if cursor is None or len(found) > MOST_TOOLS:
                break
        return found

    async def call(self, tool: str, given: Mapping[str, Any]) -> Mapping[str, Any]:
        """What a tool gives back, as JSON.

        Raises:
            Declined: the server, or the protocol, says no.
            Lost: there is no connection any more; whether the tool was run nobody knows.
        """
        try:
            # Not `client.call_tool`: that one runs the patterns of the server's own schemas over its answers, and
            # a pattern can be written so that it never ends.
            result = await self.client.session.send_request(
                CallToolRequest(params=CallToolRequestParams(name=tool, arguments=dict(given))), _RESULT
            )
        except _TROUBLE as error:
            raise _understood(error) from error
        if isinstance(result, InputRequiredResult):
            raise Declined("it asks for more input in return, which servers are not given")
        return result.model_dump(mode="json", by_alias=True, exclude_none=True)


async def hold(
    server: McpServer,
    *,
    ready: Callable[[Session], None],
    changed: Callable[[], None],
    gone: Callable[[str], None],
    over: asyncio.Event,
) -> None:
    """Connect, say so, and stay connected until it is `over`; raises whatever keeps it from that.

    `changed` is told when the tools are no longer what they were, `gone` why the server went away. What a server
    asks of us, such as an answer of a model or a person, is refused: nobody has agreed to that.
    """

    async def heard(message: object) -> None:
        if isinstance(message, ToolListChangedNotification):
            changed()
        await anyio.lowlevel.checkpoint()

    client = Client(
        _way(server, gone),
        client_info=Implementation(name="holdfast", version=__version__),
        message_handler=heard,
        cache=None,
    )
    async with asyncio.timeout(server.start_timeout) as limit, client, anyio.create_task_group() as tasks:
        limit.reschedule(None)
        if client.protocol_version in MODERN_PROTOCOL_VERSIONS:
            tasks.start_soon(_listen, client, changed)
        ready(Session(client))
        await over.wait()
        tasks.cancel_scope.cancel()


async def _listen(client: Client, changed: Callable[[], None]) -> None:
    """Servers of the newer protocol tell only those who have asked; one that will not tell is asked again anyway."""
    try:
        async with client.listen(tools_list_changed=True) as events:
            async for _ in events:
                changed()
    except (MCPError, SubscriptionLost, TimeoutError, ValidationError):
        return


@asynccontextmanager
async def _over_http(remote: Remote, largest: int) -> AsyncGenerator[Any, None]:
    async with (
        await client_for(remote, largest=largest) as client,
        streamable_http_client(remote.url, http_client=client, max_sse_event_size=largest) as streams,
    ):
        yield streams


def _way(server: McpServer, gone: Callable[[str], None]) -> AbstractAsyncContextManager[Streams]:
    match server.way:
        case Command():
            return process(server.way, largest=server.largest_message, gone=gone)
        case Remote():
            return _over_http(server.way, server.largest_message)


def _advertised(tool: Tool) -> Advertised:
    hints = tool.annotations
    return Advertised(
        name=tool.name,
        description=tool.description or tool.title or "",
        input_schema=tool.input_schema,
        acts=hints is not None and hints.destructive_hint is True,
    )


_TROUBLE = (
    MCPError,
    ValidationError,
    httpx2.HTTPError,
    OSError,
    anyio.BrokenResourceError,
    anyio.ClosedResourceError,
)


def _understood(error: Exception) -> Declined | Lost:
    match error:
        case MCPError(code=code, message=said):
            if code == CONNECTION_CLOSED or (code == INVALID_REQUEST and said == _TERMINATED):
                return Lost("the connection was closed")
            return Declined(said)
        case ValidationError():
            return Declined("its answer does not follow the protocol")
        case _:
            return Lost(type(error).__name__)
