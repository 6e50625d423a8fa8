"""The gateway as an ASGI application alone: servers that raise, cancel, or fall silent in the middle of a call."""

import asyncio
import json
from collections.abc import AsyncIterator, MutableMapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from holdfast.events import Event, RequestCrashed
from holdfast.gateway.app import Gateway
from holdfast.hold import Holdfast
from holdfast.ports import CallRecord
from holdfast.simulator import Simulator, Stall
from holdfast.simulator.server import RunningSimulator
from holdfast.stores.memory import MemoryStore
from holdfast.upstream.inprocess import InProcessClient
from tests.doors.running import over, quick_settings
from tests.doors.talking import QUESTION

PATIENCE = 10.0
STREAM = {**QUESTION, "stream": True}


class SlowLedger(MemoryStore):
    """A book that takes its time, and sees whether it is let."""

    def __init__(self) -> None:
        super().__init__()
        self.begun = asyncio.Event()
        self.go_on = asyncio.Event()

    async def record(self, entry: CallRecord) -> None:
        self.begun.set()
        await self.go_on.wait()
        await super().record(entry)


@dataclass
class Server:
    """What an ASGI server is to an application: one request, its answer, and misbehaviour on request."""

    gateway: Gateway
    body: bytes = json.dumps(STREAM).encode()
    whole: bool = True
    fails: BaseException | None = None
    fails_after: int = 1
    sent: list[MutableMapping[str, Any]] = field(default_factory=list[MutableMapping[str, Any]])
    gone: asyncio.Event = field(default_factory=asyncio.Event)
    streaming: asyncio.Event = field(default_factory=asyncio.Event)
    _asked: bool = False

    def serve(self) -> asyncio.Task[None]:
        headers = [
            (b"content-type", b"application/json"),
            (b"x-api-key", b"k"),
            (b"anthropic-version", b"2023-06-01"),
        ]
        scope: MutableMapping[str, Any] = {
            "type": "http",
            "method": "POST",
            "path": "/v1/messages",
            "query_string": b"",
            "headers": headers,
        }
        return asyncio.ensure_future(self._run(scope))

    async def _run(self, scope: MutableMapping[str, Any]) -> None:
        await self.gateway(scope, self.receive, self.send)

    async def receive(self) -> MutableMapping[str, Any]:
        if not self._asked:
            self._asked = True
            return {"type": "http.request", "body": self.body, "more_body": not self.whole}
        await self.gone.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: MutableMapping[str, Any]) -> None:
        if self.fails is not None and len(self.sent) == self.fails_after:
            raise self.fails
        self.sent.append(message)
        if len(self.sent) > 1:
            self.streaming.set()

    @property
    def answer(self) -> bytes:
        return b"".join(message.get("body", b"") for message in self.sent)

    @property
    def is_complete(self) -> bool:
        return bool(self.sent) and self.sent[-1].get("more_body") is False


@dataclass
class Stage:
    """A gateway over a simulator in this process, its book and what it announced."""

    simulator: Simulator
    ledger: SlowLedger
    hold: Holdfast
    gateway: Gateway
    events: list[Event]

    async def record(self) -> CallRecord:
        """The only call in the book; there must not be a second."""
        (record,) = await self.ledger.newest(5)
        assert (await self.ledger.totals()).calls == 1
        return record


@pytest.fixture
async def stage(simulator: RunningSimulator) -> AsyncIterator[Stage]:
    app = Simulator(time_scale=0)
    events: list[Event] = []
    ledger = SlowLedger()
    ledger.go_on.set()
    runtime = over(InProcessClient(app), ledger)(quick_settings(simulator), events.append)
    hold = Holdfast(observe=events.append, runtime=runtime)
    yield Stage(app, ledger, hold, hold.asgi(), events)
    await hold.aclose()


async def soon(task: asyncio.Task[None]) -> None:
    await asyncio.wait_for(asyncio.wait({task}), PATIENCE)


async def test_a_server_that_raises_when_the_client_is_gone_gets_no_error_back(stage: Stage) -> None:
    stage.simulator.fault(Stall(after_events=6))
    server = Server(stage.gateway, fails=OSError("the client is gone"), fails_after=1)
    await asyncio.wait_for(server.serve(), PATIENCE)
    assert (await stage.record()).end == "abandoned"
    assert stage.simulator.capture.open == 0
    assert not [event for event in stage.events if isinstance(event, RequestCrashed)]


async def test_a_server_with_a_bug_in_its_send_leaves_no_call_open(stage: Stage) -> None:
    stage.simulator.fault(Stall(after_events=6))
    server = Server(stage.gateway, fails=ValueError("a bug"), fails_after=1)
    task = server.serve()
    await soon(task)
    assert (await stage.record()).end == "abandoned"
    assert stage.simulator.capture.open == 0
    assert [event.error for event in stage.events if isinstance(event, RequestCrashed)] == ["ValueError"]


async def test_a_server_that_cancels_gets_a_typed_end_and_its_cancellation(stage: Stage) -> None:
    stage.simulator.fault(Stall(after_events=6))
    server = Server(stage.gateway)
    task = server.serve()
    await server.streaming.wait()
    task.cancel()
    await soon(task)
    assert task.cancelled()
    assert server.is_complete
    assert b"event: error\n" in server.answer
    assert b"overloaded_error" in server.answer
    assert (await stage.record()).end == "abandoned"


async def test_a_call_is_over_when_it_is_settled_and_not_before(stage: Stage) -> None:
    stage.simulator.fault(Stall(after_events=6))
    stage.ledger.go_on.clear()
    server = Server(stage.gateway)
    task = server.serve()
    await server.streaming.wait()
    server.gone.set()
    await stage.ledger.begun.wait()
    for _ in range(3):
        task.cancel()
        await asyncio.sleep(0)
    assert not task.done()
    stage.ledger.go_on.set()
    await soon(task)
    assert (await stage.record()).end == "abandoned"


async def test_a_client_that_leaves_gets_no_last_words(stage: Stage) -> None:
    stage.simulator.fault(Stall(after_events=6))
    server = Server(stage.gateway)
    task = server.serve()
    await server.streaming.wait()
    server.gone.set()
    await asyncio.wait_for(task, PATIENCE)
    assert b"event: error" not in server.answer
    assert stage.simulator.capture.open == 0


async def test_a_client_that_is_gone_when_the_answer_is_complete_changes_nothing(stage: Stage) -> None:
    server = Server(stage.gateway)
    task = server.serve()
    await asyncio.wait_for(task, PATIENCE)
    assert server.is_complete
    assert (await stage.record()).end == "answered"


async def test_a_body_that_never_comes_is_given_up(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("holdfast.gateway.reading.SILENCE", 0.05)
    server = Server(stage.gateway, whole=False)
    await asyncio.wait_for(server.serve(), PATIENCE)
    assert server.sent[0]["status"] == 408
    assert json.loads(server.answer)["error"]["type"] == "timeout_error"
    assert (await stage.ledger.totals()).calls == 0


async def test_draining_ends_at_once_when_nothing_runs(stage: Stage) -> None:
    await asyncio.wait_for(stage.gateway.drain(60), 1)
    server = Server(stage.gateway)
    await asyncio.wait_for(server.serve(), PATIENCE)
    assert server.sent[0]["status"] == 503
    assert stage.simulator.requests == ()


async def test_a_stopping_gateway_waits_for_a_slow_book(stage: Stage) -> None:
    stage.simulator.fault(Stall(after_events=6))
    stage.ledger.go_on.clear()
    server = Server(stage.gateway)
    task = server.serve()
    await server.streaming.wait()
    draining = asyncio.ensure_future(stage.gateway.drain(0))
    await stage.ledger.begun.wait()
    assert not draining.done()
    stage.ledger.go_on.set()
    await asyncio.wait_for(draining, PATIENCE)
    assert task.done()
    assert not task.cancelled()
    assert b"event: error\n" in server.answer
    assert (await stage.record()).end == "abandoned"


async def test_a_websocket_is_nothing_for_this_gateway(stage: Stage) -> None:
    server = Server(stage.gateway)
    await stage.gateway({"type": "websocket"}, server.receive, server.send)
    assert server.sent == []


async def test_a_crash_before_anything_is_known_is_told_all_the_same() -> None:
    def explode() -> Any:
        raise ValueError("no runtime")

    events: list[Event] = []
    server = Server(Gateway(explode, observe=events.append))
    await asyncio.wait_for(server.serve(), PATIENCE)
    assert server.sent[0]["status"] == 500
    assert [type(event) for event in events] == [RequestCrashed]
