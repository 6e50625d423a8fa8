"""The stage of the demo: a real gateway over the embedded simulator, with a book in memory and money that is none."""

import secrets
from collections import deque
from dataclasses import dataclass, field
from decimal import Decimal
from random import Random

from holdfast.assembly import assemble
from holdfast.clock import SYSTEM_CLOCK, Clock
from holdfast.console.tickets import Tickets
from holdfast.demo.questions import RUNAWAY
from holdfast.demo.tempo import QuickClock
from holdfast.events import Event
from holdfast.gateway.app import Gateway
from holdfast.hold import Holdfast
from holdfast.policy.breaker import BreakerConfig
from holdfast.policy.budget import BudgetConfig
from holdfast.policy.caching import CacheConfig
from holdfast.policy.fallback import FallbackConfig
from holdfast.policy.gate import GateConfig
from holdfast.policy.gateway import GatewayConfig
from holdfast.policy.route import RouteConfig, RouteRule
from holdfast.policy.routing import SIMULATOR, UpstreamConfig
from holdfast.policy.taint import TaintConfig
from holdfast.settings import Settings, SimulatorConfig, StoreConfig
from holdfast.simulator import Simulator
from holdfast.simulator.latency import Latency, Pace
from holdfast.stores.memory import MemoryStore
from holdfast.stores.open import MEMORY
from holdfast.upstream.inprocess import InProcessClient

FALLBACK = "We cannot look that up right now; we have noted your question. / 지금은 확인할 수 없어 질문을 남겨 두었습니다."
RUN_BUDGET = Decimal("0.25")
BUDGET = "per-run"
RECOVERY = 4.0
"""Seconds that a circuit stays open."""
DRAIN = 0.5
MOST_EVENTS = 20_000
"""Of those that nobody takes: the demo may go on for days."""
PACES = {
    "haiku": Pace(first_token=0.25, tokens_per_second=200),
    "sonnet": Pace(first_token=0.4, tokens_per_second=160),
    "opus": Pace(first_token=0.45, tokens_per_second=160),
}
"""A little quicker than they are: the story is short."""


@dataclass(kw_only=True)
class Stage:
    """A gateway, the simulator behind it, and the events that nobody has taken yet."""

    clock: Clock
    simulator: Simulator
    hold: Holdfast
    tickets: Tickets
    seed: int
    token: str = field(repr=False)
    events: deque[Event] = field(default_factory=lambda: deque[Event](maxlen=MOST_EVENTS))

    def gateway(self) -> Gateway:
        """The gateway, with its Admin API and its console."""
        return self.hold.asgi(admin_token=self.token, tickets=self.tickets)


def settings(seed: int) -> Settings:
    """What the demo is set to; all that is not named here is as it is for everybody."""
    return Settings(
        store=StoreConfig(url=MEMORY),
        gateway=GatewayConfig(drain_timeout=DRAIN),
        upstreams={SIMULATOR: UpstreamConfig(url=SIMULATOR)},
        simulator=SimulatorConfig(seed=seed),
        breaker=BreakerConfig(
            recovery_timeout=RECOVERY,
            recovery_timeout_max=RECOVERY,
            success_threshold=3,
            permitted_calls_in_half_open=3,
        ),
        # Usually such results are fenced and only tools that act are looked at; here a refusal shows more.
        tools=TaintConfig(fence=False),
        gates=GateConfig(probe_interval=RECOVERY),
        # Calls without a run would count as one run together, and go on for as long as the demo does.
        budgets={BUDGET: BudgetConfig(usd=RUN_BUDGET, per="run", scope="run", where={"user": RUNAWAY})},
        cache=CacheConfig(enabled=True),
        fallback=FallbackConfig(text=FALLBACK, cached=True),
        route=RouteConfig(
            enabled=True,
            models=("auto",),
            rules=(
                RouteRule(to="small", name="short-question", tokens_under=200),
                RouteRule(to="standard", name="with-documents"),
            ),
        ),
    )


def build(*, seed: int, speed: float, clock: Clock = SYSTEM_CLOCK) -> Stage:
    """The stage, on which all takes a `speed`-th of its time."""
    quick = clock if speed == 1 else QuickClock(clock, speed)
    simulator = Simulator(seed=seed, clock=quick, keep=100_000, latency=Latency(paces=PACES))
    events = deque[Event](maxlen=MOST_EVENTS)
    runtime = assemble(
        settings(seed),
        clock=quick,
        dice=Random(seed),
        observe=events.append,
        client=lambda config, settings: InProcessClient(simulator),
        ledger=MemoryStore(clock=quick),
    )
    return Stage(
        clock=quick,
        simulator=simulator,
        hold=Holdfast(observe=events.append, runtime=runtime),
        tickets=Tickets(SYSTEM_CLOCK),
        seed=seed,
        token=secrets.token_urlsafe(24),
        events=events,
    )
