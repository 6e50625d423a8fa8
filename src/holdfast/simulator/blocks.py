"""The content blocks of an answer, as values."""

from dataclasses import dataclass
from typing import TypeAlias

from holdfast.simulator.values import JsonObject


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """A block of text, perhaps with the sources that it quotes."""

    text: str
    citations: tuple[JsonObject, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Thinking:
    """A block of thinking with the signature that binds it."""

    thinking: str
    signature: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Redacted:
    """A block of thinking that only the API can read; `thinking` is what it costs, `data` what the caller gets."""

    thinking: str
    data: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolUse:
    """A call of one of the caller's tools."""

    id: str
    name: str
    input: JsonObject


@dataclass(frozen=True, slots=True, kw_only=True)
class WebSearch:
    """A search that the API itself makes."""

    id: str
    query: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchResult:
    """What a search found; written by the API, so it is no output."""

    id: str
    query: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Compaction:
    """A summary in place of what came before it; it is billed as a step of its own."""

    content: str
    signature: str


Block: TypeAlias = Text | Thinking | Redacted | ToolUse | WebSearch | SearchResult | Compaction

PAGE = "https://example.com/simulated"


def block_wire(block: Block) -> JsonObject:
    """A content block as the API writes it."""
    match block:
        case Text(text=text, citations=citations):
            cited: JsonObject = {"citations": list(citations)} if citations else {}
            return {"type": "text", "text": text, **cited}
        case Thinking() | Redacted():
            return _thought_wire(block)
        case ToolUse(id=call, name=name, input=given):
            direct: JsonObject = {"type": "direct"}
            return {"type": "tool_use", "id": call, "name": name, "input": given, "caller": direct}
        case WebSearch(id=call, query=query):
            return {"type": "server_tool_use", "id": call, "name": "web_search", "input": {"query": query}}
        case SearchResult(id=call, query=query):
            return {"type": "web_search_tool_result", "tool_use_id": call, "content": [_search_hit(query)]}
        case Compaction(content=content, signature=signature):
            return {"type": "compaction", "content": content, "signature": signature}


def _thought_wire(block: Thinking | Redacted) -> JsonObject:
    match block:
        case Thinking(thinking=thinking, signature=signature):
            return {"type": "thinking", "thinking": thinking, "signature": signature}
        case Redacted(data=data):
            return {"type": "redacted_thinking", "data": data}


def _search_hit(query: str) -> JsonObject:
    return {
        "type": "web_search_result",
        "url": PAGE,
        "title": _title(query),
        "encrypted_content": "c2ltdWxhdGVk",
        "page_age": None,
    }


def found_at(query: str) -> JsonObject:
    """The citation of what a search found."""
    return {
        "type": "web_search_result_location",
        "url": PAGE,
        "title": _title(query),
        "encrypted_index": "c2ltdWxhdGVk",
        "cited_text": f"A simulated page about {query}",
    }


def _title(query: str) -> str:
    return f"Simulated result for {query}"
