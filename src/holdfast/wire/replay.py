"""Messages told again: put together from the events of a stream, and taken apart into such events."""

from collections.abc import Iterator, Mapping
from typing import cast

import msgspec

from holdfast.wire.assembling import Assembling, Block, MalformedAnswer
from holdfast.wire.members import inner, word
from holdfast.wire.sse import Event, Splitter, emit

_UNREADABLE = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, MalformedAnswer)
_OF_THE_EVENT = ("type", "delta", "usage")
_Document = dict[str, object]


def whole_of(body: bytes) -> bytes | None:
    """The message of a body that came in one piece; `None` for what is none."""
    try:
        message = msgspec.json.decode(body, type=_Document)
    except _UNREADABLE:
        return None
    content = message.get("content")
    blocks = cast("list[object]", content) if isinstance(content, list) else [None]
    is_message = message.get("type") == "message" and all(isinstance(block, dict) for block in blocks)
    return body if is_message else None


def whole_of_stream(body: bytes) -> bytes | None:
    """The message that a stream has told, up to its last event; `None` for one that is not whole."""
    try:
        return _told(Splitter(limit=len(body) + 1).feed(body))
    except _UNREADABLE:
        return None


def stop_reason_of(message: bytes) -> str | None:
    """Why a message ends."""
    return word(msgspec.json.decode(message), "stop_reason")


def stream_of(message: bytes) -> bytes:
    """The events that tell a message, as the API would: it must be one that `whole_of` has taken."""
    return b"".join(_events(msgspec.json.decode(message, type=_Document)))


def _told(events: list[Event]) -> bytes | None:
    built = Assembling()
    message: _Document | None = None
    for event in events:
        match event.name:
            case "message_start":
                message = dict(inner(_decoded(event), "message"))
            case "message_delta" if message is not None:
                _end(message, _decoded(event))
            case "message_stop" if message is not None and not built.unreadable:
                return msgspec.json.encode({**message, "content": built.content})
            case "error":
                return None
            case _:
                pass
        built.feed(event)
    return None


def _end(message: _Document, document: Mapping[str, object]) -> None:
    """What the last but one event says: why it stops, the final counts, and whatever else belongs to the message."""
    usage = {name: value for name, value in inner(document, "usage").items() if value is not None}
    message |= {name: value for name, value in document.items() if name not in _OF_THE_EVENT}
    message |= inner(document, "delta")
    message["usage"] = {**inner(message, "usage"), **usage}


def _events(message: _Document) -> Iterator[bytes]:
    usage = inner(message, "usage")
    begun: _Document = {**message, "content": list[object](), "stop_reason": None, "stop_sequence": None}
    begun["usage"] = {**usage, "output_tokens": min(1, _count(usage))}
    yield _event("message_start", message=begun)
    for index, block in enumerate(cast("list[Block]", message["content"])):
        yield from _block(index, block)
    reason = {name: message.get(name) for name in ("stop_reason", "stop_sequence")}
    reason |= {name: message[name] for name in ("stop_details", "container") if name in message}
    yield _event("message_delta", delta=reason, usage=usage)
    yield _event("message_stop")


def _block(index: int, block: Block) -> Iterator[bytes]:
    opened, deltas = _parts(block)
    yield _event("content_block_start", index=index, content_block=opened)
    for delta in deltas:
        yield _event("content_block_delta", index=index, delta=delta)
    yield _event("content_block_stop", index=index)


def _parts(block: Block) -> tuple[Block, list[Block]]:
    """A block as it begins, and what is told after that; one of an unknown kind is all there at once."""
    match block.get("type"):
        case "text":
            citations = cast("list[object]", block.get("citations") or [])
            cited: list[Block] = [{"type": "citations_delta", "citation": one} for one in citations]
            empty: Block = {"text": "", "citations": list[object]()} if citations else {"text": ""}
            return {**block, **empty}, [{"type": "text_delta", "text": block.get("text", "")}, *cited]
        case "thinking":
            return {**block, "thinking": "", "signature": ""}, [
                {"type": "thinking_delta", "thinking": block.get("thinking", "")},
                {"type": "signature_delta", "signature": block.get("signature", "")},
            ]
        case "tool_use" | "server_tool_use" | "mcp_tool_use":
            source = msgspec.json.encode(block.get("input", {})).decode()
            return {**block, "input": {}}, [{"type": "input_json_delta", "partial_json": source}]
        case _:
            return block, []


def _count(usage: Mapping[str, object]) -> int:
    value = usage.get("output_tokens")
    return value if isinstance(value, int) else 0


def _decoded(event: Event) -> _Document:
    return msgspec.json.decode(event.data, type=_Document)


def _event(name: str, **members: object) -> bytes:
    return emit(name, msgspec.json.encode({"type": name, **members}))
