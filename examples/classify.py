"""Sort support tickets into kinds, many at once, within a budget; run it again and nothing is paid for twice.

Without a key the embedded simulator answers; with a key the same file asks the real API:

    HOLDFAST_UPSTREAM=simulator python examples/classify.py
    ANTHROPIC_API_KEY=... python examples/classify.py
"""

import asyncio
from pathlib import Path

from holdfast import ProductionAgent

KINDS = ("billing", "bug", "question", "praise")
TICKETS = (
    "I was charged twice in October.",
    "The export button does nothing in Firefox.",
    "How do I invite a colleague?",
    "Your support team is wonderful!",
    "앱이 로그인 화면에서 멈춥니다.",
    "Can I pay by invoice?",
)
SYSTEM = f"You sort support tickets. Answer with one word: {', '.join(KINDS)}."


async def main(tickets: tuple[str, ...] = TICKETS) -> int:
    """Print each ticket with its kind; the exit code says whether all were sorted."""
    agent = ProductionAgent("claude-haiku-5-5", system=SYSTEM, max_tokens=32)
    left = 0
    async with agent:
        results = agent.map(tickets, concurrency=4, max_usd="0.05", resume=Path("classify.journal"))
        async for result in results:
            left += result.reply is None
            shown = result.text if result.reply is not None else f"({result.outcome}: {result.error})"
            print(f"{tickets[result.number]}\n    {shown}")
        print(f"cost: ${agent.metrics().total_cost:f}")
    return 1 if left else 0


if __name__ == "__main__":
    raise SystemExit(asyncio.run(main()))
