"""Tools that will not end, not even when they are told to: the agent goes on, and nobody hangs."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from holdfast import Holdfast
from holdfast.agent import patience
from holdfast.agent.patience import ended_within
from holdfast.agent.tools import Tool, tool
from holdfast.simulator.replies import Turn
from tests.agent.conftest import World


@pytest.fixture
async def let_go(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[asyncio.Event]:
    """What ends the stubborn in the end, so that no test leaves one behind."""
    monkeypatch.setattr(patience, "GRACE", 0.05)
    end = asyncio.Event()
    yield end
    end.set()
    await asyncio.sleep(0.05)


def stubborn(end: asyncio.Event, begun: asyncio.Event, timeout: float | None) -> Tool:
    @tool(timeout=timeout, acts=False)
    async def look() -> str:
        """Look for ever."""
        begun.set()
        while not end.is_set():
            try:
                await end.wait()
            except asyncio.CancelledError:
                continue
        raise ValueError("nobody hears this")

    return look


@pytest.mark.requirement("tools:stubborn")
async def test_a_tool_that_does_not_heed_its_time_is_given_up_and_the_model_is_told(
    world: World, hold: Holdfast, let_go: asyncio.Event
) -> None:
    world.simulator.say(Turn(tools=(("look", {}),)), "I go on without it.")
    agent = hold.agent(tools=[stubborn(let_go, asyncio.Event(), 0.05)])
    reply = await asyncio.wait_for(agent.chat("Look"), 5)

    assert reply.text == "I go on without it."
    assert "no result within 0.05 seconds" in str(world.bodies()[-1]["messages"][-1])


@pytest.mark.requirement("tools:stubborn")
async def test_a_chat_that_is_cancelled_in_a_tool_that_does_not_heed_it_ends_all_the_same(
    world: World, hold: Holdfast, let_go: asyncio.Event
) -> None:
    world.simulator.say(Turn(tools=(("look", {}),)))
    begun = asyncio.Event()
    agent = hold.agent(tools=[stubborn(let_go, begun, None)])
    chat = asyncio.create_task(agent.chat("Look", conversation="c"))
    await begun.wait()
    chat.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(chat, 5)

    history = await agent.conversation("c").history()
    assert "whether it was done is not known" in str(history[-1])


async def test_a_coroutine_that_wants_to_end_the_program_ends_itself_only(
    world: World, hold: Holdfast
) -> None:
    @tool(acts=False)
    async def leave() -> str:
        """Leave."""
        raise SystemExit(3)

    world.simulator.say(Turn(tools=(("leave", {}),)), "Well.")
    reply = await hold.agent(tools=[leave]).chat("Leave")

    assert reply.text == "Well."
    assert "The tool failed (SystemExit)." in str(world.bodies()[-1]["messages"][-1])


async def test_what_ends_in_time_is_there_with_what_it_came_to() -> None:
    async def work() -> int:
        await asyncio.sleep(0)
        return 5

    ended = await ended_within(work(), None)
    assert ended is not None
    assert ended.result() == 5


async def test_what_is_cut_off_may_put_its_house_in_order() -> None:
    tidied: list[str] = []

    async def work() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            await asyncio.sleep(0)
            tidied.append("tidied")

    assert await ended_within(work(), 0.01) is None
    assert tidied == ["tidied"]
