"""The line to one MCP server: opened when it is needed, kept open between chats, opened again when it was lost."""

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, cast

from holdfast.agent.mcp import McpServer
from holdfast.clock import Clock
from holdfast.errors import HoldfastError, UpstreamError
from holdfast.events import McpMoved, Observer
from holdfast.language import Sentence
from holdfast.policy.mcp import Advertised, Listed, listed, rest

FRESH = 60.0
"""Seconds that a list of tools is believed; a server that has changed in silence is found out by then."""


class Declined(Exception):
    """The server, or the protocol, says no; the connection goes on."""


class Lost(Exception):
    """The connection has ended; whatever was under way may or may not have been done."""


class McpUnavailable(UpstreamError):
    """An MCP server that cannot be reached now."""

    error_code = "holdfast_mcp_unavailable"
    default_status = 503


class Open(Protocol):
    """An open connection."""

    async def tools(self) -> list[Advertised]:
        """What the server says of its tools; raises `Declined` and `Lost`."""
        ...

    async def call(self, tool: str, given: Mapping[str, Any]) -> Mapping[str, Any]:
        """The result of a tool as JSON; raises `Declined` and `Lost`."""
        ...


class Holding(Protocol):
    """Holds a connection until it is over; see `mcp_session.hold`."""

    def __call__(
        self,
        server: McpServer,
        *,
        ready: Callable[[Open], None],
        changed: Callable[[], None],
        gone: Callable[[str], None],
        over: asyncio.Event,
    ) -> Coroutine[Any, Any, None]: ...


@dataclass(slots=True, eq=False)
class Link:
    """One server as one agent knows it; everything here happens in one event loop.

    The connection is held by a task of its own, since it must be ended by whom it was begun.
    """

    server: McpServer
    clock: Clock
    observe: Observer
    hold: Holding
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    _open: Open | None = None
    _task: asyncio.Task[None] | None = None
    _over: asyncio.Event = field(default_factory=asyncio.Event)
    _why: str = ""
    _failures: int = 0
    _not_before: float = 0.0
    _tools: tuple[Listed, ...] = ()
    _read_at: float | None = None
    _is_stale: bool = False

    @property
    def known(self) -> tuple[Listed, ...]:
        """The tools as last heard of; the model goes on being offered them while the server is away."""
        return self._tools

    async def tools(self) -> tuple[Listed, ...]:
        """The tools of the server, read again where they may have changed.

        Raises:
            McpUnavailable: it cannot be reached; nobody tries again for a while.
            ConfigError: what it needs is not there.
        """
        async with self._turn:
            for is_last in (False, True):
                opened = await self._opened()
                if self._is_fresh():
                    break
                try:
                    await self._read(opened)
                    break
                except Lost as error:
                    await self._let_go(str(error))
                    if is_last:
                        raise self._failed(str(error)) from error
                except Declined as error:
                    raise self._failed(str(error)) from error
            return self._tools

    async def call(self, tool: str, given: Mapping[str, Any]) -> Mapping[str, Any]:
        """The result of a tool as JSON; raises `Declined` and `Lost`.

        It does not connect by itself: whoever comes back after a loss must be looked at first, by `tools`.
        """
        opened = self._open
        if opened is None or self._over.is_set():
            raise Lost("it went away before the call")
        try:
            return await opened.call(tool, given)
        except asyncio.CancelledError:
            self._stale()  # it may be stuck: the next call waits for a list first, and hangs up where none comes
            raise
        except Lost as error:
            if self._open is opened:
                await self._let_go(str(error))
            raise

    async def aclose(self) -> None:
        """Hang up, and wait until the process of the server is gone; it is called again when it is needed."""
        async with self._turn:
            await self._let_go("")

    def _is_fresh(self) -> bool:
        is_young = self._read_at is not None and self.clock.monotonic() - self._read_at < FRESH
        return is_young and not self._is_stale

    async def _read(self, opened: Open) -> None:
        begun, self._is_stale = self.clock.monotonic(), False
        self._read_at = None
        self._tools = listed(self.server.name, await self._listing(opened), self.server.tools)
        self._read_at = begun

    async def _listing(self, opened: Open) -> list[Advertised]:
        try:
            async with asyncio.timeout(self.server.start_timeout):
                return await opened.tools()
        except TimeoutError as error:
            raise Lost(f"it did not list its tools within {self.server.start_timeout:g} s") from error

    async def _opened(self) -> Open:
        if self._open is not None and not self._over.is_set():
            return self._open
        if self._task is not None:
            await _ended(self._task)  # its process, too, before there is another
        self._open = None
        if self.clock.monotonic() < self._not_before:
            raise self._unavailable()
        return await self._connect()

    async def _connect(self) -> Open:
        ready: asyncio.Future[Open] = asyncio.get_running_loop().create_future()
        self._over = over = asyncio.Event()
        self._why, self._read_at = "", None

        def connected(opened: Open) -> None:
            if not ready.done():
                ready.set_result(opened)

        def gone(why: str) -> None:
            if self._over is over:
                self._why = self._why or why
            over.set()

        task = self._task = asyncio.create_task(
            self.hold(self.server, ready=connected, changed=self._stale, gone=gone, over=over)
        )
        try:
            await asyncio.wait((task, ready), return_when=asyncio.FIRST_COMPLETED)
        except asyncio.CancelledError:
            task.cancel()
            await _ended(task)
            raise
        if task.done() or not ready.done():
            self._task = None
            raise self._not_connected(task)
        opened = self._open = ready.result()
        self._failures = 0
        task.add_done_callback(self._noticed)
        self.observe(McpMoved(server=self.server.name, state="connected", why=""))
        return opened

    def _not_connected(self, task: "asyncio.Task[None]") -> HoldfastError:
        error = None if task.cancelled() else _innermost(task.exception())
        if isinstance(error, HoldfastError) and not isinstance(error, UpstreamError):
            return error
        why = self._why or f"it did not answer within {self.server.start_timeout:g} s"
        if error is not None and not isinstance(error, TimeoutError) and not self._why:
            why = f"{type(error).__name__}: {error}"[:300]
        return self._failed(why)

    def _failed(self, why: str) -> McpUnavailable:
        self._failures += 1
        self._why = why
        self._not_before = self.clock.monotonic() + rest(self._failures)
        self.observe(McpMoved(server=self.server.name, state="failed", why=why))
        return self._unavailable()

    def _unavailable(self) -> McpUnavailable:
        wait = max(0.0, self._not_before - self.clock.monotonic())
        name = self.server.name
        return McpUnavailable(
            Sentence(
                f"The MCP server `{name}` cannot be reached; it is tried again in {wait:.0f} s. Go on without its tools.",
                ko=f"MCP 서버 `{name}`에 연결할 수 없습니다. {wait:.0f}초 뒤에 다시 시도합니다. 그동안은 이 서버의 도구 없이 "
                "진행하세요.",
            ),
            retry_after=wait,
        )

    def _stale(self) -> None:
        self._is_stale = True

    def _noticed(self, task: "asyncio.Task[None]") -> None:
        """Somebody else has ended the connection."""
        if self._task is task:
            self._open = self._task = None
            error = None if task.cancelled() else _innermost(task.exception())
            why = self._why or ("it ended" if error is None else type(error).__name__)
            self.observe(McpMoved(server=self.server.name, state="lost", why=why))

    async def _let_go(self, why: str) -> None:
        task, self._task, self._open = self._task, None, None
        if task is None:
            return
        self._over.set()
        await _ended(task)
        state = "lost" if why else "closed"
        self.observe(McpMoved(server=self.server.name, state=state, why=why and (self._why or why)))


async def _ended(task: "asyncio.Task[None]") -> None:
    await asyncio.wait((task,))
    if not task.cancelled():
        task.exception()  # whatever it is, somebody has looked at it


def _innermost(error: BaseException | None) -> BaseException | None:
    """What went wrong, where the tasks of a connection have failed together."""
    if not isinstance(error, BaseExceptionGroup):
        return error
    group = cast("BaseExceptionGroup[BaseException]", error)
    return _innermost(group.exceptions[0])
