"""The official SDK, asynchronous, on the HTTP client named as the argument: `httpx` or `aiohttp`."""

import asyncio
import sys

import anthropic
from anthropic import DefaultAioHttpClient
from speaking import DESCRIPTION, KEY, MODEL, SCHEMA, STORY, TEXT, TOOL, WEATHER, Seen, Task, speak

TOOLS = [{"name": "weather", "description": DESCRIPTION, "input_schema": SCHEMA}]
ON_AIOHTTP = "aiohttp" in sys.argv


def client(task: Task) -> anthropic.AsyncAnthropic:
    http = DefaultAioHttpClient() if ON_AIOHTTP else None
    return anthropic.AsyncAnthropic(base_url=task.url, api_key=KEY, timeout=task.timeout, http_client=http)


def take(message: anthropic.types.Message, seen: Seen) -> None:
    seen.text = "".join(block.text for block in message.content if block.type == "text")
    seen.stop = message.stop_reason


async def text(task: Task, seen: Seen) -> None:
    async with client(task) as claude:
        asked = [{"role": "user", "content": TEXT}]
        take(await claude.messages.create(model=MODEL, max_tokens=300, messages=asked), seen)


async def stream(task: Task, seen: Seen) -> None:
    asked = [{"role": "user", "content": STORY}]
    async with (
        client(task) as claude,
        claude.messages.stream(model=MODEL, max_tokens=300, messages=asked) as events,
    ):
        async for piece in events.text_stream:
            seen.text += piece
            seen.pieces += 1
        seen.stop = (await events.get_final_message()).stop_reason


async def tool(task: Task, seen: Seen) -> None:
    turns = [{"role": "user", "content": TOOL}]
    async with client(task) as claude:
        asked = await claude.messages.create(model=MODEL, max_tokens=300, messages=turns, tools=TOOLS)
        call = next(block for block in asked.content if block.type == "tool_use")
        result = {"type": "tool_result", "tool_use_id": call.id, "content": WEATHER}
        turns += [{"role": "assistant", "content": asked.content}, {"role": "user", "content": [result]}]
        take(await claude.messages.create(model=MODEL, max_tokens=300, messages=turns, tools=TOOLS), seen)


if __name__ == "__main__":
    speak(
        anthropic.__version__,
        {
            "text": lambda task, seen: asyncio.run(text(task, seen)),
            "stream": lambda task, seen: asyncio.run(stream(task, seen)),
            "tool": lambda task, seen: asyncio.run(tool(task, seen)),
        },
    )
