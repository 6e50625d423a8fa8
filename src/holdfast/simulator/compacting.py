"""Compaction: a summary takes the place of a conversation, when asked for or when a prompt grows too long."""

from dataclasses import dataclass, replace

from holdfast.simulator.draft import HowCompacted
from holdfast.simulator.request import MessageRequest
from holdfast.simulator.tokens import text_tokens
from holdfast.simulator.usage import Usage
from holdfast.simulator.values import as_object, content_blocks, is_integer, objects, word

DEFAULT_TRIGGER = 150_000
"""Tokens of a prompt above which it is compacted, where the caller names no other number."""
EDIT = "compact_20260112"


@dataclass(frozen=True, slots=True, kw_only=True)
class Compacted:
    """How a request is compacted: the summary `alone`, or the answer goes on after it or waits to be asked for."""

    manner: HowCompacted


def compacted(request: MessageRequest) -> Compacted | None:
    """Whether and how this request is compacted."""
    if word(as_object(request.body.get("compaction")), "type") == "summarize":
        return Compacted(manner="alone")
    for edit in objects(as_object(request.body.get("context_management")).get("edits")):
        if edit.get("type") != EDIT:
            continue
        trigger = as_object(edit.get("trigger")).get("value")
        most = trigger if isinstance(trigger, int) and is_integer(trigger) else DEFAULT_TRIGGER
        if request.prompt_tokens > most:
            return Compacted(manner="pause" if edit.get("pause_after_compaction") is True else "go on")
    return None


def words(request: MessageRequest) -> str:
    """The summary: how much there was, and what was asked last."""
    asked = [message for message in request.messages if message.get("role") == "user"]
    last = (
        " ".join(word(block, "text") for block in content_blocks(asked[-1].get("content"))) if asked else ""
    )
    return (
        f"A conversation of {len(request.messages)} messages, summarised by the simulator. Last: {last[:200]}"
    )


def steps(request: MessageRequest, content: str, prompt: Usage, manner: HowCompacted) -> Usage:
    """The usage of an answer that begins with a summary: the summary is a step that the sums do not show."""
    size = text_tokens(content, request.model)
    summarised = prompt.with_output(size)
    rest = 0 if manner != "go on" else size + _kept(request)
    bare = replace(prompt, input_tokens=rest, cache_read=0, written_5m=0, written_1h=0)
    return replace(bare, compaction=summarised)


def _kept(request: MessageRequest) -> int:
    """The tokens of what a summary does not replace: tools, system prompt, and the newest message."""
    head = len(request.tools) + len(content_blocks(request.body.get("system")))
    newest = len(content_blocks(request.messages[-1].get("content")))
    kept = (*request.prompt[:head], *request.prompt[max(head, len(request.prompt) - newest) :])
    return sum(segment.tokens for segment in kept)
