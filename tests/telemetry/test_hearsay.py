"""What other workers have seen counts as well, once, and never a worker's own calls twice."""

from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

import pytest

from holdfast.errors import StoreUnavailable
from holdfast.events import CallEnded
from holdfast.language import Sentence
from holdfast.policy.story import AttemptStep, Story
from holdfast.ports import CallRecord
from holdfast.telemetry import hearsay
from holdfast.telemetry.hearsay import Hearsay, events_of
from holdfast.telemetry.pulse import Pulse
from holdfast.testing import FakeClock
from holdfast.testing.conformance_records import a_record
from tests.telemetry.test_pulse import CALL


@dataclass
class Rows:
    """The rows of a store, oldest first."""

    kept: list[CallRecord] = field(default_factory=list[CallRecord])
    asked: list[int] = field(default_factory=list[int])
    is_away: bool = False

    async def newest(self, limit: int) -> tuple[CallRecord, ...]:
        if self.is_away:
            raise StoreUnavailable(Sentence("away", ko="없음"))
        self.asked.append(limit)
        return tuple(replace(one, story=None) for one in self.kept[::-1][:limit])

    async def find(self, request_id: str) -> CallRecord | None:
        return next((one for one in self.kept if one.request_id == request_id), None)


@dataclass
class Worker:
    """One worker of a store: its pulse, and its ear."""

    rows: Rows
    clock: FakeClock = field(default_factory=FakeClock)

    def __post_init__(self) -> None:
        self.pulse = Pulse(self.clock)
        self.ear = Hearsay(self.rows, self.pulse, self.clock)

    def call(self, request_id: str, **changes: Any) -> CallRecord:
        fine: dict[str, Any] = {"attempts": 1, "at": self.clock.now(), "duration_ms": 5.0, "blame": None}
        return replace(a_record(request_id), **{**fine, **changes})

    def failed(self, request_id: str, **changes: Any) -> CallRecord:
        return self.call(request_id, end="failed", status=529, blame="claude", **changes)

    async def look(self, times: int = 2) -> None:
        for _ in range(times):
            await self.ear.listen()
            self.clock.advance(2.0)


def counted(worker: Worker) -> tuple[int, int]:
    counts = worker.pulse.verdict().counts
    return counts.calls, counts.attempts


async def test_calls_of_others_are_heard_of_once() -> None:
    worker = Worker(Rows())
    worker.rows.kept = [worker.call("hfr_1"), worker.failed("hfr_2")]
    await worker.look(5)
    counts = worker.pulse.verdict().counts
    assert (counts.calls, counts.attempts, counts.good) == (2, 2, 1)
    assert counts.marks("claude") == (("529", 1),)
    assert (counts.effect("answered"), counts.effect("failed")) == (1, 1)


async def test_a_workers_own_call_that_is_on_record_before_it_is_announced_counts_once() -> None:
    worker = Worker(Rows())
    worker.rows.kept = [worker.call("hfr_own")]
    await worker.look(1)
    worker.pulse(replace(CALL, request_id="hfr_own"))
    await worker.look(3)
    assert counted(worker) == (1, 0)


@pytest.mark.requirement("verdict:fleet")
async def test_an_outage_that_only_others_see_is_named_here() -> None:
    worker = Worker(Rows())
    worker.rows.kept = [worker.failed(f"hfr_{number}") for number in range(12)]
    await worker.look()
    assert worker.pulse.verdict().kind == "overloaded"


async def test_what_each_attempt_came_to_is_read_in_the_story() -> None:
    worker = Worker(Rows())
    steps = (
        AttemptStep(number=1, upstream="a", model="m", began_ms=1.0, kind="http", status=529, blame="claude"),
        AttemptStep(number=2, upstream="a", model="m", began_ms=2.0, kind="answered", status=200),
    )
    worker.rows.kept = [worker.call("hfr_1", attempts=2, story=Story(attempts=steps))]
    await worker.look()
    counts = worker.pulse.verdict().counts
    assert (counts.attempts, counts.good, counts.marks("claude")) == (2, 1, (("529", 1),))


async def test_few_stories_are_read_at_once_and_the_other_calls_count_by_what_their_rows_say(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(hearsay, "STORIES", 1)
    worker = Worker(Rows())
    worker.rows.kept = [worker.failed(f"hfr_{number}", attempts=3) for number in range(4)]
    await worker.look()
    assert counted(worker) == (4, 4)


async def test_a_call_that_nobody_was_asked_for_has_no_attempt() -> None:
    worker = Worker(Rows())
    refused = worker.call(
        "hfr_1", attempts=0, end="refused", error_code="holdfast_input_rejected", blame="us"
    )
    worker.rows.kept = [refused, worker.call("hfr_2", end="abandoned", status=499, blame="client")]
    await worker.look()
    assert counted(worker) == (2, 0)


async def test_what_is_long_over_is_not_heard_of_and_not_read_again() -> None:
    worker = Worker(Rows())
    old = worker.clock.now() - timedelta(seconds=70)
    worker.rows.kept = [worker.failed(f"hfr_{number}", at=old) for number in range(30)]
    await worker.look(4)
    assert counted(worker) == (0, 0)
    assert worker.rows.asked[-2:] == [20, 20]


async def test_who_begins_hears_of_the_whole_minute_and_later_of_what_has_just_been() -> None:
    worker = Worker(Rows())
    worker.rows.kept = [worker.failed("hfr_1", at=worker.clock.now() - timedelta(seconds=40))]
    await worker.look()
    assert counted(worker) == (1, 1)
    worker.rows.kept.append(worker.failed("hfr_2", at=worker.clock.now() - timedelta(seconds=40)))
    worker.rows.kept.append(worker.failed("hfr_3", at=worker.clock.now() - timedelta(seconds=2)))
    await worker.look()
    assert counted(worker) == (2, 2)


async def test_of_more_calls_than_are_read_at_once_the_newest_stand_for_the_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(hearsay, "FEW", 2)
    monkeypatch.setattr(hearsay, "MOST", 5)
    worker = Worker(Rows())
    worker.rows.kept = [worker.call(f"hfr_{number}") for number in range(9)]
    await worker.look()
    assert counted(worker) == (5, 5)


async def test_a_store_that_is_away_says_nothing_and_harms_nobody() -> None:
    worker = Worker(Rows(is_away=True))
    await worker.look()
    worker.rows.is_away = False
    worker.rows.kept = [worker.call("hfr_1")]
    await worker.look()
    assert counted(worker) == (1, 1)


def test_the_ids_of_calls_are_forgotten_some_day(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("holdfast.telemetry.pulse.HEARD", 2)
    pulse = Pulse(FakeClock())
    for name in ("one", "two", "three"):
        pulse(replace(CALL, request_id=name))
    assert [pulse.has_heard(name) for name in ("one", "two", "three")] == [False, True, True]


def test_a_call_from_the_cache_is_one_here_too() -> None:
    worker = Worker(Rows())
    (ended,) = events_of(worker.call("hfr_1", outcome="cached", attempts=0))
    assert isinstance(ended, CallEnded)
    assert ended.label == "cached"


def test_what_holdfast_itself_takes_is_what_calls_waited_before_anybody_was_asked() -> None:
    worker = Worker(Rows())
    step = AttemptStep(number=1, upstream="a", model="m", began_ms=3.0, kind="answered", status=200)
    record = worker.call("hfr_1", story=Story(attempts=(step,)))
    worker.pulse(replace(CALL, request_id="1", record=record, duration_ms=900.0))
    worker.pulse(replace(CALL, request_id="2", attempts=0, label="cached", duration_ms=2.0))
    worker.pulse(replace(CALL, request_id="3", duration_ms=900.0))
    overhead = worker.pulse.overhead()
    assert overhead is not None
    assert (overhead.p95, overhead.calls) == (3.0, 2)
