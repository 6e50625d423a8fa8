"""Pydantic AI, pointed at an address."""

import asyncio
from importlib.metadata import version

from anthropic import AsyncAnthropic
from pydantic_ai import Agent
from pydantic_ai.models.anthropic import AnthropicModel
from pydantic_ai.providers.anthropic import AnthropicProvider
from speaking import KEY, MODEL, STORY, TEXT, TOOL, WEATHER, Seen, Task, speak


def weather(city: str) -> str:
    """The weather in a city."""
    return WEATHER


def agent(claude: AsyncAnthropic, *tools: object) -> Agent:
    model = AnthropicModel(MODEL, provider=AnthropicProvider(anthropic_client=claude))
    return Agent(model, tools=tools)


def client(task: Task) -> AsyncAnthropic:
    return AsyncAnthropic(base_url=task.url, api_key=KEY, timeout=task.timeout)


async def run(task: Task, seen: Seen, question: str, *tools: object) -> None:
    async with client(task) as claude:
        result = await agent(claude, *tools).run(question)
    seen.text = result.output
    seen.stop = result.response.finish_reason


async def stream(task: Task, seen: Seen) -> None:
    async with client(task) as claude, agent(claude).run_stream(STORY) as result:
        async for piece in result.stream_text(delta=True, debounce_by=None):
            seen.text += piece
            seen.pieces += 1
        seen.stop = result.response.finish_reason


if __name__ == "__main__":
    speak(
        version("pydantic-ai-slim"),
        {
            "text": lambda task, seen: asyncio.run(run(task, seen, TEXT)),
            "stream": lambda task, seen: asyncio.run(stream(task, seen)),
            "tool": lambda task, seen: asyncio.run(run(task, seen, TOOL, weather)),
        },
    )
