"""A support agent: it knows its customers, looks orders up, and pays nothing back before a person agrees.

The simulated model calls a tool when the message names it; a real one decides by itself.

    HOLDFAST_UPSTREAM=simulator python examples/support.py
"""

import asyncio

from holdfast import Budget, MemoryAgent, Reply, tool
from holdfast.agent.tools import ToolError

ORDERS = {"A-17": ("minji", "shipped on Monday", 9.9), "B-04": ("jisu", "being packed", 120.0)}
SYSTEM = "You are the support of a small shop. Look orders up before you speak of them. Be brief and kind."


@tool(acts=False)
def order_status(order_id: str) -> str:
    """Look up where an order is.

    Args:
        order_id: the number on the receipt, such as A-17.
    """
    if order_id not in ORDERS:
        raise ToolError(f"There is no order {order_id}. Ask for the number on the receipt.")
    return f"Order {order_id}: {ORDERS[order_id][1]}."


@tool(policy="ask", timeout=10)
async def refund(order_id: str, amount: float) -> str:
    """Pay an order back.

    Args:
        order_id: the number on the receipt.
        amount: dollars to pay back.
    """
    return f"${amount:.2f} of order {order_id} is paid back."


def is_fair(wanted: object, user: str) -> bool:
    """What stands here for a person: whoever owns an order gets up to ten dollars of its price."""
    match wanted:
        case {"order_id": str(order_id), "amount": int() | float() as amount} if order_id in ORDERS:
            owner, _, price = ORDERS[order_id]
            return owner == user and 0 < amount <= min(price, 10)
        case _:
            return False


async def decided(agent: MemoryAgent, reply: Reply, user: str) -> Reply:
    """The reply once it is decided on what waits."""
    while reply.pending:
        decisions = {call.id: is_fair(call.input, user) for call in reply.pending}
        for call in reply.pending:
            print(f"    {call.tool} {call.input}: {'agreed' if decisions[call.id] else 'declined'}")
        reply = await agent.resume(reply.conversation, decisions, user=user)
    return reply


async def main() -> None:
    async with MemoryAgent(
        name="support", system=SYSTEM, tools=[order_status, refund], budget=Budget(usd=5, per="day")
    ) as agent:
        assert agent.memory is not None
        await agent.memory.remember("Prefers to be called Min.", user="minji")
        conversation = None
        for said in (
            "Hello! Where is my parcel? Use the tool order_status with order_id='A-17'.",
            "It came broken. Use the tool refund with amount=9.9 and order_id='A-17'.",
            "And mine of last week? Use the tool order_status with order_id='C-99'.",
            "My friend wants her money, too. Use the tool refund with amount=120 and order_id='B-04'.",
        ):
            print(f"minji: {said}")
            reply = await agent.chat(said, user="minji", conversation=conversation)
            reply = await decided(agent, reply, "minji")
            conversation = reply.conversation
            print(f"support: {reply}\n    ${reply.cost:f}")


if __name__ == "__main__":
    asyncio.run(main())
