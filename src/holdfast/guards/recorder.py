"""The station that has the bodies of a call recorded, where an operator has switched that on for a while."""

from collections.abc import Callable
from dataclasses import dataclass

from holdfast.call import Call, Capture, Outcome
from holdfast.pipeline import Proceed
from holdfast.policy.recorded_body import GENEROSITY
from holdfast.policy.recording import Recording, binding


@dataclass(frozen=True, slots=True, kw_only=True)
class RecorderGuard:
    """Marks calls that fall under a recording, and hands their bodies over when they are over.

    `take` never waits and never raises. A call that nobody records costs one look at an empty list.
    """

    recordings: Callable[[], tuple[Recording, ...]]
    take: Callable[[Call, Capture], None]

    async def __call__(self, call: Call) -> Proceed:
        recordings = self.recordings()
        if not recordings:
            return Proceed(call)
        who = call.principal
        said = {"key": who.key, "user": who.user, "run": who.run}
        recording = binding(recordings, said, call.arrived)
        if recording is None:
            return Proceed(call)
        capture = call.tally.capture = Capture(recording, recording.max_bytes * GENEROSITY)

        async def settle(outcome: Outcome) -> None:
            self.take(call, capture)

        return Proceed(call, settle)
