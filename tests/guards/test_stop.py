import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from holdfast.call import Call, Outcome, Principal
from holdfast.errors import ConfigError, Stopped
from holdfast.events import CallCut, Event
from holdfast.guards.stop import StopGuard
from holdfast.pipeline import Proceed
from holdfast.policy.stops import Stop, StopScope, decoded, encoded
from holdfast.testing import FakeClock
from tests.upstream.scripted import MODEL, a_call

CLOCK = FakeClock()


class Board:
    """Stops, and a guard that obeys them."""

    def __init__(self, clock: FakeClock) -> None:
        self.clock = clock
        self.stops: tuple[Stop, ...] = ()
        self.events: list[Event] = []
        self.begun = 0
        self.guard = StopGuard(
            begin=self.begin, stops=lambda: self.stops, clock=clock, observe=self.events.append
        )

    async def begin(self) -> None:
        self.begun += 1

    def stop(self, scope: StopScope, value: str = "", *, seconds: float | None = None) -> None:
        until = None if seconds is None else self.clock.now() + timedelta(seconds=seconds)
        stop = Stop(scope=scope, value=value, reason="a test", by="eve", at=self.clock.now(), until=until)
        self.stops = (*self.stops, stop)


def call_of(clock: FakeClock, number: int = 1, *, run: str | None = "r1") -> Call:
    principal = Principal(door="gateway", key="k1", user="alice", run=run)
    return replace(a_call(clock=clock), principal=principal, request_id=f"hfr_{number}")


@pytest.mark.parametrize(
    ("scope", "value"),
    [("everything", ""), ("run", "r1"), ("key", "k1"), ("user", "alice"), ("model", MODEL)],
)
async def test_a_stop_refuses_the_calls_it_names(scope: StopScope, value: str) -> None:
    board = Board(FakeClock())
    board.stop(scope, value)
    with pytest.raises(Stopped) as caught:
        await board.guard(call_of(board.clock))
    assert caught.value.status == 403
    assert "eve" in str(caught.value)
    assert "a test" in str(caught.value)
    assert f"holdfast resume {scope}" in caught.value.say("ko")
    assert caught.value.retry_after is None
    assert board.guard.live == 0


@pytest.mark.parametrize(("scope", "value"), [("run", "r2"), ("user", "bob"), ("key", ""), ("model", "x")])
async def test_a_stop_of_others_lets_a_call_pass(scope: StopScope, value: str) -> None:
    board = Board(FakeClock())
    if value:
        board.stop(scope, value)
    assert isinstance(await board.guard(call_of(board.clock)), Proceed)


async def test_a_stop_ends_by_itself_when_its_time_is_over() -> None:
    board = Board(FakeClock())
    board.stop("user", "alice", seconds=60)
    with pytest.raises(Stopped) as caught:
        await board.guard(call_of(board.clock))
    assert caught.value.retry_after == 60
    board.clock.advance(60)
    assert isinstance(await board.guard(call_of(board.clock)), Proceed)


async def test_what_was_stopped_before_this_process_began_is_looked_up_first() -> None:
    board = Board(FakeClock())
    await board.guard(call_of(board.clock))
    assert board.begun == 1


async def test_a_stop_cuts_what_is_under_way_once_and_nothing_else() -> None:
    board = Board(FakeClock())
    bound, free = call_of(board.clock, 1, run="r1"), call_of(board.clock, 2, run="r2")
    for call in (bound, free):
        await board.guard(call)
    assert board.guard.live == 2
    board.stop("run", "r1")
    assert (board.guard.enforce(), board.guard.enforce()) == (1, 0)
    assert isinstance(bound.leash.error, Stopped)
    assert free.leash.error is None
    assert board.events == [CallCut(request_id="hfr_1", scope="run", value="r1", by="eve")]


async def test_a_call_that_is_over_is_forgotten() -> None:
    board = Board(FakeClock())
    call = call_of(board.clock)
    step = await board.guard(call)
    assert step.settle is not None
    await step.settle(Outcome(end="answered", status=200))
    board.stop("everything")
    assert (board.guard.live, board.guard.enforce()) == (0, 0)


async def test_a_stop_that_comes_while_a_call_is_let_in_is_heard() -> None:
    board = Board(FakeClock())
    call = call_of(board.clock)
    await board.guard(call)

    async def work() -> None:
        async with call.leash:
            board.stop("everything")
            board.guard.enforce()
            await asyncio.sleep(3600)

    with pytest.raises(Stopped):
        await work()


def test_a_stop_travels_as_a_document() -> None:
    stop = Stop(scope="user", value="앨리스", reason="루프", at=CLOCK.now(), until=CLOCK.now())
    assert decoded(encoded(stop)) == stop


@pytest.mark.parametrize("body", [b"", b"{}", b'{"scope":"nobody","at":"2026-01-01T00:00:00Z"}', b"\xff"])
def test_a_document_that_is_no_stop_is_a_clear_error(body: bytes) -> None:
    with pytest.raises(ConfigError):
        decoded(body)


@pytest.mark.parametrize(("scope", "value"), [("everything", "x"), ("user", "")])
def test_a_stop_says_whom_it_means(scope: StopScope, value: str) -> None:
    with pytest.raises(ConfigError, match="what to stop"):
        Stop(scope=scope, value=value, at=CLOCK.now())


def test_an_open_end_and_a_set_one_are_told_apart_in_words() -> None:
    now = CLOCK.now()
    endless = Stop(scope="everything", at=now).error(now)
    ending = Stop(scope="everything", at=now, until=now + timedelta(hours=1)).error(now)
    assert "until somebody resumes" in str(endless)
    assert "UTC" in str(ending)
    assert endless.details["scope"] == "everything"


async def test_a_model_that_is_stopped_stands_in_for_no_other() -> None:
    board = Board(FakeClock())
    step = await board.guard(call_of(board.clock))
    assert isinstance(step, Proceed)
    barrier = step.call.barrier
    assert barrier is not None
    assert barrier("claude-haiku-5-5") is None
    board.stop("model", "claude-haiku-5-5")
    assert isinstance(barrier("claude-haiku-5-5"), Stopped)
    assert barrier(MODEL) is None


async def test_a_call_that_another_model_answers_is_cut_when_that_is_stopped() -> None:
    board = Board(FakeClock())
    call = call_of(board.clock)
    await board.guard(call)
    call.tally.asked_model = "claude-haiku-5-5"
    board.stop("model", "claude-haiku-5-5")
    assert board.guard.enforce() == 1
