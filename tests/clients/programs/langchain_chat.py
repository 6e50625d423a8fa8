"""LangChain, which takes a base URL and nothing else of ours."""

from importlib.metadata import version

from langchain_anthropic import ChatAnthropic
from langchain_core.messages import HumanMessage, ToolMessage
from langchain_core.tools import tool as tool_of
from speaking import KEY, MODEL, STORY, TEXT, TOOL, WEATHER, Seen, Task, speak


@tool_of
def weather(city: str) -> str:
    """The weather in a city."""
    return WEATHER


def model(task: Task) -> ChatAnthropic:
    return ChatAnthropic(model=MODEL, base_url=task.url, api_key=KEY, timeout=task.timeout, max_tokens=300)


def text(task: Task, seen: Seen) -> None:
    message = model(task).invoke(TEXT)
    seen.text, seen.stop = message.text, message.response_metadata.get("stop_reason")


def stream(task: Task, seen: Seen) -> None:
    for piece in model(task).stream(STORY):
        seen.text += piece.text
        seen.pieces += bool(piece.text)
        seen.stop = piece.response_metadata.get("stop_reason") or seen.stop


def tool(task: Task, seen: Seen) -> None:
    claude, turns = model(task).bind_tools([weather]), [HumanMessage(TOOL)]
    asked = claude.invoke(turns)
    (call,) = asked.tool_calls
    turns += [asked, ToolMessage(weather.invoke(call["args"]), tool_call_id=call["id"])]
    message = claude.invoke(turns)
    seen.text, seen.stop = message.text, message.response_metadata.get("stop_reason")


if __name__ == "__main__":
    speak(version("langchain-anthropic"), {"text": text, "stream": stream, "tool": tool})
