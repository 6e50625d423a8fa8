"""What happens in one simulated run: everything about it follows from its seed."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from decimal import Decimal
from random import Random
from typing import Literal

from holdfast.policy.breaker import BreakerConfig
from holdfast.policy.budget import BudgetConfig, Rung
from holdfast.settings import TimeoutsConfig
from holdfast.simulator import (
    BigEvent,
    BrownOut,
    Capacity,
    Chunks,
    CleanEnd,
    ContentType,
    Delay,
    Dialect,
    Duplicate,
    Endless,
    ErrorEvent,
    Fault,
    Gzip,
    HalfBody,
    HangUp,
    Malformed,
    ManyDeltas,
    Missing,
    OddUsage,
    OtherBody,
    Outage,
    OutOfOrder,
    RateLimits,
    Refusal,
    Refuse,
    Reset,
    SlowHeaders,
    Stall,
    Status,
    StopReason,
    WrongIndex,
)
from holdfast.simulator.actions import Action, kind_of

Form = Literal["plain", "stream", "agent", "agent stream"]
FORMS: tuple[Form, ...] = ("plain", "stream", "stream", "stream", "agent", "agent stream")
MODELS = ("claude-haiku-5-5", "claude-sonnet-5-5")
STATUSES = (400, 401, 402, 403, 404, 408, 409, 413, 422, 429, 500, 501, 502, 503, 504, 529)
LONGEST = 90.0
"""Seconds after which every caller hangs up, so that a stream without end ends the run."""

FREE: tuple[Callable[[Random], Action], ...] = (
    lambda dice: Status(dice.choice(STATUSES)),
    lambda dice: Status(429, retry_after=dice.choice((0.5, 2.0, 20.0, 400.0))),
    lambda dice: Status(dice.choice((502, 503)), body="<html>", content_type="text/html"),
    lambda dice: Refusal(dice.choice(("ramp_limit_exceeded", "overloaded", "enforced_spend_limit_reached"))),
    lambda _: Refuse(),
    lambda dice: ErrorEvent(0, dice.choice(("overloaded_error", "api_error", "rate_limit_error"))),
)
"""Faults that cost nothing."""

HARMLESS: tuple[Callable[[Random], Action], ...] = (
    lambda dice: Chunks(size=dice.randint(20, 200)),
    lambda dice: Dialect(crlf=dice.random() < 0.5, write_bytes=dice.choice((0, 40, 90))),
    lambda _: ManyDeltas(),
    lambda dice: StopReason(dice.choice(("max_tokens", "pause_turn", "end_turn"))),
    lambda dice: Delay(dice.uniform(0, 2), before="first_event"),
    lambda _: SlowHeaders(every=0.002),
)
"""Odd answers that are whole and priced as they say."""

EDITED: tuple[Callable[[Random], Action], ...] = (
    lambda dice: Duplicate(dice.randint(1, 8)),
    lambda dice: Missing(dice.randint(1, 8)),
    lambda dice: OutOfOrder(dice.randint(1, 8)),
    lambda dice: WrongIndex(dice.randint(2, 8)),
    lambda dice: Malformed(dice.randint(0, 6)),
    lambda _: BigEvent(size=50_000),
)
"""Streams that come to their end, but are wrong on the way."""

BROKEN: tuple[Callable[[Random], Action], ...] = (
    lambda dice: Reset(dice.choice(("request", "headers", dice.randint(1, 10)))),
    lambda dice: HangUp(dice.choice(("request", "headers", dice.randint(1, 10)))),
    lambda dice: CleanEnd(dice.randint(0, 10)),
    lambda dice: HalfBody(dice.random()),
    lambda dice: Stall(
        dice.randint(0, 8), seconds=dice.choice((None, 3.0, 30.0)), ping_every=dice.choice((None, 2.0))
    ),
    lambda dice: ErrorEvent(dice.randint(1, 10)),
    lambda dice: Endless(dice.randint(2, 8), every=dice.uniform(0.5, 2)),
    lambda dice: OtherBody(dice.choice(("", "{}", "[1]", "<html>"))),
    lambda dice: Delay(dice.uniform(5, 60)),
    lambda _: Gzip(unasked=True, broken="truncated"),
    lambda dice: ContentType(dice.choice(("text/html", "text/plain"))),
)
"""Answers that break, hang, or are none."""

LYING: tuple[Callable[[Random], Action], ...] = (
    lambda dice: OddUsage(dice.choice(("missing", "zero", "shrinking"))),
)
"""An upstream that bills what it does not tell: nobody behind it can know."""

EXACT = frozenset(kind_of(make(Random(0))) for make in (*FREE[:5], *HARMLESS)) | {None}
"""Kinds of faults after which the price is known exactly; `None` is no fault."""


BUDGETS: tuple[Callable[[Random], BudgetConfig], ...] = (
    lambda _: BudgetConfig(usd=Decimal(100), per="day"),
    lambda dice: BudgetConfig(usd=_tight(dice), per=dice.choice(("total", "hour", timedelta(hours=1)))),
    lambda dice: BudgetConfig(usd=_tight(dice), per="day", scope=dice.choice(("user", "tag:team", "model"))),
    lambda dice: BudgetConfig(usd=_tight(dice), per="run", scope="run"),
    lambda dice: BudgetConfig(usd=_tight(dice), per="day", mode="clamp", min_tokens=dice.choice((1, 4))),
    lambda dice: BudgetConfig(usd=_tight(dice), per="total", mode="expected"),
    lambda dice: BudgetConfig(usd=_tight(dice), per="day", hard=False, alert_at=(Decimal("0.1"),)),
    lambda dice: BudgetConfig(usd=_tight(dice), per="total", ladder=_ladder(dice)),
)
"""Budgets that are met in simulated runs, from one that nobody reaches to those that most runs do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """One client: when it comes, how it asks, how long it would wait, and when it hangs up."""

    number: int
    form: Form
    model: str
    max_tokens: int
    arrives: float
    calls: int = 1
    pause: float = 0.5
    patience: float | None = None
    hangs_up: float = LONGEST
    hangs_up_after_chunks: int | None = None
    reads_slowly: float = 0.0
    user: str | None = None
    run: str | None = None
    team: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Upstream:
    """One Messages API and what will go wrong with it."""

    faults: tuple[Fault, ...] = ()
    profile: tuple[Outage | BrownOut, ...] = ()
    capacity: Capacity | None = None
    limits: RateLimits | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """A run: its upstreams, its callers, its settings."""

    seed: int
    upstreams: tuple[Upstream, ...]
    callers: tuple[Caller, ...]
    timeouts: TimeoutsConfig
    breaker: BreakerConfig
    budgets: Mapping[str, BudgetConfig] = field(default_factory=dict[str, BudgetConfig])


def scenario(seed: int) -> Scenario:
    """The scenario of a seed; three in four have budgets."""
    plain, dice = _without_budgets(seed), Random(seed + 10**9)
    chosen = dice.sample(BUDGETS, dice.choice((0, 1, 1, 2)))
    return replace(
        plain,
        budgets={f"b{number}": make(dice) for number, make in enumerate(chosen)},
        callers=tuple(_named(dice, caller) for caller in plain.callers),
    )


def _without_budgets(seed: int) -> Scenario:
    dice = Random(seed)
    mood = dice.choice(("calm", "free", "broken", "any", "any"))
    return Scenario(
        seed=seed,
        upstreams=tuple(_upstream(dice, mood) for _ in range(dice.choice((1, 1, 2)))),
        callers=tuple(_caller(dice, number, mood) for number in range(dice.randint(5, 20))),
        timeouts=TimeoutsConfig(
            deadline=dice.choice((5.0, 20.0, 60.0)), stall=dice.choice((4.0, 10.0, 20.0))
        ),
        breaker=BreakerConfig(
            failure_threshold=dice.choice((2, 3, 5)),
            permitted_calls_in_half_open=dice.randint(1, 3),
            success_threshold=dice.randint(1, 2),
            recovery_timeout=dice.choice((0.5, 2.0, 5.0)),
            permit_lease=dice.choice((3.0, 60.0)),
        ),
    )


def _upstream(dice: Random, mood: str) -> Upstream:
    kinds = {
        "calm": HARMLESS,
        "free": (*FREE, *HARMLESS),
        "broken": (*BROKEN, *EDITED),
        "any": (*FREE, *HARMLESS, *EDITED, *BROKEN, *LYING),
    }[mood]
    calm = mood == "calm"
    return Upstream(
        faults=tuple(_fault(dice, kinds) for _ in range(dice.randint(0, 6))),
        profile=() if calm else tuple(_stretch(dice) for _ in range(dice.choice((0, 0, 1, 2)))),
        capacity=None if calm or dice.random() < 0.7 else Capacity(concurrent=dice.randint(1, 4), queue=2),
        limits=None if calm or dice.random() < 0.8 else RateLimits(requests=dice.randint(5, 60)),
    )


def _fault(dice: Random, kinds: tuple[Callable[[Random], Action], ...]) -> Fault:
    after = dice.uniform(0, 15)
    return Fault(
        dice.choice(kinds)(dice),
        stream=dice.choice((None, None, True, False)),
        after=dice.choice((0.0, after)),
        until=dice.choice((None, after + dice.uniform(1, 20))),
        times=dice.choice((1, 2, 5, None)),
        nth=dice.randint(1, 3),
        probability=dice.choice((1.0, dice.random())),
    )


def _stretch(dice: Random) -> Outage | BrownOut:
    start = dice.uniform(0, 10)
    end = start + dice.uniform(1, 20)
    if dice.random() < 0.5:
        action = dice.choice((None, Refuse(), Reset()))
        return Outage(start, end, status=dice.choice((500, 503, 529)), action=action)
    return BrownOut(start, end, error_rate=dice.random(), latency_factor=dice.uniform(1, 10))


def _caller(dice: Random, number: int, mood: str) -> Caller:
    leaves = mood in ("broken", "any") and dice.random() < 0.3
    return Caller(
        number=number,
        form=dice.choice(FORMS),
        model=dice.choice((MODELS[0], *MODELS)),
        max_tokens=dice.choice((1, 8, 24)),
        arrives=dice.uniform(0.01, 20),
        calls=dice.choice((1, 1, 1, 2)),
        pause=dice.uniform(0.1, 3),
        patience=dice.choice((None, None, 4.0, 30.0)),
        hangs_up=dice.uniform(0.02, 3) if leaves and dice.random() < 0.6 else LONGEST,
        hangs_up_after_chunks=dice.randint(0, 6) if leaves else None,
        reads_slowly=dice.choice((0.0, 0.0, 0.0, 0.3)),
    )


def _named(dice: Random, caller: Caller) -> Caller:
    return replace(
        caller,
        user=dice.choice((None, "alice", "bob")),
        run=dice.choice((None, "run-1", "run-2", "run-3")),
        team=dice.choice((None, "search", "chat")),
    )


def _tight(dice: Random) -> Decimal:
    """Dollars for one to a few dozen calls."""
    return Decimal(dice.choice((30, 100, 400, 1_500))) / 1_000_000


def _ladder(dice: Random) -> tuple[Rung, ...]:
    cheap = Rung(at=Decimal("0.2"), do="degrade", model=MODELS[0], max_tokens=dice.choice((None, 4)))
    last = Rung(at=Decimal("0.6"), do=dice.choice(("ask", "refuse")))
    return (Rung(at=Decimal("0.1"), do="alert"), cheap, last)
