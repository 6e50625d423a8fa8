"""The prompt as the API bills it: segments in processing order, and the cache of their prefixes."""

import hashlib
from collections import OrderedDict
from dataclasses import dataclass

from holdfast.simulator.models import Model
from holdfast.simulator.tokens import (
    MESSAGE_OVERHEAD,
    block_tokens,
    tool_tokens,
    tools_overhead,
)
from holdfast.simulator.values import JsonObject, as_object, canonical, content_blocks, objects, word

LOOKBACK = 20
LIFETIME = {"5m": 300.0, "1h": 3_600.0}


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """One block of the prompt; `ttl` is set where a cache breakpoint ends it, `prefix` names all up to here."""

    tokens: int
    prefix: bytes
    ttl: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheUse:
    """How a prompt splits into cache reads, cache writes and the rest."""

    read: int = 0
    written_5m: int = 0
    written_1h: int = 0
    entries: tuple[tuple[bytes, str], ...] = ()
    """What becomes visible to others once the answer has begun."""


def segments(body: JsonObject, model: Model) -> tuple[Segment, ...]:
    """Tools, system, messages: each block with its tokens."""
    parts = [*_tools(body, model), *_system(body, model), *_messages(body, model)]
    automatic = as_object(body.get("cache_control"))
    digest = hashlib.blake2b(model.id.encode(), digest_size=16)
    found: list[Segment] = []
    for index, (block, tokens) in enumerate(parts):
        plain = {name: value for name, value in block.items() if name != "cache_control"}
        digest.update(canonical(plain))
        mark = as_object(block.get("cache_control")) or (automatic if index == len(parts) - 1 else {})
        ttl = (word(mark, "ttl") or "5m") if mark else None
        found.append(Segment(tokens=tokens, prefix=digest.digest(), ttl=ttl))
    return tuple(found)


def _tools(body: JsonObject, model: Model) -> list[tuple[JsonObject, int]]:
    tools = [(tool, tool_tokens(tool, model)) for tool in objects(body.get("tools"))]
    if tools:
        first, tokens = tools[0]
        tools[0] = (first, tokens + tools_overhead(body))
    return tools


def _system(body: JsonObject, model: Model) -> list[tuple[JsonObject, int]]:
    return [(block, block_tokens(block, model)) for block in content_blocks(body.get("system"))]


def _messages(body: JsonObject, model: Model) -> list[tuple[JsonObject, int]]:
    found: list[tuple[JsonObject, int]] = []
    for message in objects(body.get("messages")):
        extra = MESSAGE_OVERHEAD
        for block in content_blocks(message.get("content")):
            marked = {**block, "role": message.get("role")}
            found.append((marked, block_tokens(block, model) + extra))
            extra = 0
    return found


class PromptCache:
    """Prefixes written by earlier requests of a workspace, each with its lifetime; the newest 10,000 are kept."""

    def __init__(self, keep: int = 10_000) -> None:
        self._keep = keep
        self._expires: OrderedDict[tuple[str, bytes], float] = OrderedDict()
        self._ttl: dict[tuple[str, bytes], str] = {}

    def look_up(self, prompt: tuple[Segment, ...], model: Model, workspace: str, now: float) -> CacheUse:
        """Split a prompt; writes become visible by `remember` only."""
        marks = [index for index, segment in enumerate(prompt) if segment.ttl is not None]
        ends = _cumulative(prompt)
        marks = [index for index in marks if ends[index] >= model.cache_minimum]
        if not marks:
            return CacheUse()
        hit = self._longest_hit(prompt, marks, workspace, now)
        read = ends[hit] if hit is not None else 0
        written = {"5m": 0, "1h": 0}
        start = read
        for index in marks:
            ttl = prompt[index].ttl or "5m"
            written[ttl] += max(0, ends[index] - start)
            start = max(start, ends[index])
        entries = [(prompt[index].prefix, prompt[index].ttl or "5m") for index in marks]
        if hit is not None:
            # A read refreshes an entry for as long as it was written for, whatever stands at its place now.
            prefix = prompt[hit].prefix
            entries.insert(0, (prefix, self._ttl.get((workspace, prefix), "5m")))
        return CacheUse(read=read, written_5m=written["5m"], written_1h=written["1h"], entries=tuple(entries))

    def remember(self, use: CacheUse, workspace: str, now: float) -> None:
        """Make the entries of an answer that has begun visible, and refresh those that were read."""
        for prefix, ttl in use.entries:
            key = (workspace, prefix)
            until = self._expires.get(key, 0.0)
            if now + LIFETIME[ttl] >= until or until <= now:
                self._ttl[key] = ttl
            self._expires[key] = max(until, now + LIFETIME[ttl])
            self._expires.move_to_end(key)
        while len(self._expires) > self._keep:
            oldest, _ = self._expires.popitem(last=False)
            self._ttl.pop(oldest, None)

    def clear(self) -> None:
        """Forget everything."""
        self._expires.clear()
        self._ttl.clear()

    def _longest_hit(
        self, prompt: tuple[Segment, ...], marks: list[int], workspace: str, now: float
    ) -> int | None:
        for mark in reversed(marks):
            for index in range(mark, max(-1, mark - LOOKBACK), -1):
                if self._expires.get((workspace, prompt[index].prefix), 0.0) > now:
                    return index
        return None


def _cumulative(prompt: tuple[Segment, ...]) -> list[int]:
    total, ends = 0, list[int]()
    for segment in prompt:
        total += segment.tokens
        ends.append(total)
    return ends
