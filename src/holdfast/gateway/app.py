"""The gateway as a plain ASGI application: routes, lifespan, one outermost frame for whatever goes wrong."""

import asyncio
import traceback
from collections.abc import Awaitable, Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass

import msgspec

from holdfast.assembly import Runtime, new_request_id
from holdfast.call import Incoming
from holdfast.errors import HoldfastError
from holdfast.events import Observer, RequestCrashed, unobserved
from holdfast.gateway.console import Console, Lobby
from holdfast.gateway.decoding import check_encoding, decoded
from holdfast.gateway.depot import Depot, errand_of
from holdfast.gateway.health import readiness
from holdfast.gateway.identity import Doorkeeper
from holdfast.gateway.messages import answer_messages
from holdfast.gateway.metrics import METRICS, answer_metrics
from holdfast.gateway.office import Administration, Office
from holdfast.gateway.passthrough import model_path, relay
from holdfast.gateway.peers import Peers
from holdfast.gateway.reading import read_body, target, unless_gone
from holdfast.gateway.refusals import crashed, draining, nothing_here, wrong_method
from holdfast.gateway.resources import Resource, resource
from holdfast.gateway.responding import JSON, ClientGone, Outlet, Receive, Scope, Send
from holdfast.gateway.standing import Standings
from holdfast.policy.masking import mask
from holdfast.telemetry.lag import Lag
from holdfast.version import __version__
from holdfast.wire.headers import from_raw

API = "/v1/"
MESSAGES = "/v1/messages"
COUNT_TOKENS = "/v1/messages/count_tokens"
METHODS: Mapping[str, tuple[str, ...]] = {
    MESSAGES: ("POST",),
    COUNT_TOKENS: ("POST",),
    "/": ("GET", "HEAD"),
    "/api/hello": ("GET", "HEAD"),
    "/version": ("GET", "HEAD"),
    "/healthz": ("GET", "HEAD"),
    "/readyz": ("GET", "HEAD"),
    METRICS: ("GET", "HEAD"),
}
SETTLING = 5.0
"""Seconds that cancelled calls may take to be settled."""
LONGEST_TRACE = 4_000


@dataclass(frozen=True, slots=True)
class Lifetime:
    """What is called when a server of a gateway starts, and when it has stopped."""

    acquire: Callable[[], object]
    release: Callable[[], Awaitable[None]]


class Gateway:
    """Answers like the Messages API, with the guards of one pipeline in between.

    `lifetime` hears of each server that starts and stops; without a server that speaks the
    lifespan protocol, `runtime` opens what is needed at the first request. `administration` makes the Admin
    API when it is first asked for, `console` the console; without them there is none.
    """

    def __init__(
        self,
        runtime: Callable[[], Runtime],
        *,
        lifetime: Lifetime | None = None,
        observe: Observer = unobserved,
        administration: Callable[[], Administration] | None = None,
        console: Callable[[], Console] | None = None,
        door: Doorkeeper | None = None,
    ) -> None:
        self._runtime = runtime
        self._door = door or Doorkeeper()
        self._office = None if administration is None else Office(administration, runtime)
        self.peers: Peers | None = None
        """The other workers of this machine, where there are some."""
        self._depot = Depot()
        self._standings = Standings()
        self._lobby = None if console is None else Lobby(console, runtime)
        self._lifetime = lifetime
        self._observe = observe
        self._running: set[asyncio.Task[None]] = set()
        self._draining = False
        self._cutting = False
        self._lag: asyncio.Task[None] | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        elif scope["type"] == "http":
            task = asyncio.current_task()
            assert task is not None
            self._running.add(task)
            try:
                await self._answer(scope, receive, Outlet(send, new_request_id()), task)
            finally:
                self._running.discard(task)

    @property
    def under_way(self) -> int:
        """How many requests are being answered, or have been and are not settled yet."""
        return len(self._running)

    async def drain(self, patience: float) -> None:
        """Take no new calls, give those that run `patience` seconds to end, then end them with a typed error."""
        self._draining = True
        if self._office is not None:
            self._office.drain()
        if self._lobby is not None:
            self._lobby.drain()
        await self._until_idle(patience)
        self._cutting = True
        for task in self._here():
            task.cancel()
        await self._until_idle(SETTLING)

    def _here(self) -> set[asyncio.Task[None]]:
        """What runs in this event loop: an application may serve several."""
        loop = asyncio.get_running_loop()
        return {task for task in self._running if task.get_loop() is loop}

    async def _until_idle(self, patience: float) -> None:
        if running := self._here():
            await asyncio.wait(running, timeout=patience)

    async def _live(self, receive: Receive, send: Send) -> None:
        while (await receive())["type"] == "lifespan.startup":
            try:
                _ = self._runtime() if self._lifetime is None else self._lifetime.acquire()
            except HoldfastError as error:
                await send({"type": "lifespan.startup.failed", "message": str(error)})
                return
            await self._runtime().begin()
            self._watch_lag()
            self._draining = self._cutting = False
            if self.peers is not None:
                await self.peers.open(self._counted)
            await send({"type": "lifespan.startup.complete"})
        await self.drain(0)
        if self.peers is not None:
            await self.peers.aclose()
        if self._lag is not None:
            self._lag.cancel()
            await asyncio.gather(self._lag, return_exceptions=True)
        if self._lifetime is not None:
            await self._lifetime.release()
        await send({"type": "lifespan.shutdown.complete"})

    async def _counted(self) -> bytes:
        """What this worker tells the others that it has counted."""
        return self._runtime().reporting.metrics.render()

    def _watch_lag(self) -> None:
        """Look from now on how late this loop is: what a scrape of it shows."""
        runtime = self._runtime()
        lag = Lag(runtime.clock)
        runtime.reporting.metrics.instruments.lag = lag.worst
        self._lag = asyncio.create_task(lag.run())

    async def _answer(self, scope: Scope, receive: Receive, outlet: Outlet, task: asyncio.Task[None]) -> None:
        try:
            await self._route(scope, receive, outlet)
        except ClientGone:
            return  # what was begun has been settled
        except HoldfastError as error:
            await outlet.break_off(error)
        except asyncio.CancelledError:
            await outlet.break_off(draining())
            if not self._cutting:
                raise
            task.uncancel()
        except Exception as error:  # the outermost frame: a bug costs one answer, not the process
            self._announce(scope, outlet, error)
            await outlet.break_off(crashed())

    def _announce(self, scope: Scope, outlet: Outlet, error: Exception) -> None:
        self._observe(
            RequestCrashed(
                request_id=outlet.request_id,
                place=f"{scope['method']} {mask(scope['path'])[:200]}",
                error=type(error).__name__,
                # Masked before it is cut: of a key that is cut, the rest would not look like one.
                trace=mask("".join(traceback.format_exception(error)))[-LONGEST_TRACE:],
            )
        )

    async def _route(self, scope: Scope, receive: Receive, outlet: Outlet) -> None:
        path, query = target(scope)
        match (scope["method"], path):
            case ("POST", "/v1/messages" | "/v1/messages/count_tokens"):
                await self._forward(scope, receive, outlet, path, query)
            case ("GET", _) if (models := model_path(path)) is not None:
                await self._forward(scope, receive, outlet, models, query)
            case _ if self._office is not None and self._office.has(path):
                await self._office.answer(scope, receive, outlet)
            case _ if self._lobby is not None and self._lobby.has(path):
                await self._lobby.answer(scope, receive, outlet)
            case ("HEAD" | "GET", "/metrics"):
                headers = from_raw(scope["headers"])
                await answer_metrics(self._runtime(), self._office, headers, outlet, self.peers)
            case _ if (found := self._resource(path)) is not None:
                await self._hand_on(scope, receive, outlet, found, query)
            case (method, _):
                await self._plain(method, path, outlet)

    def _resource(self, path: str) -> Resource | None:
        """What goes upstream as it is; only of such paths the settings are asked."""
        return resource(path, self._runtime().settings.gateway.passthrough) if path.startswith(API) else None

    async def _plain(self, method: str, path: str, outlet: Outlet) -> None:
        match (method, path):
            case ("HEAD" | "GET", "/" | "/api/hello" | "/version"):
                await outlet.reply(
                    200, JSON, msgspec.json.encode({"name": "holdfast", "version": __version__})
                )
            case ("HEAD" | "GET", "/healthz"):
                await outlet.reply(200, JSON, b'{"status":"alive"}')
            case ("HEAD" | "GET", "/readyz"):
                status, report = await readiness(self._runtime, draining=self._draining)
                await outlet.reply(status, JSON, report)
            case _:
                allowed = ("GET",) if model_path(path) else METHODS.get(path, ())
                raise wrong_method(method, path, allowed) if allowed else nothing_here(method, path)

    async def _forward(self, scope: Scope, receive: Receive, outlet: Outlet, path: str, query: str) -> None:
        if self._draining:
            raise draining()
        runtime = self._runtime()
        outlet.language = runtime.settings.language
        headers = from_raw(scope["headers"])
        with runtime.reporting.tracing.server(headers, ClientGone) if path == MESSAGES else nullcontext():
            visitor = await self._door.admit(runtime, headers)  # strangers are not listened to
            check_encoding(headers)
            limit = runtime.settings.gateway.max_body
            packed = await read_body(receive, headers, limit)
            body, plain = await decoded(packed, visitor.headers, limit)
            incoming = Incoming(body=body, headers=plain, query=query)
            if path == MESSAGES:
                work = answer_messages(runtime, outlet, visitor, incoming, self._standings)
            else:
                work = relay(runtime, outlet, scope["method"], path, incoming)
            await unless_gone(work, receive)

    async def _hand_on(
        self, scope: Scope, receive: Receive, outlet: Outlet, found: Resource, query: str
    ) -> None:
        if self._draining:
            raise draining()
        if scope["method"] not in found.methods:
            raise wrong_method(scope["method"], found.path, found.methods)
        runtime = self._runtime()
        outlet.language = runtime.settings.language
        visitor = await self._door.admit(runtime, from_raw(scope["headers"]))
        errand = errand_of(runtime, outlet, visitor, found, scope=scope, query=query)
        await self._depot.answer(errand, receive, outlet)
