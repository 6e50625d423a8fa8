"""Many small worlds behind two sockets: each cell of the matrix has a simulator and a gateway of its own.

Nothing that one row does to a circuit, a gate, a retry bucket or a ledger can be seen by another, and all rows
of a column run at once.
"""

import asyncio
import contextlib
import socket
import threading
from collections.abc import Generator
from dataclasses import dataclass, field, replace

import uvicorn

from holdfast.cli.listening import listen
from holdfast.events import CallEnded, Event, SettleFailed
from holdfast.gateway.app import Gateway
from holdfast.gateway.responding import Message, Receive, Scope, Send
from holdfast.hold import Holdfast
from holdfast.policy.routing import UpstreamConfig
from holdfast.settings import Settings, TimeoutsConfig
from holdfast.simulator import Action, Fault, Simulator
from holdfast.simulator.server import RunningSimulator
from tests.doors.running import PATIENCE, eventually, quick_settings
from tests.matrix.rows import Row

STALL = 5.0
DEADLINE = 14.0


def inner(scope: Scope) -> tuple[str, Scope]:
    """The first part of the path, and the scope without it."""
    _, name, path = scope["path"].split("/", 2)
    return name, {**scope, "path": f"/{path}", "raw_path": f"/{path}".encode()}


class Simulators(Simulator):
    """A simulator for each first part of the path."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.cells: dict[str, Simulator] = {}

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        name, scope = inner(scope)
        await self.cells[name](scope, receive, send)


@dataclass
class Gateways:
    """A gateway for each first part of the path."""

    cells: dict[str, Gateway] = field(default_factory=dict[str, Gateway])

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        name, scope = inner(scope)
        await self.cells[name](scope, receive, send)


@dataclass
class Cell:
    """One row in one column."""

    row: Row
    name: str
    simulator: Simulator
    hold: Holdfast
    events: list[Event]

    @property
    def attempts(self) -> int:
        return len(self.simulator.requests)

    @property
    def settled(self) -> list[CallEnded]:
        return [event for event in self.events if isinstance(event, CallEnded)]

    @property
    def unsettled(self) -> list[SettleFailed]:
        return [event for event in self.events if isinstance(event, SettleFailed)]


@dataclass
class Stage:
    """The two servers, and the cells behind them."""

    simulators: Simulators
    simulator: RunningSimulator
    gateways: Gateways = field(default_factory=Gateways)
    url: str = ""
    _loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.new_event_loop)

    def simulated(self, name: str, action: Action | None, *, times: int | None = None) -> Simulator:
        """A new simulator behind that name, of the same seed as all of them, whose answers are hit."""
        simulator = self.simulators.cells[name] = Simulator(time_scale=0)
        if action is not None:
            simulator.fault(Fault(action, times=times))
        return simulator

    def cell(self, row: Row, name: str) -> Cell:
        """A new cell; its gateway is at `url/name`, its simulator at `simulator.url/name`."""
        simulator = self.simulated(name, row.action, times=row.times)
        settings = self._settings(name)
        events: list[Event] = []
        cell = Cell(row, name, simulator, Holdfast(settings, observe=events.append), events)
        self.gateways.cells[name] = cell.hold.asgi()
        return cell

    def _settings(self, name: str) -> Settings:
        quick = quick_settings(self.simulator)
        return replace(
            quick,
            upstreams={"simulator": UpstreamConfig(url=f"{self.simulator.url}/{name}")},
            timeouts=TimeoutsConfig(stall=STALL, deadline=DEADLINE),
        )

    def close(self, cells: list[Cell]) -> None:
        """Close holds that were used by the gateway, in the loop in which they were used."""

        async def closed() -> None:
            await asyncio.gather(*(cell.hold.aclose() for cell in cells))

        asyncio.run_coroutine_threadsafe(closed(), self._loop).result(PATIENCE)

    def run(self, server: uvicorn.Server, listener: socket.socket) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_until_complete(server.serve(sockets=[listener]))
        finally:
            self._loop.close()


@contextlib.contextmanager
def staged() -> Generator[Stage]:
    """Both servers, until the block ends."""
    simulators = Simulators(time_scale=0)
    with RunningSimulator(simulators) as running:
        stage = Stage(simulators, running)
        listener = listen("127.0.0.1", 0)
        stage.url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        config = uvicorn.Config(
            stage.gateways, lifespan="off", ws="none", log_config=None, access_log=False, backlog=2048
        )
        server = uvicorn.Server(config)
        thread = threading.Thread(target=stage.run, args=(server, listener), daemon=True)
        thread.start()
        try:
            eventually(lambda: server.started)
            yield stage
        finally:
            server.should_exit = True
            thread.join(PATIENCE)
            listener.close()
