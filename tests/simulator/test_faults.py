"""Every fault, as bytes on a real socket."""

import asyncio
import json
import time
from typing import TYPE_CHECKING, Any

import pytest

from holdfast.simulator import (
    Action,
    CleanEnd,
    Delay,
    Dialect,
    ErrorEvent,
    Fault,
    HalfBody,
    HangUp,
    Malformed,
    Refuse,
    Reset,
    Simulator,
    Stall,
    Status,
    Turn,
)
from tests.simulator.raw import ask, body_of, ended_properly, status_of

if TYPE_CHECKING:
    from tests.simulator.conftest import Api, Wire


async def test_a_status_has_the_envelope_the_header_and_no_bill(api: "Api") -> None:
    api.simulator.fault(
        Status(429, retry_after=7, error_code="ramp_limit_exceeded", headers={"x-extra": "1"})
    )
    response = await api.post(ask())
    error = response.json()["error"]
    assert (response.status_code, response.headers["retry-after"], response.headers["x-extra"]) == (
        429,
        "7",
        "1",
    )
    assert (error["type"], error["details"]) == ("rate_limit_error", {"error_code": "ramp_limit_exceeded"})
    assert api.simulator.ledger == ()
    assert [(seen.status, seen.ending, seen.fault) for seen in api.simulator.requests] == [
        (429, "faulted", "status")
    ]


@pytest.mark.parametrize(
    ("status", "error_type"),
    [
        (500, "api_error"),
        (529, "overloaded_error"),
        (504, "timeout_error"),
        (503, "api_error"),
        (422, "invalid_request_error"),
    ],
)
async def test_a_status_without_a_type_gets_the_usual_one(api: "Api", status: int, error_type: str) -> None:
    api.simulator.fault(Status(status))
    response = await api.post(ask())
    assert (response.status_code, response.json()["error"]["type"]) == (status, error_type)


async def test_a_status_may_have_any_body(api: "Api") -> None:
    api.simulator.fault(Status(502, body="<html>Bad Gateway</html>", content_type="text/html"))
    response = await api.post(ask())
    assert (response.status_code, response.text) == (502, "<html>Bad Gateway</html>")
    assert response.headers["content-type"] == "text/html"


async def test_faults_hit_in_order_and_then_no_more(api: "Api") -> None:
    api.simulator.fault(Status(500), Fault(Status(529), times=2))
    statuses = [(await api.post(ask())).status_code for _ in range(4)]
    assert statuses == [500, 529, 529, 200]


async def test_the_nth_request_is_hit(api: "Api") -> None:
    api.simulator.fault(Fault(Status(500), nth=3))
    assert [(await api.post(ask())).status_code for _ in range(4)] == [200, 200, 500, 200]


async def test_a_fault_for_ever_stays_until_the_script_is_cleared(api: "Api") -> None:
    api.simulator.fault(Fault(Status(500), times=None))
    assert {(await api.post(ask())).status_code for _ in range(5)} == {500}
    api.simulator.faults.clear()
    assert (await api.post(ask())).status_code == 200


@pytest.mark.parametrize(
    "fault",
    [
        Fault(Status(500), model="claude-opus-5-5"),
        Fault(Status(500), stream=True),
        Fault(Status(500), path="/v1/models"),
        Fault(Status(500), key="another-key"),
        Fault(Status(500), probability=0),
    ],
)
async def test_a_request_that_does_not_match_is_left_alone(api: "Api", fault: Fault) -> None:
    api.simulator.fault(fault)
    assert (await api.post(ask())).status_code == 200


async def test_a_probability_is_drawn_from_the_seed(api: "Api") -> None:
    runs: list[list[int]] = []
    for _ in range(2):
        api.simulator = Simulator(seed=5, time_scale=0)
        api.simulator.fault(Fault(Status(500), probability=0.5, times=None))
        runs.append([(await api.post(ask())).status_code for _ in range(40)])
    assert runs[0] == runs[1]
    assert 10 < runs[0].count(500) < 30


async def test_a_fault_on_any_path_hits_the_list_of_models(api: "Api") -> None:
    api.simulator.fault(Fault(Status(500), path=None))
    assert (await api.call("GET", "/v1/models")).status_code == 500


@pytest.mark.parametrize("stream", [True, False])
def test_a_reset_before_the_headers_is_a_reset_without_a_byte(wire: "Wire", stream: bool) -> None:
    wire.running.simulator.fault(Reset())
    assert wire.talk(ask(stream=stream)) == (b"", True)


@pytest.mark.parametrize("stream", [True, False])
def test_a_reset_after_the_headers_sends_the_head_only(wire: "Wire", stream: bool) -> None:
    wire.running.simulator.fault(Reset("headers"))
    raw, was_reset = wire.talk(ask(stream=stream))
    assert (status_of(raw), body_of(raw), was_reset) == (200, b"", True)


def test_a_reset_after_events_sends_exactly_these(wire: "Wire") -> None:
    wire.running.simulator.fault(Reset(5))
    raw, was_reset = wire.talk(ask(stream=True))
    assert was_reset
    assert body_of(raw).count(b"event: ") == 5
    wire.running.drain()
    assert wire.running.simulator.requests[0].events == 5


def test_a_reset_of_a_plain_answer_leaves_half_a_body(wire: "Wire") -> None:
    wire.running.simulator.fault(Reset(1))
    raw, was_reset = wire.talk(ask())
    assert was_reset
    assert body_of(raw).startswith(b'{"id":')
    assert not body_of(raw).endswith(b"}")


@pytest.mark.parametrize("action", [Reset(), Refuse()])
def test_a_reset_hits_other_paths_too(wire: "Wire", action: Action) -> None:
    wire.running.simulator.fault(Fault(action, path="/v1/messages/count_tokens"))
    with wire.send(ask(), "/v1/messages/count_tokens") as connection, pytest.raises(ConnectionResetError):
        connection.recv(10)


def test_a_hang_up_hits_other_paths_too(wire: "Wire") -> None:
    wire.running.simulator.fault(Fault(HangUp("request"), path="/v1/messages/count_tokens"))
    with wire.send(ask(), "/v1/messages/count_tokens") as connection:
        assert connection.recv(10) == b""


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("after", ["request", "headers", 4])
def test_a_hang_up_closes_without_the_end_of_the_answer(wire: "Wire", after: Any, stream: bool) -> None:
    wire.running.simulator.fault(HangUp(after))
    raw, was_reset = wire.talk(ask(stream=stream))
    assert not was_reset
    assert not ended_properly(raw)
    assert b"message_stop" not in raw
    assert bool(raw) == (after != "request")


def test_a_clean_end_lacks_only_the_end_of_the_message(wire: "Wire") -> None:
    wire.running.simulator.fault(CleanEnd(6))
    raw, was_reset = wire.talk(ask(stream=True))
    assert ended_properly(raw)
    assert not was_reset
    assert body_of(raw).count(b"event: ") == 6
    assert b"message_stop" not in raw


def test_a_break_after_very_many_events_still_keeps_message_stop_back(wire: "Wire") -> None:
    wire.running.simulator.fault(CleanEnd(10_000))
    raw, _ = wire.talk(ask(stream=True))
    assert b"message_delta" in raw
    assert b"message_stop" not in raw


@pytest.mark.parametrize("action", [HalfBody(), CleanEnd()])
def test_half_a_json_body_is_a_proper_answer_that_cannot_be_read(wire: "Wire", action: Action) -> None:
    wire.running.simulator.fault(action)
    raw, was_reset = wire.talk(ask())
    assert (status_of(raw), was_reset) == (200, False)
    with pytest.raises(json.JSONDecodeError):
        json.loads(body_of(raw))


def test_half_a_stream_breaks_off_inside_an_event(wire: "Wire") -> None:
    wire.running.simulator.fault(HalfBody())
    raw, _ = wire.talk(ask(stream=True))
    assert ended_properly(raw)
    assert not body_of(raw).endswith(b"\n\n")


def test_a_malformed_event_is_followed_by_the_rest(wire: "Wire") -> None:
    wire.running.simulator.fault(Malformed())
    raw, _ = wire.talk(ask(stream=True))
    payloads = [line[6:] for line in body_of(raw).splitlines() if line.startswith(b"data: ")]
    with pytest.raises(json.JSONDecodeError):
        json.loads(payloads[4])
    assert json.loads(payloads[-1]) == {"type": "message_stop"}


def test_a_malformed_plain_body_is_no_json(wire: "Wire") -> None:
    wire.running.simulator.fault(Malformed())
    with pytest.raises(json.JSONDecodeError):
        json.loads(body_of(wire.talk(ask())[0]))


@pytest.mark.parametrize("after", [0, 5])
def test_an_error_event_ends_the_stream(wire: "Wire", after: int) -> None:
    wire.running.simulator.fault(ErrorEvent(after))
    raw, _ = wire.talk(ask(stream=True))
    frames = body_of(raw).decode().split("\n\n")[:-1]
    name, data = frames[-1].split("\n")
    error = json.loads(data[6:])
    assert (len(frames), name) == (after + 1, "event: error")
    assert error["error"] == {"type": "overloaded_error", "message": "Overloaded"}
    assert error["request_id"].startswith("req_")


async def test_an_error_event_of_a_plain_request_is_its_status(api: "Api") -> None:
    api.simulator.fault(ErrorEvent(error_type="api_error", message="Oh"))
    response = await api.post(ask())
    assert (response.status_code, response.json()["error"]["message"]) == (500, "Oh")
    assert api.simulator.requests[0].ending == "faulted"


@pytest.mark.parametrize("before", ["headers", "first_event"])
@pytest.mark.parametrize("stream", [True, False])
async def test_a_delay_comes_before_the_usual_answer(api: "Api", stream: bool, before: Any) -> None:
    api.simulator.fault(Delay(90, before))
    response = await api.post(ask(stream=stream))
    assert response.status_code == 200
    assert api.simulator.clock.monotonic() == 90
    assert api.simulator.requests[0].ending == "completed"


async def test_other_paths_can_be_delayed(api: "Api") -> None:
    api.simulator.fault(Fault(Delay(5), path="/v1/models"))
    assert (await api.call("GET", "/v1/models")).status_code == 200
    assert api.simulator.clock.monotonic() == 5


@pytest.mark.parametrize("stream", [True, False])
def test_the_headers_come_before_a_slow_first_event(wire: "Wire", stream: bool) -> None:
    wire.running.simulator.fault(Delay(0.2, "first_event"))
    with wire.send(ask(stream=stream)) as connection:
        started = time.monotonic()  # noqa: TID251 - a real socket
        head = connection.recv(65536)
        assert time.monotonic() - started < 0.15  # noqa: TID251 - a real socket
        assert b"200" in head
        assert connection.recv(65536)


async def test_a_stall_with_an_end_goes_on(api: "Api") -> None:
    api.simulator.fault(Stall(4, seconds=30))
    raw = (await api.post(ask(stream=True))).text
    assert raw.endswith('{"type":"message_stop"}\n\n')
    assert api.simulator.clock.monotonic() == 30


async def test_a_stall_may_be_filled_with_pings(api: "Api") -> None:
    api.simulator.fault(Stall(4, seconds=30, ping_every=10))
    raw = (await api.post(ask(stream=True))).text
    assert raw.count("event: ping") == 1 + 2


async def test_a_plain_stall_holds_the_second_half_back(api: "Api") -> None:
    api.simulator.fault(Stall(seconds=30))
    assert (await api.post(ask())).json()["stop_reason"] == "end_turn"
    assert api.simulator.clock.monotonic() == 30


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("ping_every", [None, 0.01])
def test_a_caller_who_leaves_a_stall_is_noticed_at_once(
    wire: "Wire", stream: bool, ping_every: float | None
) -> None:
    wire.running.simulator.fault(Stall(6, ping_every=ping_every))
    with wire.send(ask(stream=stream)) as connection:
        assert connection.recv(65536)
        assert wire.running.simulator.requests[0].ending == "open"
    wire.running.drain()
    seen = wire.running.simulator.requests[0]
    assert seen.ending == "disconnected"
    assert seen.ended is not None
    assert seen.ended - seen.arrived < 2


def test_a_caller_who_leaves_before_the_headers_is_noticed(wire: "Wire") -> None:
    wire.running.simulator.fault(Delay(60))
    wire.leave(ask())
    assert [seen.ending for seen in wire.running.simulator.requests] == ["disconnected"]


def test_a_caller_who_leaves_a_slow_answer_is_noticed(wire: "Wire") -> None:
    wire.running.simulator.time_scale = 100
    for stream in (True, False):
        wire.leave(ask(stream=stream))
    assert [seen.ending for seen in wire.running.simulator.requests] == ["disconnected"] * 2


def test_a_dialect_is_the_same_stream_in_another_form(wire: "Wire") -> None:
    simulator = wire.running.simulator
    simulator.say(Turn(text="가나다라"), Turn(text="가나다라"))
    simulator.fault(Dialect())
    odd = body_of(wire.talk(ask(stream=True))[0]).replace(b"\r\n", b"\n").decode()
    usual = body_of(wire.talk(ask(stream=True))[0]).decode()
    frames = [frame.removeprefix(": still here\n") for frame in odd.split("\n\n")]
    kept = [frame for frame in frames if not frame.startswith("event: weather")]
    assert [frame.split("\n")[0] for frame in kept] == [frame.split("\n")[0] for frame in usual.split("\n\n")]
    assert len(frames) > len(kept)


def test_a_plain_dialect_writes_whole_events(wire: "Wire") -> None:
    wire.running.simulator.fault(Dialect(crlf=False, comments=False, unknown_events=False, write_bytes=0))
    raw, _ = wire.talk(ask(stream=True))
    assert body_of(raw).endswith(b'data: {"type":"message_stop"}\n\n')


@pytest.mark.parametrize("action", [Reset(), Reset("headers"), Reset(3), HangUp(3)])
async def test_in_process_a_broken_connection_is_an_exception(api: "Api", action: Action) -> None:
    api.simulator.fault(action)
    with pytest.raises(ConnectionResetError):
        await api.post(ask(stream=True))
    assert api.simulator.requests[0].ending == "faulted"


def test_a_stalled_answer_does_not_hold_up_the_end_of_the_simulator(wire: "Wire") -> None:
    wire.running.simulator.fault(Stall())
    with wire.send(ask(stream=True)) as connection:
        assert connection.recv(65536)
        wire.running.stop()
    assert wire.running.simulator.requests[0].ending == "disconnected"


@pytest.mark.parametrize("action", [Stall(), Delay(60), Delay(60, "first_event")])
@pytest.mark.parametrize("stream", [True, False])
async def test_an_answer_that_is_cancelled_in_process_ends_as_disconnected_and_is_billed(
    api: "Api", stream: bool, action: Action
) -> None:
    simulator = api.simulator = Simulator(time_scale=0)
    simulator.fault(action)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await api.post(ask(stream=stream))
    assert [seen.ending for seen in simulator.requests] == ["disconnected"]
    assert [entry.ending for entry in simulator.ledger] == ["disconnected"]
