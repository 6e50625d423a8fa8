"""Conversations: gone on with, branched, forgotten, and never anybody else's."""

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path
from typing import Any, cast

import pytest

from holdfast import ConfigError, ConversationalAgent, Holdfast, ProductionAgent
from holdfast.agent.conversation import Conversation
from holdfast.agent.tools import tool
from holdfast.agent.transcript import INTERRUPTED, Transcript
from holdfast.errors import DeadlineExceeded, InputRejected
from holdfast.policy.routing import FailoverConfig
from holdfast.ports import sessions as port
from holdfast.settings import StoreConfig, TimeoutsConfig
from holdfast.simulator import Fault, Stall, Status
from holdfast.simulator.replies import Turn
from holdfast.simulator.server import RunningSimulator
from tests.agent.conftest import Json, World
from tests.doors.running import eventually

STORED = ("memory", "sqlite")


@pytest.fixture(params=STORED)
def stored(request: pytest.FixtureRequest, world: World, tmp_path: Path) -> Iterator[Holdfast]:
    """A hold whose store is in memory, or in a file."""
    url = "memory:" if request.param == "memory" else f"sqlite:///{tmp_path}/h.db"
    with world.hold(store=StoreConfig(url=url)) as hold:
        yield hold


def asked(world: World, at: int = -1) -> list[Json]:
    """The messages of one of the requests."""
    found: list[Json] = world.bodies()[at]["messages"]
    return found


def texts(messages: Any) -> list[str]:
    return [str(message["content"]) for message in messages]


@pytest.mark.parametrize("sessions", ["memory", "store"])
async def test_a_conversation_remembers_what_was_said_in_it(
    world: World, stored: Holdfast, sessions: Any
) -> None:
    agent = stored.agent(sessions=sessions)
    talk = agent.conversation(user="alice")
    first = await talk.say("My name is Minji")
    async with talk.stream("What is my name?") as answer:
        second = "".join([text async for text in answer])
    await talk.say("Thanks")

    assert first.conversation == answer.reply.conversation == talk.id
    assert texts(asked(world)) == ["My name is Minji", first.text, "What is my name?", second, "Thanks"]
    assert texts(await talk.history())[:4] == texts(asked(world))[:4]
    assert len(await talk.history()) == 6


async def test_a_handle_is_the_conversation_of_that_id_and_user(world: World, stored: Holdfast) -> None:
    agent = stored.agent(sessions="store")
    await agent.chat("One", conversation="ticket-42", user="alice")
    await agent.conversation("ticket-42", user="alice").say("Two")

    assert len(asked(world)) == 3
    assert agent.conversation().id != agent.conversation().id


@pytest.mark.requirement("conversation:apart")
@pytest.mark.parametrize("sessions", ["memory", "store"])
async def test_under_the_id_of_somebody_else_one_begins_a_conversation_of_ones_own(
    world: World, stored: Holdfast, sessions: Any
) -> None:
    agent = stored.agent(sessions=sessions)
    hers = agent.conversation("shared", user="alice")
    await hers.say("My secret is 42")
    for user in ("bob", None, "Alice"):
        his = agent.conversation("shared", user=user)
        assert await his.history() == ()
        assert not await his.forget()
        assert await (await his.branch()).history() == ()
        await his.say("What was said here?")
        assert texts(asked(world)) == ["What was said here?"]

    assert texts(await hers.history())[0] == "My secret is 42"
    assert len(await hers.history()) == 2


async def test_agents_of_another_name_have_conversations_of_their_own(world: World, stored: Holdfast) -> None:
    await stored.agent(name="sales", sessions="store").chat("One", conversation="c")
    await stored.agent(name="support", sessions="store").chat("Two", conversation="c")
    await stored.agent(name="sales", sessions="store").chat("Three", conversation="c")

    assert texts(asked(world, 1)) == ["Two"]
    assert len(asked(world, 2)) == 3


async def test_unless_they_are_stored_conversations_are_gone_with_their_agent(
    world: World, stored: Holdfast
) -> None:
    await stored.agent().chat("One", conversation="c")
    await stored.agent().chat("Two", conversation="c")

    assert texts(asked(world)) == ["Two"]
    owner = port.Owner(key="agent")
    assert await stored.runtime.ledger.sessions.list(owner) == ()


@pytest.mark.requirement("conversation:resume")
async def test_a_stored_conversation_is_gone_on_with_after_a_restart(world: World, tmp_path: Path) -> None:
    store = StoreConfig(url=f"sqlite:///{tmp_path}/h.db")
    async with world.hold(store=store) as hold:
        first = await hold.agent(sessions="store").chat("My name is Minji", user="alice")
    async with world.hold(store=store) as hold:
        agent = hold.agent(sessions="store")
        await agent.chat("What is my name?", user="alice", conversation=first.conversation)
        await agent.chat("What is hers?", user="bob", conversation=first.conversation)

    assert texts(asked(world, 1)) == ["My name is Minji", first.text, "What is my name?"]
    assert texts(asked(world, 2)) == ["What is hers?"]


async def test_a_call_that_waits_for_a_person_waits_across_a_restart(world: World, tmp_path: Path) -> None:
    store, paid = StoreConfig(url=f"sqlite:///{tmp_path}/h.db"), list[int]()

    @tool(policy="ask")
    def pay(amount: int) -> str:
        """Pay."""
        paid.append(amount)
        return "paid"

    world.simulator.say(Turn(tools=(("pay", {"amount": 5}),)), "It is paid.")
    async with world.hold(store=store) as hold:
        reply = await hold.agent(tools=[pay], sessions="store").conversation("c", user="a").say("Pay 5")
    async with world.hold(store=store) as hold:
        talk = hold.agent(tools=[pay], sessions="store").conversation("c", user="a")
        done = await talk.resume({reply.pending[0].id: True})

    assert (done.text, paid) == ("It is paid.", [5])
    assert [message["role"] for message in asked(world)] == ["user", "assistant", "user"]


async def test_nobody_resumes_the_conversation_of_somebody_else(world: World, stored: Holdfast) -> None:
    @tool(policy="ask")
    def pay() -> str:
        """Pay."""
        return "paid"

    world.simulator.say(Turn(tools=(("pay", {}),)))
    agent = stored.agent(tools=[pay], sessions="store", fallback=None)
    reply = await agent.chat("Pay", user="alice", conversation="c")
    with pytest.raises(InputRejected, match="with the id and the user") as caught:
        await agent.resume("c", {reply.pending[0].id: True}, user="bob")

    assert "user" in caught.value.say("ko")
    assert len(world.bodies()) == 1


@pytest.mark.requirement("conversation:branch")
async def test_a_branch_begins_with_what_was_said_and_goes_its_own_way(
    world: World, stored: Holdfast
) -> None:
    talk = stored.agent(sessions="store").conversation(user="alice")
    for text in ("One", "Two"):
        await talk.say(text)
    whole, half, middle = await talk.branch(), await talk.branch(2), await talk.branch(at=3)
    await half.say("Another two")
    await talk.say("Three")

    assert len({talk.id, whole.id, half.id, middle.id}) == 4
    assert [len(await one.history()) for one in (talk, whole, half, middle)] == [6, 4, 4, 2]
    assert texts(await half.history())[2] == "Another two"
    assert half.user == "alice"


async def test_what_is_forgotten_is_gone_for_good_and_branches_stay(world: World, stored: Holdfast) -> None:
    talk = stored.agent(sessions="store").conversation()
    await talk.say("One")
    branch = await talk.branch()

    assert await talk.forget()
    assert not await talk.forget()
    assert (await talk.history(), len(await branch.history())) == ((), 2)
    await talk.say("Two")
    assert texts(asked(world)) == ["Two"]


@pytest.mark.requirement("conversation:apart")
async def test_fifty_conversations_at_once_never_mix(world: World, stored: Holdfast) -> None:
    world.simulator.mode = "echo"
    agent = stored.agent(sessions="store")
    talks = [agent.conversation(f"c{n % 25}", user=f"user{n // 25}") for n in range(50)]

    async def hold_it(number: int, talk: Conversation) -> None:
        for turn in range(3):
            await talk.say(f"word{number}x{turn}")

    await asyncio.gather(*(hold_it(number, talk) for number, talk in enumerate(talks)))

    for number, talk in enumerate(talks):
        said = texts(await talk.history())
        assert said[::2] == [f"word{number}x{turn}" for turn in range(3)]
        assert all(f"word{number}x{turn}" in said[2 * turn + 1] for turn in range(3))
    for body in world.bodies():
        assert len({text.split("word")[1].split("x")[0] for text in texts(body["messages"])}) == 1


async def test_what_is_said_at_once_in_one_conversation_is_answered_one_after_the_other(
    world: World, stored: Holdfast
) -> None:
    talk = stored.agent(sessions="store").conversation()
    await asyncio.gather(*(talk.say(f"question {n}") for n in range(5)))

    assert [len(body["messages"]) for body in world.bodies()] == [1, 3, 5, 7, 9]
    assert texts(await talk.history())[::2] == [f"question {n}" for n in range(5)]


def test_threads_take_turns_in_one_conversation_as_well(upstream: RunningSimulator) -> None:
    with ProductionAgent(upstream=upstream.url, fallback=None) as agent, ThreadPoolExecutor(8) as pool:
        chats = [pool.submit(agent.chat_sync, f"question {n}", conversation="c") for n in range(16)]
        for chat in chats:
            chat.result()
        bodies = [cast("Json", request.json()) for request in upstream.simulator.requests]

    lengths = [len(body["messages"]) for body in bodies]

    assert lengths == [1 + 2 * n for n in range(16)]


async def test_whoever_waits_too_long_for_an_earlier_answer_is_told_so(world: World) -> None:
    with world.hold(timeouts=TimeoutsConfig(deadline=0.2)) as hold:
        agent = hold.agent(fallback=None)
        talk = agent.conversation()
        async with talk.stream("One") as unread:
            await anext(unread)
            with pytest.raises(DeadlineExceeded, match="still being answered") as caught:
                await asyncio.create_task(talk.say("Two"))
        assert "스트림" in caught.value.say("ko")
        assert (await talk.say("Three")).outcome == "answered"


async def test_one_who_speaks_while_listening_does_not_wait_for_himself(world: World, hold: Holdfast) -> None:
    talk = hold.agent().conversation()
    async with talk.stream("One") as listening:
        await anext(listening)
        await talk.say("Two")
        _ = [text async for text in listening]

    assert texts(await talk.history())[::2] == ["Two", "One"]


async def test_a_tool_may_speak_in_the_conversation_that_waits_for_it(world: World, hold: Holdfast) -> None:
    @tool
    async def note() -> str:
        """Note."""
        return (await agent.chat("Inside", conversation="c")).text

    agent = hold.agent(tools=[note])
    world.simulator.say(Turn(tools=(("note", {}),)), "Noted.", "Done.")
    await agent.chat("Outside", conversation="c")

    said = await agent.conversation("c").history()
    assert [message["content"] for message in said if message["role"] == "user"][:2] == ["Inside", "Outside"]
    await agent.chat("Again", conversation="c")


@pytest.mark.requirement("conversation:cancelled")
@pytest.mark.parametrize("sessions", ["memory", "store"])
async def test_a_stream_left_in_the_middle_leaves_no_half_answer(
    world: World, stored: Holdfast, sessions: Any
) -> None:
    talk = stored.agent(sessions=sessions).conversation()
    await talk.say("One")
    async with talk.stream("Two") as answer:
        await anext(answer)

    assert len(await talk.history()) == 2
    await talk.say("Three")
    assert texts(asked(world))[::2] == ["One", "Three"]


async def test_a_chat_that_is_cancelled_leaves_no_half_answer(world: World, stored: Holdfast) -> None:
    talk = stored.agent(sessions="store").conversation()
    world.simulator.fault(Stall(after_events=0))
    saying = asyncio.create_task(talk.say("One"))
    await asyncio.to_thread(eventually, lambda: bool(world.simulator.requests))
    saying.cancel()
    with pytest.raises(asyncio.CancelledError):
        await saying

    assert await talk.history() == ()
    assert (await talk.say("Two")).outcome == "answered"


async def test_what_a_tool_had_begun_when_it_was_cancelled_is_not_forgotten(
    world: World, stored: Holdfast
) -> None:
    begun = asyncio.Event()

    @tool
    async def wait() -> str:
        """Wait."""
        begun.set()
        await asyncio.Event().wait()
        return ""

    talk = stored.agent(tools=[wait], sessions="store").conversation()
    world.simulator.say(Turn(text="Let me wait.", tools=(("wait", {}),)), "Fine.")
    saying = asyncio.create_task(talk.say("Wait"))
    await begun.wait()
    saying.cancel()
    with pytest.raises(asyncio.CancelledError):
        await saying
    reply = await talk.say("And?")

    assert reply.text == "Fine."
    assert [message["role"] for message in asked(world)] == ["user", "assistant", "user", "user"]
    assert asked(world)[2]["content"][0]["content"] == INTERRUPTED


async def test_an_answer_of_the_wrong_form_stands_in_the_conversation_once(
    world: World, hold: Holdfast
) -> None:
    talk = hold.agent().conversation()
    world.simulator.say("no JSON")
    reply = await talk.say("How many?", output_type=dict[str, int])

    assert reply.outcome == "fallback"
    assert len(await talk.history()) == 2


async def test_a_long_conversation_is_sent_in_part_and_kept_whole(world: World, hold: Holdfast) -> None:
    talk = hold.agent(max_tokens=100, context_tokens=1_500).conversation()
    for number in range(20):
        await talk.say(f"{number:0200d}")

    assert len(await talk.history()) == 40
    sent = [len(body["messages"]) for body in world.bodies()]
    assert max(sent) < 20
    assert all(body["messages"][0]["role"] == "user" for body in world.bodies())
    assert sum(later < earlier for earlier, later in pairwise(sent)) < 8


async def test_a_model_is_sent_no_more_than_it_takes(world: World, hold: Holdfast) -> None:
    agent = hold.agent("claude-haiku-4-5", max_tokens=4_096)
    talk = agent.conversation()
    page = "lorem ipsum " * 8_000
    for _ in range(12):
        assert (await talk.say(page)).outcome == "answered"

    assert len(asked(world)) < 23


async def test_a_full_conversation_is_not_gone_on_with(
    world: World, stored: Holdfast, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(port, "MOST_MESSAGES", 104)
    talk = stored.agent(sessions="store", fallback=None).conversation()
    for text in ("One", "Two", "Three"):
        await talk.say(text)
    with pytest.raises(InputRejected, match="full") as caught:
        await talk.say("Four")

    assert "가득" in caught.value.say("ko")
    assert len(world.bodies()) == 3


@pytest.mark.parametrize("options", [{"sessions": "disk"}, {"context_tokens": 0}])
def test_options_without_sense_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=next(iter(options))) as caught:
        ProductionAgent(**options)

    assert caught.value.say("ko") != caught.value.say("en")


async def test_the_conversational_agent_keeps_its_conversations(world: World, stored: Holdfast) -> None:
    await ConversationalAgent(hold=stored).conversation("c").say("One")
    await ConversationalAgent(hold=stored).conversation("c").say("Two")

    assert len(asked(world)) == 3


async def test_a_fallback_leaves_the_conversation_as_it_was(world: World, stored: Holdfast) -> None:
    talk = stored.agent(sessions="store", max_retries=1, fallback="busy").conversation()
    await talk.say("One")
    world.simulator.fault(Fault(Status(500), times=1))
    assert (await talk.say("Two")).outcome == "fallback"

    assert len(await talk.history()) == 2


async def test_thinking_of_a_model_that_stood_in_is_not_sent_to_the_one_that_is_asked(world: World) -> None:
    failover = FailoverConfig(models={"claude-sonnet-5-5": ("claude-haiku-5-5",)})
    with world.hold(failover=failover) as hold:
        agent = hold.agent("claude-sonnet-5-5", sessions="store")
        await agent.chat("One", conversation="c")
        world.simulator.fault(Fault(Status(529), times=None, model="claude-sonnet-5-5"))
        reply = await agent.chat("Two", conversation="c")
        session = await hold.runtime.ledger.sessions.load("c", port.Owner(key="agent"))

    assert reply.model == "claude-haiku-5-5"
    assert session is not None
    (_, own), (_, others) = Transcript.read(session.messages).notes
    assert own.seal
    assert not others.seal
