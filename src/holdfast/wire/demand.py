"""What a request asks for that is billed beside its text and its answer."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from holdfast.wire.members import Document, inner, number, objects, word

CacheUse = Literal["none", "5m", "1h"]

ServerToolKind = Literal["search", "fetch", "advisor", "other"]

COMPACTION_TRIGGER = 150_000
"""Prompt tokens from which a conversation is compacted where the request names no other (SDK, compact_20260112)."""

_KINDS: tuple[tuple[str, ServerToolKind], ...] = (
    ("web_search_", "search"),
    ("web_fetch_", "fetch"),
    ("advisor_", "advisor"),
)
# Tools that have a type of Anthropic's own and are run by the caller all the same.
_RUN_BY_CALLER = ("custom", "bash_", "text_editor_", "computer_", "memory_", "browser_")


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerTool:
    """A tool that the API runs by itself: every use makes the model read the whole prompt once more."""

    kind: ServerToolKind = "other"
    max_uses: int | None = None
    max_content_tokens: int | None = None
    """Of a page that is fetched."""
    model: str = ""
    """Of an advisor; its turns are billed at its own price, beside the totals."""
    max_tokens: int | None = None
    """Of one turn of an advisor."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Substitute:
    """A model that the API asks when the ones before it decline; `model` is `None` where it chooses itself."""

    model: str | None = None
    max_tokens: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Demand:
    """The billing dimensions of a request that its size and `max_tokens` do not show."""

    cache: CacheUse = "none"
    """The longest-lived cache entry that the request may write."""
    fast: bool = False
    """Fast mode is asked for, of the model or of one that may stand in."""
    geo: str | None = None
    """`inference_geo`; `None` leaves the place to the workspace."""
    server_tools: tuple[ServerTool, ...] = ()
    typed_tools: int = 0
    """Tools of Anthropic's own, whose definitions are not in the body."""
    mcp_servers: int = 0
    substitutes: tuple[Substitute, ...] = ()
    compacts_from: int | None = None
    """Prompt tokens from which the conversation is summarised; `None` never."""
    pdf_sizes: tuple[int | None, ...] = ()
    """For each PDF the length of its data in the body; `None` where the body only points to it."""
    thinking_budget: int = 0
    """Tokens that thinking may take; `max_tokens` must be above."""


def read_demand(document: Document, plain: bytes) -> Demand:
    """The demand of a body; `plain` is the body as JSON without a needless space or escape."""
    typed = [
        kind
        for tool in objects(document.get("tools"))
        if (kind := word(tool, "type")) not in (None, "custom")
    ]
    return Demand(
        cache=_cache(plain),
        fast=_is_fast(document),
        geo=word(document, "inference_geo"),
        server_tools=tuple(_server_tools(document)),
        typed_tools=len(typed),
        mcp_servers=len(objects(document.get("mcp_servers"))),
        substitutes=tuple(_substitutes(document)),
        compacts_from=_compacts_from(document),
        pdf_sizes=tuple(_pdf_sizes(document)) if b'"document"' in plain else (),
        thinking_budget=number(document.get("thinking"), "budget_tokens") or 0,
    )


def _cache(plain: bytes) -> CacheUse:
    # Members of that name anywhere, a tool's own parameter too: reckoning too high is the safe side.
    if b'"cache_control"' not in plain and b'"caching"' not in plain:
        return "none"
    return "1h" if b'"ttl":"1h"' in plain else "5m"


def _server_tools(document: Document) -> Iterator[ServerTool]:
    for tool in objects(document.get("tools")):
        kind = word(tool, "type") or "custom"
        if kind.startswith(_RUN_BY_CALLER):
            continue
        yield ServerTool(
            kind=_kind(kind),
            max_uses=number(tool, "max_uses"),
            max_content_tokens=number(tool, "max_content_tokens"),
            model=word(tool, "model") or "",
            max_tokens=number(tool, "max_tokens"),
        )


def _kind(name: str) -> ServerToolKind:
    for prefix, kind in _KINDS:
        if name.startswith(prefix):
            return kind
    return "other"


def _substitutes(document: Document) -> Iterator[Substitute]:
    listed = document.get("fallbacks")
    if isinstance(listed, str):
        yield Substitute()
    for entry in objects(listed):
        yield Substitute(model=word(entry, "model"), max_tokens=number(entry, "max_tokens"))


def _is_fast(document: Document) -> bool:
    return any(entry.get("speed") == "fast" for entry in (document, *objects(document.get("fallbacks"))))


def _compacts_from(document: Document) -> int | None:
    if document.get("compaction") is not None:
        return 0
    edits = objects(inner(document, "context_management").get("edits"))
    triggers = [
        number(edit.get("trigger"), "value")
        for edit in edits
        if (word(edit, "type") or "").startswith("compact")
    ]
    known = [COMPACTION_TRIGGER if trigger is None else trigger for trigger in triggers]
    return min(known, default=None)


def _pdf_sizes(document: Document) -> Iterator[int | None]:
    waiting: list[object] = [message.get("content") for message in objects(document.get("messages"))]
    while waiting:
        for block in objects(waiting.pop()):
            waiting.append(block.get("content"))
            source = inner(block, "source")
            if block.get("type") != "document" or source.get("type") in ("text", "content"):
                continue
            data = word(source, "data")
            yield None if data is None else len(data)
