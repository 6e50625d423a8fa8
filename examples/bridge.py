"""Day four: the tools of an MCP server. The server is this file, too, when it is started with `serve`.

It needs `pip install 'holdfast[agent]'`. A tool that changes what it says of itself is refused until it is approved.

    HOLDFAST_UPSTREAM=simulator python examples/bridge.py
"""

import asyncio
import sys

from mcp.server import MCPServer

from holdfast import ProductionAgent
from holdfast.agent.mcp import McpServer

SHELVES = {"pepper": "aisle 3", "rice": "aisle 7"}


def serve() -> None:
    server = MCPServer("shop")

    @server.tool()
    def find_shelf(product: str) -> str:
        """Say where in the shop a product stands."""
        return SHELVES.get(product, "nowhere in this shop")

    server.run("stdio")


async def main() -> None:
    shop = McpServer.stdio("shop", command=[sys.executable, __file__, "serve"], tools=["find_*"])
    async with ProductionAgent(mcp=[shop], system="You help people in a shop.") as agent:
        print(await agent.chat("Where is it? Use the tool mcp__shop__find_shelf with product='rice'."))


if __name__ == "__main__":
    if sys.argv[1:] == ["serve"]:
        serve()
    else:
        asyncio.run(main())
