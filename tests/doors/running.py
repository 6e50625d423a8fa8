"""A real gateway on a real socket, in front of a real simulator."""

import asyncio
import contextlib
import socket
import threading
import time
from collections.abc import Callable, Generator
from dataclasses import dataclass, field

import uvicorn
from uvicorn.protocols.http.auto import AutoHTTPProtocol

from holdfast.assembly import Runtime, assemble
from holdfast.cli.listening import listen
from holdfast.console.tickets import Tickets
from holdfast.events import Event, Observer
from holdfast.gateway.app import Gateway
from holdfast.gateway.server import GatewayServer, Patience
from holdfast.hold import Holdfast
from holdfast.policy.breaker import BreakerConfig
from holdfast.policy.retry import RetryConfig
from holdfast.policy.routing import UpstreamConfig
from holdfast.ports import CallRecord, Store, Totals
from holdfast.settings import GatewayConfig, Settings, StoreConfig
from holdfast.simulator.server import RunningSimulator
from holdfast.upstream.client import Client

PATIENCE = 20.0
SETTLED = 0.5
"""Seconds that an answered call may take to be settled; one that is still being answered is not waited for."""


def quick_settings(simulator: RunningSimulator) -> Settings:
    """Settings that never wait long: a gateway over `simulator` with a book in memory."""
    return Settings(
        store=StoreConfig(url="memory:"),
        gateway=GatewayConfig(drain_timeout=2.0),
        upstreams={"simulator": UpstreamConfig(url=simulator.url)},
        retry=RetryConfig(
            wait_initial=0.001, wait_max=0.002, throttle_wait_initial=0.001, throttle_wait_max=0.002
        ),
        breaker=BreakerConfig(failure_threshold=None, failure_rate_threshold=None),
    )


@dataclass
class RunningGateway:
    """A gateway under uvicorn in a thread of its own."""

    simulator: RunningSimulator
    hold: Holdfast
    events: list[Event]
    url: str = ""
    stop: Callable[[], None] = lambda: None
    """Ask the server to stop, and wait until it has."""
    app: Gateway | None = None
    _loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.new_event_loop)

    def records(self) -> tuple[CallRecord, ...]:
        """The calls in the ledger, newest first; those that a client has just heard the end of among them."""
        self._settled()
        future = asyncio.run_coroutine_threadsafe(self.hold.runtime.ledger.newest(1_000), self._loop)
        return future.result(PATIENCE)

    def totals(self) -> Totals:
        self._settled()
        return asyncio.run_coroutine_threadsafe(self.hold.runtime.ledger.totals(), self._loop).result(
            PATIENCE
        )

    def _settled(self) -> None:
        """Wait for what has been answered: a client is done with the last byte, the books a moment later."""
        for _ in range(round(SETTLED / 0.002)):
            if self.app is None or not self.app.under_way:
                return
            time.sleep(0.002)  # noqa: TID251 - real servers, real time

    def tasks(self) -> int:
        """How many tasks are alive in the gateway's loop."""

        async def count() -> int:
            return len(asyncio.all_tasks()) - 1

        return asyncio.run_coroutine_threadsafe(count(), self._loop).result(PATIENCE)

    def run(self, server: uvicorn.Server, listener: socket.socket) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_until_complete(server.serve(sockets=[listener]))
        finally:
            self._loop.close()


class _Server(GatewayServer):
    """Looks more often whether it should stop: a suite has many gateways."""

    async def main_loop(self) -> None:
        while not self.should_exit:  # noqa: ASYNC110 - uvicorn has a flag there and no event
            await asyncio.sleep(0.005)


@contextlib.contextmanager
def serving(
    simulator: RunningSimulator,
    settings: Settings,
    *,
    http: type[asyncio.Protocol] = AutoHTTPProtocol,
    opened: Callable[[Settings, Observer], Runtime] | None = None,
    patience: Patience | None = None,
    tickets: Tickets | None = None,
) -> Generator[RunningGateway]:
    """Run a gateway until the block ends, on what `opened` makes of the settings."""
    events: list[Event] = []
    runtime = None if opened is None else opened(settings, events.append)
    gateway = RunningGateway(simulator, Holdfast(settings, observe=events.append, runtime=runtime), events)
    listener = listen("127.0.0.1", 0)
    gateway.url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    gateway.app = gateway.hold.asgi(tickets=tickets)
    drain = settings.gateway.drain_timeout
    server = _Server(gateway.app, drain_timeout=drain, http=http, patience=patience, config=settings.gateway)
    thread = threading.Thread(target=gateway.run, args=(server, listener), daemon=True)

    def stop() -> None:
        server.should_exit = True
        thread.join(PATIENCE)
        listener.close()
        assert not thread.is_alive()

    gateway.stop = stop
    thread.start()
    try:
        eventually(lambda: server.started)
        yield gateway
    finally:
        stop()


def over(client: Client, ledger: Store | None = None) -> Callable[[Settings, Observer], Runtime]:
    """Opens a gateway in front of `client` in place of an upstream."""

    def connect(config: UpstreamConfig, settings: Settings) -> Client:
        return client

    def opened(settings: Settings, observe: Observer) -> Runtime:
        return assemble(settings, observe=observe, client=connect, ledger=ledger)

    return opened


def eventually(condition: Callable[[], bool]) -> None:
    """Wait until something that another process or thread does has happened."""
    last = time.monotonic() + PATIENCE  # noqa: TID251 - real servers, real time
    while not condition():
        if time.monotonic() > last:  # noqa: TID251 - real servers, real time
            raise AssertionError("it did not happen in time")
        time.sleep(0.01)  # noqa: TID251 - real servers, real time
