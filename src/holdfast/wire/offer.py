"""The tools that a request offers to the model, each with a digest of all that the model is told of it."""

import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import blake2b
from typing import cast

import msgspec

from holdfast.wire.members import Document, objects, word

_UNREADABLE = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
_NOT_TOLD = frozenset({"cache_control", "defer_loading", "allowed_callers"})
"""Members that steer how a tool is handled; clients move them about."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Offered:
    """One tool of the client on offer.

    Attributes:
        fingerprint: digest of name, description and schema, however they are spaced and ordered.
        texts: the name and everything the description and the schema say.
    """

    name: str
    fingerprint: str
    texts: tuple[str, ...]

    @property
    def hides(self) -> bool:
        """Whether its texts hold characters that a person does not see."""
        return any(_hides(text) for text in self.texts)


def read_offer(body: bytes) -> tuple[Offered, ...]:
    """The tools that a request offers and describes; those that the API knows by their type are not its client's."""
    try:
        document = msgspec.json.decode(body, type=dict[str, object])
    except _UNREADABLE:
        return ()
    return tuple(_offered(tool) for tool in objects(document.get("tools")) if "input_schema" in tool)


def _offered(tool: Document) -> Offered:
    told = {name: value for name, value in tool.items() if name not in _NOT_TOLD}
    digest = blake2b(msgspec.json.encode(told, order="sorted"), digest_size=16).hexdigest()
    return Offered(name=word(tool, "name") or "", fingerprint=digest, texts=tuple(_texts(told)))


def _texts(value: object) -> Iterator[str]:
    waiting = [value]
    while waiting:
        found = waiting.pop()
        if isinstance(found, str):
            yield found
        elif isinstance(found, list):
            waiting += reversed(cast("list[object]", found))
        elif isinstance(found, dict):
            for name, held in cast("Document", found).items():
                waiting += [held, name]


def _hides(text: str) -> bool:
    return not text.isascii() and any(unicodedata.category(char) in ("Cf", "Co", "Cn") for char in text)
