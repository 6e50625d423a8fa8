"""The Admin API as an ASGI application, which the gateway asks for what lies under its paths."""

from collections.abc import Awaitable, Callable, Mapping
from functools import partial

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route, Router
from starlette.types import Receive, Scope, Send

from holdfast.admin import (
    alerts,
    audit,
    budgets,
    effective_limits,
    guard_stats,
    keys,
    mcp,
    recordings,
    requests,
    runs,
    spend,
    spend_limits,
    status,
    stops,
    tool_pins,
)
from holdfast.admin.access import Access, refuse_foreign
from holdfast.admin.document import document
from holdfast.admin.operation import AnyOperation, Asked
from holdfast.admin.reading import body, names, query
from holdfast.assembly import Runtime
from holdfast.errors import ConfigError, MalformedRequest
from holdfast.operations.desk import Desk
from holdfast.wire.headers import Headers, from_raw

OPERATIONS: tuple[AnyOperation, ...] = (
    *alerts.OPERATIONS,
    *budgets.OPERATIONS,
    *guard_stats.OPERATIONS,
    *keys.OPERATIONS,
    *status.OPERATIONS,
    *stops.OPERATIONS,
    *runs.OPERATIONS,
    *spend.OPERATIONS,
    *audit.OPERATIONS,
    *recordings.OPERATIONS,
    *requests.OPERATIONS,
    *effective_limits.OPERATIONS,
    *spend_limits.OPERATIONS,
    *tool_pins.OPERATIONS,
    *mcp.OPERATIONS,
)
DOCUMENT = "/openapi.json"
Endpoint = Callable[[Request], Awaitable[Response]]


class Administration:
    """Answers operators; what it refuses and what goes wrong is raised for the gateway to tell.

    `runtime` is asked at every request, since what it opens may be closed and opened again; `token` is the
    admin token, without which only keys with a scope of administration open.
    """

    def __init__(self, runtime: Callable[[], Runtime], *, token: str | None) -> None:
        self._runtime = runtime
        self._token = token
        self._access: tuple[Runtime, Access] | None = None
        self._routes = _routes({operation: partial(self._answer, operation) for operation in OPERATIONS})
        self._router = Router(self._routes, redirect_slashes=False)

    def allowed(self, path: str) -> tuple[str, ...]:
        """The methods that a path takes, as it is written in the request; none where there is nothing."""
        methods = [
            method
            for route in self._routes
            if route.path_regex.fullmatch(path)
            for method in route.methods or ()
        ]
        return tuple(sorted(methods))

    def admit(self, headers: Headers) -> None:
        """Raise what refuses whoever may not read here."""
        self._opened(self._runtime()).actor(headers, "admin:read")

    def drain(self) -> None:
        """End the answers that follow something: they have no end of their own."""
        if self._access is not None:
            self._access[0].feed.end()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._router(scope, receive, send)

    async def _answer(self, operation: AnyOperation, request: Request) -> Response:
        runtime = self._runtime()
        await runtime.begin()
        headers = from_raw(request.scope["headers"])
        actor = self._opened(runtime).actor(headers, operation.scope)
        if operation.scope == "admin:write":
            refuse_foreign(headers)
        desk = Desk(store=runtime.ledger, settings=runtime.settings, clock=runtime.clock, actor=actor)
        try:
            answer = await operation.work(await _asked(operation, request, runtime, desk, headers))
        except ConfigError as error:
            # What is a setting elsewhere has come in a request here: that is the caller's to mend.
            raise MalformedRequest(error.sentence) from error
        if operation.scope == "admin:write":
            await runtime.stations.watch.refresh()
        return answer if isinstance(answer, Response) else _json(answer, operation.status)

    def _opened(self, runtime: Runtime) -> Access:
        if self._access is None or self._access[0] is not runtime:
            self._access = (runtime, Access(runtime, self._token))
        return self._access[1]


async def _asked(
    operation: AnyOperation, request: Request, runtime: Runtime, desk: Desk, headers: Headers
) -> Asked[msgspec.Struct, msgspec.Struct]:
    return Asked(
        runtime=runtime,
        desk=desk,
        names=names(request.path_params),
        query=query(operation.query, request.scope["query_string"]),
        body=body(operation.body, headers, await request.body()),
    )


async def _document(request: Request) -> Response:
    return Response(_DOCUMENT, media_type="application/json", headers={"cache-control": "no-cache"})


def _json(answer: object, status: int) -> Response:
    content = msgspec.json.encode(answer)
    return Response(content, status, media_type="application/json", headers={"cache-control": "no-store"})


def _routes(endpoints: Mapping[AnyOperation, Endpoint]) -> list[Route]:
    routes = [Route(DOCUMENT, _document, methods=["GET"])]
    for operation, endpoint in endpoints.items():
        routes.append(Route(operation.path, endpoint, methods=[operation.method]))
    return routes


_DOCUMENT = msgspec.json.encode(document(OPERATIONS))
