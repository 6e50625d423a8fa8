"""Where a request of ours marks its prompt, so that the API reads what it has seen before instead of being paid anew.

The rules are those of the API: a prompt is read as tools, system, messages; an entry ends at a mark, of which there
may be four; a prompt that is shorter than the least of its model is never kept; from a mark it is looked back for an
earlier entry by twenty blocks at most. A first write costs a quarter more than plain input, a read a tenth or less.
"""

from collections.abc import Mapping, Sequence
from typing import Any, cast

import msgspec

MARK: Mapping[str, str] = {"type": "ephemeral"}
LEAST = 1_024
"""Tokens of the shortest prompt that is kept, where the table of models does not say."""
BYTES_PER_TOKEN = 4
"""Few texts have more: what is long enough by this is long enough."""
_NAME = b'"cache_control"'
_TAKES = frozenset({"text", "image", "document", "tool_result", "tool_use", "search_result"})
"""Blocks that may be marked; thinking may not."""

Body = Mapping[str, Any]
Message = Mapping[str, Any]


def marked(body: Body, *, least: int | None = None) -> Body:
    """The body with up to four marks: behind its tools, its system prompt, the last turn, and the newest one.

    The newest turn is marked where there will be another one: with tools on offer, or in a conversation. A body
    that somebody has marked already is left as it is, and so is one that is too short for any.
    """
    if _NAME in msgspec.json.encode(body):
        return body
    shortest = (LEAST if least is None else least) * BYTES_PER_TOKEN
    length, found = 0, dict(body)
    for name, mark in (("tools", _tools), ("system", _system), ("messages", _messages)):
        value: object = body.get(name)
        if not value:
            continue
        before, length = length, length + len(msgspec.json.encode(value))
        if length >= shortest:
            found[name] = mark(value, body, shortest - before)
    return found


def hit_share(read: int, prompt: int) -> float | None:
    """The part of a prompt that was read from the API's cache; `None` where nothing was sent."""
    return read / prompt if prompt else None


def _tools(value: Any, body: Body, missing: int) -> object:
    """The tools with a mark on the last that takes one: those that are looked up later do not."""
    tools = cast("Sequence[Message]", value)
    last = max((at for at, tool in enumerate(tools) if not tool.get("defer_loading")), default=None)
    return [{**tool, "cache_control": MARK} if at == last else tool for at, tool in enumerate(tools)]


def _system(value: Any, body: Body, missing: int) -> object:
    return _with_mark(value)


def _messages(value: Any, body: Body, missing: int) -> object:
    messages = cast("Sequence[Message]", value)
    newest = len(messages) - 1
    chosen = {newest} if newest or body.get("tools") else set[int]()
    before = [at for at in range(newest) if messages[at].get("role") == "user"]
    # Where the request before this one ended: what it has written is read from there, however long this turn is.
    if before and len(msgspec.json.encode(messages[: before[-1] + 1])) >= missing:
        chosen.add(before[-1])
    return [
        {**message, "content": _with_mark(message.get("content"))} if at in chosen else message
        for at, message in enumerate(messages)
    ]


def _with_mark(content: Any) -> object:
    """A text or blocks with a mark on the last block that takes one."""
    if isinstance(content, str):
        return [{"type": "text", "text": content, "cache_control": MARK}] if content else content
    blocks = cast("Sequence[Message]", content)
    last = max((at for at, block in enumerate(blocks) if _may_be_marked(block)), default=None)
    return [{**block, "cache_control": MARK} if at == last else block for at, block in enumerate(blocks)]


def _may_be_marked(block: Message) -> bool:
    kind = block.get("type")
    return kind in _TAKES and (kind != "text" or bool(block.get("text")))
