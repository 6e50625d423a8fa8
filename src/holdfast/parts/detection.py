"""What a detector is: something that says of texts how much they read like attacks."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from holdfast.policy.screening import Channel


@dataclass(frozen=True, slots=True, kw_only=True)
class GuardInput:
    """A text to be judged.

    Attributes:
        text: as it stands in the request.
        channel: who it comes from, `user` or `tool`.
        tenant: on whose behalf; what was remembered for one is never recalled for another.
    """

    text: str
    channel: Channel = "user"
    tenant: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Detection:
    """What a detector says of one text; it never holds that text.

    Attributes:
        detector: its name.
        score: how sure it is that the text is an attack, in [0, 1].
        fpr: estimated share of harmless texts that look as bad to it, in [0, 1].
        views: the readings in which it saw that.
        concepts: what it saw there, where it can tell.
        spans: where that stands in the text: first character, and one past the last.
        examined: whether it has read the text at all; if not, the score says nothing.
        reason: why it did not, or why one that was to be asked as well did not; a code, no sentence.
    """

    detector: str
    score: float
    fpr: float
    views: tuple[str, ...] = ()
    concepts: tuple[str, ...] = ()
    spans: tuple[tuple[int, int], ...] = ()
    examined: bool = True
    reason: str | None = None


class Detector(Protocol):
    """Judges texts, in the event loop or beside it; one instance serves every task and thread.

    What keeps it from its work it says in `Detection.reason`; an error that it raises fails the call.
    """

    @property
    def version(self) -> str | None:
        """Names all that its answers depend on; `None` if the same text may be judged otherwise tomorrow."""
        ...

    async def score(self, items: Sequence[GuardInput]) -> Sequence[Detection]:
        """One detection for each text, in their order."""
        ...


def unexamined(detector: str, reason: str) -> Detection:
    """The detection of a text that could not be read."""
    return Detection(detector=detector, score=0.0, fpr=1.0, examined=False, reason=reason)
