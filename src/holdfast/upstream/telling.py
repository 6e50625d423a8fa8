"""What is announced of one attempt when it is over, well or not."""

from collections.abc import Callable

from holdfast.clock import Clock
from holdfast.events import AttemptEnded, Observer
from holdfast.identity import harmless
from holdfast.policy.chunk_times import ChunkTimes
from holdfast.policy.failure import Failure, Ruling
from holdfast.policy.permit import Outcome
from holdfast.policy.routing import Target

KINDS = {Outcome.OK: "answered", Outcome.FAIL: "cut", Outcome.NEUTRAL: "abandoned"}
"""What became of an attempt that had begun to answer, or of one that nobody waited for."""


class Telling:
    """Announces one attempt, once: whoever says first how it ended is heard."""

    def __init__(self, request_id: str, number: int, target: Target, clock: Clock, observe: Observer) -> None:
        self._request_id = request_id
        self._number = number
        self._target = target
        self._clock = clock
        self._observe: Observer | None = observe
        self._began = clock.monotonic()
        self._first: float | None = None
        self._status: int | None = None
        self.chunks = ChunkTimes()

    def answered(self, status: int) -> None:
        """Its whole answer, or the first content of a stream, is there."""
        self._first, self._status = self._since(), status
        self.chunks.begin(self._clock.monotonic())

    def ended(self, outcome: Outcome) -> None:
        """It is over, without having failed before it began to answer."""
        self._tell(KINDS[outcome], "claude" if outcome is Outcome.FAIL else None)

    def failed(self, failure: Failure, ruling: Ruling) -> None:
        """It failed before anything of it was released."""
        self._status = failure.as_status
        self._tell(failure.kind, ruling.blame)

    def _since(self) -> float:
        return round((self._clock.monotonic() - self._began) * 1000, 3)

    def _tell(self, kind: str, blame: str | None) -> None:
        observe, self._observe = self._observe, None
        if observe is not None:
            observe(
                AttemptEnded(
                    request_id=self._request_id,
                    upstream=self._target.upstream,
                    model=harmless(self._target.model),
                    attempt=self._number,
                    kind=kind,
                    status=self._status,
                    blame=blame,
                    duration_ms=self._since(),
                    first_ms=self._first,
                    chunks=self.chunks.counts,
                )
            )


def both(first: Callable[[Outcome], None], second: Callable[[Outcome], None], outcome: Outcome) -> None:
    """Tell two listeners how it ended."""
    first(outcome)
    second(outcome)
