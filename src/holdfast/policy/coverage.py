"""What of a request and its answer was examined, by which guard, and what was not and why."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from holdfast.wire.messages import MessagesRequest, TextBlock
from holdfast.wire.unread import Unread

MOST_BLOCKS = 64
"""Blocks that a record names; of the others it keeps the count."""

Side = Literal["input", "output"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Skipped:
    """A block that was not examined: its path, and why."""

    path: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Coverage:
    """What one guard did with one side of a call; it never holds text.

    Attributes:
        guard: its name, and `version` that of its rules.
        examined: paths of the blocks it has read; `characters` of all of them.
        skipped: the blocks it has not read.
        further: blocks of either sort beyond the first 64, which are not named.
        findings: reason codes, each once.
        fails: what the guard does when it breaks: `open` lets the call pass, `closed` refuses it.
    """

    side: Side
    guard: str
    version: str
    examined: tuple[str, ...] = ()
    characters: int = 0
    skipped: tuple[Skipped, ...] = ()
    further: int = 0
    findings: tuple[str, ...] = ()
    fails: Literal["open", "closed"] = "closed"

    @property
    def is_complete(self) -> bool:
        """Whether nothing was left out."""
        return not self.skipped and not self.further


def coverage(
    side: Side,
    guard: str,
    version: str,
    *,
    examined: Iterable[tuple[str, int]],
    skipped: Iterable[Skipped] = (),
    findings: Iterable[str] = (),
) -> Coverage:
    """The record of blocks with their lengths, no longer than it may be."""
    read, left = [*examined], [*skipped]
    return Coverage(
        side=side,
        guard=guard,
        version=version,
        examined=tuple(path for path, _ in read[:MOST_BLOCKS]),
        characters=sum(length for _, length in read),
        skipped=tuple(left[:MOST_BLOCKS]),
        further=max(0, len(read) - MOST_BLOCKS) + max(0, len(left) - MOST_BLOCKS),
        findings=tuple(sorted(set(findings))[:MOST_BLOCKS]),
    )


def of_newest(
    request: MessagesRequest,
    unread: Iterable[Unread],
    *,
    guard: str,
    version: str,
    channels: Iterable[str] = ("user", "tool"),
    missed: Mapping[str, str] = MappingProxyType({}),
) -> Coverage:
    """The record of a guard that reads the newest turn's texts of these channels, `unread` being the rest.

    `missed` says of texts that it should have read why it did not, by their paths.
    """
    wanted = frozenset(channels)
    texts: tuple[TextBlock, ...] = request.newest
    why = {block.path: "channel" for block in texts if block.channel not in wanted} | dict(missed)
    skipped = [Skipped(path=block.path, reason=why[block.path]) for block in texts if block.path in why]
    return coverage(
        "input",
        guard,
        version,
        examined=((block.path, len(block.text)) for block in texts if block.path not in why),
        skipped=[*skipped, *(Skipped(path=block.path, reason=block.reason) for block in unread)],
    )


def of_nothing(request: MessagesRequest, unread: Iterable[Unread], *, guard: str, reason: str) -> Coverage:
    """The record of a guard that has read nothing of the newest turn, for one reason."""
    blocks = [*(block.path for block in request.newest), *(block.path for block in unread)]
    return coverage(
        "input", guard, "", examined=(), skipped=[Skipped(path=path, reason=reason) for path in blocks]
    )
