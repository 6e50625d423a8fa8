"""Counting tokens by one fixed rule, so that a count can be checked by hand.

Text: four ASCII characters are one token and three bytes of anything else are one token (so a Korean syllable
is one), rounded up per block; models of the newer generation count 1.3 times that, rounded up. A message adds 4,
an image its pixels / 750 (1,600 when its size cannot be read), a PDF 2,000 a page, and tools the length of
their JSON plus 346 once (313 when a tool is forced).
"""

import base64
import binascii
import struct

from holdfast.simulator.models import Model
from holdfast.simulator.values import JsonObject, as_object, canonical, content_blocks, word

MESSAGE_OVERHEAD = 4
TOOLS_OVERHEAD = 346
FORCED_TOOL_OVERHEAD = 313
UNKNOWN_IMAGE = 1_600
PDF_PAGE = 2_000
_UNIT = 12
_NOT_ASCII = bytes(range(0x80, 0x100))
"""A twelfth of a token: an ASCII character is three of them, a byte of anything else four."""


def text_tokens(text: str, model: Model) -> int:
    """How many tokens `text` is for `model`."""
    return _rounded(_units(text), model)


def fitting_prefix(text: str, limit: int, model: Model) -> str:
    """The longest beginning of `text` that is at most `limit` tokens."""
    if text_tokens(text, model) <= limit:
        return text
    low, high = 0, len(text)
    while low < high:
        middle = (low + high + 1) // 2
        if text_tokens(text[:middle], model) <= limit:
            low = middle
        else:
            high = middle - 1
    return text[:low]


def block_tokens(block: JsonObject, model: Model) -> int:
    """How many tokens one content block is; `cache_control` and citations settings cost nothing."""
    match block.get("type"):
        case "text" | "thinking":
            return text_tokens(word(block, "text") or word(block, "thinking"), model)
        case "image":
            return _image_tokens(as_object(block.get("source")))
        case "document":
            return _document_tokens(block, model)
        case "tool_use" | "server_tool_use" | "mcp_tool_use":
            return text_tokens(word(block, "name"), model) + json_tokens(block.get("input"), model)
        case "tool_result":
            return 1 + sum(block_tokens(inner, model) for inner in content_blocks(block.get("content")))
        case _:
            plain = {name: value for name, value in block.items() if name != "cache_control"}
            return json_tokens(plain, model)


def json_tokens(value: object, model: Model) -> int:
    """How many tokens a JSON value is, written compactly with sorted keys."""
    return text_tokens(canonical(value).decode(), model)


def tool_tokens(tool: JsonObject, model: Model) -> int:
    """How many tokens the definition of one tool is."""
    return json_tokens({name: value for name, value in tool.items() if name != "cache_control"}, model)


def tools_overhead(body: JsonObject) -> int:
    """What using tools at all costs on top of their definitions."""
    forced = as_object(body.get("tool_choice")).get("type") in ("any", "tool")
    return FORCED_TOOL_OVERHEAD if forced else TOOLS_OVERHEAD


def _units(text: str) -> int:
    if text.isascii():
        return 3 * len(text)
    raw = text.encode("utf-8", "surrogatepass")
    ascii_count = len(raw.translate(None, _NOT_ASCII))
    return 3 * ascii_count + 4 * (len(raw) - ascii_count)


def _rounded(units: int, model: Model) -> int:
    if model.tokenizer == "new":
        return -(-units * 13 // (_UNIT * 10))
    return -(-units // _UNIT)


def _image_tokens(source: JsonObject) -> int:
    size = _image_size(_decoded(word(source, "data"))) if source.get("type") == "base64" else None
    return UNKNOWN_IMAGE if size is None else max(1, -(-size[0] * size[1] // 750))


def _document_tokens(block: JsonObject, model: Model) -> int:
    source = as_object(block.get("source"))
    match source.get("type"):
        case "text":
            return text_tokens(word(source, "data"), model)
        case "content":
            return sum(block_tokens(inner, model) for inner in content_blocks(source.get("content")))
        case _:
            raw = _decoded(word(source, "data"))
            return PDF_PAGE * max(1, raw.count(b"/Type /Page") - raw.count(b"/Type /Pages"))


def _decoded(data: str) -> bytes:
    try:
        return base64.b64decode(data)
    except (binascii.Error, ValueError):
        return b""


def _image_size(raw: bytes) -> tuple[int, int] | None:
    if raw.startswith(b"\x89PNG\r\n\x1a\n") and len(raw) >= 24:
        width, height = struct.unpack(">II", raw[16:24])
        return width, height
    if raw[:6] in (b"GIF87a", b"GIF89a") and len(raw) >= 10:
        width, height = struct.unpack("<HH", raw[6:10])
        return width, height
    return None
