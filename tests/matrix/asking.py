"""The official SDK against many addresses at once: imported by the suite, and run by the interpreter of SDK 0.125."""

import asyncio
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Literal

import anthropic

Form = Literal["plain", "stream", "tool"]
End = Literal["answered", "raised", "hung"]

LIMIT = 20.0
"""Seconds after which a call counts as hung."""
AT_ONCE = 25
MODEL = "claude-sonnet-5-5"
KEY = "local"
TEXT: list[anthropic.types.MessageParam] = [{"role": "user", "content": "Where is my order?"}]
TOOL: list[anthropic.types.MessageParam] = [{"role": "user", "content": "Please use the tool weather."}]
WEATHER: anthropic.types.ToolParam = {
    "name": "weather",
    "input_schema": {
        "type": "object",
        "properties": {name: {"type": "string", "minLength": 40} for name in ("city", "street", "house")},
        "required": ["city", "street", "house"],
    },
}


@dataclass(frozen=True)
class Result:
    """What became of one call: the stop reason of the message or the error that was raised, and when."""

    end: End
    detail: str
    seconds: float = 0.0


def of_message(message: anthropic.types.Message) -> Result:
    return Result("answered", str(message.stop_reason))


def of_error(error: BaseException) -> Result:
    if isinstance(error, TimeoutError):
        return Result("hung", type(error).__name__)
    kind = getattr(error, "type", None)
    return Result("raised", f"{type(error).__name__}({kind})" if kind else type(error).__name__)


async def ask(client: anthropic.AsyncAnthropic, form: Form) -> anthropic.types.Message:
    if form == "plain":
        return await client.messages.create(model=MODEL, max_tokens=300, messages=TEXT)
    if form == "stream":
        async with client.messages.stream(model=MODEL, max_tokens=300, messages=TEXT) as stream:
            return await stream.get_final_message()
    async with client.messages.stream(model=MODEL, max_tokens=300, messages=TOOL, tools=[WEATHER]) as stream:
        return await stream.get_final_message()


def ask_sync(client: anthropic.Anthropic, form: Form) -> anthropic.types.Message:
    if form == "plain":
        return client.messages.create(model=MODEL, max_tokens=300, messages=TEXT)
    if form == "stream":
        with client.messages.stream(model=MODEL, max_tokens=300, messages=TEXT) as stream:
            return stream.get_final_message()
    with client.messages.stream(model=MODEL, max_tokens=300, messages=TOOL, tools=[WEATHER]) as stream:
        return stream.get_final_message()


async def asked(client: anthropic.AsyncAnthropic, form: Form, turn: asyncio.Semaphore) -> Result:
    """The result of one call, once it is its turn."""
    async with turn:
        loop = asyncio.get_running_loop()
        started = loop.time()
        done = await asyncio.gather(asyncio.wait_for(ask(client, form), LIMIT), return_exceptions=True)
        seconds = loop.time() - started
    result = of_error(done[0]) if isinstance(done[0], BaseException) else of_message(done[0])
    return replace(result, seconds=seconds)


async def asked_all(places: Sequence[tuple[str, Form]]) -> list[Result]:
    """Every place asked by a client with the settings that a client has by default."""
    turn = asyncio.Semaphore(AT_ONCE)
    async with anthropic.AsyncAnthropic(base_url="http://127.0.0.1", api_key=KEY) as client:
        return await asyncio.gather(
            *(asked(client.with_options(base_url=url), form, turn) for url, form in places)
        )


if __name__ == "__main__":
    found = asyncio.run(asked_all(json.load(sys.stdin)))
    sys.stdout.write(
        json.dumps({"version": anthropic.__version__, "results": [asdict(result) for result in found]})
    )
