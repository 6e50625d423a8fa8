"""Pydantic AI on the client that `hold.anthropic()` hands out: the pipeline runs in this process."""

import asyncio
import os
import sys
from importlib.metadata import version

from pydantic_ai import Agent
from pydantic_ai.models.anthropic import AnthropicModel
from pydantic_ai.providers.anthropic import AnthropicProvider
from speaking import MODEL, STORY, TEXT, TOOL, WEATHER, Seen, Task, speak

sys.path.append(os.environ["HOLDFAST_SITE"])  # behind everything: only what is not installed here

from holdfast import Holdfast, Settings
from holdfast.policy.routing import UpstreamConfig
from holdfast.settings import StoreConfig


def weather(city: str) -> str:
    """The weather in a city."""
    return WEATHER


def hold(task: Task) -> Holdfast:
    upstreams = {"gateway": UpstreamConfig(url=task.url)}
    return Holdfast(Settings(store=StoreConfig(url="memory:"), upstreams=upstreams))


def agent(opened: Holdfast, *tools: object) -> Agent:
    model = AnthropicModel(MODEL, provider=AnthropicProvider(anthropic_client=opened.anthropic()))
    return Agent(model, tools=tools)


async def recorded(opened: Holdfast, calls: int) -> None:
    rows = await opened.runtime.ledger.newest(10)
    if [row.end for row in rows] != ["answered"] * calls:
        raise RuntimeError(f"the books show {rows}")


async def run(task: Task, seen: Seen, question: str, *tools: object) -> None:
    async with hold(task) as opened:
        result = await agent(opened, *tools).run(question)
        await recorded(opened, 2 if tools else 1)
    seen.text = result.output
    seen.stop = result.response.finish_reason


async def stream(task: Task, seen: Seen) -> None:
    async with hold(task) as opened:
        async with agent(opened).run_stream(STORY) as result:
            async for piece in result.stream_text(delta=True, debounce_by=None):
                seen.text += piece
                seen.pieces += 1
            seen.stop = result.response.finish_reason
        await recorded(opened, 1)


if __name__ == "__main__":
    speak(
        version("pydantic-ai-slim"),
        {
            "text": lambda task, seen: asyncio.run(run(task, seen, TEXT)),
            "stream": lambda task, seen: asyncio.run(stream(task, seen)),
            "tool": lambda task, seen: asyncio.run(run(task, seen, TOOL, weather)),
        },
    )
