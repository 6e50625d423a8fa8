"""Two workers of one fleet in one process: one Redis, one upstream that a test makes sick and well."""

import asyncio
import re
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from time import perf_counter

from holdfast.assembly import Runtime, assemble
from holdfast.call import Incoming, Principal
from holdfast.errors import HoldfastError
from holdfast.events import CircuitChanged, Event
from holdfast.policy.breaker import BreakerConfig
from holdfast.policy.retry import RetryConfig
from holdfast.policy.routing import UpstreamConfig
from holdfast.settings import FleetConfig, Settings, StoreConfig
from holdfast.upstream.client import UpstreamRequest
from tests.upstream.scripted import MODEL, Reply, ScriptedConnection

CIRCUIT = f"main/{MODEL}"
BODY = f'{{"model":"{MODEL}","max_tokens":8,"messages":[{{"role":"user","content":"Hi"}}]}}'.encode()
SICK = Reply.refusal(529, "overloaded_error")
WELL = Reply()
PROMPT = 1.2
"""Seconds within which a peer knows, on a machine that is busy with other tests."""


class Patient:
    """An upstream whose answer a test chooses; while `held` is clear, requests wait there and are counted."""

    def __init__(self) -> None:
        self.reply = WELL
        self.asked = 0
        self.inside = 0
        self.most_inside = 0
        self.held = asyncio.Event()
        self.held.set()

    async def send(self, request: UpstreamRequest) -> ScriptedConnection:
        self.asked += 1
        self.inside += 1
        self.most_inside = max(self.most_inside, self.inside)
        try:
            await self.held.wait()
        finally:
            self.inside -= 1
        return ScriptedConnection(self.reply)

    async def aclose(self) -> None:
        return None


@dataclass(kw_only=True)
class Worker:
    """One worker, what it announced, and how long its slowest call took."""

    runtime: Runtime
    events: list[Event] = field(default_factory=list[Event])
    slowest: float = 0.0

    async def ask(self) -> int:
        """The status of one call."""
        began = perf_counter()
        call = self.runtime.call(Incoming(body=BODY), Principal(door="library"), request_id="hfr_1")
        try:
            answer = await self.runtime.pipeline(call)
        except HoldfastError as error:
            return error.status
        finally:
            self.slowest = max(self.slowest, perf_counter() - began)
        await answer.read()
        return answer.response.status

    @property
    def state(self) -> str:
        return self.runtime.circuits.state(CIRCUIT)

    @property
    def moves(self) -> list[tuple[str, str]]:
        """How its circuit moved, and why."""
        changes = [event for event in self.events if isinstance(event, CircuitChanged)]
        return [(change.after, change.reason) for change in changes if change.circuit == CIRCUIT]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """Two workers before one upstream."""

    patient: Patient
    one: Worker
    two: Worker

    async def open_circuit(self, worker: Worker) -> None:
        """Let calls of one worker fail until it asks no more."""
        self.patient.reply = SICK
        for _ in range(3):
            await worker.ask()
        assert worker.state == "open"


def settings(redis_url: str, *, recovery: float = 30.0, **options: object) -> Settings:
    plain = Settings(
        upstreams={"main": UpstreamConfig(url="http://127.0.0.1:9", key_env="FLEET_KEY")},
        store=StoreConfig(url="memory:"),
        fleet=FleetConfig(redis_url=redis_url, workers=2),
        breaker=BreakerConfig(failure_threshold=3, recovery_timeout=recovery),
        retry=RetryConfig(attempts=1),
    )
    return replace(plain, **options)  # type: ignore[arg-type]  # a test passes the fields by name


@asynccontextmanager
async def working(chosen: Settings, patient: Patient) -> AsyncGenerator[Worker]:
    """A worker that has begun, and met its peers."""
    events: list[Event] = []
    runtime = assemble(chosen, client=lambda config, settings: patient, observe=events.append)
    await runtime.begin()
    try:
        yield Worker(runtime=runtime, events=events)
    finally:
        await runtime.aclose()


@asynccontextmanager
async def pair(chosen: Settings) -> AsyncGenerator[Pair]:
    patient = Patient()
    async with working(chosen, patient) as one, working(chosen, patient) as two:
        yield Pair(patient=patient, one=one, two=two)


async def until(holds: Callable[[], bool], seconds: float = 5.0) -> float:
    """Wait until something holds; how long that took."""
    began = perf_counter()
    for _ in range(round(seconds / 0.01)):
        if holds():
            break
        await asyncio.sleep(0.01)
    assert holds(), "it never came to hold"
    return perf_counter() - began


async def scripts_run(port: int) -> int:
    """How many scripts a Redis has run."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"INFO commandstats\r\n")
    length = int((await reader.readline())[1:])
    told = (await reader.readexactly(length)).decode()
    writer.close()
    await writer.wait_closed()
    return sum(int(calls) for calls in re.findall(r"cmdstat_evalsha:calls=(\d+)", told))
