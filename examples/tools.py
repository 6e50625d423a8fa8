"""Day three: functions that the model may call, and one that only runs when a person agrees.

The simulated model calls a tool when the message names it; a real one decides by itself.

    HOLDFAST_UPSTREAM=simulator python examples/tools.py
"""

import asyncio
from dataclasses import dataclass

from holdfast import ToolAgent, tool


@dataclass
class Weather:
    """What it is like outside."""

    city: str
    celsius: float


@tool(timeout=10)
async def weather(city: str) -> Weather:
    """The weather of today.

    Args:
        city: its English name.
    """
    return Weather(city=city, celsius=21.5)


@tool(policy="ask")
def book_table(city: str, guests: int) -> str:
    """Book a table on a terrace."""
    return f"A table for {guests} in {city} is booked."


async def main() -> None:
    async with ToolAgent(tools=[weather, book_table], system="You plan evenings.") as agent:
        reply = await agent.chat("How warm is it? Use the tool weather with city='Seoul'.", user="minji")
        print(reply)
        reply = await agent.chat(
            "Then use the tool book_table with guests=2 and city='Seoul'.",
            user="minji",
            conversation=reply.conversation,
        )
        for call in reply.pending:
            print(f"a person agrees to {call.tool}: {call.input}")
        agreed = {call.id: True for call in reply.pending}
        print(await agent.resume(reply.conversation, agreed, user="minji"))


if __name__ == "__main__":
    asyncio.run(main())
