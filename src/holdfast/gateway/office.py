"""The way through the gateway to the Admin API, which is made when somebody first asks for it."""

from collections.abc import Callable
from typing import Protocol

from holdfast.assembly import Runtime
from holdfast.gateway.reading import again, read_body, written_path
from holdfast.gateway.refusals import nothing_here, wrong_method
from holdfast.gateway.responding import Outlet, Receive, Scope, Send
from holdfast.wire.headers import Headers, from_raw, get
from holdfast.wire.language import wanted

DOCUMENT = "/openapi.json"
MCP = "/mcp"
PATHS = ("/api/v1/", "/v1/organizations/spend_limits")
LARGEST_BODY = 64 * 1024
"""Bytes of what an operator says at once."""


class Administration(Protocol):
    """The Admin API: an ASGI application that raises what it refuses, and tells which methods a path takes.

    `admit` raises what refuses whoever may not read; `drain` ends the answers that would not end by themselves.
    """

    def allowed(self, path: str) -> tuple[str, ...]: ...

    def admit(self, headers: Headers) -> None: ...

    def drain(self) -> None: ...

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None: ...


class Office:
    """Lets operators through; whoever makes the application must not be asked before that."""

    def __init__(self, make: Callable[[], Administration], runtime: Callable[[], Runtime]) -> None:
        self._make = make
        self._runtime = runtime
        self._application: Administration | None = None

    def has(self, path: str) -> bool:
        """Whether a path belongs here."""
        return path.startswith(PATHS) or path in (DOCUMENT, MCP)

    def admit(self, headers: Headers) -> None:
        """Raise what refuses whoever has neither the admin token nor a key for administration."""
        self._opened().admit(headers)

    def drain(self) -> None:
        """End the answers that would not end by themselves."""
        if self._application is not None:
            self._application.drain()

    async def answer(self, scope: Scope, receive: Receive, outlet: Outlet) -> None:
        """Answer a request to the Admin API; raises the typed error when it is refused or fails."""
        headers = from_raw(scope["headers"])
        outlet.language = wanted(get(headers, "accept-language"), self._runtime().settings.language)
        application = self._opened()
        path, method = written_path(scope), scope["method"]
        allowed = application.allowed(path)
        if method not in allowed:
            raise wrong_method(method, path, allowed) if allowed else nothing_here(method, path)
        body = await read_body(receive, headers, LARGEST_BODY)
        # Names may have slashes: what is a name is told by the path as it was written.
        inner = {**scope, "path": path, "root_path": ""}
        await application(inner, again(body, receive), outlet.pass_on)

    def _opened(self) -> Administration:
        self._application = self._application or self._make()
        return self._application
