"""What a tool of an MCP server gives back, as content that the Messages API takes."""

from collections.abc import Iterator, Mapping
from typing import cast

import msgspec

from holdfast.wire.members import Document, objects, word

Block = Mapping[str, object]

IMAGES = frozenset({"image/png", "image/jpeg", "image/gif", "image/webp"})
PDF = "application/pdf"
LARGEST_FILE = 5 * 1024 * 1024
"""Letters of the base64 of one image or document; the API takes no larger image."""
MOST_BLOCKS = 100


def content_of(result: Document) -> str | list[Block]:
    """The content of a result: a text where it is nothing else, blocks where there are images or documents.

    What a model cannot be shown, such as sound, is said to be left out. A structured result is shown as JSON
    where the server has not written it out as a text as well.
    """
    found = objects(result.get("content"))
    blocks = [block for one in found[:MOST_BLOCKS] for block in _blocks(one)]
    if len(found) > MOST_BLOCKS:
        blocks.append(_text(f"[{len(found) - MOST_BLOCKS:,} more parts are not shown]"))
    if not blocks and (structured := result.get("structuredContent")) is not None:
        return msgspec.json.encode(structured).decode()
    if all(block["type"] == "text" for block in blocks):
        return "\n".join(str(block["text"]) for block in blocks)
    return blocks


def _blocks(part: Document) -> Iterator[Block]:
    match part.get("type"):
        case "text":
            yield _text(word(part, "text") or "")
        case "image" | "audio":
            yield _file(word(part, "mimeType") or "", word(part, "data") or "", str(part["type"]))
        case "resource_link":
            told = [word(part, name) for name in ("title", "name", "uri", "description")]
            yield _text("[resource: " + ", ".join(dict.fromkeys(one for one in told if one)) + "]")
        case "resource":
            yield _resource(part.get("resource"))
        case other:
            yield _text(f"[a part of the sort {str(other)[:40]!r} is not shown]")


def _resource(resource: object) -> Block:
    if not isinstance(resource, dict):
        return _text("[a resource without content]")
    document = cast("Document", resource)
    text, uri = word(document, "text"), word(document, "uri") or "resource"
    if text is not None:
        return _text(f"[{uri}]\n{text}")
    return _file(word(document, "mimeType") or "", word(document, "blob") or "", uri)


def _file(media_type: str, data: str, called: str) -> Block:
    kind = "image" if media_type in IMAGES else "document" if media_type == PDF else None
    if kind is None or not data:
        return _text(f"[{called}: {media_type[:80] or 'no type'} is not shown]")
    if len(data) > LARGEST_FILE:
        return _text(f"[{called}: too large to be shown, {len(data) * 3 // 4:,} bytes]")
    return {"type": kind, "source": {"type": "base64", "media_type": media_type, "data": data}}


def _text(text: str) -> Block:
    return {"type": "text", "text": text}
