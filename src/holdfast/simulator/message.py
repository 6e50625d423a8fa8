"""The finished message: the draft cut to what stop sequences and `max_tokens` allow, with its usage."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from holdfast.simulator.blocks import (
    Block,
    Compaction,
    Redacted,
    SearchResult,
    Text,
    Thinking,
    ToolUse,
    WebSearch,
    block_wire,
)
from holdfast.simulator.compacting import steps
from holdfast.simulator.draft import Draft
from holdfast.simulator.request import MessageRequest
from holdfast.simulator.tokens import fitting_prefix, json_tokens, text_tokens
from holdfast.simulator.usage import Usage
from holdfast.simulator.values import JsonObject


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """A block of the answer and the tokens that had been written when it was complete."""

    block: Block
    tokens: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """An answer."""

    id: str
    model: str
    written: tuple[Written, ...]
    stop_reason: str
    stop_sequence: str | None
    usage: Usage
    prompt_usage: Usage
    """The usage as `message_start` tells it."""

    def wire(self) -> JsonObject:
        """The body of a plain answer."""
        head = self._head(
            [block_wire(part.block) for part in self.written], self.stop_reason, self.stop_sequence
        )
        return {**head, "usage": self.usage.wire()}

    def opening(self) -> JsonObject:
        """The message inside `message_start`."""
        return {**self._head([], None, None), "usage": self.prompt_usage.wire()}

    def _head(self, content: list[JsonObject], reason: str | None, sequence: str | None) -> JsonObject:
        return {
            "id": self.id,
            "type": "message",
            "role": "assistant",
            "model": self.model,
            "content": content,
            "container": None,
            "stop_reason": reason,
            "stop_sequence": sequence,
            "stop_details": refusal_details() if reason == "refusal" else None,
        }


def refusal_details() -> JsonObject:
    """Why an answer was refused."""
    return {"type": "refusal", "category": None, "explanation": "The simulator was told to refuse."}


def finish(request: MessageRequest, draft: Draft, message_id: str, prompt: Usage) -> Message:
    """Cut the draft where a stop sequence begins or `max_tokens` ends."""
    prompt = _compacted(request, draft, prompt)
    written, reason, sequence = _written(request, draft.blocks)
    total = written[-1].tokens if written else 0
    thinking = next((part.tokens for part in written if isinstance(part.block, Thinking | Redacted)), 0)
    whole = _searched(request, written, prompt)
    return Message(
        id=message_id,
        model=request.model.id,
        written=tuple(written),
        stop_reason=draft.stop_reason or reason,
        stop_sequence=sequence,
        usage=whole.with_output(total, thinking),
        prompt_usage=prompt.with_output(min(1, total)),
    )


def _compacted(request: MessageRequest, draft: Draft, prompt: Usage) -> Usage:
    """The usage of the prompt, where a summary took its place first."""
    first = draft.blocks[0] if draft.blocks else None
    if draft.compacted is None or not isinstance(first, Compaction):
        return prompt
    return steps(request, first.content, prompt, draft.compacted)


def _searched(request: MessageRequest, written: list[Written], prompt: Usage) -> Usage:
    """The usage of both steps, where the answer searches the web in between."""
    for part in written:
        if isinstance(part.block, SearchResult):
            found = json_tokens(block_wire(part.block), request.model)
            return prompt.with_output(part.tokens).then(prompt.after(part.tokens + found))
    return prompt


def _written(request: MessageRequest, blocks: Iterable[Block]) -> tuple[list[Written], str, str | None]:
    written: list[Written] = []
    used = 0
    for block in blocks:
        room = request.max_tokens - used
        whole, sequence = _stopped(block, request.stop_sequences)
        cut = _fitted(whole, room, request)
        if cut is not None:
            used += size(cut, request)
            written.append(Written(block=cut, tokens=used))
        if cut != whole:
            return written, "max_tokens", None
        if sequence is not None:
            return written, "stop_sequence", sequence
    called = any(isinstance(part.block, ToolUse) for part in written)
    return written, "tool_use" if called else "end_turn", None


def _stopped(block: Block, sequences: tuple[str, ...]) -> tuple[Block, str | None]:
    """The block up to the earliest stop sequence, and which one that was."""
    if not isinstance(block, Text):
        return block, None
    found = [(at, sequence) for sequence in sequences if (at := block.text.find(sequence)) >= 0]
    if not found:
        return block, None
    at, sequence = min(found)
    return replace(block, text=block.text[:at]), sequence


def _fitted(block: Block, room: int, request: MessageRequest) -> Block | None:
    """The block as far as there is room; thoughts and calls are written whole or not at all."""
    if isinstance(block, Compaction):
        return block
    if room <= 0:
        return None
    match block:
        case Text(text=text):
            return replace(block, text=fitting_prefix(text, room, request.model))
        case SearchResult():
            return block
        case Thinking() | Redacted() | ToolUse() | WebSearch():
            return block if size(block, request) <= room else None


def size(block: Block, request: MessageRequest) -> int:
    """The tokens of one block of an answer."""
    match block:
        case Text(text=text):
            return text_tokens(text, request.model)
        case Thinking(thinking=thinking) | Redacted(thinking=thinking):
            return text_tokens(thinking, request.model)
        case ToolUse(name=name, input=given):
            return text_tokens(name, request.model) + json_tokens(given, request.model)
        case WebSearch(query=query):
            return text_tokens("web_search", request.model) + json_tokens({"query": query}, request.model)
        case SearchResult() | Compaction():
            return 0
