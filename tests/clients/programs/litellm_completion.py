"""LiteLLM's SDK, which speaks HTTP by itself and calls what it hears by other names."""

from importlib.metadata import version

import litellm
from speaking import DESCRIPTION, KEY, MODEL, SCHEMA, STORY, TEXT, TOOL, WEATHER, Seen, Task, speak

TOOLS = [
    {"type": "function", "function": {"name": "weather", "description": DESCRIPTION, "parameters": SCHEMA}}
]
litellm.telemetry = False
litellm.suppress_debug_info = True


def ask(task: Task, turns: list[object], **options: object) -> object:
    place = {"api_base": task.url, "api_key": KEY, "timeout": task.timeout}
    return litellm.completion(model=f"anthropic/{MODEL}", messages=turns, max_tokens=300, **place, **options)


def take(answer: object, seen: Seen) -> None:
    seen.text, seen.stop = answer.choices[0].message.content, answer.choices[0].finish_reason


def text(task: Task, seen: Seen) -> None:
    take(ask(task, [{"role": "user", "content": TEXT}]), seen)


def stream(task: Task, seen: Seen) -> None:
    for piece in ask(task, [{"role": "user", "content": STORY}], stream=True):
        said = piece.choices[0].delta.content or ""
        seen.text += said
        seen.pieces += bool(said)
        seen.stop = piece.choices[0].finish_reason or seen.stop


def tool(task: Task, seen: Seen) -> None:
    turns: list[object] = [{"role": "user", "content": TOOL}]
    asked = ask(task, turns, tools=TOOLS).choices[0].message
    (call,) = asked.tool_calls
    turns += [asked, {"role": "tool", "tool_call_id": call.id, "content": WEATHER}]
    take(ask(task, turns, tools=TOOLS), seen)


if __name__ == "__main__":
    speak(version("litellm"), {"text": text, "stream": stream, "tool": tool})
