"""One call that is tried again, in virtual time, against a naive reading of how it should go."""

import asyncio
import random
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from math import inf, nan
from typing import Literal

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from holdfast.errors import CallNotPermitted, DeadlineExceeded
from holdfast.language import Sentence
from holdfast.parts.retry import On, Retry, RetryBudget, RetryBudgetConfig, is_retryable
from holdfast.testing.virtual import VirtualClock, VirtualLoop

Way = Literal["async", "function in async", "function"]
End = Literal["answer", "refused", "vetoed", "slow", "reset", "bug", "open circuit", "cancelled", "exit"]

WAYS: list[Way] = ["async", "function in async", "function"]
ENDS: list[End] = ["answer", "refused", "vetoed", "slow", "reset", "bug", "open circuit", "cancelled", "exit"]
OFTEN: list[End] = ["refused", "refused", "refused", "refused", *ENDS]
PASSING = [408, 409, 429, 500, 502, 503, 504, 529]
LASTING = [400, 401, 402, 403, 404, 413, 422]
WISHES = [None, None, None, nan, inf, -3.0, 0.0, 0.25, 5.0, 10.0, 10.0, 25.0, 600.0, 601.0]
# No sum of these with a wait is the moment of a deadline or a hang-up: at a tie two timers have no order.
TOOK = [0.0, 0.0, 0.317, 1.373, 4.191, 11.713]
LEAVES = [None, None, None, 0.7771, 2.1137, 7.9193]


class Refusal(Exception):
    """An answer of the service that is none."""

    def __init__(self, status: int, wish: float | None, *, is_vetoed: bool) -> None:
        super().__init__(f"status {status}")
        self.status_code = status
        self.retry_after = wish
        self.headers = {"x-should-retry": "false"} if is_vetoed else {}


class Exit(BaseException):
    """As the interpreter's own ways to end."""


@dataclass(frozen=True)
class Try:
    """What the service does at one try: how long it takes, and how it ends."""

    took: float = 0.0
    end: End = "answer"
    status: int = 503
    wish: float | None = None

    def error(self) -> BaseException | None:
        circuit = CallNotPermitted(Sentence("open", ko="열림"), retry_after=self.wish)
        errors: dict[End, BaseException] = {
            "refused": Refusal(self.status, self.wish, is_vetoed=False),
            "vetoed": Refusal(self.status, self.wish, is_vetoed=True),
            "slow": TimeoutError("slow"),
            "reset": ConnectionResetError("reset"),
            "bug": ValueError("bug"),
            "open circuit": circuit,
            "cancelled": asyncio.CancelledError("by the service"),
            "exit": Exit("exit"),
        }
        return errors.get(self.end)


@dataclass(frozen=True, kw_only=True)
class World:
    """How the one retry is set up that all calls of a machine share."""

    attempts: int = 3
    initial: float = 1.0
    longest: float = 20.0
    timeout: float | None = None
    on: Literal["what may pass", "resets", "everything"] = "what may pass"
    capacity: int | None = None


WORLDS = [
    World(),
    World(attempts=1, capacity=500),
    World(attempts=5, timeout=10.0, capacity=500),
    World(attempts=6, initial=2.0, longest=5.0, timeout=25.0, capacity=33),
    World(attempts=4, initial=0.5, timeout=10.0, capacity=19),
    World(attempts=3, on="resets", timeout=25.0, capacity=14),
    World(attempts=4, on="everything", timeout=10.0, capacity=500),
    World(attempts=6, on="everything", initial=0.2),
    World(attempts=8, initial=0.1, timeout=10.0),
    World(attempts=9, initial=0.001, longest=0.004, capacity=0),
    World(attempts=7, initial=0.1, longest=3.0, capacity=200),
]
ON: dict[str, On] = {
    "what may pass": is_retryable,
    "resets": (ConnectionError, KeyError),
    "everything": BaseException,
}


@dataclass(frozen=True)
class Story:
    """How one call went: when it was tried, how and when it ended, which try spoke last, what is left."""

    began: list[float]
    end: str
    last: int | None
    at: float
    tokens: int | None


@dataclass
class Naive:
    """The rules read aloud, one call from its beginning to its end."""

    world: World
    tokens: int = 0

    def __post_init__(self) -> None:
        self.tokens = self.world.capacity or 0

    def tell(self, tries: list[Try], way: Way, leaves: float | None, roll: float) -> Story:
        began: list[float] = []
        now, paid = 0.0, 0
        deadline = inf if self.world.timeout is None else self.world.timeout
        left = inf if leaves is None or way != "async" else leaves
        while True:
            began.append(now)
            this = tries[len(began) - 1] if len(began) <= len(tries) else Try()
            last = len(began) - 2 if len(began) > 1 else None
            now += this.took
            if way == "async" and now > min(left, deadline):
                end = "cancelled" if left < deadline else "too late"
                return self.story(began, end, last, min(left, deadline))
            if this.end == "answer":
                self.tokens += paid if len(began) > 1 else 1
                self.tokens = min(self.tokens, self.world.capacity or 0)
                return self.story(began, "answer", len(began) - 1, now)
            wait = self.wait(this, len(began), roll)
            if wait is None or not now + wait < deadline or not self.can_pay(this):
                return self.story(began, "error", len(began) - 1, now)
            paid = self.price(this)
            self.tokens -= paid
            if now + wait > left:
                return self.story(began, "cancelled", len(began) - 1, left)
            now += wait

    def story(self, began: list[float], end: str, last: int | None, at: float) -> Story:
        tokens = None if self.world.capacity is None else self.tokens
        return Story(began, end, last if end != "cancelled" else None, at, tokens)

    def may_pass(self, this: Try) -> bool:
        if this.end in {"cancelled", "exit"}:
            return False
        if self.world.on == "everything":
            return True
        if self.world.on == "resets":
            return this.end == "reset"
        return this.end in {"slow", "reset"} or (this.end == "refused" and this.status in PASSING)

    def wait(self, this: Try, failures: int, roll: float) -> float | None:
        """Seconds until the next try; `None` for no next one."""
        if failures == self.world.attempts or not self.may_pass(this):
            return None
        highest = self.world.initial
        for _ in range(failures - 1):
            highest = min(highest * 2, self.world.longest)
        wait = highest * roll
        wish = this.wish if this.end in {"refused", "vetoed", "open circuit"} else None
        if wish is None or wish != wish or wish <= 0 or wish == inf:
            return wait
        return None if wish > 600 else max(wait, wish + wish * roll / 10)

    def price(self, this: Try) -> int:
        if self.world.capacity is None:
            return 0
        return 5 if this.end in {"refused", "vetoed"} and this.status in {429, 529} else 14

    def can_pay(self, this: Try) -> bool:
        return self.price(this) <= self.tokens


class Loaded(random.Random):
    """Dice that show what a test says."""

    shown = 0.0

    def random(self) -> float:
        return self.shown


Make = Callable[[World, RetryBudget | None, Loaded], Retry]


def make(world: World, budget: RetryBudget | None, dice: Loaded, kind: type[Retry] = Retry) -> Retry:
    return kind(
        world.attempts,
        wait_initial=world.initial,
        wait_max=world.longest,
        timeout=world.timeout,
        on=ON[world.on],
        budget=budget,
        clock=VirtualClock(),
        dice=dice,
    )


@dataclass
class Service:
    """Does what a script says, and notes when it was asked."""

    tries: list[Try]
    clock: VirtualClock = field(default_factory=VirtualClock)
    began: list[float] = field(default_factory=list[float])
    errors: list[BaseException | None] = field(default_factory=list[BaseException | None])

    def next(self) -> Try:
        self.began.append(self.clock.monotonic())
        this = self.tries[len(self.began) - 1] if len(self.began) <= len(self.tries) else Try()
        self.errors.append(this.error())
        return this

    def end(self) -> int:
        if (error := self.errors[-1]) is not None:
            raise error
        return len(self.errors) - 1

    def ask(self) -> int:
        self.clock.block(self.next().took)
        return self.end()

    async def ask_async(self) -> int:
        await self.clock.sleep(self.next().took)
        return self.end()

    def which(self, error: BaseException | None) -> int | None:
        """The try that this error came from; another with the same words is not the same."""
        return next((n for n, own in enumerate(self.errors) if own is error and own is not None), None)


@dataclass
class Pair:
    """The retry and the naive reading, driven together; any difference is an `AssertionError`."""

    world: World
    naive: Naive
    budget: RetryBudget | None
    retry: Retry
    dice: Loaded

    def call(self, tries: list[Try], way: Way, leaves: float | None, roll: float) -> None:
        expected = self.naive.tell(tries, way, leaves, roll)
        self.dice.shown = roll
        with closing(VirtualLoop()) as loop:
            seen = loop.run_until_complete(self.live(Service(tries), way, leaves))
        assert (seen.end, seen.last, seen.tokens) == (expected.end, expected.last, expected.tokens)
        assert seen.began == pytest.approx(expected.began, rel=1e-9)
        assert seen.at == pytest.approx(expected.at, rel=1e-9)
        assert len(seen.began) <= self.world.attempts

    async def live(self, service: Service, way: Way, leaves: float | None) -> Story:
        task = asyncio.create_task(self.ask(service, way))
        if leaves is not None and way == "async":
            asyncio.get_running_loop().call_later(leaves, task.cancel)
        end, last = "answer", None
        try:
            last = await task
        except DeadlineExceeded as error:
            end, last = "too late", service.which(error.__cause__)
        except BaseException as error:
            last = service.which(error)
            end = "cancelled" if last is None and isinstance(error, asyncio.CancelledError) else "error"
        tokens = None if self.budget is None else self.budget.tokens
        return Story(service.began, end, last, service.clock.monotonic(), tokens)

    async def ask(self, service: Service, way: Way) -> int:
        if way == "async":
            return await self.retry.execute(service.ask_async)
        if way == "function in async":
            return await self.retry.execute(service.ask)
        return self.retry(service.ask)()


def pair(world: World, make: Make = make) -> Pair:
    costs = None if world.capacity is None else RetryBudgetConfig(capacity=world.capacity)
    budget = None if costs is None else RetryBudget(costs)
    dice = Loaded()
    return Pair(world, Naive(world), budget, make(world, budget, dice), dice)


def a_try(dice: random.Random) -> Try:
    end = dice.choices(ENDS, [3, 14, 1, 1, 1, 1, 1, 2, 2])[0]
    status = dice.choice(PASSING if dice.random() < 0.85 else LASTING)
    return Try(dice.choice(TOOK), end, status, dice.choice(WISHES))


def walk(make: Make, seed: int, calls: int) -> None:
    """Some calls in a row, after one another, over one bucket."""
    dice = random.Random(seed)
    both = pair(WORLDS[seed % len(WORLDS)], make)
    for _ in range(calls):
        tries = [a_try(dice) for _ in range(dice.randrange(9))]
        if dice.random() < 0.2:
            tries = [Try(0.0, "refused", dice.choice(PASSING))] * 8
        roll = dice.choice([0.0, 0.0, 0.37, 0.731, 0.9999])
        if dice.random() < 0.1:
            # A wait that would end at the deadline, to the moment.
            tries, roll = [Try(0.0, "refused", 503, both.world.timeout)], 0.0
        both.call(tries, dice.choice(WAYS), dice.choice(LEAVES), roll)


def walks(make: Make, count: int) -> None:
    for seed in range(count):
        walk(make, seed, 25)


tries = st.builds(
    Try,
    took=st.sampled_from(TOOK),
    end=st.sampled_from(OFTEN),
    status=st.sampled_from([*PASSING, *LASTING]),
    wish=st.sampled_from(WISHES),
)


class RetryOfOneCall(RuleBasedStateMachine):
    rolls = st.sampled_from([0.0, 0.37, 0.731, 0.9999])
    ways = st.sampled_from(WAYS)

    @initialize(world=st.sampled_from(WORLDS))
    def start(self, world: World) -> None:
        self.both = pair(world)

    @rule(script=st.lists(tries, max_size=8), way=ways, leaves=st.sampled_from(LEAVES), roll=rolls)
    def call(self, script: list[Try], way: Way, leaves: float | None, roll: float) -> None:
        self.both.call(script, way, leaves, roll)

    @rule(status=st.sampled_from(PASSING), wish=st.sampled_from(WISHES), way=ways, roll=rolls)
    def outage(self, status: int, wish: float | None, way: Way, roll: float) -> None:
        self.both.call([Try(0.317, "refused", status, wish)] * 9, way, None, roll)

    @rule(calls=st.integers(1, 20), way=ways)
    def good_hour(self, calls: int, way: Way) -> None:
        for _ in range(calls):
            self.both.call([], way, None, 0.0)


RetryOfOneCall.TestCase.settings = settings(max_examples=50, stateful_step_count=25, deadline=None)
TestRetryOfOneCall = RetryOfOneCall.TestCase


@pytest.mark.parametrize("seed", range(44))
@pytest.mark.requirement("breaker:model")
def test_a_random_walk_finds_no_difference(seed: int) -> None:
    walk(make, seed, 25)
