"""What the next page says about what was done: sealed in a cookie, since any worker may show that page."""

from dataclasses import dataclass

import msgspec

from holdfast.console.seal import Seal
from holdfast.language import Sentence

PURPOSE = "note"
MINUTE = 60
"""Seconds that a note waits for its page."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Undo:
    """What a note offers to do about itself: a button, where it posts to, and what with."""

    label: Sentence
    path: str
    fields: tuple[tuple[str, str], ...] = ()
    seconds: float = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """What the next page says once about what was done."""

    said: Sentence
    is_good: bool = True
    undo: Undo | None = None


_decode = msgspec.json.Decoder(Note).decode


def sealed(seal: Seal, note: Note) -> str:
    """A note as a cookie holds it."""
    return seal.sealed(PURPOSE, msgspec.json.encode(note))


def opened(seal: Seal, text: str) -> Note | None:
    """The note of a cookie; `None` for one that is not ours."""
    content = seal.opened(PURPOSE, text)
    return None if content is None else _decode(content)
