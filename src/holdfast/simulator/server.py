"""The simulator on a real socket: a coroutine for a program, a background thread for a test."""

import asyncio
import contextlib
import math
import socket
import threading
from collections.abc import AsyncGenerator, Callable, Generator
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import uvicorn
from uvicorn.protocols.http.auto import AutoHTTPProtocol

from holdfast.simulator.app import Simulator
from holdfast.simulator.door import Door

if TYPE_CHECKING:
    from uvicorn.protocols.http.h11_impl import H11Protocol as HttpProtocol
else:
    HttpProtocol = AutoHTTPProtocol

BACKLOG = 2048
_GRACE = 0.5
"""Seconds for an answer to notice that its connection is gone."""
_LOOK = 0.005
"""Seconds between two looks at a condition."""
_PATIENCE = 10.0
"""Seconds to wait for a thread to start or stop."""


class TransportProtocol(HttpProtocol):
    """uvicorn's HTTP protocol, which gives each request the transport of its connection as `state["transport"]`."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn does
        super().connection_made(transport)
        self.app_state = {**self.app_state, "transport": transport}


class _Server(uvicorn.Server):
    """A server that is up at once, stops at once and leaves signals to the program around it."""

    def __init__(self, config: uvicorn.Config, door: Door, ready: Callable[[int], None]) -> None:
        super().__init__(config)
        self._door = door
        self._ready = ready
        self._stopped = asyncio.Event()

    def stop(self) -> None:
        """Ask it to stop; from its own loop only."""
        self.should_exit = True
        self._stopped.set()

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        yield

    async def main_loop(self) -> None:
        async with _doorkeeper(self, self._door):
            self._ready(self.servers[0].sockets[0].getsockname()[1])
            counter = 0
            while not await self.on_tick(counter):
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._stopped.wait(), 1.0)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Break what is still open: a stalled answer would keep the server waiting for ever."""
        for server in self.servers:
            server.close()
        for connection in list(self.server_state.connections):
            connection.transport.abort()
        tasks = list(self.server_state.tasks)
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=_GRACE)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)


@contextlib.asynccontextmanager
async def _doorkeeper(server: uvicorn.Server, door: Door) -> AsyncGenerator[None, None]:
    """Shuts and opens the listener of a server with the door of its simulator."""
    loop, knocked = asyncio.get_running_loop(), asyncio.Event()

    def knock() -> None:
        with contextlib.suppress(RuntimeError):  # the loop may have been closed by the time of the call
            loop.call_soon_threadsafe(knocked.set)

    with door.listener(knock):
        keeping = asyncio.ensure_future(_Doorkeeper(server, door, knocked).keep())
        try:
            yield
        finally:
            keeping.cancel()
            await asyncio.wait([keeping])


class _Doorkeeper:
    """While the door is shut, connections are refused: the port is held by a socket that does not listen."""

    def __init__(self, server: uvicorn.Server, door: Door, knocked: asyncio.Event) -> None:
        self._server = server
        self._door = door
        self._knocked = knocked

    async def keep(self) -> None:
        while True:
            if self._door.is_shut:
                await self._stay_shut()
            await self._until_knock(math.inf)

    async def _stay_shut(self) -> None:
        with contextlib.ExitStack() as stack:
            held = stack.enter_context(await self._shut())
            self._door.listening -= 1
            while self._door.is_shut:
                await self._until_knock(self._door.left)
            opened = await asyncio.get_running_loop().create_server(
                self._protocol, sock=held, backlog=BACKLOG
            )
            stack.pop_all()
        self._server.servers.append(opened)
        self._door.listening += 1

    async def _shut(self) -> socket.socket:
        """Stop listening, close the connections on which nothing goes on, and take the port again."""
        listener = self._server.servers[0].sockets[0]
        family, address = listener.family, listener.getsockname()
        self._server.servers.pop().close()
        for connection in list(self._server.server_state.connections):
            connection.shutdown()
        held = socket.socket(family)
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        held.setblocking(False)
        while True:
            try:
                held.bind(address)
            except OSError:  # some loops close a listener a moment later
                await asyncio.sleep(_LOOK)
            else:
                return held

    async def _until_knock(self, seconds: float) -> None:
        waits: list[asyncio.Future[Any]] = [asyncio.ensure_future(self._knocked.wait())]
        if seconds < math.inf:
            waits.append(asyncio.ensure_future(self._door.clock.sleep(seconds)))
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()
        self._knocked.clear()

    def _protocol(self) -> asyncio.Protocol:
        config = self._server.config
        return TransportProtocol(
            config=config, server_state=self._server.server_state, app_state=self._server.lifespan.state
        )


async def serve(
    simulator: Simulator,
    host: str = "127.0.0.1",
    port: int = 4181,
    *,
    ready: Callable[[int], None] = lambda port: None,
) -> None:
    """Serve until cancelled; `ready` is called with the port once connections are accepted.

    Raises:
        OSError: the address cannot be bound.
    """
    with _listener(host, port) as listener:
        server = _Server(_config(simulator), simulator.door, ready)
        serving = asyncio.ensure_future(server.serve(sockets=[listener]))
        try:
            await asyncio.shield(serving)
        finally:
            server.stop()
            await serving


def _listener(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # Named TCP, or asyncio leaves Nagle's algorithm on: 40 ms more for every answer on a kept connection.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(2048)
    except OSError:
        listener.close()
        raise
    return listener


def _config(simulator: Simulator) -> uvicorn.Config:
    return uvicorn.Config(
        simulator,
        http=TransportProtocol,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_keep_alive=75,
    )


class RunningSimulator:
    """A simulator served from a background thread on a free port of 127.0.0.1.

    Attributes:
        simulator: what answers; faults, requests and bills are there.
        url: the base URL, without a slash at its end.
    """

    def __init__(self, simulator: Simulator | None = None, *, port: int = 0) -> None:
        self.simulator = Simulator(time_scale=0) if simulator is None else simulator
        self.url = ""
        self._asked = port
        self._started = threading.Event()
        self._failure: BaseException | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._serving: asyncio.Task[None] | None = None
        self._thread = threading.Thread(target=self._run, name="holdfast-simulator", daemon=True)

    def start(self) -> Self:
        """Start; returns once connections are accepted.

        Raises:
            OSError: the port is taken.
            TimeoutError: the thread did not come up within ten seconds.
        """
        self._thread.start()
        if not self._started.wait(_PATIENCE):
            raise TimeoutError("the simulator did not start")
        if self._failure is not None:
            self._thread.join(_PATIENCE)
            raise self._failure
        return self

    def stop(self) -> None:
        """Break all connections and stop; a second call does nothing."""
        if self._loop is not None and self._serving is not None and self._thread.is_alive():
            with contextlib.suppress(RuntimeError):  # the loop may close between the question and the call
                self._loop.call_soon_threadsafe(self._serving.cancel)
        if self._thread.ident is not None:
            self._thread.join(_PATIENCE)

    def refuse(self) -> None:
        """Refuse connections from now on; returns once the listener is closed."""
        self.simulator.refuse()
        self.until(lambda simulator: simulator.door.listening == 0)

    def accept(self) -> None:
        """Accept connections again; returns once the listener is back."""
        self.simulator.accept()
        self.until(lambda simulator: simulator.door.listening > 0)

    def drain(self, timeout: float = 5.0) -> None:
        """Wait until no request is open any more: a disconnect is seen a moment after the client made it.

        Raises:
            TimeoutError: requests are still open after `timeout` seconds.
        """
        self.until(lambda simulator: simulator.capture.open == 0, timeout)

    def until(self, condition: Callable[[Simulator], bool], timeout: float = 5.0) -> None:
        """Wait until `condition` holds of the simulator.

        Raises:
            TimeoutError: it does not hold after `timeout` seconds.
        """
        pause = threading.Event()
        for _ in range(max(1, int(timeout / _LOOK))):
            if condition(self.simulator):
                return
            pause.wait(_LOOK)
        raise TimeoutError("the simulator did not come to the state that was waited for")

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=_config(self.simulator).get_loop_factory()) as runner:
            runner.run(self._serve())

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._serving = asyncio.ensure_future(serve(self.simulator, port=self._asked, ready=self._ready))
        try:
            await self._serving
        except asyncio.CancelledError:
            pass
        except OSError as error:
            self._failure = error
        finally:
            self._started.set()

    def _ready(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self._started.set()
