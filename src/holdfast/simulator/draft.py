"""What the model would say: one scripted answer, and a draft that nothing has cut yet."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from holdfast.simulator.actions import StopReasonName
from holdfast.simulator.blocks import Block

HowCompacted: TypeAlias = Literal["alone", "pause", "go on"]
"""The summary alone, or the answer goes on after it, or waits to be asked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """One scripted answer: text, or calls of tools, or both; `refuse` makes it a refusal.

    Attributes:
        thinking: what it thinks first, where the request lets it; `redacted` seals that.
        search: what the API searches the web for, in front of the text, which then quotes what was found.
        pause: end with `pause_turn` when the search has been asked for; the caller sends the turn back to go on.
    """

    text: str = ""
    tools: tuple[tuple[str, Mapping[str, object]], ...] = ()
    """Calls to make, each a tool's name and its input."""
    refuse: bool = False
    stop_reason: StopReasonName | None = None
    """Why the answer ends; `None` is the reason that it really has."""
    thinking: str = ""
    redacted: bool = False
    search: str = ""
    pause: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """What the model would say had it all the room it wants."""

    blocks: tuple[Block, ...] = field(default=())
    stop_reason: str | None = None
    """Why it ends; `None` is the reason that it will really have."""
    compacted: HowCompacted | None = None
    """How the conversation was compacted first, if it was."""
