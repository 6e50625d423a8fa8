"""What the screen has seen in texts, read once and remembered without a word of them."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from holdfast.parts.detection import Detection
from holdfast.parts.linear import detected
from holdfast.parts.validator import InputValidator, Scan
from holdfast.parts.verdicts import Verdicts
from holdfast.policy.detector.calibration import rate_of
from holdfast.policy.screening import Channel, Finding

PIECE = 50_000
"""Characters read at once, in about 75 ms: between two pieces the reading can be ended."""
OVERLAP = 2_000
"""Characters that two pieces have in common, so that nothing is cut in two unseen."""


class Abandoned(Exception):
    """Nobody waits for what is read any more."""


def _never() -> bool:
    return False


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What rules and the detector saw in a text; the findings have no excerpts.

    `first` is the word of the detector alone; its score counts besides the findings of the rules.
    """

    findings: tuple[Finding, ...]
    first: Detection


@dataclass(frozen=True, slots=True, kw_only=True)
class Reader:
    """Reads texts by a validator and remembers what it saw, besides others who use the same memory.

    A validator without a version may change its mind and is asked again, unless the reader is `steadfast`:
    then the same text is the same for as long as there is room to remember it.
    """

    validator: InputValidator = field(default_factory=InputValidator)
    verdicts: Verdicts[Reading] = field(default_factory=lambda: Verdicts[Reading]())
    steadfast: bool = False

    def knows(self, text: str, channel: Channel) -> bool:
        """Whether it can be said at once."""
        digest = self._digest(text, channel)
        return digest is not None and self.verdicts.holds(digest)

    def read(self, text: str, channel: Channel, *, abandoned: Callable[[], bool] = _never) -> Reading:
        """What is seen in a text; a new one takes about 2 ms for each 1,000 characters.

        Raises:
            Abandoned: before one of its pieces `abandoned` said so.
        """
        digest = self._digest(text, channel)
        known = None if digest is None else self.verdicts.recall(digest)
        if known is not None:
            return known
        seen = _together([*self._pieces(text, channel, abandoned)])
        if digest is not None:
            self.verdicts.keep(digest, seen)
        return seen

    def _pieces(self, text: str, channel: Channel, abandoned: Callable[[], bool]) -> Iterator[Reading]:
        for start in range(0, max(1, len(text) - OVERLAP), PIECE - OVERLAP):
            if abandoned():
                raise Abandoned
            yield _reading(self.validator.scan(text[start : start + PIECE], channel=channel), start)

    def _digest(self, text: str, channel: Channel) -> bytes | None:
        version = self.validator.version
        if version is None and not self.steadfast:
            return None
        return self.verdicts.digest(version or "", channel, text)


def _reading(scan: Scan, start: int) -> Reading:
    first = (
        Detection(detector="own", score=scan.detected, fpr=rate_of(scan.detected))
        if scan.detection is None
        else detected(scan.detection)
    )
    found = (replace(one, excerpt="", start=one.start + start, end=one.end + start) for one in scan.findings)
    spans = tuple((begin + start, end + start) for begin, end in first.spans)
    return Reading(findings=tuple(found), first=replace(first, spans=spans))


def _together(pieces: Sequence[Reading]) -> Reading:
    """Of each rule the surest finding, of the detector its worst word."""
    if len(pieces) == 1:
        return pieces[0]
    found = sorted((one for piece in pieces for one in piece.findings), key=lambda one: one.weight)
    return Reading(
        findings=tuple({one.rule: one for one in found}.values()),
        first=max((piece.first for piece in pieces), key=lambda first: first.score),
    )
