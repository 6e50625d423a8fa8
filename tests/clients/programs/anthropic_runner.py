"""The tool runner of the official SDK, which would send only what is new if it were let."""

import anthropic
from anthropic import beta_tool
from speaking import KEY, MODEL, STORY, TEXT, TOOL, WEATHER, Seen, Task, speak


@beta_tool
def weather(city: str) -> str:
    """The weather in a city.

    Args:
        city: the name of the city.
    """
    return WEATHER


def client(task: Task) -> anthropic.Anthropic:
    return anthropic.Anthropic(base_url=task.url, api_key=KEY, timeout=task.timeout)


def finish(task: Task, seen: Seen, question: str) -> None:
    with client(task) as claude:
        asked = [{"role": "user", "content": question}]
        runner = claude.beta.messages.tool_runner(
            model=MODEL, max_tokens=300, messages=asked, tools=[weather]
        )
        last = runner.until_done()
    seen.text = "".join(block.text for block in last.content if block.type == "text")
    seen.stop = last.stop_reason


def stream(task: Task, seen: Seen) -> None:
    with client(task) as claude:
        asked = [{"role": "user", "content": STORY}]
        runner = claude.beta.messages.tool_runner(
            model=MODEL, max_tokens=300, messages=asked, tools=[weather], stream=True
        )
        for events in runner:
            for piece in events.text_stream:
                seen.text += piece
                seen.pieces += 1
            seen.stop = events.get_final_message().stop_reason


if __name__ == "__main__":
    speak(
        anthropic.__version__,
        {
            "text": lambda task, seen: finish(task, seen, TEXT),
            "stream": stream,
            "tool": lambda task, seen: finish(task, seen, TOOL),
        },
    )
