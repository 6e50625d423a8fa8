"""What the workers of a fleet tell each other about circuits and gates."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

Kind = Literal["circuit", "credential", "spend", "rate", "ramp"]


@dataclass(frozen=True, slots=True, kw_only=True)
class News:
    """A circuit or gate moved before a worker's eyes; moments are seconds of the reader's own clock.

    Attributes:
        kind: `circuit`, or which gate it is.
        place: what it stands before, in words that mean the same to every worker.
        word: whether calls may go there.
        at: when it happened.
        until: when time alone lets calls go again; `None` where a probe or a person must.
        openings: how often in a row a circuit had opened by then.
    """

    kind: Kind
    place: tuple[str, ...]
    word: Literal["stop", "go"]
    at: float
    until: float | None = None
    openings: int = 1


class Gossip(Protocol):
    """Where news are left for the others; everything there may be lost at any moment."""

    async def exchange(self, news: Sequence[News]) -> Sequence[News]:
        """Leave these, and return what peers have left since the last time, each once.

        One who asks for the first time hears all that still holds. Raises `StoreUnavailable`: then nothing may
        have been left, and what is left twice means no more than once.
        """
        ...
