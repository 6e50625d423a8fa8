"""An approval that several processes answer at once: the call is run by one of them, and by nobody else."""

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from holdfast import Holdfast, ProductionAgent, Reply
from holdfast.agent.claim import TRIES, Claim, beside
from holdfast.agent.tools import Tool, tool
from holdfast.agent.transcript import INTERRUPTED, UNANSWERED
from holdfast.errors import InputRejected, StoreUnavailable, UpstreamError
from holdfast.ports import Moved, Owner
from holdfast.settings import StoreConfig
from holdfast.simulator import Fault, Status
from holdfast.simulator.replies import Turn
from tests.agent.conftest import World

WAITS = Turn(tools=(("pay", {"amount": 5}),))
OWNER = Owner(key="agent", user="a")


@pytest.fixture(params=["sqlite", "postgres"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> StoreConfig:
    """A store that several processes share."""
    if request.param == "postgres":
        return StoreConfig(url=str(request.getfixturevalue("postgres_schema")))
    return StoreConfig(url=f"sqlite:///{tmp_path}/h.db")


@dataclass
class Till:
    """Several holds over one store, each with an agent whose tool pays when it is let."""

    world: World
    store: StoreConfig
    paid: list[int] = field(default_factory=list[int])
    open: asyncio.Event = field(default_factory=asyncio.Event)
    begun: asyncio.Event = field(default_factory=asyncio.Event)
    holds: ExitStack = field(default_factory=ExitStack)

    def process(self) -> ProductionAgent:
        """An agent as another process would have it: on a hold of its own."""
        hold = self.holds.enter_context(self.world.hold(store=self.store))
        return hold.agent(tools=[self.pay()], sessions="store", fallback=None)

    def pay(self) -> Tool:
        @tool(policy="ask")
        async def pay(amount: int) -> str:
            """Pay."""
            self.begun.set()
            await self.open.wait()
            self.paid.append(amount)
            return "paid"

        return pay


@pytest.fixture
def till(world: World, store: StoreConfig) -> Iterator[Till]:
    till = Till(world, store)
    with till.holds:
        yield till


async def resumed(agent: ProductionAgent, waiting: Reply, *, agrees: bool = True) -> Reply:
    return await agent.resume("c", {call.id: agrees for call in waiting.pending}, user="a")


@pytest.mark.requirement("tools:resumed-once")
async def test_whoever_resumes_second_is_told_so_and_nothing_is_run_twice(till: Till) -> None:
    till.world.simulator.say(WAITS, "It is paid.")
    first, second = till.process(), till.process()
    waiting = await first.chat("Pay 5", user="a", conversation="c")
    running = asyncio.create_task(resumed(second, waiting))
    await till.begun.wait()
    with pytest.raises(InputRejected, match="Somebody else has just answered") as caught:
        await resumed(first, waiting)
    till.open.set()

    assert (await running).text == "It is paid."
    assert till.paid == [5]
    assert "다른 곳에서" in caught.value.say("ko")
    with pytest.raises(InputRejected, match="Nothing waits"):
        await resumed(first, waiting)


@pytest.mark.requirement("tools:resumed-once")
async def test_of_six_that_resume_at_the_same_moment_one_runs_it(till: Till) -> None:
    till.world.simulator.say(WAITS)
    till.open.set()
    agents = [till.process() for _ in range(6)]
    waiting = await agents[0].chat("Pay 5", user="a", conversation="c")
    found = await asyncio.gather(*(resumed(agent, waiting) for agent in agents), return_exceptions=True)

    assert till.paid == [5]
    assert sorted(type(one).__name__ for one in found) == [*["InputRejected"] * 5, "Reply"]


async def test_whoever_goes_on_meanwhile_says_that_nobody_knows_how_far_it_came(till: Till) -> None:
    till.world.simulator.say(WAITS, "Let us see.", "It is paid.")
    first, second = till.process(), till.process()
    waiting = await first.chat("Pay 5", user="a", conversation="c")
    running = asyncio.create_task(resumed(second, waiting))
    await till.begun.wait()
    await first.chat("What now?", user="a", conversation="c")
    till.open.set()
    await running

    assert INTERRUPTED in str(till.world.bodies()[1]["messages"])
    assert UNANSWERED not in str(till.world.bodies())


async def test_what_was_declined_by_going_on_is_not_run_by_a_late_approval(till: Till) -> None:
    till.world.simulator.say(WAITS, "As you like.")
    first, second = till.process(), till.process()
    waiting = await first.chat("Pay 5", user="a", conversation="c")
    await first.chat("Never mind", user="a", conversation="c")
    with pytest.raises(InputRejected, match="Nothing waits"):
        await resumed(second, waiting)

    assert till.paid == []


async def test_a_message_that_failed_leaves_the_approval_to_be_answered(till: Till) -> None:
    till.world.simulator.say(WAITS)
    till.open.set()
    agent = till.process()
    waiting = await agent.chat("Pay 5", user="a", conversation="c")
    till.world.simulator.fault(Fault(Status(400), times=1))
    with pytest.raises(UpstreamError, match="400"):
        await agent.chat("What now?", user="a", conversation="c")
    await resumed(agent, waiting)

    assert till.paid == [5]


async def test_a_resume_in_which_a_person_must_decide_again_can_be_resumed_again(world: World) -> None:
    ran: list[str] = []

    @tool(policy="ask", acts=False)
    def look(at: str) -> str:
        """Look."""
        ran.append(at)
        return at

    world.simulator.say(Turn(tools=(("look", {"at": "x"}),)), "Seen.")
    with world.hold() as hold:
        agent = hold.agent(tools=[look], sessions="store", fallback=None)
        waiting = await agent.chat("Look", conversation="c")
        again = await agent.resume("c", {})
        done = await agent.resume("c", {call.id: True for call in again.pending})

    assert waiting.pending == again.pending
    assert (done.text, ran) == ("Seen.", ["x"])


async def test_a_claim_is_forgotten_with_its_conversation(till: Till) -> None:
    till.world.simulator.say(WAITS)
    till.open.set()
    hold = till.holds.enter_context(till.world.hold(store=till.store))
    agent = hold.agent(tools=[till.pay()], sessions="store")
    talk = agent.conversation("c", user="a")
    waiting = await talk.say("Pay 5")
    await talk.resume({waiting.pending[0].id: True})
    sessions = hold.runtime.ledger.sessions
    kept = await sessions.list(beside(OWNER))
    await talk.forget()

    assert [head.id for head in kept] == ["c"]
    assert await sessions.list(beside(OWNER)) == await sessions.list(OWNER) == ()


async def test_a_store_that_does_not_answer_runs_nothing(
    world: World, hold: Holdfast, monkeypatch: pytest.MonkeyPatch
) -> None:
    till = Till(world, StoreConfig(url="memory:"))
    till.open.set()
    world.simulator.say(WAITS)
    agent = hold.agent(tools=[till.pay()], sessions="store", fallback=None)
    waiting = await agent.chat("Pay 5", user="a", conversation="c")

    async def moved(*_: object, **__: object) -> Moved:
        return Moved(length=1)

    with monkeypatch.context() as patch:
        patch.setattr(type(hold.runtime.ledger.sessions), "append", moved)
        with pytest.raises(StoreUnavailable, match="Too many others"):
            await resumed(agent, waiting)
    assert till.paid == []
    await resumed(agent, waiting)
    assert till.paid == [5]
    assert TRIES > 1


async def test_a_claim_is_taken_once_and_can_be_given_up(hold: Holdfast) -> None:
    def claim(*calls: str) -> Claim:
        return Claim(sessions=hold.runtime.ledger.sessions, owner=OWNER, id="c", calls=calls)

    assert [await claim("1").take(), await claim("1").take(), await claim("2").take()] == [True, False, True]
    await claim("1").free()
    await claim("1").free()
    assert [await claim("1").take(), await claim("2").take()] == [True, False]


PROCESS = """
import asyncio, sys
from pathlib import Path
from holdfast import ConversationalAgent, tool

@tool(policy="ask")
async def pay(amount: int) -> str:
    "Pay."
    with Path("paid").open("a") as paid:
        paid.write("x")
    await asyncio.sleep({seconds})
    return "paid"

async def main():
    async with ConversationalAgent(tools=[pay], upstream="simulator", fallback=None) as agent:
        if sys.argv[1:] == ["ask"]:
            reply = await agent.chat("Use the tool pay with amount=5", conversation="c")
            print(reply.pending[0].id)
        else:
            print(await agent.resume("c", {{sys.argv[1]: True}}))

asyncio.run(main())
"""


@pytest.mark.requirement("tools:resumed-once")
def test_two_processes_that_resume_at_once_run_it_once(clean: None, tmp_path: Path) -> None:
    program = tmp_path / "pay.py"
    program.write_text(PROCESS.format(seconds=0.5), encoding="utf-8")
    command = [sys.executable, str(program)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HOLDFAST_DATABASE_URL", f"sqlite:///{tmp_path}/h.db")
        asked = subprocess.run([*command, "ask"], capture_output=True, text=True, check=False)
        assert asked.returncode == 0, asked.stderr
        both = [
            subprocess.Popen(
                [*command, asked.stdout.strip()], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
            )
            for _ in range(2)
        ]
        said = [one.communicate() for one in both]

    assert (tmp_path / "paid").read_text() == "x"
    assert sorted(one.returncode for one in both) == [0, 1]
    assert "InputRejected" in "".join(error for _, error in said)
