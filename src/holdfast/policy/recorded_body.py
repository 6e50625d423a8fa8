"""A body as it may be kept: masked first, then made to fit, and JSON all the same."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

import msgspec

from holdfast.policy.masking import MaskingConfig, mask
from holdfast.policy.masking_values import CUT, Walk

GENEROSITY = 8
"""Texts are masked up to so many times what is kept of them: masking must see past the cut, and must end."""
DEPTH = 64
MEMBERS = (20_000, 5_000, 1_000, 200, 20)
"""Members that are kept of a body; of one that is too long for that many, fewer."""
BRIEF = 256
"""Characters of a text, or of a name, that is always read: of those there are only so many."""
SHORTEST = 16
"""Characters of each text that are left before members are."""


@dataclass(frozen=True, slots=True)
class Kept:
    """A body as JSON; `is_cut` when it is not all there."""

    body: bytes
    is_cut: bool


def kept_body(value: object, config: MaskingConfig, limit: int) -> Kept:
    """What is kept of a body in at most `limit` bytes, without what must not be shown.

    A text that was too long to be masked whole ends at a blank, or is left out: half a key no longer looks like one.
    """
    masking = _Masking(config, limit * GENEROSITY)
    masked = Walk(masking, judge=config.judge, depth=DEPTH, nodes=MEMBERS[0]).value(value)
    for members in MEMBERS:
        fewer = masked if members == MEMBERS[0] else _fewer(masked, members)
        found = _fitting(fewer, limit)
        if found is not None:
            is_whole = members == MEMBERS[0] and not masking.is_cut and CUT not in found.body.decode()
            return Kept(found.body, found.is_cut or not is_whole)
    return Kept(msgspec.json.encode(CUT), is_cut=True)


@dataclass(slots=True)
class _Masking:
    """Masks texts while there is room for them."""

    config: MaskingConfig
    room: int
    is_cut: bool = False

    def __call__(self, text: str) -> str:
        if len(text) <= BRIEF:
            return mask(text, self.config)
        if len(text) > self.room:
            self.is_cut = True
            # Without a blank it is one long word, of which no part can be told from a key.
            text = text[: max(0, text.rfind(" ", 0, self.room), text.rfind("\n", 0, self.room))] or CUT
        self.room -= len(text)
        return mask(text, self.config)


def _fitting(value: object, limit: int) -> Kept | None:
    """The value with its texts shortened as little as need be; `None` if that does not do."""
    whole = msgspec.json.encode(value)
    if len(whole) <= limit:
        return Kept(whole, is_cut=False)
    fits, too_long = 0, limit
    best: bytes | None = None
    while fits < too_long - 1 or best is None:
        longest = max(SHORTEST, (fits + too_long) // 2)
        text = msgspec.json.encode(_shortened(value, longest))
        if len(text) <= limit:
            fits, best = longest, text
        else:
            too_long = longest
        if too_long <= SHORTEST:
            break
    return None if best is None else Kept(best, is_cut=True)


def _shortened(value: object, longest: int) -> object:
    return _each(value, lambda text: text if len(text) <= longest else _cut(text, longest))


def _cut(text: str, longest: int) -> str:
    return f"{text[:longest]}… [+{len(text) - longest}]"


def _each(value: object, change: Callable[[str], str]) -> object:
    """A copy with every text changed; names stay."""
    match value:
        case str():
            return change(value)
        case dict():
            members = cast("dict[object, object]", value).items()
            return {name: _each(member, change) for name, member in members}
        case list():
            return [_each(item, change) for item in cast("list[object]", value)]
        case _:
            return value


def _fewer(value: object, members: int) -> object:
    """The first members of a value that is masked already."""
    return Walk(lambda text: text, judge=lambda _name: None, depth=DEPTH, nodes=members).value(value)
