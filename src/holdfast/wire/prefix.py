"""A prompt as the cache of prompts sees it: its blocks in the order that counts, each as a keyed digest."""

from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import blake2b
from typing import cast

import msgspec

from holdfast.wire.members import Document

SIZE = 8
"""Bytes of a digest: enough to tell blocks apart, and nothing that could be turned back into one."""
MOST_BLOCKS = 4_096
"""Blocks of one prompt that are told apart; what comes behind them is not looked at."""
MARK = "cache_control"
SETTINGS = ("tool_choice", "thinking", "output_config")
"""Members whose change makes the cache forget the messages, though not what stands before them."""

_UNREADABLE = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)


@dataclass(frozen=True, slots=True, kw_only=True)
class Prefix:
    """The blocks of one prompt: tools, then system, then what shapes the messages, then the messages.

    Attributes:
        paths: where each stands in the body: `tools.3`, `system.0`, `messages.4.content.1`.
        digests: `SIZE` bytes for each, without the text that they are of.
        settled: how many come before the first message.
    """

    paths: tuple[str, ...] = ()
    digests: bytes = b""
    settled: int = 0


def read_prefix(body: bytes, key: bytes) -> Prefix:
    """The blocks of a request under a key of this process; nothing for what is no request, and nothing is raised.

    Where a client marks the ends of what shall be cached is left out: marks move from turn to turn and change
    nothing. The order of members stays, since the cache minds it.
    """
    try:
        document: object = msgspec.json.decode(body)
    except _UNREADABLE:
        return Prefix()
    if not isinstance(document, dict):
        return Prefix()
    paths: list[str] = []
    digests = bytearray()
    settled = 0
    for path, role, block in _blocks(cast("Document", document)):
        if len(paths) == MOST_BLOCKS:
            break
        settled += not path.startswith("messages.")
        paths.append(path)
        digests += _digest(role, block, key)
    return Prefix(paths=tuple(paths), digests=bytes(digests), settled=settled)


def _blocks(document: Document) -> Iterator[tuple[str, str, object]]:
    """(path, role, block) of every block in the order in which a prompt is made of them."""
    for number, tool in enumerate(_listed(document.get("tools"))):
        yield f"tools.{number}", "", tool
    yield from _content("system", "", document.get("system"))
    for name in SETTINGS:
        if document.get(name) is not None:
            yield name, "", document[name]
    for number, message in enumerate(_listed(document.get("messages"))):
        if isinstance(message, dict):
            said = cast("Document", message)
            yield from _content(f"messages.{number}.content", f"{said.get('role')}", said.get("content"))


def _content(path: str, role: str, content: object) -> Iterator[tuple[str, str, object]]:
    """A text is a block of text, however it is written."""
    if isinstance(content, str):
        yield path, role, {"type": "text", "text": content}
        return
    for number, block in enumerate(_listed(content)):
        yield f"{path}.{number}", role, block


def _listed(value: object) -> list[object]:
    return cast("list[object]", value) if isinstance(value, list) else []


def _digest(role: str, block: object, key: bytes) -> bytes:
    text = msgspec.json.encode(block)
    if MARK.encode() in text:
        text = msgspec.json.encode(_unmarked(block))
    return blake2b(role.encode(errors="surrogatepass") + b"\0" + text, digest_size=SIZE, key=key).digest()


def _unmarked(value: object) -> object:
    """The same without any mark of the cache."""
    if isinstance(value, dict):
        members = cast("dict[str, object]", value).items()
        return {name: _unmarked(member) for name, member in members if name != MARK}
    return [_unmarked(item) for item in cast("list[object]", value)] if isinstance(value, list) else value
