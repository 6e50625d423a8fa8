"""The machine of holds against a naive ledger that is added up anew after every step."""

import random
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from fractions import Fraction
from math import ceil

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from holdfast.policy.holds import (
    Counter,
    Denied,
    Expire,
    Extend,
    Hold,
    Limit,
    Page,
    Release,
    Reserve,
    Settle,
    TopUp,
    Verb,
)

MakePage = Callable[[], Page]

HOUR, DAY = 10, 60
BACK = AHEAD = 3
"""Buckets of the rolling budget before and after the one that is charged."""
LEASE = 15.0
END = datetime(2026, 11, 23, tzinfo=UTC)
AMOUNTS = [0, 1, 999, 1_000, 1_001, 60_000, 150_000, 249_500, 300_000, 400_001, 700_000]
STEPS = [0.0, 1.0, 4.0, 5.0, 10.0, 14.9, 15.0, 16.0, 30.0, 61.0]
SUBSETS = [
    "day",
    "rolling",
    "user",
    "soft",
    "day rolling",
    "rolling user",
    "soft day",
    "day rolling user soft",
]


def limits_at(names: str, user: str, now: float) -> tuple[Limit, ...]:
    """The budgets of the model as they bind a hold that is taken now; limits are in nano-dollars."""
    hour, day = int(now // HOUR), int(now // DAY)
    whole = Limit(budget="", window="", counted=(), nano=None)
    known = {
        "day": replace(whole, window=f"day {day}", nano=1_000, alerts=(500, 800), resets_at=END),
        "rolling": replace(whole, window=f"hour {hour}", nano=700, alerts=(350,), is_full=False),
        "user": replace(whole, window=f"user {user}", subject=user, nano=400, alerts=(1, 400), is_full=False),
        "soft": replace(whole, window="soft", alerts=(300, 600, 900), is_full=False),
    }
    rolling = tuple(f"hour {number}" for number in range(hour - BACK, hour + AHEAD + 1))
    return tuple(
        replace(known[name], budget=name, counted=rolling if name == "rolling" else (known[name].window,))
        for name in names.split()
    )


@dataclass(kw_only=True)
class Story:
    """All that is known of one hold; dollars are nano-dollars, exactly."""

    limits: tuple[Limit, ...]
    amount: Fraction
    seen: Fraction
    lease_until: float
    state: str = "held"
    paid: Fraction = Fraction(0)
    fences: int = 0

    @property
    def presumed(self) -> Fraction:
        is_full = [limit.is_full for limit in self.limits]
        return max(self.amount, self.seen) if True in is_full else self.seen


@dataclass
class Naive:
    """The protocol read aloud: a list of stories, and sums that are made by going through all of them."""

    stories: dict[str, Story] = field(default_factory=dict[str, Story])
    told: list[tuple[str, int]] = field(default_factory=list[tuple[str, int]])
    alerts: list[tuple[str, str, int, int]] = field(default_factory=list[tuple[str, str, int, int]])
    overrun: set[str] = field(default_factory=set[str])

    def promised(self, window: str) -> int:
        return sum(ceil(story.amount) for story in self.of(window) if story.state == "held")

    def paid(self, window: str) -> int:
        return sum(ceil(story.paid) for story in self.of(window) if story.state != "held")

    def of(self, window: str) -> list[Story]:
        return [s for s in self.stories.values() if any(window == limit.window for limit in s.limits)]

    def room(self, limit: Limit) -> int:
        assert limit.nano is not None
        return limit.nano - sum(self.promised(key) + self.paid(key) for key in limit.counted)

    def has_room(self, limits: tuple[Limit, ...], wanted: int) -> bool:
        return all(limit.nano is None or max(0, self.room(limit)) >= wanted for limit in limits)

    def apply(self, verb: Verb, now: float) -> bool:
        """Whether there was room, where the verb wants some."""
        story = self.stories.get(verb.id)
        if isinstance(verb, Reserve):
            return story is not None or self.reserve(verb, now)
        if story is None:
            return True
        if isinstance(verb, TopUp):
            return self.top_up(story, Fraction(verb.amount, 1_000))
        if isinstance(verb, Extend) and story.state == "held":
            story.seen, story.lease_until = Fraction(verb.presumed, 1_000), now + verb.lease
        elif isinstance(verb, Expire) and story.state == "held" and story.lease_until <= now:
            story.fences += 1
            self.close(story, "expired", story.presumed)
        elif isinstance(verb, Settle) and story.state not in ("settled", "released"):
            self.close(story, "settled", Fraction(verb.actual, 1_000))
        elif isinstance(verb, Release) and story.state not in ("settled", "released"):
            self.close(story, "released", Fraction(0))
        return True

    def reserve(self, verb: Reserve, now: float) -> bool:
        amount = Fraction(verb.amount, 1_000)
        if not self.has_room(verb.limits, ceil(amount)):
            return False
        self.stories[verb.id] = Story(
            limits=verb.limits,
            amount=amount,
            seen=Fraction(verb.presumed, 1_000),
            lease_until=now + verb.lease,
        )
        return True

    def top_up(self, story: Story, amount: Fraction) -> bool:
        more = ceil(amount) - ceil(story.amount)
        if story.state != "held" or more <= 0:
            return True
        if not self.has_room(story.limits, more):
            return False
        story.amount = amount
        return True

    def close(self, story: Story, state: str, paid: Fraction) -> None:
        kept = story.amount if story.state == "held" else story.paid
        story.state, story.paid = state, paid
        if ceil(paid) > ceil(kept):
            self.overrun |= {limit.window for limit in story.limits}
        for limit in story.limits:
            sum_paid = sum(self.paid(key) for key in limit.counted)
            for threshold in limit.alerts:
                is_told = [told for key, told in self.told if key in limit.counted and told >= threshold]
                if not is_told and sum_paid >= threshold:
                    self.alerts.append((limit.budget, limit.window, threshold, sum_paid))
            self.told += [
                (limit.window, t) for b, w, t, _ in self.alerts if (b, w) == (limit.budget, limit.window)
            ]


@dataclass
class Pair:
    """The page and the naive ledger, driven together; any difference is an `AssertionError`."""

    page: Page
    naive: Naive = field(default_factory=Naive)
    now: float = 1_000.0
    ids: list[str] = field(default_factory=list[str])
    windows: dict[str, Limit] = field(default_factory=dict[str, Limit])

    def reserve(self, names: str, user: str, amount: int, presumed: int) -> None:
        self.ids.append(f"{len(self.ids)}/1")
        self.again(self.ids[-1], names, user, amount, presumed)

    def again(self, id: str, names: str, user: str, amount: int, presumed: int) -> None:
        """Reserve for an attempt that may have a hold already."""
        limits = limits_at(names, user, self.now)
        self.windows |= {limit.window: limit for limit in limits}
        self.apply(Reserve(id=id, limits=limits, amount=amount, presumed=presumed, lease=LEASE, owner="w1"))

    def apply(self, verb: Verb) -> None:
        had_room = self.naive.apply(verb, self.now)
        answer = self.page.apply(verb, now=self.now)
        self.compare(verb, answer, had_room=had_room)
        before = (dict(self.page.counters), dict(self.page.holds), list(self.page.crossings))
        if not isinstance(answer, Denied):
            repeated = self.page.apply(verb, now=self.now)
            assert repeated == answer
            assert before == (self.page.counters, self.page.holds, self.page.crossings)

    def compare(self, verb: Verb, answer: Hold | Denied | None, *, had_room: bool) -> None:
        assert isinstance(answer, Denied) is not had_room
        if isinstance(answer, Denied):
            self.check_denied(verb, answer)
        else:
            assert answer == self.page.holds.get(verb.id)
        self.check_holds()
        self.check_counters()
        assert self.naive.alerts == [
            (c.budget, c.window, c.threshold, c.settled) for c in self.page.crossings
        ]
        assert len(set(self.naive.alerts)) == len(self.naive.alerts)
        self.check_limits()

    def check_denied(self, verb: Verb, denied: Denied) -> None:
        story = self.naive.stories.get(verb.id)
        limits = verb.limits if isinstance(verb, Reserve) else story.limits if story else ()
        rooms = [max(0, self.naive.room(limit)) for limit in limits if limit.nano is not None]
        assert denied.limit in limits
        assert denied.remaining == min(rooms) == max(0, self.naive.room(denied.limit)) < denied.wanted
        assert denied.settled == sum(self.naive.paid(key) for key in denied.limit.counted)
        assert denied.reserved == sum(self.naive.promised(key) for key in denied.limit.counted)

    def check_holds(self) -> None:
        assert self.page.holds.keys() == self.naive.stories.keys()
        for id, story in self.naive.stories.items():
            hold = self.page.holds[id]
            assert (hold.state, hold.fence, hold.limits) == (story.state, story.fences, story.limits)
            assert Fraction(hold.amount, 1_000) == story.amount
            assert Fraction(hold.charged, 1_000) == story.paid
            assert Fraction(hold.presumed, 1_000) == story.presumed
            assert hold.lease_until == story.lease_until

    def check_counters(self) -> None:
        for window in self.windows:
            counter = self.page.counters.get(window, Counter())
            assert counter.settled == self.naive.paid(window)
            assert counter.reserved == self.naive.promised(window)
        assert self.page.counters.keys() <= self.windows.keys()

    def check_limits(self) -> None:
        """Nothing is overspent, but for what was settled above its hold."""
        for limit in self.windows.values():
            stretch = limit.counted[: BACK + 1]
            if limit.nano is not None and not self.naive.overrun & set(stretch):
                assert sum(self.naive.promised(key) + self.naive.paid(key) for key in stretch) <= limit.nano


WEIGHTS = {
    "reserve": 30,
    "again": 3,
    "extend": 8,
    "more": 12,
    "settle": 14,
    "release": 5,
    "expire": 12,
    "wait": 16,
}


def walk(make: MakePage, seed: int, steps: int) -> None:
    """One random walk over all verbs."""
    dice = random.Random(seed)
    both = Pair(make())
    for _ in range(steps):
        back = int(dice.random() ** 2 * min(8, len(both.ids)))
        step(both, both.ids[-1 - back] if both.ids else "x/1", dice)


def step(both: Pair, id: str, dice: random.Random) -> None:
    amount = dice.choice(AMOUNTS)
    verbs: dict[str, Verb] = {
        "extend": Extend(id=id, presumed=amount // 2, lease=LEASE),
        "more": TopUp(id=id, amount=amount),
        "settle": Settle(id=id, actual=amount // dice.choice([1, 3])),
        "release": Release(id=id),
        "expire": Expire(id=id),
    }
    act = dice.choices([*WEIGHTS], [*WEIGHTS.values()])[0]
    if act == "wait":
        both.now += dice.choice(STEPS)
    elif act == "reserve":
        both.reserve(dice.choice(SUBSETS), dice.choice("ab"), amount, dice.choice(AMOUNTS) // 4)
    elif act == "again":
        both.again(id, dice.choice(SUBSETS), "a", amount, amount // 2)
    else:
        both.apply(verbs[act])


def walks(make: MakePage, count: int) -> None:
    for seed in range(count):
        walk(make, seed, 60)


class PageAgainstNaive(RuleBasedStateMachine):
    amounts = st.sampled_from(AMOUNTS) | st.integers(0, 800_000)
    backs = st.integers(0, 6)

    @initialize()
    def start(self) -> None:
        self.both = Pair(Page())

    def id(self, back: int) -> str:
        return self.both.ids[-1 - back] if back < len(self.both.ids) else "x/1"

    @rule(names=st.sampled_from(SUBSETS), user=st.sampled_from("ab"), amount=amounts, presumed=amounts)
    def reserve(self, names: str, user: str, amount: int, presumed: int) -> None:
        self.both.reserve(names, user, amount, presumed)

    @rule(back=backs, names=st.sampled_from(SUBSETS), amount=amounts)
    def again(self, back: int, names: str, amount: int) -> None:
        if back < len(self.both.ids):
            self.both.again(self.id(back), names, "a", amount, amount // 2)

    @rule(back=backs, presumed=amounts)
    def extend(self, back: int, presumed: int) -> None:
        self.both.apply(Extend(id=self.id(back), presumed=presumed, lease=LEASE))

    @rule(back=backs, amount=amounts)
    def more(self, back: int, amount: int) -> None:
        self.both.apply(TopUp(id=self.id(back), amount=amount))

    @rule(back=backs, actual=amounts)
    def settle(self, back: int, actual: int) -> None:
        self.both.apply(Settle(id=self.id(back), actual=actual))

    @rule(back=backs)
    def release(self, back: int) -> None:
        self.both.apply(Release(id=self.id(back)))

    @rule(back=backs)
    def expire(self, back: int) -> None:
        self.both.apply(Expire(id=self.id(back)))

    @rule(step=st.sampled_from(STEPS) | st.floats(0, 100))
    def wait(self, step: float) -> None:
        self.both.now += step


PageAgainstNaive.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
TestPageAgainstNaive = PageAgainstNaive.TestCase


@pytest.mark.parametrize("seed", range(60))
def test_a_random_walk_finds_no_difference(seed: int) -> None:
    walk(Page, seed, 120)
