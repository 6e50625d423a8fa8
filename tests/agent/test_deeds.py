"""What tools have done is done once, and never forgotten, however the message ends."""

import asyncio
import gc
from collections.abc import Mapping

import pytest

from holdfast import Holdfast
from holdfast.agent.toolbox import PendingCall
from holdfast.agent.tools import tool
from holdfast.errors import InputRejected, UpstreamError
from holdfast.events import CallEnded
from holdfast.policy.fallback import FallbackConfig
from holdfast.simulator import Fault, Status
from holdfast.simulator.replies import Turn
from tests.agent.conftest import World


class Till:
    """A tool that pays, and a record of what it has paid."""

    def __init__(self) -> None:
        self.paid: list[int] = []

        @tool(policy="ask")
        def pay(amount: int) -> str:
            """Pay."""
            self.paid.append(amount)
            return f"paid {amount}"

        @tool(acts=True)
        def send_mail(to: str) -> str:
            """Send a mail."""
            return f"sent to {to}"

        self.pay = pay
        self.send_mail = send_mail


def wants(*calls: tuple[str, Mapping[str, object]]) -> Turn:
    return Turn(text="Let me see.", tools=calls)


PAY = ("pay", {"amount": 1})


def history(world: World) -> str:
    return str(world.bodies()[-1]["messages"])


async def test_what_was_approved_is_not_done_again_when_the_next_answer_fails(
    world: World, hold: Holdfast
) -> None:
    till = Till()
    agent = hold.agent(tools=[till.pay], max_retries=1)
    world.simulator.say(wants(PAY))
    waiting = await agent.chat("Pay 1")
    world.simulator.fault(Fault(Status(500), times=1))
    failed = await agent.resume(waiting.conversation, {waiting.pending[0].id: True})
    assert (failed.outcome, isinstance(failed.reason, UpstreamError)) == ("fallback", True)

    again = await agent.resume(waiting.conversation, {waiting.pending[0].id: True})
    assert isinstance(again.reason, InputRejected)
    assert till.paid == [1]
    await agent.chat("Was it paid?", conversation=waiting.conversation)
    assert "paid 1" in history(world)


async def test_a_resume_that_is_cut_off_in_its_tool_says_so_later(world: World, hold: Holdfast) -> None:
    begun = asyncio.Event()

    @tool(policy="ask", timeout=None)
    async def pay() -> None:
        """Pay."""
        begun.set()
        await asyncio.Event().wait()

    agent = hold.agent(tools=[pay])
    world.simulator.say(wants(("pay", {})), "Hm.")
    waiting = await agent.chat("Pay")
    resuming = asyncio.ensure_future(agent.resume(waiting.conversation, {waiting.pending[0].id: True}))
    await begun.wait()
    resuming.cancel()
    with pytest.raises(asyncio.CancelledError):
        await resuming
    await agent.chat("Was it paid?", conversation=waiting.conversation)
    assert "whether it was done is not known" in history(world)


async def test_a_refusal_at_the_end_does_not_make_the_deed_forgotten(world: World, hold: Holdfast) -> None:
    till = Till()
    agent = hold.agent(tools=[till.pay], approve=lambda _: True)
    world.simulator.say(wants(PAY), Turn(refuse=True), "Yes.")
    reply = await agent.chat("Pay 1")
    assert reply.stop_reason == "refusal"
    await agent.chat("Was it paid?", conversation=reply.conversation)
    assert "paid 1" in history(world)


async def test_a_fallback_of_the_settings_does_not_make_the_deed_forgotten(world: World) -> None:
    till = Till()
    async with world.hold(fallback=FallbackConfig(text="Later.")) as hold:
        agent = hold.agent(tools=[till.pay], approve=lambda _: True, max_retries=1)
        world.simulator.say(wants(PAY))
        world.simulator.fault(Fault(Status(529), nth=2, times=1))
        reply = await agent.chat("Pay 1")
        assert reply.outcome == "fallback"
        await agent.chat("Was it paid?", conversation=reply.conversation)
    assert "paid 1" in history(world)


async def test_an_approver_that_breaks_does_not_make_earlier_deeds_forgotten(
    world: World, hold: Holdfast
) -> None:
    till = Till()

    def approve(call: PendingCall) -> bool:
        if till.paid:
            raise RuntimeError("nobody at the till")
        return True

    agent = hold.agent(tools=[till.pay], approve=approve)
    world.simulator.say(wants(PAY), wants(("pay", {"amount": 2})), "Yes.")
    with pytest.raises(RuntimeError, match="nobody at the till"):
        await agent.chat("Pay 1 and 2", conversation="c")
    await agent.chat("Was it paid?", conversation="c")
    assert "paid 1" in history(world)
    assert till.paid == [1]


async def test_a_person_decides_on_everything_that_acts_when_anything_waits(
    world: World, hold: Holdfast
) -> None:
    till = Till()
    agent = hold.agent(tools=[till.pay, till.send_mail])
    world.simulator.say(wants(PAY, ("send_mail", {"to": "bob"})), "Done.")
    waiting = await agent.chat("Pay 1 and tell bob")
    assert [call.tool for call in waiting.pending] == ["pay", "send_mail"]
    assert "together with a call that waits" in waiting.pending[1].why.en
    await agent.resume(waiting.conversation, {call.id: True for call in waiting.pending})
    assert "paid 1" in history(world)
    assert "sent to bob" in history(world)


async def test_an_empty_text_beside_a_call_is_not_sent_back(world: World, hold: Holdfast) -> None:
    till = Till()
    world.simulator.say(Turn(text=" ", tools=(PAY,)), "Done.")
    reply = await hold.agent(tools=[till.pay], approve=lambda _: True).chat("Pay 1")
    assert reply.outcome == "answered"
    first = world.bodies()[1]["messages"][1]["content"]
    assert [block["type"] for block in first] == ["tool_use"]


async def test_a_stream_that_is_left_is_let_go_without_any_collector(world: World, hold: Holdfast) -> None:
    agent = hold.agent()
    gc.disable()
    try:
        async for _ in agent.stream("Tell me a long story", conversation="c"):
            break
        for _ in range(100):
            if any(isinstance(event, CallEnded) for event in world.events):
                break
            await asyncio.sleep(0.01)
    finally:
        gc.enable()
    assert any(isinstance(event, CallEnded) for event in world.events)
