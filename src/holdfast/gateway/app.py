"""The gateway as a plain ASGI application: routes, lifespan, one outermost frame for whatever goes wrong."""

import asyncio
import traceback
from collections.abc import Awaitable, Callable, Mapping
from contextlib import nullcontext

import msgspec

from holdfast.assembly import Runtime, new_request_id
from holdfast.call import Incoming
from holdfast.errors import HoldfastError
from holdfast.events import Observer, RequestCrashed, unobserved
from holdfast.gateway.health import readiness
from holdfast.gateway.identity import Doorkeeper
from holdfast.gateway.messages import answer_messages
from holdfast.gateway.metrics import METRICS, answer_metrics
from holdfast.gateway.office import Administration, Office
from holdfast.gateway.passthrough import model_path, relay
from holdfast.gateway.reading import read_body, target, unless_gone
from holdfast.gateway.refusals import crashed, draining, nothing_here, wrong_method
from holdfast.gateway.responding import JSON, ClientGone, Outlet, Receive, Scope, Send
from holdfast.policy.masking import mask
from holdfast.telemetry.lag import Lag
from holdfast.version import __version__
from holdfast.wire.headers import from_raw

MESSAGES = "/v1/messages"
COUNT_TOKENS = "/v1/messages/count_tokens"
METHODS: Mapping[str, tuple[str, ...]] = {
    MESSAGES: ("POST",),
    COUNT_TOKENS: ("POST",),
    "/": ("GET", "HEAD"),
    "/api/hello": ("GET", "HEAD"),
    "/healthz": ("GET", "HEAD"),
    "/readyz": ("GET", "HEAD"),
    METRICS: ("GET", "HEAD"),
}
SETTLING = 5.0
"""Seconds that cancelled calls may take to be settled."""
LONGEST_TRACE = 4_000


class Gateway:
    """Answers like the Messages API, with the guards of one pipeline in between.

    `acquire` and `release` are called when a server starts and stops; without a server that speaks the
    lifespan protocol, `runtime` opens what is needed at the first request. `administration` makes the Admin
    API when it is first asked for; without it there is none.
    """

    def __init__(
        self,
        runtime: Callable[[], Runtime],
        *,
        acquire: Callable[[], object] | None = None,
        release: Callable[[], Awaitable[None]] | None = None,
        observe: Observer = unobserved,
        administration: Callable[[], Administration] | None = None,
    ) -> None:
        self._runtime = runtime
        self._door = Doorkeeper()
        self._office = None if administration is None else Office(administration, runtime)
        self._acquire = acquire or runtime
        self._release = release
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
                self._acquire()
            except HoldfastError as error:
                await send({"type": "lifespan.startup.failed", "message": str(error)})
                return
            await self._runtime().begin()
            self._watch_lag()
            self._draining = self._cutting = False
            await send({"type": "lifespan.startup.complete"})
        await self.drain(0)
        if self._lag is not None:
            self._lag.cancel()
            await asyncio.gather(self._lag, return_exceptions=True)
        if self._release is not None:
            await self._release()
        await send({"type": "lifespan.shutdown.complete"})

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
            case ("HEAD" | "GET", "/metrics"):
                await answer_metrics(self._runtime(), self._office, from_raw(scope["headers"]), outlet)
            case (method, _):
                await self._plain(method, path, outlet)

    async def _plain(self, method: str, path: str, outlet: Outlet) -> None:
        match (method, path):
            case ("HEAD" | "GET", "/" | "/api/hello"):
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
            body = await read_body(receive, headers, runtime.settings.gateway.max_body)
            incoming = Incoming(body=body, headers=visitor.headers, query=query)
            if path == MESSAGES:
                work = answer_messages(runtime, outlet, visitor, incoming)
            else:
                work = relay(runtime, outlet, scope["method"], path, incoming)
            await unless_gone(work, receive)
