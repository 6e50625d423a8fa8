"""An MCP server made with the official package, over standard input and output or at a loopback port."""

import argparse
import asyncio
import os
import socket
import sys
from pathlib import Path

import mcp_types as types
import uvicorn
from mcp.server import Server, ServerRequestContext
from mcp.server.stdio import stdio_server
from mcp.server.subscriptions import InMemorySubscriptionBus, ListenHandler
from mcp.shared.exceptions import MCPError
from mcp.shared.subscriptions import ToolsListChanged

Context = ServerRequestContext[dict[str, object]]


class Shop:
    """A shop with a few tools, that learns one more when it is told to."""

    def __init__(self, state: Path) -> None:
        self.state = state
        self.bus = InMemorySubscriptionBus()
        self.knows_more = False

    async def tools(
        self, context: Context, params: types.PaginatedRequestParams | None
    ) -> types.ListToolsResult:
        """What can be called."""
        description = self.state.read_text() or "Counts what is left."
        names = ["stock", "learn", "die", "ask", "fail", *(["learnt"] if self.knows_more else [])]
        schema = {"type": "object", "properties": {"sku": {"type": "string"}}}
        return types.ListToolsResult(
            tools=[types.Tool(name=name, description=description, input_schema=schema) for name in names]
        )

    async def call(
        self, context: Context, params: types.CallToolRequestParams
    ) -> types.CallToolResult | types.InputRequiredResult:
        """Run a tool."""
        match params.name:
            case "learn":
                self.knows_more = True
                await self.bus.publish(ToolsListChanged())
            case "die":
                os._exit(3)
            case "ask":
                question = types.ElicitRequest(
                    params=types.ElicitRequestFormParams(
                        message="Your password?", requested_schema={"type": "object", "properties": {}}
                    )
                )
                return types.InputRequiredResult(input_requests={"one": question})
            case "fail":
                raise MCPError(-32602, "there is no such shop")
            case _:
                pass
        said = f"{params.name}: {(params.arguments or {}).get('sku')} from {os.getpid()}"
        return types.CallToolResult(content=[types.TextContent(type="text", text=said)])

    def server(self) -> Server[dict[str, object]]:
        """The server of the package."""
        return Server(
            "shop",
            on_list_tools=self.tools,
            on_call_tool=self.call,
            on_subscriptions_listen=ListenHandler(self.bus),
        )


async def over_pipes(server: Server[dict[str, object]]) -> None:
    """Serve whoever has started this."""
    async with stdio_server() as (read, write):
        await server.run(read, write, server.create_initialization_options())


def over_http(server: Server[dict[str, object]], port: int) -> None:
    """Serve at a port of this machine, which stands on the standard output."""
    listening = socket.create_server(("127.0.0.1", port))
    sys.stdout.write(f"{listening.getsockname()[1]}\n")
    sys.stdout.flush()
    app = server.streamable_http_app()
    uvicorn.Server(uvicorn.Config(app, log_level="critical", timeout_graceful_shutdown=1)).run([listening])


if __name__ == "__main__":
    said = argparse.ArgumentParser()
    said.add_argument("state", type=Path)
    said.add_argument("--port", type=int)
    given = said.parse_args()
    shop = Shop(given.state).server()
    if given.port is None:
        asyncio.run(over_pipes(shop))
    else:
        over_http(shop, given.port)
