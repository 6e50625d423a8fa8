"""Run by the interpreter that has the official SDK 0.125: everything an old client does, against one address."""

import asyncio
import json
import sys

import anthropic

MODEL = "claude-sonnet-5-5"
WEATHER: anthropic.types.ToolParam = {
    "name": "weather",
    "description": "The weather in a city.",
    "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
}


def words(message: anthropic.types.Message) -> str:
    return "".join(block.text for block in message.content if block.type == "text")


def plain(client: anthropic.Anthropic) -> str:
    return words(
        client.messages.create(model=MODEL, max_tokens=300, messages=[{"role": "user", "content": "Plain?"}])
    )


def streamed(client: anthropic.Anthropic) -> str:
    with client.messages.stream(
        model=MODEL, max_tokens=300, messages=[{"role": "user", "content": "Streamed?"}]
    ) as stream:
        heard = "".join(stream.text_stream)
        assert heard == words(stream.get_final_message())
        return heard


def tool_turn(client: anthropic.Anthropic) -> str:
    turns: list[anthropic.types.MessageParam] = [
        {"role": "user", "content": "Please use the tool weather for Seoul."}
    ]
    asked = client.messages.create(model=MODEL, max_tokens=300, messages=turns, tools=[WEATHER])
    call = next(block for block in asked.content if block.type == "tool_use")
    turns.append({"role": "assistant", "content": asked.content})
    result: anthropic.types.ToolResultBlockParam = {
        "type": "tool_result",
        "tool_use_id": call.id,
        "content": "Sunny, 21 degrees",
    }
    turns.append({"role": "user", "content": [result]})
    return words(client.messages.create(model=MODEL, max_tokens=300, messages=turns, tools=[WEATHER]))


def refused(client: anthropic.Anthropic) -> str:
    try:
        client.messages.create(model=MODEL, max_tokens=300, messages=[])
    except anthropic.BadRequestError as error:
        return type(error).__name__
    return "nothing"


async def at_once(url: str) -> list[str]:
    async with anthropic.AsyncAnthropic(base_url=url, api_key="local") as client:
        messages = await asyncio.gather(
            *(
                client.messages.create(
                    model=MODEL, max_tokens=300, messages=[{"role": "user", "content": f"Number {n}?"}]
                )
                for n in range(5)
            )
        )
    return [words(message) for message in messages]


def main(url: str) -> None:
    with anthropic.Anthropic(base_url=url, api_key="local") as client:
        found = {
            "version": anthropic.__version__,
            "plain": plain(client),
            "streamed": streamed(client),
            "tool_turn": tool_turn(client),
            "refused": refused(client),
            "counted": client.messages.count_tokens(
                model=MODEL, messages=[{"role": "user", "content": "Plain?"}]
            ).input_tokens,
            "models": [model.id for model in client.models.list()],
            "at_once": asyncio.run(at_once(url)),
        }
    sys.stdout.write(json.dumps(found))


if __name__ == "__main__":
    main(sys.argv[1])
