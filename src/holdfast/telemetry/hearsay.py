"""Hears of the calls that other workers of the same store have ended, so that each can tell how all of them fare."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Protocol

from holdfast.clock import Clock
from holdfast.errors import StoreUnavailable
from holdfast.events import AttemptEnded, CallEnded
from holdfast.policy.story import AttemptStep
from holdfast.policy.verdict import LATE, WINDOW
from holdfast.ports import CallRecord
from holdfast.telemetry.pulse import Pulse

EVERY = 2.0
"""Seconds between two looks at what others have written down."""
FEW, MOST = 20, 500
"""Calls that are looked at each time, and where all of these are new; of more, the newest stand for the others."""
STORIES = 20
"""Calls of one look whose story is read, for only there stands what befell each of several attempts."""

Fact = AttemptEnded | CallEnded


class Rows(Protocol):
    """What is asked of a store."""

    async def newest(self, limit: int) -> tuple[CallRecord, ...]: ...

    async def find(self, request_id: str) -> CallRecord | None: ...


class Hearsay:
    """Tells a pulse of calls that it has not heard of, out of the rows of their store.

    A row is believed to be another worker's once it was there, and not heard of, at two looks: a worker's own
    calls are on record a moment before they are announced.
    """

    def __init__(self, rows: Rows, pulse: Pulse, clock: Clock) -> None:
        self._rows = rows
        self._pulse = pulse
        self._clock = clock
        self._doubtful: Mapping[str, CallRecord] = {}
        self._oldest: float = WINDOW

    async def listen(self) -> None:
        """Look once; a store that does not answer has told nothing."""
        try:
            rows = await self._unheard()
            told = [call for call in self._doubtful.values() if not self._pulse.has_heard(call.request_id)]
            self._doubtful = {call.request_id: call for call in rows if call.request_id not in self._doubtful}
            await self._tell(told)
        except StoreUnavailable:
            return

    async def _unheard(self) -> Sequence[CallRecord]:
        """Rows of calls that are over and not heard of, oldest first."""
        rows = await self._rows.newest(FEW)
        found = [call for call in rows if not self._pulse.has_heard(call.request_id)]
        if len(found) == FEW:
            rows = await self._rows.newest(MOST)
            found = [call for call in rows if not self._pulse.has_heard(call.request_id)]
        return found[::-1]

    async def _tell(self, calls: Sequence[CallRecord]) -> None:
        now, oldest, stories = self._clock.now(), self._oldest, STORIES
        for call in calls:
            age = (now - call.at - timedelta(milliseconds=call.duration_ms)).total_seconds()
            if age >= oldest:
                self._pulse.hear_of(call.request_id, (), age)
                continue
            is_simple = call.attempts == 0 or (call.attempts == 1 and call.blame is None)
            told = await self._rows.find(call.request_id) if stories and not is_simple else None
            stories -= told is not None
            self._pulse.hear_of(call.request_id, events_of(told or call), max(0.0, age))
        # What is heard of late counts as of now: once it has heard anything, only what has just been can.
        self._oldest = LATE if calls else oldest


def events_of(call: CallRecord) -> tuple[Fact, ...]:
    """What its own worker announced of a call, as far as its row tells."""
    steps = () if call.story is None else call.story.attempts
    attempts = [_attempt(call, step) for step in steps] or _unknown_attempts(call)
    return (*attempts, _ended(call))


def _attempt(call: CallRecord, step: AttemptStep) -> AttemptEnded:
    return AttemptEnded(
        request_id=call.request_id,
        upstream=step.upstream,
        model=step.model,
        attempt=step.number,
        kind=step.kind,
        status=step.status,
        blame=None if step.kind == "abandoned" else step.blame,
        duration_ms=0.0,
        first_ms=None,
    )


def _unknown_attempts(call: CallRecord) -> list[AttemptEnded]:
    """The last attempt, which ended as its call did; those before it are not known."""
    if not call.attempts or call.end == "abandoned":
        return []
    return [
        AttemptEnded(
            request_id=call.request_id,
            upstream=call.upstream or "",
            model=call.model,
            attempt=call.attempts,
            kind="answered" if call.blame is None else "http",
            status=call.status,
            blame=call.blame,
            duration_ms=0.0,
            first_ms=None,
        )
    ]


def _ended(call: CallRecord) -> CallEnded:
    return CallEnded(
        request_id=call.request_id,
        end=call.end,
        model=call.model,
        status=call.status,
        attempts=call.attempts,
        duration_ms=call.duration_ms,
        input_tokens=0,
        output_tokens=0,
        cost=None,
        error_code=call.error_code,
        label=call.outcome if call.end == "answered" else "answered",
    )
