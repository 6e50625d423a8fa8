"""The inner ring in front of all upstreams, as the settings describe it."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import TypeVar

from holdfast.clock import Clock, Dice
from holdfast.credentials import keys_of
from holdfast.events import Observer
from holdfast.gossip import Gossip
from holdfast.policy.breaker import BreakerConfig
from holdfast.policy.gate import GateConfig
from holdfast.policy.retry import RetryBudget
from holdfast.policy.routing import SIMULATOR, UpstreamConfig
from holdfast.settings import Settings
from holdfast.simulator import Simulator
from holdfast.stores.quotas import Fleet
from holdfast.stores.watch import Chore
from holdfast.upstream.attempts import Attempts
from holdfast.upstream.circuits import Circuits
from holdfast.upstream.client import Client
from holdfast.upstream.gates import Gates
from holdfast.upstream.gossip import Grapevine, Names
from holdfast.upstream.inprocess import InProcessClient
from holdfast.upstream.pacing import Pacing
from holdfast.upstream.probes import Probes
from holdfast.upstream.request import Upstream
from holdfast.upstream.traced import Outgoing, TracedClient

Way = Callable[[str, UpstreamConfig, Settings], Client]
"""Opens the way to an upstream, by its name."""
Leased = TypeVar("Leased", BreakerConfig, GateConfig)
LISTEN_EVERY = 0.25
"""Seconds between two times that a worker hears of its peers; what it has to tell waits no longer than that."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Inner:
    """The inner ring in front of all upstreams, and what must be done again and again for it in a fleet."""

    ring: Attempts
    chores: tuple[tuple[float, Chore], ...] = ()


def inner_ring(
    settings: Settings,
    way: Way,
    clock: Clock,
    dice: Dice,
    observe: Observer,
    fleet: Fleet,
) -> Inner:
    """Every upstream with its circuits and gates; of a fleet, with the company of the other workers."""
    upstreams = _upstreams(settings, way)
    longest = settings.timeouts.deadline
    breaker, gate = _leased(settings.breaker, longest), _leased(settings.gates, longest)
    ring = Attempts(
        upstreams=upstreams,
        circuits=Circuits(breaker, clock=clock, dice=dice, observe=observe),
        gates=Gates(gate, clock=clock, dice=dice, observe=observe),
        retry=settings.retry,
        budgets={upstream.name: RetryBudget() for upstream in upstreams},
        stall=settings.timeouts.stall,
        substitutes=settings.failover.models,
        pacing=Pacing(clock=clock),
        clock=clock,
        dice=dice,
        observe=observe,
    )
    return Inner(ring=ring) if fleet.gossip is None else _in_company(ring, fleet, fleet.gossip, breaker)


def _in_company(ring: Attempts, fleet: Fleet, gossip: Gossip, breaker: BreakerConfig) -> Inner:
    """The same ring as a worker of a fleet has it: it tells how its circuits move, and probes by turns."""
    circuits, gates = ring.circuits, ring.gates
    grapevine = Grapevine(gossip, Names(ring.upstreams), clock=ring.clock)
    circuits.tell, gates.tell = grapevine.circuit_moved, grapevine.gate_moved
    probes = Probes(
        fleet.quotas,
        limit=breaker.permitted_calls_in_half_open,
        longest=breaker.permit_lease,
        clock=ring.clock,
    )
    exchange = partial(grapevine.exchange, circuits, gates)
    return Inner(
        ring=replace(ring, probes=probes), chores=((LISTEN_EVERY, exchange), (LISTEN_EVERY, probes.tend))
    )


def connect(config: UpstreamConfig, settings: Settings) -> Client:
    """The way to an upstream: the embedded simulator, or HTTP."""
    if config.url == SIMULATOR:
        simulator = settings.simulator
        return InProcessClient(Simulator(seed=simulator.seed, time_scale=simulator.time_scale))
    from holdfast.upstream.http import HttpClient

    return HttpClient(config.url, connect_timeout=settings.timeouts.connect)


def _leased(config: Leased, deadline: float) -> Leased:
    """The same settings with a lease that no honest call outlives."""
    return replace(config, permit_lease=max(config.permit_lease, deadline))


def traced(connect: Callable[[UpstreamConfig, Settings], Client], outgoing: Outgoing) -> Way:
    """The same ways to the upstreams, each told of the trace that its requests are part of."""
    return lambda name, config, settings: TracedClient(connect(config, settings), name, outgoing)


def _upstreams(settings: Settings, way: Way) -> tuple[Upstream, ...]:
    opened: list[Upstream] = []
    for name, config in settings.upstreams.items():
        key, further = keys_of(config)
        client = way(name, config, settings)
        opened.append(Upstream(name=name, config=config, client=client, key=key, further=further))
    return tuple(opened)
