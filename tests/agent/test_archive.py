"""Where conversations are kept: shared by processes, killed and away in between, and nothing half, lost or mixed."""

import asyncio
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from holdfast import Holdfast
from holdfast.agent import archive as kept
from holdfast.agent.archive import Archive, Place
from holdfast.agent.tools import tool
from holdfast.agent.transcript import UNANSWERED, Addition, Transcript
from holdfast.assembly import assemble
from holdfast.errors import StoreUnavailable
from holdfast.ports import Full, Moved, Owner
from holdfast.ports import sessions as port
from holdfast.settings import StoreConfig
from holdfast.simulator import Stall, turns
from holdfast.simulator.replies import Turn
from holdfast.simulator.server import RunningSimulator
from holdfast.stores.memory import MemoryStore
from holdfast.stores.memory_sessions import MemorySessions
from holdfast.stores.sqlite import SqliteStore
from holdfast.testing import FakeClock
from holdfast.upstream.inprocess import InProcessClient
from tests.agent.conftest import Json, World
from tests.doors.running import eventually

OWNER = Owner(key="agent")


@pytest.fixture
def two(world: World, tmp_path: Path) -> Iterator[tuple[Holdfast, Holdfast]]:
    """Two that have one file open, as two processes would."""
    store = StoreConfig(url=f"sqlite:///{tmp_path}/h.db")
    with world.hold(store=store) as one, world.hold(store=store) as other:
        yield one, other


def texts(messages: Any) -> list[str]:
    return [str(message["content"]) for message in messages]


def is_valid(messages: Sequence[object]) -> bool:
    """Whether the API would go on with them."""
    turns.check({"messages": [*messages, {"role": "user", "content": "and?"}]})
    return True


async def test_what_two_processes_say_at_once_stands_one_behind_the_other(
    world: World, two: tuple[Holdfast, Holdfast]
) -> None:
    one, other = (hold.agent(sessions="store").conversation("c") for hold in two)
    await one.say("Before")
    async with one.stream("From one") as slow:
        await anext(slow)
        await other.say("From the other")
        _ = [text async for text in slow]
    await other.say("After")

    assert texts(await one.history())[::2] == ["Before", "From the other", "From one", "After"]
    assert await one.history() == await other.history()
    assert texts(world.bodies()[1]["messages"])[::2] == ["Before", "From one"]
    assert texts(world.bodies()[3]["messages"]) == texts(await one.history())[:-1]


async def test_many_at_once_from_two_processes_lose_nothing(two: tuple[Holdfast, Holdfast]) -> None:
    talks = [hold.agent(sessions="store").conversation("c") for hold in two]
    await asyncio.gather(*(talks[n % 2].say(f"question {n}") for n in range(20)))
    said = texts(await talks[0].history())

    assert sorted(said[::2]) == sorted(f"question {n}" for n in range(20))
    assert len(said) == 40


async def test_a_question_behind_calls_that_another_process_left_open_answers_them_first(
    world: World, two: tuple[Holdfast, Holdfast]
) -> None:
    @tool(policy="ask")
    def pay() -> str:
        """Pay."""
        return "paid"

    one, other = (hold.agent(tools=[pay], sessions="store").conversation("c") for hold in two)
    async with one.stream("From one") as slow:
        await anext(slow)
        world.simulator.say(Turn(tools=(("pay", {}),)))
        assert (await other.say("Pay")).pending
        _ = [text async for text in slow]
    said = await one.history()

    assert [message["role"] for message in said] == ["user", "assistant", "user", "user", "assistant"]
    assert UNANSWERED in str(said[2])
    assert is_valid(said)
    assert (await other.say("Go on")).outcome == "answered"


class Away(MemoryStore):
    """A store whose sessions are away, or are slow to say that they have done it."""

    def __init__(self, *, does_it: bool = False) -> None:
        super().__init__()
        self.sessions: Moody = Moody(does_it=does_it)


class Moody(MemorySessions):
    def __init__(self, *, does_it: bool) -> None:
        super().__init__(FakeClock())
        self.is_away = False
        self.does_it = does_it

    async def append(
        self, id: str, owner: Owner, messages: Sequence[bytes], *, expected: int
    ) -> int | Moved | Full:
        if self.is_away and not self.does_it:
            raise StoreUnavailable("away")
        length = await super().append(id, owner, messages, expected=expected)
        if self.is_away:
            raise StoreUnavailable("slow")
        return length


def over(world: World, store: MemoryStore) -> Holdfast:
    """A hold over a store of one's own."""
    return Holdfast(
        runtime=assemble(
            world.hold().settings,
            ledger=store,
            client=lambda config, settings: InProcessClient(world.simulator),
        )
    )


@pytest.mark.parametrize("does_it", [False, True])
async def test_what_the_store_does_not_take_is_remembered_and_taken_later_once(
    world: World, does_it: bool
) -> None:
    store = Away(does_it=does_it)
    async with over(world, store) as hold:
        talk = hold.agent(sessions="store").conversation("c")
        await talk.say("One")
        store.sessions.is_away = True
        second = await talk.say("Two")
        third = await talk.say("Three")
        assert (second.outcome, third.outcome) == ("answered", "answered")
        assert texts(await talk.history())[::2] == ["One", "Two", "Three"]
        store.sessions.is_away = False
        await talk.say("Four")
        session = await store.sessions.load("c", OWNER)

    assert session is not None
    assert texts(Transcript.read(session.messages).messages)[::2] == ["One", "Two", "Three", "Four"]


async def test_others_who_are_always_faster_only_put_it_off(
    world: World, hold: Holdfast, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kept, "TRIES", 1)
    archive, runtime = Archive("store"), hold.runtime
    place = Place.of(None, None, "c")
    ours = Addition(messages=({"role": "user", "content": "ours"},))
    theirs = Addition(messages=({"role": "user", "content": "theirs"},))
    told = await archive.read(place, runtime)
    await runtime.ledger.sessions.append("c", OWNER, theirs.rows, expected=0)
    await archive.keep(place, told, ours, runtime)
    again = await archive.read(place, runtime)
    assert texts(again.transcript.messages) == ["theirs", "ours"]
    await archive.keep(place, again, theirs, runtime)

    session = await runtime.ledger.sessions.load("c", OWNER)
    assert session is not None
    assert texts(Transcript.read(session.messages).messages) == ["theirs", "ours", "theirs"]


async def test_an_exchange_that_was_taken_after_all_is_not_added_twice(hold: Holdfast) -> None:
    archive, place = Archive("store"), Place.of(None, None, "c")
    told = await archive.read(place, hold.runtime)
    ours = Addition(messages=({"role": "user", "content": "ours"}, {"role": "assistant", "content": "yes"}))
    await archive.keep(place, told, ours, hold.runtime)
    await archive.keep(place, told, ours, hold.runtime)

    assert len((await archive.read(place, hold.runtime)).transcript.messages) == 2


async def test_results_of_calls_that_others_have_answered_are_not_added(hold: Holdfast) -> None:
    archive, place = Archive("store"), Place.of(None, None, "c")
    told = await archive.read(place, hold.runtime)
    theirs = Addition(messages=({"role": "user", "content": "theirs"},))
    results = {"type": "tool_result", "tool_use_id": "call_1", "content": "x"}
    await archive.keep(place, told, theirs, hold.runtime)
    await archive.keep(
        place, told, Addition(messages=({"role": "user", "content": [results]},)), hold.runtime
    )

    assert texts((await archive.read(place, hold.runtime)).transcript.messages) == ["theirs"]


async def test_of_an_exchange_that_is_too_large_nothing_is_kept(
    world: World, hold: Holdfast, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(port, "MOST_BYTES", kept.ROOM_BYTES + 10_000)
    archive, place = Archive("store"), Place.of(None, None, "c")
    told = await archive.read(place, hold.runtime)
    large = Addition(messages=({"role": "user", "content": "x" * 1_100_000},))
    await archive.keep(place, told, large, hold.runtime)

    assert await archive.read(place, hold.runtime) == told
    assert (await hold.agent(sessions="store").chat("Small", conversation="c")).outcome == "answered"


async def test_what_waits_for_the_store_is_bounded(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept, "LATE", 2)
    store = Away()
    store.sessions.is_away = True
    async with over(world, store) as hold:
        agent = hold.agent(sessions="store")
        for name in ("a", "b", "c"):
            await agent.chat("One", conversation=name)
        lengths = [len(await agent.conversation(name).history()) for name in ("a", "b", "c")]

    assert lengths == [0, 2, 2]


async def test_a_store_that_cannot_be_read_is_told_and_nobody_is_asked(world: World) -> None:
    class Lost(MemorySessions):
        async def load(self, id: str, owner: Owner) -> Any:
            raise StoreUnavailable("away")

    store = MemoryStore()
    store.sessions = Lost(FakeClock())
    async with over(world, store) as hold:
        with pytest.raises(StoreUnavailable):
            await hold.agent(sessions="store", fallback=None).chat("One", conversation="c")

    assert world.bodies() == []


CHILD = """
import asyncio, sys
from holdfast import ConversationalAgent

async def main(url, question, count):
    async with ConversationalAgent(upstream=url, fallback=None) as agent:
        talk = agent.conversation("c", user="minji")
        for number in range(int(count)):
            await talk.say(f"{question} {number}")
            print("said", number, flush=True)

asyncio.run(main(*sys.argv[1:]))
"""


def child(simulator: RunningSimulator, question: str, count: int) -> "subprocess.Popen[str]":
    arguments = [sys.executable, "-c", CHILD, simulator.url, question, str(count)]
    return subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True)


@pytest.fixture
def filed(upstream: RunningSimulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RunningSimulator:
    """A simulator on a socket, and a file for all that is stored."""
    monkeypatch.setenv("HOLDFAST_DATABASE_URL", f"sqlite:///{tmp_path}/h.db")
    return upstream


def read(path: Path) -> list[Json]:
    """What stands in the file."""

    async def stored() -> list[Json]:
        store = SqliteStore(path / "h.db")
        try:
            session = await store.sessions.load("c", Owner(key="agent", user="minji"))
        finally:
            await store.aclose()
        assert session is not None
        return [dict(message) for message in Transcript.read(session.messages).messages]

    return asyncio.run(stored())


def test_two_processes_share_a_conversation_in_one_file(filed: RunningSimulator, tmp_path: Path) -> None:
    with child(filed, "left", 4) as left, child(filed, "right", 4) as right:
        assert (left.wait(60), right.wait(60)) == (0, 0)
    said = read(tmp_path)

    expected = [f"{side} {number}" for side in ("left", "right") for number in range(4)]
    assert sorted(texts(said)[::2]) == sorted(expected)
    assert [message["role"] for message in said] == ["user", "assistant"] * 8
    for side in ("left", "right"):
        assert [text for text in texts(said)[::2] if text.startswith(side)] == [
            f"{side} {n}" for n in range(4)
        ]
    assert is_valid(said)


@pytest.mark.requirement("conversation:resume")
def test_whoever_is_killed_in_the_middle_of_an_answer_leaves_no_half_turn(
    filed: RunningSimulator, tmp_path: Path
) -> None:
    with child(filed, "first", 2) as done:
        assert done.wait(60) == 0
    filed.simulator.fault(Stall(after_events=0))
    asked = len(filed.simulator.requests)
    with child(filed, "killed", 1) as killed:
        eventually(lambda: len(filed.simulator.requests) > asked)
        killed.send_signal(signal.SIGKILL)
        assert killed.wait(60) == -signal.SIGKILL
    assert texts(read(tmp_path))[::2] == ["first 0", "first 1"]
    with child(filed, "again", 1) as again:
        assert again.wait(60) == 0
    said = read(tmp_path)

    assert texts(said)[::2] == ["first 0", "first 1", "again 0"]
    assert is_valid(said)


def test_whatever_was_said_before_a_kill_is_still_there_and_whole(
    filed: RunningSimulator, tmp_path: Path
) -> None:
    with child(filed, "question", 100_000) as talking:
        assert talking.stdout is not None
        heard = [talking.stdout.readline() for _ in range(12)]
        talking.send_signal(signal.SIGKILL)
        heard += [line for line in talking.stdout.readlines() if line.endswith("\n")]
    said = read(tmp_path)

    assert len(said) % 2 == 0
    assert texts(said)[::2][: len(heard)] == [f"question {number}" for number in range(len(heard))]
    assert is_valid(said)
