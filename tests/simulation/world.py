"""One run of the production pipeline in virtual time, with everything written down that a checker may ask for."""

import hashlib
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass, field, replace
from random import Random
from typing import Any

from holdfast import Holdfast, Settings
from holdfast.assembly import Runtime, assemble
from holdfast.events import AttemptFailed, CallEnded, CircuitChanged, Event
from holdfast.guards.budget import BudgetGuard
from holdfast.policy.breaker import Snapshot
from holdfast.policy.expectation import ENOUGH
from holdfast.policy.routing import UpstreamConfig
from holdfast.settings import StoreConfig
from holdfast.simulator import Simulator
from holdfast.stores.memory import KEPT
from holdfast.testing.virtual import VirtualClock
from holdfast.upstream.client import UpstreamRequest
from holdfast.upstream.inprocess import InProcessClient, InProcessConnection
from tests.simulation.book import Book
from tests.simulation.scenario import MODELS, Scenario

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
USUAL = 4
"""Output tokens of the answers that a budget which expects has seen before the run."""


@dataclass(slots=True)
class Tape:
    """A simulator and the bytes of all its answers that came to their end."""

    simulator: Simulator
    arrived: int = 0
    whole: list[bytes] = field(default_factory=list[bytes])

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        self.arrived += 1
        body: list[bytes] = []

        async def record(message: Message) -> None:
            body.append(message.get("body", b""))
            await send(message)
            if message["type"] == "http.response.body" and not message.get("more_body", False):
                self.whole.append(b"".join(body))

        await self.simulator(scope, receive, record)


class Probe(InProcessClient):
    """Counts what is sent, and looks at every circuit whenever something is."""

    def __init__(self, app: Tape, look: Callable[[], None]) -> None:
        super().__init__(app)
        self.sent = 0
        self._look = look

    async def send(self, request: UpstreamRequest) -> InProcessConnection:
        self.sent += 1
        self._look()
        return await super().send(request)


@dataclass(slots=True)
class Heard:
    """What one caller got for one call."""

    caller: int
    question: str
    form: str
    began: float
    allowed: float
    status: int | None = None
    headers: dict[str, str] = field(default_factory=dict[str, str])
    body: bytearray = field(default_factory=bytearray)
    first_content: float | None = None
    last_content: float | None = None
    ended: float | None = None
    left: float | None = None
    returned: float | None = None
    text: str | None = None
    error: str | None = None

    @property
    def is_stream(self) -> bool:
        return self.headers.get("content-type", "").startswith("text/event-stream")


@dataclass(slots=True)
class World:
    """A hold over simulators, and all that was seen of it."""

    scenario: Scenario
    keep: int = KEPT
    clock: VirtualClock = field(default_factory=VirtualClock)
    tapes: list[Tape] = field(default_factory=list[Tape])
    probes: list[Probe] = field(default_factory=list[Probe])
    book: Book = field(init=False)
    events: list[tuple[float, Event]] = field(default_factory=list[tuple[float, Event]])
    heard: list[Heard] = field(default_factory=list[Heard])
    trace: list[str] = field(default_factory=list[str])
    live_most: int = 0
    final: dict[str, Snapshot] = field(default_factory=dict[str, Snapshot])
    hold: Holdfast = field(init=False)

    def __post_init__(self) -> None:
        names = [f"u{number}" for number in range(len(self.scenario.upstreams))]
        self.book = Book(self.keep, clock=self.clock)
        self.tapes = [Tape(simulator) for simulator in self._simulators()]
        self.probes = [Probe(tape, self._look) for tape in self.tapes]
        waiting = iter(self.probes)
        settings = Settings(
            store=StoreConfig(url="memory:"),
            upstreams={name: UpstreamConfig(url="simulator") for name in names},
            timeouts=self.scenario.timeouts,
            breaker=self.scenario.breaker,
            budgets=self.scenario.budgets,
        )
        runtime = assemble(
            settings,
            clock=self.clock,
            dice=Random(self.scenario.seed),
            observe=self.observe,
            client=lambda config, settings: next(waiting),
            ledger=self.book,
        )
        self._teach(runtime)
        self.hold = Holdfast(observe=self.observe, runtime=replace(runtime, new_id=self._ids()))

    @property
    def runtime(self) -> Runtime:
        return self.hold.runtime

    def note(self, line: str) -> None:
        """Add a line to the trace."""
        self.trace.append(f"{self.clock.monotonic():10.4f} {line}")

    def observe(self, event: Event) -> None:
        """Keep an event; what is random on purpose, the ids of requests, stays out of the trace."""
        self.events.append((self.clock.monotonic(), event))
        match event:
            case CircuitChanged():
                self.note(f"circuit {event.circuit}: {event.before} -> {event.after}, {event.reason}")
            case AttemptFailed():
                wait = "the end" if event.wait is None else f"again in {event.wait:.4f} s"
                self.note(f"attempt {event.attempt} at {event.upstream}: {event.kind} {event.status}, {wait}")
            case CallEnded():
                self.note(
                    f"settled: {event.end} {event.status} {event.error_code} {event.cost} dollars,"
                    f" {event.attempts} attempts, {event.duration_ms} ms"
                )
            case _:
                self.note(type(event).__name__)

    def forget(self) -> None:
        """Let go of all that was seen, as if the world were new; the pipeline stays as it is."""
        self.book.forget()
        for kept in (self.events, self.heard, self.trace):
            kept.clear()
        for tape in self.tapes:
            tape.whole.clear()
            tape.simulator.reset()

    def circuits(self) -> dict[str, Snapshot]:
        """Every circuit that has been used."""
        circuits = self.runtime.circuits
        return {name: circuits.of(name).snapshot() for name in circuits.states()}

    def digest(self) -> str:
        """The whole run in one short word."""
        return hashlib.sha256("\n".join(self.trace).encode()).hexdigest()

    def _simulators(self) -> list[Simulator]:
        found: list[Simulator] = []
        for number, upstream in enumerate(self.scenario.upstreams):
            simulator = Simulator(
                seed=self.scenario.seed * 2 + number,
                clock=self.clock,
                profile=upstream.profile,
                capacity=upstream.capacity,
                limits=upstream.limits,
            )
            simulator.fault(*upstream.faults)
            found.append(simulator)
        return found

    def _teach(self, runtime: Runtime) -> None:
        """A budget that expects has experience from the first call on."""
        for guard in runtime.stations.guards:
            if isinstance(guard, BudgetGuard) and self.scenario.budgets:
                for model in MODELS * ENOUGH:
                    guard.expectation.learn(model, USUAL)

    def _ids(self) -> Callable[[], str]:
        made = iter(range(1_000_000))
        return lambda: f"agent-{next(made)}"

    def _look(self) -> None:
        for snapshot in self.circuits().values():
            if snapshot.state == "half_open":
                self.live_most = max(self.live_most, snapshot.live)
