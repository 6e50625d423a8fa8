"""An agent that another one calls like a tool."""

from collections.abc import Awaitable, Callable

from holdfast.agent.envelope import NOBODY, Envelope
from holdfast.agent.exchange import Content
from holdfast.agent.reply import Reply
from holdfast.agent.tools import Tool, ToolResult, tool_of
from holdfast.errand import current
from holdfast.errors import ConfigError
from holdfast.language import Sentence

Chat = Callable[[Content], Awaitable[Reply]]

_ASKED = "Another agent works for the user and hands you the task in the document. Work on it, and answer it."
_TASK = "what the agent is to do, with everything that it needs to know: it has not read this conversation."


def delegated(
    chat: Chat, name: str | None, description: str | None, *, timeout: float | None, trusted: bool
) -> Tool:
    """The tool that asks an agent; see `ProductionAgent.as_tool`."""
    if not name:
        raise _nameless()

    async def ask(task: str) -> ToolResult:
        reply = await chat(_task(task, trusted=trusted))
        if reply.reason is not None:
            raise reply.reason
        return ToolResult(content=reply.text, is_error=bool(reply.pending))

    said = description or f"Ask the agent {name}."
    ask.__doc__ = f"{said}\n\nArgs:\n    task: {_TASK}"
    # Asking acts on nothing; the agent that is asked has guards of its own for what its tools do.
    return tool_of(ask, name=name, description=said, timeout=timeout, acts=False)


def _task(task: str, *, trusted: bool) -> Content:
    errand = current()
    origin = None if errand is None else errand.parent
    envelope = Envelope(text=task, origin=origin or NOBODY, is_trusted=trusted)
    return [envelope.block, {"type": "text", "text": _ASKED}] if envelope.is_data else task


def _nameless() -> ConfigError:
    return ConfigError(
        Sentence(
            "An agent needs a name to be a tool: give it one with `as_tool(name)`.",
            ko="에이전트를 도구로 쓰려면 이름이 필요합니다. `as_tool(name)`으로 지정하세요.",
        )
    )
