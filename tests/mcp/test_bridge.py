"""An agent with the tools of MCP servers that really run."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from holdfast import ConfigError, Holdfast
from holdfast.agent.agent import ProductionAgent
from holdfast.agent.mcp import McpServer
from holdfast.agent.tools import tool
from holdfast.events import McpMoved, ToolRan
from holdfast.policy.taint import TaintConfig
from tests.agent.conftest import World
from tests.mcp.conftest import PLAIN, Plain, is_running, offered, result, wants


def moved(world: World) -> list[str]:
    """What became of the lines, in their order."""
    return [event.state for event in world.events if isinstance(event, McpMoved)]


async def pid_of(world: World, agent: ProductionAgent) -> int:
    world.simulator.say(wants("mcp__shop__pid"), "So that is it.")
    await agent.chat("Which process?")
    return int(result(world)["content"])


async def gone(pid: int) -> bool:
    """Whether the process ends within a moment; nobody but its parent can wait for it."""
    for _ in range(300):
        if not is_running(pid):
            return True
        await asyncio.sleep(0.01)
    return False


async def test_the_model_calls_a_tool_of_a_server(world: World, hold: Holdfast, plain: Plain) -> None:
    world.simulator.say(wants("mcp__shop__echo", text="hi"), "It said hi.")
    async with hold.agent(mcp=[plain.server()]) as agent:
        reply = await agent.chat("Say hi")

    assert reply.text == "It said hi."
    assert result(world)["content"] == '{"text": "hi"}'
    assert "mcp__shop__echo" in offered(world)


async def test_tools_of_two_servers_stand_beside_those_of_the_agent(
    world: World, hold: Holdfast, plain: Plain
) -> None:
    @tool
    def echo(text: str) -> str:
        """Say it in a function."""
        return text

    async with hold.agent(tools=[echo], mcp=[plain.server("a"), plain.server("b")]) as agent:
        await agent.chat("Hello")

    assert {"echo", "mcp__a__echo", "mcp__b__echo"} <= set(offered(world))


async def test_nothing_is_started_before_the_first_chat(world: World, hold: Holdfast, plain: Plain) -> None:
    async with hold.agent(mcp=[plain.server()]):
        assert moved(world) == []


@pytest.mark.requirement("mcp:ended")
async def test_one_process_serves_all_chats_and_ends_with_the_agent(
    world: World, hold: Holdfast, plain: Plain
) -> None:
    async with hold.agent(mcp=[plain.server()]) as agent:
        first, second = await pid_of(world, agent), await pid_of(world, agent)
        assert is_running(first)

    assert first == second
    assert not is_running(first)
    assert moved(world) == ["connected", "closed"]


async def test_a_server_that_will_not_end_is_ended(world: World, hold: Holdfast, plain: Plain) -> None:
    plain.behave(stubborn=True)
    async with hold.agent(mcp=[plain.server()]) as agent:
        pid = await pid_of(world, agent)

    assert not is_running(pid)


async def test_the_process_ends_with_the_hold_when_nobody_closes_the_agent(
    world: World, plain: Plain
) -> None:
    async with world.hold() as hold:
        pid = await pid_of(world, hold.agent(mcp=[plain.server()]))

    assert await gone(pid)


async def test_an_agent_that_was_closed_connects_again(world: World, hold: Holdfast, plain: Plain) -> None:
    agent = hold.agent(mcp=[plain.server()])
    first = await pid_of(world, agent)
    await agent.aclose()
    await agent.aclose()
    second = await pid_of(world, agent)
    await agent.aclose()

    assert first != second
    assert not is_running(second)


def test_a_script_without_a_loop_uses_the_same_server(world: World, plain: Plain) -> None:
    world.simulator.say(wants("mcp__shop__pid"), "Done.", wants("mcp__shop__pid"), "Done.")
    with world.hold() as hold, hold.agent(mcp=[plain.server()]) as agent:
        agent.chat_sync("Which process?")
        first = int(result(world)["content"])
        asyncio.run(agent.chat("And now?"))
        second = int(result(world)["content"])
        assert is_running(first)

    assert first == second
    assert not is_running(first)


SCRIPT = """
import sys
from holdfast import ProductionAgent
from holdfast.agent.mcp import McpServer

server = McpServer.stdio("shop", command=[sys.executable, "-S", *sys.argv[1:]], policy="allow")
agent = ProductionAgent(upstream="simulator", mcp=[server])
print(agent.chat_sync("Use the tool mcp__shop__pid").text)
"""


def test_a_script_that_closes_nothing_leaves_nobody_behind(
    plain: Plain, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOLDFAST_HOME", str(tmp_path))
    monkeypatch.setenv("HOLDFAST_DATABASE_URL", "memory:")
    monkeypatch.setenv("HOLDFAST__SIMULATOR__TIME_SCALE", "0")
    command = [sys.executable, "-c", SCRIPT, PLAIN, str(plain.state)]
    subprocess.run(command, check=True, capture_output=True, cwd=tmp_path, timeout=30)

    pids = [int(line) for line in plain.state.with_suffix(".pids").read_text().split()]
    assert pids
    assert not any(map(is_running, pids))


@pytest.mark.requirement("mcp:lost")
async def test_a_server_that_dies_in_a_call_is_an_error_for_the_model_and_comes_back(
    world: World, hold: Holdfast, plain: Plain
) -> None:
    world.simulator.say(wants("mcp__shop__die"), wants("mcp__shop__echo", text="again"), "It is back.")
    async with hold.agent(mcp=[plain.server()]) as agent:
        reply = await agent.chat("Break it")

    lost, back = result(world, -2), result(world)
    assert lost["is_error"] is True
    assert "was lost during the call" in lost["content"]
    assert "Whether it was done is not known" in lost["content"]
    assert back["content"] == '{"text": "again"}'
    assert reply.text == "It is back."
    assert moved(world) == ["connected", "lost", "connected", "closed"]


async def test_the_operator_hears_the_last_words_of_a_server_and_the_model_does_not(
    world: World, hold: Holdfast, plain: Plain
) -> None:
    world.simulator.say(wants("mcp__shop__die"), "Too bad.")
    async with hold.agent(mcp=[plain.server()]) as agent:
        await agent.chat("Break it")

    (lost,) = [event for event in world.events if isinstance(event, McpMoved) and event.state == "lost"]
    assert "out of memory" in lost.why
    assert "out of memory" not in result(world)["content"]


async def test_a_server_killed_between_chats_is_started_again(
    world: World, hold: Holdfast, plain: Plain
) -> None:
    async with hold.agent(mcp=[plain.server()]) as agent:
        first = await pid_of(world, agent)
        os.kill(first, signal.SIGKILL)
        assert await gone(first)
        second = await pid_of(world, agent)

    assert first != second


async def test_a_slow_call_is_cut_off_and_called_off(world: World, hold: Holdfast, plain: Plain) -> None:
    world.simulator.say(
        wants("mcp__shop__sleep", seconds=2.0), wants("mcp__shop__cancellations"), "Too slow."
    )
    async with hold.agent(mcp=[plain.server(timeout=0.3)]) as agent:
        await agent.chat("Sleep")

    assert result(world, -2)["content"] == "The tool gave no result within 0.3 seconds."
    assert result(world)["content"] == "1"
    assert [event.ending for event in world.events if isinstance(event, ToolRan)] == ["timeout", "ok"]


async def test_a_chat_that_is_cancelled_calls_its_call_off(
    world: World, hold: Holdfast, plain: Plain
) -> None:
    world.simulator.say(wants("mcp__shop__sleep", seconds=2.0))
    async with hold.agent(mcp=[plain.server()]) as agent:
        chat = asyncio.create_task(agent.chat("Sleep"))
        for _ in range(300):
            if not plain.called():
                await asyncio.sleep(0.01)
        chat.cancel()
        with pytest.raises(asyncio.CancelledError):
            await chat
        world.simulator.say(wants("mcp__shop__cancellations"), "Done.")
        await agent.chat("How many?")

    assert result(world)["content"] == "1"


@pytest.mark.requirement("mcp:environment")
async def test_the_environment_of_a_server_holds_nothing_but_what_was_named(
    world: World, hold: Holdfast, plain: Plain, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-ant-secret")
    monkeypatch.setenv("SHOP_TOKEN", "s3cret")
    world.simulator.say(wants("mcp__shop__env"), "Done.")
    server = plain.server(env={"SHOP_URL": "https://shop.example"}, pass_env=("SHOP_TOKEN",))
    async with hold.agent(mcp=[server]) as agent:
        await agent.chat("Which variables?")

    seen = set(json.loads(result(world)["content"]))
    assert {"SHOP_URL", "SHOP_TOKEN", "PATH"} <= seen
    assert not {name for name in seen if name.startswith(("ANTHROPIC", "HOLDFAST", "PYTEST"))}


async def test_a_long_result_is_cut_and_said_to_be(world: World, hold: Holdfast, plain: Plain) -> None:
    world.simulator.say(wants("mcp__shop__big", size=10_000_000), "Long.")
    async with hold.agent(mcp=[plain.server()]) as agent:
        await agent.chat("All of it")

    content = result(world)["content"]
    assert len(content) < 51_000
    assert "[cut: 9,950,000 of 10,000,000 characters are not shown]" in content


async def test_a_message_beyond_all_measure_costs_the_connection_and_not_the_agent(
    world: World, hold: Holdfast, plain: Plain
) -> None:
    world.simulator.say(wants("mcp__shop__big", size=300_000), wants("mcp__shop__echo"), "Fine.")
    async with hold.agent(mcp=[plain.server(largest_message=100_000)]) as agent:
        reply = await agent.chat("All of it")

    assert "was lost during the call" in result(world, -2)["content"]
    assert (reply.text, result(world)["content"]) == ("Fine.", "{}")
    assert "larger than allowed" in next(
        event.why for event in world.events if isinstance(event, McpMoved) and event.state == "lost"
    )


async def test_pictures_objects_and_failures_reach_the_model_as_what_they_are(
    world: World, hold: Holdfast, plain: Plain
) -> None:
    world.simulator.say(
        wants("mcp__shop__picture"), wants("mcp__shop__structured"), wants("mcp__shop__wrong"), "Seen."
    )
    async with hold.agent(mcp=[plain.server()]) as agent:
        await agent.chat("Show me")

    (picture,) = result(world, -3)["content"]
    assert (picture["type"], picture["source"]["media_type"]) == ("image", "image/png")
    assert result(world, -2)["content"] == '{"sum":42}'
    assert (result(world)["content"], result(world)["is_error"]) == ("no such order", True)


@pytest.mark.parametrize("method", ["sampling/createMessage", "elicitation/create", "roots/list"])
@pytest.mark.requirement("mcp:refused")
async def test_what_a_server_asks_of_us_is_refused(
    world: World, hold: Holdfast, plain: Plain, method: str
) -> None:
    world.simulator.say(wants("mcp__shop__ask", method=method), "Asked.")
    async with hold.agent(mcp=[plain.server()]) as agent:
        await agent.chat("Ask")

    answer = json.loads(result(world)["content"])
    assert "not supported" in answer["error"]["message"]


async def test_a_program_that_is_not_there_leaves_the_agent_its_other_tools(
    world: World, hold: Holdfast, plain: Plain
) -> None:
    missing = McpServer.stdio("missing", command=["/nonexistent/server"])
    async with hold.agent(mcp=[missing, plain.server()]) as agent:
        reply = await agent.chat("Hello")

    assert reply.outcome == "answered"
    assert "mcp__shop__echo" in offered(world)
    (failed,) = [event for event in world.events if isinstance(event, McpMoved) and event.state == "failed"]
    assert (failed.server, "FileNotFoundError" in failed.why) == ("missing", True)


async def test_a_server_that_does_not_start_is_left_alone_for_a_while(
    world: World, hold: Holdfast, plain: Plain
) -> None:
    plain.behave(complaint="no license")
    async with hold.agent(mcp=[plain.server()]) as agent:
        await agent.chat("Hello")
        await agent.chat("Hello again")

    failed = [event for event in world.events if isinstance(event, McpMoved)]
    assert [(event.state, event.why) for event in failed] == [("failed", "no license")]
    assert offered(world) == []


async def test_a_server_that_is_slow_to_start_is_not_waited_for_forever(
    world: World, hold: Holdfast, plain: Plain
) -> None:
    plain.behave(slow_start=30)
    async with hold.agent(mcp=[plain.server(start_timeout=0.3)]) as agent:
        reply = await agent.chat("Hello")

    assert reply.outcome == "answered"
    assert moved(world) == ["failed"]


async def test_a_thousand_tools_are_offered_and_no_more(world: World, plain: Plain) -> None:
    plain.behave(count=1_500, page=200)
    async with (
        world.hold(tools=TaintConfig(pins="off")) as hold,
        hold.agent(mcp=[plain.server(tools=("tool_*",))]) as agent,
    ):
        await agent.chat("Hello")

    assert len(offered(world)) == 1_000


async def test_a_list_without_an_end_is_read_for_a_while(world: World, hold: Holdfast, plain: Plain) -> None:
    plain.behave(count=300, page=1)
    async with hold.agent(mcp=[plain.server(tools=("tool_*",))]) as agent:
        await agent.chat("Hello")

    assert 0 < len(offered(world)) <= 100


async def test_a_list_that_nobody_can_read_costs_the_tools_and_not_the_agent(
    world: World, hold: Holdfast, plain: Plain
) -> None:
    plain.behave(bad_list="none")
    async with hold.agent(mcp=[plain.server()]) as agent:
        reply = await agent.chat("Hello")

    assert (reply.outcome, offered(world)) == ("answered", [])
    assert "its answer does not follow the protocol" in [
        event.why for event in world.events if isinstance(event, McpMoved)
    ]


async def test_a_result_that_nobody_can_read_is_an_error_for_the_model(
    world: World, hold: Holdfast, plain: Plain
) -> None:
    world.simulator.say(wants("mcp__shop__odd"), "Odd.")
    async with hold.agent(mcp=[plain.server()]) as agent:
        await agent.chat("Do it")

    assert result(world)["is_error"] is True
    assert "does not follow the protocol" in result(world)["content"]


async def test_a_tool_that_is_gone_is_an_error_for_the_model(
    world: World, hold: Holdfast, plain: Plain
) -> None:
    stock = {"name": "stock", "description": "Counts.", "inputSchema": {"type": "object"}}
    plain.behave(first=[stock], change_after=1, notify=True)
    world.simulator.say(wants("mcp__shop__stock"), wants("mcp__shop__stock"), "Gone.")
    async with hold.agent(mcp=[plain.server()]) as agent:
        await agent.chat("Count")

    assert "does not have the tool `mcp__shop__stock` any more" in result(world)["content"]


def test_without_the_package_the_agent_says_what_to_install(
    hold: Holdfast, plain: Plain, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(sys.modules, "holdfast.agent.mcp_session", raising=False)
    monkeypatch.setitem(sys.modules, "mcp", None)
    with pytest.raises(ConfigError, match=r"pip install 'holdfast\[agent\]'"):
        hold.agent(mcp=[plain.server()]).chat_sync("Hello")


async def test_only_tools_that_were_chosen_are_offered(world: World, hold: Holdfast, plain: Plain) -> None:
    async with hold.agent(mcp=[plain.server(tools=("echo", "p*"))]) as agent:
        await agent.chat("Hello")

    assert set(offered(world)) == {"mcp__shop__echo", "mcp__shop__pid", "mcp__shop__picture"}


async def test_a_server_that_a_person_must_watch_has_its_calls_wait(
    world: World, hold: Holdfast, plain: Plain
) -> None:
    world.simulator.say(wants("mcp__shop__echo"))
    async with hold.agent(mcp=[plain.server(policy="ask")]) as agent:
        reply = await agent.chat("Say it")

    assert [call.tool for call in reply.pending] == ["mcp__shop__echo"]


async def test_concurrent_chats_share_one_process(world: World, hold: Holdfast, plain: Plain) -> None:
    async with hold.agent(mcp=[plain.server()]) as agent:
        await asyncio.gather(*(agent.chat("Hello") for _ in range(8)))

    assert moved(world) == ["connected", "closed"]


async def test_a_stream_has_the_tools_as_well(world: World, hold: Holdfast, plain: Plain) -> None:
    world.simulator.say(wants("mcp__shop__echo", text="hi"), "It said hi.")
    async with hold.agent(mcp=[plain.server()]) as agent:
        said = [text async for text in agent.stream("Say hi")]

    assert "".join(said).endswith("It said hi.")
