"""One attempt under way: on its call's tally for the story, and announced when it is over."""

from holdfast.call import Call, Tried
from holdfast.clock import Clock
from holdfast.events import AttemptEnded, Event, Observer
from holdfast.policy.failure import Failure, Ruling
from holdfast.policy.routing import Target
from holdfast.upstream.telling import Telling


class Trying:
    """An attempt that begins now; `tried` is what the story of its call will know of it."""

    __slots__ = ("_observe", "_telling", "answered", "chunks", "ended", "tried")

    def __init__(self, call: Call, target: Target, clock: Clock, observe: Observer) -> None:
        self.tried = Tried(
            number=call.tally.attempts,
            upstream=target.upstream,
            model=target.model,
            began=clock.monotonic(),
        )
        call.tally.tried.append(self.tried)
        self._observe = observe
        self._telling = Telling(call.request_id, self.tried.number, target, clock, self._note)
        self.answered = self._telling.answered
        self.ended = self._telling.ended
        self.chunks = self._telling.chunks

    def failed(self, failure: Failure, ruling: Ruling) -> None:
        """It failed before anything of it was released."""
        self.tried.error_code = failure.error_code or failure.error_type
        self._telling.failed(failure, ruling)

    def _note(self, event: Event) -> None:
        assert isinstance(event, AttemptEnded)
        self.tried.ended = event
        self._observe(event)
