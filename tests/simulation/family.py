"""A lead, a librarian and an accountant: one long conversation with tools and a memory, while much goes wrong."""

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from random import Random
from typing import TypeVar
from unittest.mock import patch

from holdfast import ProductionAgent, Reply
from holdfast.agent.memory import Memory
from holdfast.agent.tools import ToolError, tool
from holdfast.errors import StreamInterrupted
from holdfast.policy.breaker import BreakerConfig
from holdfast.settings import TimeoutsConfig
from holdfast.simulator import (
    CleanEnd,
    Delay,
    ErrorEvent,
    Fault,
    HalfBody,
    HangUp,
    Refusal,
    Reset,
    SlowHeaders,
    Stall,
    Status,
)
from holdfast.simulator.actions import Action
from holdfast.testing.virtual import VirtualLoop
from tests.simulation.scenario import Scenario, Upstream
from tests.simulation.world import World

T = TypeVar("T")

TURNS = 50
USER = "minji"
CONVERSATION = "ticket-42"
BEFORE_CONTENT = 1
"""Events of a stream before the first of its content."""

WISHES = (
    "Use the tool stock with sku=A{n}.",
    "Use the tool stock with sku=A{n}, and use the tool shaky with part=p{n}.",
    "Use the tool crawl with pages={n}.",
    "Use the tool librarian with task=page-{n}. And use the tool accountant with task=sum-{n}.",
    "Use the tool accountant with task=sum-{n}.",
    "Use the tool remember with fact=likes-{n}.",
    "How are you in week {n}?",
    "{n}번째 주문은 어디에 있나요?",
)


@dataclass(slots=True)
class Family:
    """Three agents on one hold, what was replied, and what their tools have done."""

    world: World
    dice: Random
    lead: ProductionAgent = field(init=False)
    others: tuple[ProductionAgent, ...] = field(init=False)
    memory: Memory = field(default_factory=lambda: Memory(summary_after=30))
    replies: list[Reply] = field(default_factory=list[Reply])
    ran: Counter[str] = field(default_factory=Counter[str])
    left: int = 0
    broken: int = 0
    counted: Decimal = Decimal(0)

    def __post_init__(self) -> None:
        @tool(acts=False)
        async def stock(sku: str) -> str:
            """Count what is there."""
            self.ran["stock"] += 1
            return f"{sku}: {len(sku)}"

        @tool(acts=False)
        async def shaky(part: str) -> str:
            """Look at a part that breaks."""
            self.ran["shaky"] += 1
            match self.dice.randrange(3):
                case 0:
                    raise ToolError("That part is not there.")
                case 1:
                    raise OSError("connection to 10.0.0.3 lost")
                case _:
                    return part

        @tool(timeout=5, acts=False)
        async def crawl(pages: int) -> str:
            """Read pages, slowly."""
            self.ran["crawl"] += 1
            await asyncio.sleep(self.dice.uniform(0, 10))
            return "word " * pages * 50

        hold = self.world.hold
        librarian = hold.agent(name="librarian", tools=[stock], system="You know every book.")
        accountant = hold.agent(name="accountant", tools=[shaky], system="You know every sum.")
        self.others = (librarian, accountant)
        self.lead = hold.agent(
            name="lead",
            system="You answer whoever asks.",
            tools=[stock, shaky, crawl, *(one.as_tool(trusted=True) for one in self.others)],
            memory=self.memory,
            sessions="store",
            context_tokens=9_000,
            approve=lambda call: self.dice.choice((True, False, None)),
            max_tokens=400,
        )

    async def talk(self, *, leaves: float = 0.0) -> "Family":
        """Fifty messages, every other one streamed; `leaves` is how often the user does not wait for the end."""
        for number in range(TURNS):
            wish = self.dice.choice(WISHES).format(n=number)
            patience = self.dice.uniform(0, 6) if self.dice.random() < leaves else None
            try:
                async with asyncio.timeout(patience):
                    self.replies.append(await self._say(wish, streamed=number % 2 == 1))
            except TimeoutError:
                self.left += 1
            except StreamInterrupted:
                self.broken += 1
            await self.world.clock.sleep(self.dice.uniform(1, 30))
        self.memory.close()
        self.counted = sum((one.metrics().total_cost for one in (self.lead, *self.others)), Decimal(0))
        return self

    async def _say(self, wish: str, *, streamed: bool) -> Reply:
        if not streamed:
            return await self.lead.chat(wish, user=USER, conversation=CONVERSATION)
        async with self.lead.stream(wish, user=USER, conversation=CONVERSATION) as stream:
            async for _ in stream.events():
                pass
        return stream.reply


def faults(dice: Random, *, latest: int) -> tuple[Fault, ...]:
    """What happens to about one request in three; streams are cut behind their event `latest` at the latest.

    With cuts before the content only, what each attempt has cost is known to the token.
    """
    places: tuple[int, ...] = tuple(range(1, latest + 1))
    kinds: tuple[Action, ...] = (
        Status(429, retry_after=dice.choice((0.5, 3.0))),
        Status(529),
        Status(500),
        Refusal("overloaded"),
        Delay(dice.uniform(2, 20)),
        SlowHeaders(every=0.004),
        ErrorEvent(0, "overloaded_error"),
    )
    blind: tuple[Action, ...] = (Reset("request"), HalfBody()) if latest > BEFORE_CONTENT else ()
    cuts: tuple[Action, ...] = (
        CleanEnd(dice.choice(places)),
        Reset(dice.choice(places)),
        HangUp(dice.choice(places)),
        ErrorEvent(dice.choice(places)),
        Stall(dice.choice(places), seconds=4.0),
    )
    anywhere = tuple(Fault(kind, times=None, probability=0.04) for kind in (*kinds, *blind))
    return (*anywhere, *(Fault(cut, stream=True, times=None, probability=0.05) for cut in cuts))


async def lived(seed: int, *, latest: int = BEFORE_CONTENT, leaves: float = 0.0) -> Family:
    """The whole conversation of a seed."""
    dice = Random(seed)
    world = World(
        Scenario(
            seed=seed,
            upstreams=(Upstream(faults=faults(dice, latest=latest)),),
            callers=(),
            timeouts=TimeoutsConfig(deadline=60.0, stall=20.0),
            breaker=BreakerConfig(recovery_timeout=5.0),
        )
    )
    with patch.object(VirtualLoop, "run_in_executor", here):
        return await Family(world, dice).talk(leaves=leaves)


def here(loop: VirtualLoop, _: None, work: Callable[..., T], *given: object) -> "asyncio.Future[T]":
    """What would be done in a thread, of which there are none in virtual time: long bodies are read there."""
    done: asyncio.Future[T] = loop.create_future()
    try:
        done.set_result(work(*given))
    except ValueError as error:
        done.set_exception(error)
    return done
