"""The line to a server, with a server that is a few lines of the test and a clock that the test moves."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from holdfast.agent.mcp import McpServer
from holdfast.agent.mcp_link import FRESH, Declined, Link, Lost, McpUnavailable, Open
from holdfast.errors import ConfigError
from holdfast.events import Event, McpMoved
from holdfast.language import Sentence
from holdfast.policy.mcp import Advertised
from holdfast.testing import FakeClock


@dataclass
class Scripted:
    """A server that does as it is told."""

    fails: list[BaseException] = field(default_factory=list[BaseException])
    listings: list[Exception] = field(default_factory=list[Exception])
    names: list[str] = field(default_factory=lambda: ["read"])
    connections: int = 0
    listed: int = 0
    gone: Callable[[str], None] | None = None
    changed: Callable[[], None] | None = None
    stalls: bool = False
    stalls_list: bool = False

    async def hold(
        self,
        server: McpServer,
        *,
        ready: Callable[[Open], None],
        changed: Callable[[], None],
        gone: Callable[[str], None],
        over: asyncio.Event,
    ) -> None:
        self.connections += 1
        self.gone, self.changed = gone, changed
        if self.fails:
            raise self.fails.pop(0)
        if self.stalls:
            await asyncio.sleep(60)
        ready(self)
        await over.wait()

    async def tools(self) -> list[Advertised]:
        self.listed += 1
        if self.stalls_list:
            await asyncio.sleep(60)
        if self.listings:
            raise self.listings.pop(0)
        return [Advertised(name=name, description="Reads.", input_schema={}) for name in self.names]

    async def call(self, tool: str, given: Mapping[str, Any]) -> Mapping[str, Any]:
        if tool == "lost":
            await asyncio.sleep(0)
            raise Lost("it went away")
        if tool == "slow":
            await asyncio.sleep(60)
        if tool == "no":
            raise Declined("not today")
        return {"content": []}


@dataclass
class Scene:
    """A line, its server, its clock and what was told of it."""

    server: Scripted = field(default_factory=Scripted)
    clock: FakeClock = field(default_factory=FakeClock)
    events: list[Event] = field(default_factory=list[Event])
    start_timeout: float = 5

    def __post_init__(self) -> None:
        given = McpServer.stdio("shop", command=["shop"], start_timeout=self.start_timeout)
        self.link = Link(server=given, clock=self.clock, observe=self.events.append, hold=self.server.hold)

    def told(self) -> list[tuple[str, str]]:
        return [(event.state, event.why) for event in self.events if isinstance(event, McpMoved)]


async def test_tools_are_read_once_and_again_after_a_minute_or_when_they_changed() -> None:
    scene = Scene()
    first = await scene.link.tools()
    assert await scene.link.tools() is first
    scene.clock.advance(FRESH)
    scene.server.names.append("write")
    assert [tool.own for tool in await scene.link.tools()] == ["read", "write"]
    assert scene.server.changed is not None
    scene.server.changed()
    await scene.link.tools()
    assert (scene.server.listed, scene.server.connections) == (3, 1)
    await scene.link.aclose()


async def test_a_server_that_cannot_be_reached_is_tried_again_later_and_later() -> None:
    scene = Scene(Scripted(fails=[OSError("no such program")] * 3))
    for wait in (1.0, 2.0, 4.0):
        with pytest.raises(McpUnavailable) as told:
            await scene.link.tools()
        assert told.value.retry_after == wait
        scene.clock.advance(wait - 0.1)
        with pytest.raises(McpUnavailable, match="tried again in 0 s"):
            await scene.link.tools()
        scene.clock.advance(0.2)
    assert len(await scene.link.tools()) == 1
    assert scene.server.connections == 4
    assert scene.told()[:2] == [("failed", "OSError: no such program")] * 2
    await scene.link.aclose()


async def test_after_a_success_the_next_failure_is_the_first_again() -> None:
    scene = Scene(Scripted(fails=[OSError("no")] * 2))
    for wait in (1.0, 2.0):
        with pytest.raises(McpUnavailable):
            await scene.link.tools()
        scene.clock.advance(wait)
    await scene.link.tools()
    await scene.link.aclose()
    scene.server.fails = [OSError("no")]
    with pytest.raises(McpUnavailable) as told:
        await scene.link.tools()
    assert told.value.retry_after == 1.0


async def test_what_a_setting_is_to_blame_for_is_not_called_an_outage() -> None:
    scene = Scene(Scripted(fails=[ExceptionGroup("", [ConfigError(Sentence("no key", ko="키 없음"))])]))
    with pytest.raises(ConfigError, match="no key"):
        await scene.link.tools()


async def test_a_server_lost_while_it_lists_its_tools_is_asked_once_more() -> None:
    scene = Scene(Scripted(listings=[Lost("it went away")]))
    assert len(await scene.link.tools()) == 1
    assert scene.server.connections == 2
    await scene.link.aclose()


async def test_a_list_that_nobody_waited_for_was_not_read() -> None:
    scene = Scene()
    scene.server.stalls_list = True
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(scene.link.tools(), 0.01)
    scene.server.stalls_list = False
    assert len(await scene.link.tools()) == 1
    await scene.link.aclose()


async def test_a_server_lost_again_and_again_is_left_alone() -> None:
    scene = Scene(Scripted(listings=[Lost("it went away")] * 2))
    with pytest.raises(McpUnavailable):
        await scene.link.tools()
    assert scene.link.known == ()


async def test_a_server_that_lists_no_tools_has_none() -> None:
    scene = Scene(Scripted(listings=[Declined("no tools here")]))
    with pytest.raises(McpUnavailable):
        await scene.link.tools()
    assert scene.told()[-1] == ("failed", "no tools here")
    await scene.link.aclose()


async def test_what_was_known_stays_known_while_a_server_is_away() -> None:
    scene = Scene()
    await scene.link.tools()
    assert scene.server.gone is not None
    scene.server.gone("killed")
    scene.server.fails = [OSError("no")]
    with pytest.raises(McpUnavailable):
        await scene.link.tools()
    assert [tool.own for tool in scene.link.known] == ["read"]
    assert scene.told() == [("connected", ""), ("lost", "killed"), ("failed", "OSError: no")]


async def test_a_call_that_loses_the_server_says_so_and_the_next_one_connects() -> None:
    scene = Scene()
    await scene.link.tools()
    with pytest.raises(Lost, match="it went away"):
        await scene.link.call("lost", {})
    with pytest.raises(Lost, match="before the call"):
        await scene.link.call("read", {})
    await scene.link.tools()
    with pytest.raises(Declined):
        await scene.link.call("no", {})
    assert await scene.link.call("read", {}) == {"content": []}
    assert scene.server.connections == 2
    assert scene.told() == [("connected", ""), ("lost", "it went away"), ("connected", "")]
    await scene.link.aclose()


async def test_two_calls_that_lose_one_connection_lose_it_once() -> None:
    scene = Scene()
    await scene.link.tools()
    lost = await asyncio.gather(
        scene.link.call("lost", {}), scene.link.call("lost", {}), return_exceptions=True
    )
    assert [type(one) for one in lost] == [Lost, Lost]
    assert scene.told() == [("connected", ""), ("lost", "it went away")]


async def test_a_connection_that_is_given_up_before_it_stands_leaves_nothing_behind() -> None:
    scene, others = Scene(Scripted(stalls=True)), asyncio.all_tasks()
    connecting = asyncio.create_task(scene.link.tools())
    for _ in range(5):
        await asyncio.sleep(0)
    connecting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await connecting
    assert asyncio.all_tasks() == others


async def test_after_a_call_that_took_too_long_a_server_must_show_that_it_is_not_stuck() -> None:
    scene = Scene(start_timeout=0.02)
    await scene.link.tools()
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(scene.link.call("slow", {}), 0.01)
    scene.server.stalls_list = True
    with pytest.raises(McpUnavailable):
        await scene.link.tools()
    assert scene.server.connections == 2
    assert ("lost", "it did not list its tools within 0.02 s") in scene.told()


async def test_a_line_that_was_never_open_can_be_hung_up() -> None:
    scene = Scene()
    await scene.link.aclose()
    assert scene.told() == []


async def test_a_list_that_never_comes_is_not_waited_for() -> None:
    scene = Scene(Scripted(stalls_list=True), start_timeout=0.02)
    with pytest.raises(McpUnavailable):
        await scene.link.tools()
    assert scene.told()[-1] == ("failed", "it did not list its tools within 0.02 s")
