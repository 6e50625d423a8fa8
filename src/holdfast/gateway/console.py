"""The way through the gateway to the console, which is made when somebody first asks for it."""

from collections.abc import Callable
from typing import Protocol

from holdfast.assembly import Runtime
from holdfast.gateway.reading import again, read_body, written_path
from holdfast.gateway.responding import Outlet, Receive, Scope, Send
from holdfast.wire.headers import from_raw, get
from holdfast.wire.language import wanted

PATH = "/console"
LARGEST_FORM = 1024 * 1024
"""Bytes of what an operator types at once: a text to be tested may be long."""


class Console(Protocol):
    """The console: an ASGI application that raises what it refuses to programs, and shows it to people."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None: ...


class Lobby:
    """Lets browsers through; whoever makes the console must not be asked before that."""

    def __init__(self, make: Callable[[], Console], runtime: Callable[[], Runtime]) -> None:
        self._make = make
        self._runtime = runtime
        self._console: Console | None = None

    def has(self, path: str) -> bool:
        """Whether a path belongs here; with the console switched off none does."""
        is_here = path == PATH or path.startswith(f"{PATH}/")
        return is_here and self._runtime().settings.console.enabled

    def drain(self) -> None:
        """End the answers that would not end by themselves."""
        if self._console is not None:
            self._runtime().feed.end()

    async def answer(self, scope: Scope, receive: Receive, outlet: Outlet) -> None:
        """Answer a browser; raises the typed error of what cannot be shown on a page."""
        headers = from_raw(scope["headers"])
        outlet.language = wanted(get(headers, "accept-language"), self._runtime().settings.language)
        self._console = self._console or self._make()
        body = await read_body(receive, headers, LARGEST_FORM)
        inner = {**scope, "path": written_path(scope), "root_path": ""}
        await self._console(inner, again(body, receive), outlet.pass_on)
