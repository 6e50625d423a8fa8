"""The tools of MCP servers among the tools of an agent."""

import asyncio
import os
import threading
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any, TypeVar

from holdfast.agent.mcp import McpServer
from holdfast.agent.mcp_link import Declined, Holding, Link, Lost, McpUnavailable
from holdfast.agent.mcp_pins import PinDesk
from holdfast.agent.toolbox import Toolbox
from holdfast.agent.tools import Tool, ToolError, ToolResult
from holdfast.assembly import Runtime
from holdfast.errors import ConfigError
from holdfast.language import Sentence
from holdfast.policy.mcp import Listed
from holdfast.wire.mcp import content_of

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _Wing:
    """What belongs to one opened pipeline: a line to each server, and the desk where its tools are judged."""

    runtime: Runtime
    loop: asyncio.AbstractEventLoop
    lines: tuple[tuple[Link, PinDesk], ...]
    process: int = field(default_factory=os.getpid)

    @property
    def is_alive(self) -> bool:
        """Whether its loop runs; a process that forked has the loop of its parent, but not the thread of it."""
        return self.process == os.getpid() and self.runtime.portal.is_running and self.loop.is_running()


@dataclass(slots=True, eq=False)
class Bridge:
    """Servers of one agent, reached from whatever event loop or thread the agent is asked in.

    The lines to them live in the loop of the pipeline's portal, so that they outlive the loop of a chat, and end
    with the pipeline, or with the process. Nothing is connected before the first chat.
    """

    servers: tuple[McpServer, ...]
    _wing: _Wing | None = None
    _opening: threading.Lock = field(default_factory=threading.Lock)
    _made: dict[int, tuple[tuple[Listed, ...], tuple[Tool, ...]]] = field(
        default_factory=dict[int, tuple[tuple[Listed, ...], tuple[Tool, ...]]]
    )

    async def join(self, box: Toolbox, runtime: Runtime, request_id: str) -> Toolbox:
        """The tools of `box` and those of all servers; one that cannot be reached adds what it had last.

        Raises `ConfigError` for a server that needs what is not there.
        """
        if not self.servers:
            return box
        wing = self._wing_of(runtime)
        offers = await _there(wing, self._offers(wing, request_id))
        kept_back = {name: str(why) for _, desk in wing.lines for name, why in desk.withheld.items()}
        return box.joined([tool for tools in offers for tool in tools], kept_back)

    async def aclose(self) -> None:
        """Hang up everywhere, and wait until the processes are gone; may be called twice, and used again."""
        wing, self._wing = self._wing, None
        if wing is not None and wing.is_alive:
            await _there(wing, _hang_up(wing))

    def close(self) -> None:
        """`aclose` for threads without a loop."""
        wing, self._wing = self._wing, None
        if wing is not None and wing.is_alive:
            wing.runtime.portal.call(_hang_up(wing))

    def _wing_of(self, runtime: Runtime) -> _Wing:
        wing = self._wing
        if wing is not None and wing.runtime is runtime and wing.is_alive:
            return wing
        # Asked for before the lock is taken: whoever runs in that loop may wait for the lock.
        loop = _loop_of(runtime)
        with self._opening:
            wing = self._wing
            if wing is None or wing.loop is not loop:
                lines = tuple((self._link(server, runtime), PinDesk(runtime)) for server in self.servers)
                wing = self._wing = _Wing(runtime, loop, lines)
                self._made.clear()
            return wing

    def _link(self, server: McpServer, runtime: Runtime) -> Link:
        return Link(server=server, clock=runtime.clock, observe=runtime.pipeline.observe, hold=holding())

    async def _offers(self, wing: _Wing, request_id: str) -> list[tuple[Tool, ...]]:
        jobs = (self._offer(wing, link, desk, request_id) for link, desk in wing.lines)
        return await asyncio.gather(*jobs)

    async def _offer(self, wing: _Wing, link: Link, desk: PinDesk, request_id: str) -> tuple[Tool, ...]:
        try:
            tools = await link.tools()
        except McpUnavailable:
            tools = link.known
        return self._tools(wing, link, desk, await desk.judge(tools, request_id))

    def _tools(self, wing: _Wing, link: Link, desk: PinDesk, found: tuple[Listed, ...]) -> tuple[Tool, ...]:
        known = self._made.get(id(link))
        if known is not None and known[0] == found:
            return known[1]
        tools = tuple(_tool(link.server, one, self._runner(wing, link, desk, one)) for one in found)
        self._made[id(link)] = (found, tools)
        return tools

    def _runner(self, wing: _Wing, link: Link, desk: PinDesk, one: Listed) -> Callable[..., object]:
        async def run(**given: Any) -> ToolResult:
            return await _there(wing, _called(link, desk, one, given))

        return run


async def _called(link: Link, desk: PinDesk, one: Listed, given: dict[str, Any]) -> ToolResult:
    """Run a tool as the model was told of it: what has changed since is not run."""
    name = link.server.name
    try:
        # A server that came back may be another one, and one that has changed its tools says so here.
        tools = await desk.judge(await link.tools(), "")
        if one.name in desk.withheld:
            raise ToolError(str(desk.withheld[one.name]))
        if all(tool.name != one.name for tool in tools):
            raise ToolError(f"The MCP server `{name}` does not have the tool `{one.name}` any more.")
        result = await link.call(one.own, given)
    except McpUnavailable as error:
        raise ToolError(str(error)) from error
    except Declined as error:
        raise ToolError(f"The MCP server `{name}` declined the call: {error}") from error
    except Lost as error:
        raise ToolError(
            f"The MCP server `{name}` was lost during the call ({error}). Whether it was done is not known; look "
            "before you do it again. The next call connects anew."
        ) from error
    return ToolResult(content=content_of(result), is_error=result.get("isError") is True)


def _tool(server: McpServer, one: Listed, run: Callable[..., object]) -> Tool:
    return Tool(
        name=one.name,
        description=one.description,
        input_schema=one.input_schema,
        function=run,
        timeout=server.timeout,
        policy=server.policy,
        acts=True if one.acts else None,
        largest=server.largest,
    )


async def _hang_up(wing: _Wing) -> None:
    await asyncio.gather(*(link.aclose() for link, _ in wing.lines))


async def _there(wing: _Wing, work: Coroutine[Any, Any, T]) -> T:
    """Await `work` in the loop of the lines; cancelled here, it is cancelled there."""
    if asyncio.get_running_loop() is wing.loop:
        return await work
    return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work, wing.loop))


def _loop_of(runtime: Runtime) -> asyncio.AbstractEventLoop:
    async def here() -> asyncio.AbstractEventLoop:
        return asyncio.get_running_loop()

    portal = runtime.portal
    return asyncio.get_running_loop() if portal.is_here else portal.call(here())


def holding() -> Holding:
    """What holds a connection; raises `ConfigError` where the package that it needs is not installed."""
    try:
        from holdfast.agent.mcp_session import hold
    except ModuleNotFoundError as error:
        raise ConfigError(
            Sentence(
                f"MCP servers need the package {error.name}: pip install 'holdfast[agent]'.",
                ko=f"MCP 서버를 쓰려면 {error.name} 패키지가 필요합니다: pip install 'holdfast[agent]'.",
            )
        ) from error
    return hold
