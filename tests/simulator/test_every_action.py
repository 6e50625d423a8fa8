"""What holds for every kind of action: it has a JSON form, it ends, it is billed once, and it needs no socket."""

import asyncio
from typing import TYPE_CHECKING, get_args

import msgspec
import pytest

from holdfast.simulator import (
    Action,
    BigEvent,
    Capacity,
    Chunks,
    CleanEnd,
    ContentLength,
    ContentType,
    Delay,
    Dialect,
    Duplicate,
    Endless,
    ErrorEvent,
    Fault,
    Gzip,
    HalfBody,
    HangUp,
    Malformed,
    ManyDeltas,
    Missing,
    OddUsage,
    OtherBody,
    OutOfOrder,
    Refusal,
    Refuse,
    Reset,
    Simulator,
    SlowHeaders,
    Stall,
    Status,
    StopReason,
    WrongIndex,
)
from holdfast.testing.virtual import VirtualClock, run
from tests.simulator.raw import ask, body_of, call, status_of

if TYPE_CHECKING:
    from tests.simulator.conftest import Api, Wire

WHOLE: list[Action] = [
    Status(529),
    Refusal("organization_on_hold"),
    Delay(0.01),
    Delay(0.01, "first_event"),
    SlowHeaders(0.0001),
    Stall(seconds=0.01),
    Stall(seconds=0.01, after_bytes=50),
    ErrorEvent(5),
    CleanEnd(6),
    CleanEnd(after_bytes=333),
    HalfBody(),
    OtherBody("[]"),
    ContentType(),
    Gzip(unasked=True),
    Gzip(unasked=True, broken="garbage"),
    Gzip(unasked=True, broken="truncated"),
    Gzip(unasked=True, broken="checksum"),
    Chunks(),
    Dialect(),
    Malformed(),
    Duplicate(),
    Missing(),
    OutOfOrder(),
    WrongIndex(),
    BigEvent(size=100_000),
    ManyDeltas(),
    OddUsage(),
    StopReason("pause_turn"),
]
BROKEN: list[Action] = [
    Refuse(),
    Reset(),
    Reset("headers"),
    Reset(4),
    Reset(after_bytes=99),
    HangUp("request"),
    HangUp("headers"),
    HangUp(4),
    HangUp(after_bytes=99),
    ContentLength(5),
]
ENDLESS: list[Action] = [Stall(), Stall(ping_every=1), Endless(), Endless(after_events=10_000)]
FREE = ("status", "refusal", "refuse")
EACH = [*WHOLE, *BROKEN, *ENDLESS, ContentLength(-5)]
BOTH = pytest.mark.parametrize("stream", [True, False])


def test_every_kind_of_action_is_among_these() -> None:
    assert {type(action) for action in EACH} == set(get_args(Action))


@pytest.mark.parametrize("action", EACH)
def test_an_action_has_a_json_form(action: Action) -> None:
    fault = Fault(action, model="m", key="k", after=1, until=2, nth=2, every=3, times=None, probability=0.5)
    assert msgspec.json.decode(msgspec.json.encode(fault), type=Fault) == fault


@pytest.mark.parametrize("action", EACH)
async def test_an_action_can_be_posted_and_is_shown(api: "Api", action: Action) -> None:
    posted = {"faults": [{"action": msgspec.to_builtins(action)}]}
    answer = await api.call("POST", "/__sim/faults", json=posted)
    (shown,) = answer.json()["faults"]
    assert shown["action"] == msgspec.to_builtins(action)


@BOTH
@pytest.mark.parametrize("action", EACH)
def test_in_virtual_time_an_answer_ends_is_billed_once_and_leaves_nothing_behind(
    action: Action, stream: bool
) -> None:
    async def main() -> None:
        simulator = Simulator(clock=VirtualClock(), capacity=Capacity(concurrent=1))
        simulator.fault(action)
        calling = asyncio.ensure_future(call(simulator, ask(stream=stream)))
        await asyncio.wait([calling], timeout=60)
        if action in ENDLESS:
            assert not calling.done()
            calling.cancel()
            await asyncio.wait([calling])
        assert simulator.requests[0].ending == (
            "disconnected" if action in ENDLESS else simulator.requests[0].ending
        )
        assert simulator.requests[0].ending != "open"
        free = simulator.requests[0].fault in FREE or (isinstance(action, ErrorEvent) and not stream)
        assert len(simulator.ledger) == (0 if free else 1)
        assert (simulator.service.working, simulator.service.waiting) == (0, 0)
        if action in BROKEN:
            assert isinstance(calling.exception(), ConnectionError)
        assert (await call(simulator, ask())).status == 200

    run(main())


@BOTH
@pytest.mark.parametrize("action", WHOLE)
def test_in_process_an_answer_has_the_bytes_that_it_has_on_a_socket(
    wire: "Wire", action: Action, stream: bool
) -> None:
    simulator = wire.running.simulator
    simulator.fault(action)
    raw, was_reset = wire.talk(ask(stream=stream))
    assert not was_reset
    wire.running.drain()
    ending = simulator.requests[0].ending
    simulator.reset()
    simulator.fault(action)
    mimicked = asyncio.run(call(simulator, ask(stream=stream), key="test-key"))
    assert (mimicked.status, mimicked.body) == (status_of(raw), body_of(raw))
    assert simulator.requests[0].ending == ending
