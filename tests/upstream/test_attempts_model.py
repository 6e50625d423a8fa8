"""Whole calls through the inner ring, in virtual time, against a naive reading of how they are tried again."""

import asyncio
import random
from contextlib import closing
from dataclasses import dataclass, field
from typing import Literal

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from holdfast.call import Response
from holdfast.policy.breaker import BreakerConfig
from holdfast.policy.gate import GateConfig
from holdfast.policy.retry import RetryBudget, RetryBudgetConfig, RetryConfig
from holdfast.policy.routing import UpstreamConfig
from holdfast.testing.virtual import VirtualClock, VirtualLoop
from holdfast.upstream.attempts import Attempts
from holdfast.upstream.circuits import Circuits
from holdfast.upstream.client import UpstreamRequest
from holdfast.upstream.gates import Gates
from holdfast.upstream.request import Upstream
from tests.upstream.scripted import (
    MESSAGE,
    MODEL,
    RESET,
    UNREACHABLE,
    Reply,
    ScriptedConnection,
    a_call,
)

Backoff = Literal["transient", "throttle", "at once"]


@dataclass(frozen=True)
class Row:
    """A row of the decision table for a call with one place to go: retries, waits, the last word."""

    retries: int
    backoff: Backoff
    last_word: int


TABLE = {
    "unreachable": Row(2, "at once", 503),
    "reset": Row(1, "transient", 502),
    "unreadable": Row(1, "transient", 502),
    "page 502": Row(2, "transient", 503),
    "page 503": Row(2, "transient", 503),
    "page 504": Row(2, "transient", 504),
    "408": Row(1, "transient", 408),
    "409": Row(1, "transient", 409),
    "429": Row(2, "throttle", 429),
    "500": Row(2, "transient", 500),
    "504": Row(1, "transient", 504),
    "529": Row(2, "throttle", 529),
    "400": Row(0, "transient", 400),
    "403": Row(0, "transient", 403),
    "404": Row(0, "transient", 404),
    "413": Row(0, "transient", 413),
    "422": Row(0, "transient", 422),
}
TYPES = {
    "429": "rate_limit_error",
    "504": "timeout_error",
    "529": "overloaded_error",
    "409": "conflict_error",
}
SIGNALS = ["answer", "answer", *TABLE, *["429", "500", "529", "unreachable"] * 3]
WISHES = [None, None, None, "nan", "inf", "-1", "0", "soon", "2", "5", "5", "10", "10", "60", "61"]
# No sum of these with a wait is the moment of a deadline or a hang-up: at a tie two timers have no order.
TOOK = [0.0, 0.0, 0.0, 0.317, 1.373, 4.191, 4.191]
LEAVES = [None, None, None, 0.7771, 2.1137, 7.9193]
ROLLS = [0.0, 0.37, 0.731, 0.9999]


@dataclass(frozen=True)
class Try:
    """What the upstream does at one attempt: how long it takes, what it says, what it asks for."""

    signal: str = "answer"
    took: float = 0.0
    wish: str | None = None
    is_vetoed: bool = False

    @property
    def has_headers(self) -> bool:
        return self.signal.isdigit()

    def reply(self) -> Reply | Exception:
        match self.signal:
            case "answer":
                return Reply()
            case "unreachable":
                return UNREACHABLE
            case "reset":
                return RESET
            case "unreadable":
                return Reply(pieces=(MESSAGE[:40],))
            case "page 502" | "page 503" | "page 504":
                html = (("content-type", "text/html"),)
                return Reply(status=int(self.signal[-3:]), headers=html, pieces=(b"<html></html>",))
            case _:
                headers = {} if self.wish is None else {"retry_after": self.wish}
                veto = {"x_should_retry": "false"} if self.is_vetoed else {}
                kind = TYPES.get(self.signal, "api_error")
                return Reply.refusal(int(self.signal), kind, **headers, **veto)


@dataclass(frozen=True, kw_only=True)
class World:
    """What all calls of a machine share."""

    attempts: int = 3
    seconds: float = 600.0
    capacity: int = 500


WORLDS = [
    World(),
    World(attempts=1),
    World(seconds=10.0),
    World(attempts=6, seconds=10.0),
    World(attempts=5, capacity=40),
    World(attempts=4, seconds=25.0, capacity=19),
    World(capacity=0),
    World(attempts=6, capacity=120),
]


@dataclass(frozen=True)
class Story:
    """How one call went: when it was tried, how and when it ended, what is left to retry with."""

    began: list[float]
    end: str
    at: float
    tokens: int


@dataclass
class Naive:
    """The rules read aloud, one call from its beginning to its end."""

    world: World
    tokens: int = 0

    def __post_init__(self) -> None:
        self.tokens = self.world.capacity

    def tell(self, tries: list[Try], leaves: float, roll: float) -> Story:
        began: list[float] = []
        now, paid = 0.0, 0
        while True:
            began.append(now)
            this = tries[len(began) - 1] if len(began) <= len(tries) else Try()
            now += this.took
            if now > min(leaves, self.world.seconds):
                end = "cancelled" if leaves < self.world.seconds else "504"
                return Story(began, end, min(leaves, self.world.seconds), self.tokens)
            if this.signal == "answer":
                self.tokens = min(self.world.capacity, self.tokens + (1 if len(began) == 1 else paid))
                return Story(began, "200", now, self.tokens)
            wait = self.wait(this, len(began), self.world.seconds - now, roll)
            price = {"transient": 14, "throttle": 5, "at once": 0}[TABLE[this.signal].backoff]
            if wait is None or price > self.tokens:
                return Story(began, str(TABLE[this.signal].last_word), now, self.tokens)
            paid = price
            self.tokens -= paid
            if now + wait > leaves:
                return Story(began, "cancelled", leaves, self.tokens)
            now += wait

    def wait(self, this: Try, tried: int, left: float, roll: float) -> float | None:
        """Seconds until the next attempt; `None` for no next one."""
        row = TABLE[this.signal]
        allowed = row.retries if row.retries < 2 else max(2, self.world.attempts - 1)
        if tried > allowed or tried == self.world.attempts or (this.is_vetoed and this.has_headers):
            return None
        highest, longest = (1.0, 20.0) if row.backoff == "throttle" else (0.5, 8.0)
        for _ in range(tried - (2 if row.backoff == "at once" else 1)):
            highest = min(longest, highest * 2)
        wait = highest * roll
        if row.backoff == "at once" and tried == 1:
            wait = 0.0
        if this.has_headers and this.wish in {"2", "5", "10", "60", "61"}:
            wish = float(this.wish)
            if wish > min(60.0, left):
                return None
            wait = max(wait, wish + wish * roll / 10)
        return wait if wait < left else None


class Loaded(random.Random):
    """Dice that show what a test says."""

    shown = 0.0

    def random(self) -> float:
        return self.shown


@dataclass
class TimedClient:
    """An upstream that does what a script says, and takes its time."""

    tries: list[Try]
    clock: VirtualClock = field(default_factory=VirtualClock)
    began: list[float] = field(default_factory=list[float])
    connections: list[ScriptedConnection] = field(default_factory=list[ScriptedConnection])

    async def send(self, request: UpstreamRequest) -> ScriptedConnection:
        this = self.tries[len(self.began)] if len(self.began) < len(self.tries) else Try()
        self.began.append(self.clock.monotonic())
        await self.clock.sleep(this.took)
        reply = this.reply()
        if isinstance(reply, Exception):
            raise reply
        self.connections.append(ScriptedConnection(reply))
        return self.connections[-1]

    async def aclose(self) -> None:
        return None


@dataclass
class Pair:
    """The inner ring and the naive reading, driven together; any difference is an `AssertionError`."""

    world: World
    naive: Naive
    budget: RetryBudget
    kind: type[Attempts]

    def call(self, tries: list[Try], leaves: float | None, roll: float) -> None:
        expected = self.naive.tell(tries, 1e9 if leaves is None else leaves, roll)
        with closing(VirtualLoop()) as loop:
            seen = loop.run_until_complete(self.live(TimedClient(tries), leaves, roll))
        assert (seen.end, seen.tokens) == (expected.end, expected.tokens)
        assert seen.began == pytest.approx(expected.began, rel=1e-9)
        assert seen.at == pytest.approx(expected.at, rel=1e-9)

    async def live(self, client: TimedClient, leaves: float | None, roll: float) -> Story:
        attempts = self.ring(client, roll)
        task = asyncio.create_task(self.ask(attempts, client.clock))
        if leaves is not None:
            asyncio.get_running_loop().call_later(leaves, task.cancel)
        try:
            end = await task
        except asyncio.CancelledError:
            end = "cancelled"
        assert attempts.circuits.of(f"main/{MODEL}").snapshot().live == 0
        assert all(connection.closed for connection in client.connections)
        return Story(client.began, end, client.clock.monotonic(), self.budget.tokens)

    async def ask(self, attempts: Attempts, clock: VirtualClock) -> str:
        found = await attempts(a_call(clock=clock, seconds=self.world.seconds))
        return str(found.status if isinstance(found, Response) else found.error.status)

    def ring(self, client: TimedClient, roll: float) -> Attempts:
        clock, dice = client.clock, Loaded()
        dice.shown = roll
        calm = BreakerConfig(failure_threshold=10_000, failure_rate_threshold=None)
        here = UpstreamConfig(url="http://127.0.0.1:9")
        return self.kind(
            upstreams=(Upstream(name="main", config=here, client=client, key="sk-test", further={}),),
            circuits=Circuits(calm, clock=clock, dice=dice),
            gates=Gates(GateConfig(), clock=clock, dice=dice),
            retry=RetryConfig(attempts=self.world.attempts),
            budgets={"main": self.budget},
            stall=90.0,
            clock=clock,
            dice=dice,
        )


def pair(world: World, kind: type[Attempts] = Attempts) -> Pair:
    budget = RetryBudget(RetryBudgetConfig(capacity=world.capacity))
    return Pair(world, Naive(world), budget, kind)


def a_try(dice: random.Random) -> Try:
    return Try(dice.choice(SIGNALS), dice.choice(TOOK), dice.choice(WISHES), dice.random() < 0.1)


def walk(kind: type[Attempts], seed: int, calls: int) -> None:
    """Some calls in a row, after one another, over one bucket."""
    dice = random.Random(seed)
    both = pair(WORLDS[seed % len(WORLDS)], kind)
    for _ in range(calls):
        tries = [a_try(dice) for _ in range(dice.randrange(7))]
        both.call(tries, dice.choice(LEAVES), dice.choice([0.0, *ROLLS]))


def walks(kind: type[Attempts], count: int) -> None:
    for seed in range(count):
        walk(kind, seed, 25)


tries = st.builds(
    Try,
    signal=st.sampled_from(SIGNALS),
    took=st.sampled_from(TOOK),
    wish=st.sampled_from(WISHES),
    is_vetoed=st.sampled_from([False, False, False, True]),
)


class CallsOfOneUpstream(RuleBasedStateMachine):
    rolls = st.sampled_from(ROLLS)

    @initialize(world=st.sampled_from(WORLDS))
    def start(self, world: World) -> None:
        self.both = pair(world)

    @rule(script=st.lists(tries, max_size=6), leaves=st.sampled_from(LEAVES), roll=rolls)
    def call(self, script: list[Try], leaves: float | None, roll: float) -> None:
        self.both.call(script, leaves, roll)

    @rule(signal=st.sampled_from([*TABLE]), wish=st.sampled_from(WISHES), calls=st.integers(1, 8), roll=rolls)
    def outage(self, signal: str, wish: str | None, calls: int, roll: float) -> None:
        for _ in range(calls):
            self.both.call([Try(signal, 0.317, wish)] * 9, None, roll)

    @rule(calls=st.integers(1, 15))
    def good_hour(self, calls: int) -> None:
        for _ in range(calls):
            self.both.call([], None, 0.0)


CallsOfOneUpstream.TestCase.settings = settings(max_examples=25, stateful_step_count=15, deadline=None)
TestCallsOfOneUpstream = CallsOfOneUpstream.TestCase


@pytest.mark.parametrize("seed", range(16))
def test_a_random_walk_finds_no_difference(seed: int) -> None:
    walk(Attempts, seed, 25)
