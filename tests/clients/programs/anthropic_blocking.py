"""The official SDK, synchronous, of any generation since 0.125."""

import anthropic
from speaking import DESCRIPTION, KEY, MODEL, SCHEMA, STORY, TEXT, TOOL, WEATHER, Seen, Task, speak

TOOLS = [{"name": "weather", "description": DESCRIPTION, "input_schema": SCHEMA}]


def client(task: Task) -> anthropic.Anthropic:
    return anthropic.Anthropic(base_url=task.url, api_key=KEY, timeout=task.timeout)


def take(message: anthropic.types.Message, seen: Seen) -> None:
    seen.text = "".join(block.text for block in message.content if block.type == "text")
    seen.stop = message.stop_reason


def text(task: Task, seen: Seen) -> None:
    with client(task) as claude:
        asked = [{"role": "user", "content": TEXT}]
        take(claude.messages.create(model=MODEL, max_tokens=300, messages=asked), seen)


def stream(task: Task, seen: Seen) -> None:
    asked = [{"role": "user", "content": STORY}]
    with (
        client(task) as claude,
        claude.messages.stream(model=MODEL, max_tokens=300, messages=asked) as events,
    ):
        for piece in events.text_stream:
            seen.text += piece
            seen.pieces += 1
        seen.stop = events.get_final_message().stop_reason


def tool(task: Task, seen: Seen) -> None:
    turns = [{"role": "user", "content": TOOL}]
    with client(task) as claude:
        asked = claude.messages.create(model=MODEL, max_tokens=300, messages=turns, tools=TOOLS)
        call = next(block for block in asked.content if block.type == "tool_use")
        result = {"type": "tool_result", "tool_use_id": call.id, "content": WEATHER}
        turns += [{"role": "assistant", "content": asked.content}, {"role": "user", "content": [result]}]
        take(claude.messages.create(model=MODEL, max_tokens=300, messages=turns, tools=TOOLS), seen)


if __name__ == "__main__":
    speak(anthropic.__version__, {"text": text, "stream": stream, "tool": tool})
