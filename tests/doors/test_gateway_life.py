"""Starting, serving and stopping: readiness with reasons, an end without broken streams, several gateways at once."""

import asyncio
import json
import threading
from collections.abc import Iterator, MutableMapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import anthropic
import httpx2
import pytest

from holdfast.clock import SYSTEM_CLOCK
from holdfast.errors import StoreUnavailable
from holdfast.gateway.app import Gateway
from holdfast.hold import Holdfast
from holdfast.settings import GatewayConfig, Settings, StoreConfig
from holdfast.simulator import Stall
from holdfast.simulator.server import RunningSimulator
from holdfast.stores.memory import MemoryStore
from tests.doors.running import RunningGateway, eventually, quick_settings, serving
from tests.doors.talking import QUESTION, Connection, ask, connected, request

STREAM = {**QUESTION, "stream": True}
KEY = {"x-api-key": "local", "anthropic-version": "2023-06-01"}


def client_of(gateway: Gateway) -> httpx2.AsyncClient:
    """A client without a server in between, and so without lifespan events."""
    transport = httpx2.ASGITransport(app=gateway)
    return httpx2.AsyncClient(transport=transport, base_url="http://gateway", headers=KEY)


async def lifespan(gateway: Gateway, *kinds: str) -> list[MutableMapping[str, Any]]:
    """What a gateway answers to lifespan events."""
    events = iter(kinds)
    answers: list[MutableMapping[str, Any]] = []

    async def receive() -> MutableMapping[str, Any]:
        return {"type": f"lifespan.{next(events)}"}

    async def send(message: MutableMapping[str, Any]) -> None:
        answers.append(message)

    await gateway({"type": "lifespan"}, receive, send)
    return answers


class Broken(MemoryStore):
    """A store that is down, or silent."""

    silent = False

    async def check(self) -> None:
        if self.silent:
            await asyncio.Event().wait()
        raise StoreUnavailable("the disk is full")


def test_a_gateway_that_can_serve_says_so(gateway: RunningGateway) -> None:
    ask(gateway.url, QUESTION)
    answer = ask(gateway.url, method="GET", path="/readyz")
    assert answer.status == 200
    assert answer.json == {
        "status": "ready",
        "reasons": [],
        "degraded": [],
        "circuits": {"simulator/claude-sonnet-5-5": "closed"},
    }


@pytest.mark.parametrize("silent", [False, True])
async def test_a_store_that_is_down_is_a_reason_not_to_be_ready_and_the_process_lives(
    simulator: RunningSimulator, monkeypatch: pytest.MonkeyPatch, *, silent: bool
) -> None:
    monkeypatch.setattr("holdfast.gateway.health.STORE_TIMEOUT", 0.05)
    hold = Holdfast(quick_settings(simulator))
    ledger = Broken()
    ledger.silent = silent
    broken = Holdfast(runtime=replace(hold.runtime, ledger=ledger))
    async with client_of(broken.asgi()) as client:
        ready = await client.get("/readyz")
        assert ready.status_code == 503
        (reason,) = ready.json()["reasons"]
        assert ("no answer" if silent else "the disk is full") in reason
        assert (await client.get("/healthz")).status_code == 200
    await hold.aclose()


async def test_a_store_that_cannot_be_opened_is_an_answer_and_no_crash(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    hold = Holdfast(Settings(store=StoreConfig(url=f"sqlite:///{tmp_path}/file/ledger.db")))
    gateway = hold.asgi()
    async with client_of(gateway) as client:
        ready = await client.get("/readyz")
        assert (ready.status_code, len(ready.json()["reasons"])) == (503, 1)
        answer = await client.post("/v1/messages", json=QUESTION)
        assert (answer.status_code, answer.json()["error"]["type"]) == (503, "api_error")
        assert (await client.get("/healthz")).status_code == 200
    (failed,) = await lifespan(gateway, "startup")
    assert failed["type"] == "lifespan.startup.failed"
    assert failed["message"]


async def test_without_lifespan_events_everything_opens_with_the_first_request(
    simulator: RunningSimulator,
) -> None:
    hold = Holdfast(quick_settings(simulator))
    async with client_of(hold.asgi()) as client:
        answer = await client.post("/v1/messages", json=QUESTION)
        assert answer.status_code == 200
    assert (await hold.runtime.ledger.totals()).calls == 1
    await hold.aclose()


async def test_a_gateway_mounted_under_a_path_serves_there(simulator: RunningSimulator) -> None:
    hold = Holdfast(quick_settings(simulator))
    transport = httpx2.ASGITransport(app=hold.asgi(), root_path="/team-a")
    async with httpx2.AsyncClient(
        transport=transport, base_url="http://gateway/team-a", headers=KEY
    ) as client:
        answer = await client.post("/v1/messages", json=QUESTION)
        assert answer.status_code == 200
        assert (await client.get("")).status_code == 200
    await hold.aclose()


async def test_the_last_gateway_of_a_hold_closes_it_and_not_the_first(simulator: RunningSimulator) -> None:
    hold = Holdfast(quick_settings(simulator))
    first, second = hold.asgi(), hold.asgi()
    for gateway in (first, second):
        assert [answer["type"] for answer in await started(gateway)] == ["lifespan.startup.complete"]
    runtime = hold.runtime
    await lifespan(first, "shutdown")
    async with client_of(first) as client:
        answer = await client.post("/v1/messages", json=QUESTION)
        assert (answer.status_code, answer.json()["error"]["type"]) == (503, "overloaded_error")
        assert answer.headers["retry-after"]
        assert answer.headers["x-should-retry"] == "true"
        ready = await client.get("/readyz")
        assert (ready.status_code, ready.json()["reasons"]) == (503, ["draining: this process is stopping"])
    async with client_of(second) as client:
        assert (await client.post("/v1/messages", json=QUESTION)).status_code == 200
    assert hold.runtime is runtime
    await lifespan(second, "shutdown")
    assert hold.runtime is not runtime
    await hold.aclose()


async def test_a_hold_that_somebody_holds_is_not_closed_by_its_gateway(simulator: RunningSimulator) -> None:
    hold = Holdfast(quick_settings(simulator))
    gateway = hold.asgi()
    async with hold:
        runtime = hold.runtime
        await started(gateway)
        await lifespan(gateway, "shutdown")
        assert hold.runtime is runtime


async def started(gateway: Gateway) -> list[MutableMapping[str, Any]]:
    """Start a gateway as a server would, and leave it running."""
    answers: list[MutableMapping[str, Any]] = []
    answered, never = asyncio.Event(), asyncio.Event()

    async def receive() -> MutableMapping[str, Any]:
        if answers:
            await never.wait()
        return {"type": "lifespan.startup"}

    async def send(message: MutableMapping[str, Any]) -> None:
        answers.append(message)
        answered.set()

    task = asyncio.ensure_future(gateway({"type": "lifespan"}, receive, send))
    await answered.wait()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    return answers


def test_two_gateways_in_one_process_keep_their_calls_apart(simulator: RunningSimulator) -> None:
    settings = quick_settings(simulator)
    with serving(simulator, settings) as one, serving(simulator, settings) as other:
        for gateway, calls in ((one, 3), (other, 2)):
            for _ in range(calls):
                assert ask(gateway.url, QUESTION).status == 200
        eventually(lambda: (one.totals().calls, other.totals().calls) == (3, 2))
        assert one.totals().cost + other.totals().cost == simulator.simulator.billed


@pytest.fixture
def impatient(simulator: RunningSimulator) -> Settings:
    return replace(quick_settings(simulator), gateway=GatewayConfig(drain_timeout=0.3))


def content(connection: Connection) -> Iterator[bytes]:
    while line := connection.reader.readline():
        yield line


def test_a_stream_that_can_end_in_time_ends_well_when_the_gateway_stops(simulator: RunningSimulator) -> None:
    simulator.simulator.fault(Stall(after_events=6, seconds=0.5))
    with serving(simulator, quick_settings(simulator)) as gateway, connected(gateway.url) as connection:
        connection.send(request(STREAM))
        assert connection.reader.readline().startswith(b"HTTP/1.1 200")
        stopping = threading.Thread(target=gateway.stop)
        stopping.start()
        assert b"event: message_stop\n" in list(content(connection))
        stopping.join()


def test_a_stream_that_cannot_end_in_time_gets_a_typed_error_and_is_settled(
    simulator: RunningSimulator, impatient: Settings
) -> None:
    simulator.simulator.fault(Stall(after_events=6))
    recorded: list[str] = []
    with serving(simulator, impatient) as gateway:
        ledger = gateway.hold.runtime.ledger
        with connected(gateway.url) as connection:
            connection.send(request(STREAM))
            assert connection.reader.readline().startswith(b"HTTP/1.1 200")
            stopping = threading.Thread(target=gateway.stop)
            stopping.start()
            answer = b"".join(content(connection))
            stopping.join()
        assert answer.endswith(b"0\r\n\r\n")
        data = answer.split(b"event: error\ndata: ")[1].split(b"\n")[0]
        assert json.loads(data)["error"]["type"] == "overloaded_error"
        recorded += [record.end for record in asyncio.run(ledger.newest(5))]
    assert recorded == ["abandoned"]
    eventually(lambda: simulator.simulator.capture.open == 0)


def test_a_plain_call_that_cannot_end_in_time_gets_a_typed_error(
    simulator: RunningSimulator, impatient: Settings
) -> None:
    simulator.simulator.fault(Stall(after_events=0))
    with serving(simulator, impatient) as gateway, connected(gateway.url) as connection:
        connection.send(request(QUESTION))
        eventually(lambda: simulator.simulator.capture.open == 1)
        stopping = threading.Thread(target=gateway.stop)
        stopping.start()
        answer = connection.hear()
        stopping.join()
    assert (answer.status, answer.error_type) == (503, "overloaded_error")
    assert answer.headers["retry-after"] == "1"


def test_a_reader_that_does_not_read_does_not_hold_up_the_end(
    simulator: RunningSimulator, impatient: Settings
) -> None:
    simulator.simulator.say("words " * 20_000)
    with serving(simulator, impatient) as gateway, connected(gateway.url) as connection:
        connection.send(request({**STREAM, "max_tokens": 60_000}))
        eventually(lambda: bool(simulator.simulator.requests))
        started_at = SYSTEM_CLOCK.monotonic()
        gateway.stop()
        assert SYSTEM_CLOCK.monotonic() - started_at < 10


def test_idle_connections_do_not_hold_up_the_end(gateway: RunningGateway) -> None:
    with (
        connected(gateway.url) as idle,
        anthropic.Anthropic(api_key="local", base_url=gateway.url) as client,
    ):
        idle.send(request(QUESTION))
        assert idle.hear().status == 200
        client.messages.count_tokens(model="claude-sonnet-5-5", messages=[{"role": "user", "content": "Hi"}])
        started_at = SYSTEM_CLOCK.monotonic()
        gateway.stop()
        assert SYSTEM_CLOCK.monotonic() - started_at < 2
        assert idle.is_closed()
