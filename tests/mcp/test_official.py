"""The bridge and servers made with the official package, over pipes and over HTTP."""

import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest

from holdfast import ConfigError, Holdfast
from holdfast.agent.mcp import McpServer
from holdfast.events import McpMoved
from tests.agent.conftest import World
from tests.mcp.conftest import offered, result, wants

SERVER = str(Path(__file__).parent / "server.py")


@contextmanager
def running(state: Path, port: int = 0) -> Generator[int]:
    """A server behind a port of this machine; it runs while the block does."""
    command = [sys.executable, SERVER, str(state), "--port", str(port)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield int(process.stdout.readline())
        finally:
            process.kill()


@pytest.fixture
def state(tmp_path: Path) -> Path:
    made = tmp_path / "state"
    made.write_text("")
    return made


def at(port: int) -> McpServer:
    return McpServer.http("shop", f"http://127.0.0.1:{port}/mcp", allow_private=True, policy="allow")


async def test_a_server_over_pipes_is_called_and_says_when_it_has_learnt_more(
    world: World, hold: Holdfast, state: Path
) -> None:
    server = McpServer.stdio("shop", command=[sys.executable, SERVER, str(state)], policy="allow")
    world.simulator.say(wants("mcp__shop__stock", sku="A1"), wants("mcp__shop__learn"), "Done.", "Hello.")
    async with hold.agent(mcp=[server]) as agent:
        await agent.chat("How many?")
        assert result(world, 1)["content"].startswith("stock: A1 from ")
        assert "mcp__shop__learnt" not in offered(world)
        await agent.chat("And now?")

    assert "mcp__shop__learnt" in offered(world)


async def test_questions_in_return_and_errors_of_the_protocol_reach_the_model_as_errors(
    world: World, hold: Holdfast, state: Path
) -> None:
    server = McpServer.stdio("shop", command=[sys.executable, SERVER, str(state)], policy="allow")
    world.simulator.say(wants("mcp__shop__ask"), wants("mcp__shop__fail"), "I see.")
    async with hold.agent(mcp=[server]) as agent:
        await agent.chat("Ask")

    asked, failed = result(world, -2), result(world)
    assert asked["is_error"] is failed["is_error"] is True
    assert "asks for more input" in asked["content"]
    assert "there is no such shop" in failed["content"]


@pytest.mark.requirement("mcp:lost")
async def test_a_server_over_pipes_that_dies_in_a_call_is_told_to_the_model_and_started_again(
    world: World, hold: Holdfast, state: Path
) -> None:
    server = McpServer.stdio("shop", command=[sys.executable, SERVER, str(state)], policy="allow")
    world.simulator.say(wants("mcp__shop__die"), wants("mcp__shop__stock", sku="A1"), "It is back.")
    async with hold.agent(mcp=[server]) as agent:
        reply = await agent.chat("How many?")

    assert "Whether it was done is not known" in result(world, 1)["content"]
    assert result(world)["content"].startswith("stock: A1 from ")
    assert (reply.text, reply.outcome) == ("It is back.", "answered")


@pytest.mark.requirement("mcp:called")
async def test_a_server_behind_a_url_is_called_lost_and_found_again(
    world: World, hold: Holdfast, state: Path
) -> None:
    stock = wants("mcp__shop__stock", sku="A1")
    world.simulator.say(
        stock, wants("mcp__shop__die"), "It is down.", wants("mcp__shop__stock"), "Down.", stock, "Up."
    )
    with running(state) as port:
        agent = hold.agent(mcp=[at(port)])
        await agent.chat("How many?")
        assert result(world, 1)["content"].startswith("stock: A1 from ")
        assert result(world, 2)["is_error"] is True
        assert "Whether it was done is not known" in result(world, 2)["content"]

    await agent.chat("Again")
    assert "cannot be reached" in result(world)["content"]
    assert "mcp__shop__stock" in offered(world)
    await agent.aclose()
    with running(state, port):
        again = hold.agent(mcp=[at(port)])
        await again.chat("Again")
        assert result(world)["content"].startswith("stock: A1 from ")
        await again.aclose()


async def test_a_port_where_nobody_listens_is_no_reason_not_to_answer(world: World, hold: Holdfast) -> None:
    async with hold.agent(mcp=[at(9)]) as agent:
        reply = await agent.chat("Hello")

    assert reply.outcome == "answered"
    (failed,) = [event for event in world.events if isinstance(event, McpMoved)]
    assert (failed.state, "ConnectError" in failed.why) == ("failed", True)


async def test_a_header_whose_variable_is_missing_is_told_to_the_programmer(
    world: World, hold: Holdfast, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SHOP_AUTH", raising=False)
    server = McpServer.http("shop", "https://shop.example/mcp", headers_env={"Authorization": "SHOP_AUTH"})
    with pytest.raises(ConfigError, match="SHOP_AUTH"):
        await hold.agent(mcp=[server]).chat("Hello")
