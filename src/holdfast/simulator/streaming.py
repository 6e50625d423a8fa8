"""The events of a streamed answer: written by hand, so that no parser of ours can agree with its own mistake."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from random import Random
from typing import Literal, TypeAlias

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
from holdfast.simulator.latency import Pace
from holdfast.simulator.message import Message, Written, refusal_details
from holdfast.simulator.models import Model
from holdfast.simulator.tokens import text_tokens
from holdfast.simulator.values import JsonObject, encode

CHUNK = (4, 28)
"""The fewest and the most characters of one delta of the chunking `random`."""
TOKEN = 4
"""Characters of one delta of the chunking `token`, about what a token is."""
Chunking: TypeAlias = Literal["random", "word", "token"]
_WORDS = re.compile(r"\S+\s*|\s+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One event, the tokens written by then, and the unscaled seconds of waiting before it."""

    name: str
    data: bytes
    tokens: int
    wait: float = 0.0


def render(name: str, payload: JsonObject) -> bytes:
    """One server-sent event; the `event` line is required, as the SDK skips events without it."""
    return b"event: " + name.encode() + b"\ndata: " + encode(payload) + b"\n\n"


PING = render("ping", {"type": "ping"})


def error_event(error_type: str, message: str, request_id: str) -> bytes:
    """The event that ends a stream with an error."""
    error: JsonObject = {"type": error_type, "message": message}
    return render("error", {"type": "error", "error": error, "request_id": request_id})


def events(
    message: Message, model: Model, pace: Pace, roll: Random, chunking: Chunking = "random"
) -> list[Event]:
    """The whole stream: `message_start`, each block, `message_delta`, `message_stop`."""
    first = message.prompt_usage.output_tokens
    found = [
        _event("message_start", {"message": message.opening()}, first, wait=pace.first_token / 2),
        *_body(message, _Progress(done=0, model=model, pace=pace, roll=roll, chunking=chunking)),
    ]
    end: JsonObject = {
        "stop_reason": message.stop_reason,
        "stop_sequence": message.stop_sequence,
        "stop_details": refusal_details() if message.stop_reason == "refusal" else None,
        "container": None,
    }
    total = message.usage.output_tokens
    found.append(_event("message_delta", {"delta": end, "usage": message.usage.delta()}, total))
    found.append(_event("message_stop", {}, total))
    return found


def _body(message: Message, progress: "_Progress") -> Iterator[Event]:
    for index, part in enumerate(message.written):
        wait = progress.pace.first_token / 2 if index == 0 else 0.0
        start: JsonObject = {"index": index, "content_block": _opening(part.block)}
        yield _event(
            "content_block_start", start, max(progress.done, min(1, message.usage.output_tokens)), wait=wait
        )
        if index == 0:
            yield Event(name="ping", data=PING, tokens=min(1, message.usage.output_tokens))
        yield from _deltas(index, part, progress)
        yield _event("content_block_stop", {"index": index}, part.tokens)
        progress = replace(progress, done=part.tokens)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Progress:
    """Where the answer stands before a block, and how quickly it is written."""

    done: int
    model: Model
    pace: Pace
    roll: Random
    chunking: Chunking


def _deltas(index: int, part: Written, progress: _Progress) -> Iterator[Event]:
    kind, member, pieces = _pieces(part.block, progress)
    tokens, sofar = max(1, progress.done), ""
    for piece in pieces:
        sofar += piece
        now = min(part.tokens, max(tokens, progress.done + text_tokens(sofar, progress.model)))
        delta: JsonObject = {"type": kind, member: piece}
        wait = max(0, now - tokens) / progress.pace.tokens_per_second
        yield _event("content_block_delta", {"index": index, "delta": delta}, now, wait=wait)
        tokens = now
    if isinstance(part.block, Text):
        for citation in part.block.citations:
            quote: JsonObject = {"type": "citations_delta", "citation": citation}
            yield _event("content_block_delta", {"index": index, "delta": quote}, part.tokens)
    if isinstance(part.block, Thinking):
        seal: JsonObject = {"type": "signature_delta", "signature": part.block.signature}
        yield _event("content_block_delta", {"index": index, "delta": seal}, part.tokens)


def _pieces(block: Block, progress: _Progress) -> tuple[str, str, list[str]]:
    match block:
        case Text(text=text):
            return "text_delta", "text", _cut(text, progress)
        case Thinking(thinking=thinking):
            return "thinking_delta", "thinking", _cut(thinking, progress)
        case ToolUse(input=given):
            return "input_json_delta", "partial_json", ["", *_cut(encode(given).decode(), progress)]
        case WebSearch(query=query):
            return (
                "input_json_delta",
                "partial_json",
                ["", *_cut(encode({"query": query}).decode(), progress)],
            )
        case Compaction(content=content):
            return "compaction_delta", "content", [content]
        case SearchResult() | Redacted():
            return "text_delta", "text", []


def _cut(text: str, progress: _Progress) -> list[str]:
    """The text in pieces, never inside a code point: words, tokens, or of seeded length."""
    if progress.chunking == "word":
        return _WORDS.findall(text)
    shortest, longest = (TOKEN, TOKEN) if progress.chunking == "token" else CHUNK
    pieces: list[str] = []
    at = 0
    while at < len(text):
        size = progress.roll.randint(shortest, longest)
        pieces.append(text[at : at + size])
        at += size
    return pieces


def _opening(block: Block) -> JsonObject:
    """A block before its first delta."""
    match block:
        case Text(citations=citations):
            cited: JsonObject = {"citations": []} if citations else {}
            return {"type": "text", "text": "", **cited}
        case Thinking():
            return {"type": "thinking", "thinking": "", "signature": ""}
        case ToolUse() | WebSearch():
            return {**block_wire(block), "input": {}}
        case Compaction():
            return {**block_wire(block), "content": None}
        case SearchResult() | Redacted():
            return block_wire(block)


def _event(name: str, payload: JsonObject, tokens: int, *, wait: float = 0.0) -> Event:
    return Event(name=name, data=render(name, {"type": name, **payload}), tokens=tokens, wait=wait)
