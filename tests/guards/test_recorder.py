"""The station of the recorder: off unless somebody switched it on, for whom they said, and no longer."""

from dataclasses import replace
from datetime import timedelta

from holdfast.call import Call, Capture, Principal, Response, Unanswered
from holdfast.errors import UpstreamUnavailable
from holdfast.guards.recorder import RecorderGuard
from holdfast.language import Sentence
from holdfast.pipeline import Proceed
from holdfast.policy.recording import Recording
from holdfast.upstream.bodies import WholeBody
from holdfast.upstream.recorded import Recorded
from holdfast.wire.meter import Meter
from tests.upstream.scripted import a_call

CALL = replace(a_call(), principal=Principal(door="gateway", key="web", user="kim", run="web/7f2c"))
WEB = Recording(
    scope="key",
    value="web",
    at=CALL.arrived,
    until=CALL.arrived + timedelta(minutes=15),
    max_bytes=1_000,
)


class Station:
    def __init__(self, *recordings: Recording) -> None:
        self.taken: list[tuple[Call, Capture]] = []
        self.guard = RecorderGuard(recordings=lambda: recordings, take=self._take)

    def _take(self, call: Call, capture: Capture) -> None:
        self.taken.append((call, capture))

    async def passed(self, call: Call) -> Proceed:
        return await self.guard(replace(call, tally=type(call.tally)()))


async def test_nothing_is_recorded_unless_somebody_says_so() -> None:
    step = await Station().passed(CALL)
    assert (step.settle, step.call.tally.capture) == (None, None)


async def test_only_those_who_are_named_are_recorded() -> None:
    other = replace(CALL, principal=replace(CALL.principal, key="other"))
    step = await Station(WEB).passed(other)
    assert (step.settle, step.call.tally.capture) == (None, None)


async def test_a_recording_ends_by_itself() -> None:
    late = replace(CALL, arrived=WEB.until)
    assert (await Station(WEB).passed(late)).settle is None


async def test_a_user_or_a_run_can_be_recorded_alone() -> None:
    kim, run = replace(WEB, scope="user", value="kim"), replace(WEB, scope="run", value="web/7f2c")
    for recording in (kim, run):
        step = await Station(recording).passed(CALL)
        assert step.call.tally.capture is not None
        assert step.call.tally.capture.recording is recording


class Whole:
    """Sends a call and answers `text`."""

    async def __call__(self, call: Call) -> Response | Unanswered:
        return Response(status=200, headers=(), body=WholeBody(b"text"), meter=Meter())


async def test_the_answer_is_copied_as_it_passes_and_not_changed() -> None:
    call = (await Station(WEB).passed(CALL)).call
    found = await Recorded(send=Whole())(call)
    assert isinstance(found, Response)
    assert [chunk async for chunk in found.body] == [b"text"]
    await found.body.aclose()
    assert call.tally.capture is not None
    assert bytes(call.tally.capture.answer) == b"text"


async def test_an_answer_that_is_not_recorded_is_not_touched() -> None:
    call = replace(CALL, tally=type(CALL.tally)())
    found = await Recorded(send=Whole())(call)
    assert isinstance(found, Response)
    assert isinstance(found.body, WholeBody)


async def test_what_was_not_answered_is_passed_on() -> None:
    unanswered = Unanswered(error=UpstreamUnavailable(Sentence("gone", ko="없음")))

    async def send(call: Call) -> Response | Unanswered:
        return unanswered

    call = (await Station(WEB).passed(CALL)).call
    assert await Recorded(send=send)(call) is unanswered


def test_a_capture_takes_no_more_than_it_has_room_for() -> None:
    capture = Capture(WEB, 10)
    for chunk in (b"12345", b"678", b"90ab", b"c"):
        capture.add(chunk)
    assert (bytes(capture.answer), capture.is_cut) == (b"1234567890", True)


def test_a_capture_that_is_just_full_is_whole() -> None:
    capture = Capture(WEB, 10)
    capture.add(b"1234567890")
    assert not capture.is_cut
