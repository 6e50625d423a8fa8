"""The composition root: settings in, one pipeline and all it stands on out."""

import asyncio
import random
import secrets
from collections.abc import Callable
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import partial
from typing import TypeVar

from holdfast.call import Call, Incoming, Principal
from holdfast.clock import SYSTEM_CLOCK, Clock, Dice
from holdfast.credentials import keys_of, no_key, no_key_named, secret
from holdfast.errors import ThreadUnsupported
from holdfast.events import Observer, unobserved
from holdfast.gossip import Gossip
from holdfast.identity import kept
from holdfast.language import Sentence
from holdfast.parts.prices import PriceBook
from holdfast.parts.suspicion import Suspicion
from holdfast.pipeline import Pipeline
from holdfast.policy.breaker import BreakerConfig
from holdfast.policy.gate import GateConfig
from holdfast.policy.money import dollars
from holdfast.policy.retry import RetryBudget
from holdfast.policy.routing import ANTHROPIC_URL, KEY_ENV, SIMULATOR, UpstreamConfig, circuit_name, serves
from holdfast.portal import Portal
from holdfast.ports import Store
from holdfast.settings import Settings
from holdfast.simulator import Simulator
from holdfast.stations import Floor, Stations, build, price, redis_url
from holdfast.stores.open import MEMORY, open_store
from holdfast.stores.quotas import Fleet, open_fleet
from holdfast.stores.watch import Chore
from holdfast.upstream.attempts import Attempts
from holdfast.upstream.circuits import Circuits
from holdfast.upstream.client import Client
from holdfast.upstream.commit import EarlyCommit
from holdfast.upstream.fallback import with_fallback
from holdfast.upstream.gates import Gates
from holdfast.upstream.gossip import Grapevine, Names
from holdfast.upstream.inprocess import InProcessClient
from holdfast.upstream.notice import Notices
from holdfast.upstream.output import looked_through
from holdfast.upstream.pacing import Pacing
from holdfast.upstream.probes import Probes
from holdfast.upstream.relay import Relay
from holdfast.upstream.request import Upstream
from holdfast.upstream.tool_gate import gated
from holdfast.wire.headers import patience
from holdfast.wire.messages import MessagesRequest, read_request
from holdfast.wire.meter import Meter
from holdfast.wire.usage import Usage

ANTHROPIC = UpstreamConfig.at(ANTHROPIC_URL)
Leased = TypeVar("Leased", BreakerConfig, GateConfig)
PATIENCE_MARGIN = 2.0
"""Seconds by which we answer before the client stops listening."""
LISTEN_EVERY = 0.25
"""Seconds between two times that a worker hears of its peers; what it has to tell waits no longer than that."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Runtime:
    """An open pipeline and all it stands on; every door works on one of these."""

    settings: Settings
    clock: Clock
    ledger: Store
    stations: Stations
    prices: PriceBook
    circuits: Circuits
    gates: Gates
    upstreams: tuple[Upstream, ...]
    pipeline: Pipeline
    relay: Relay
    portal: Portal
    new_id: Callable[[], str]

    def call(
        self, incoming: Incoming, principal: Principal, *, request_id: str, attempts: int | None = None
    ) -> Call:
        """A call that begins now and must be over when the client's patience or the configured time ends.

        Raises `MalformedRequest` for what is no Messages request.
        """
        request = read_request(incoming.body)
        _refuse_thread(request)
        started = self.clock.monotonic()
        allowed = self.settings.timeouts.deadline
        if (waits := patience(incoming.headers)) is not None:
            allowed = min(allowed, max(1.0, waits - PATIENCE_MARGIN))
        return Call(
            request_id=request_id,
            principal=kept(principal, request.user_id),
            request=request,
            body=incoming.body,
            headers=incoming.headers,
            query=incoming.query,
            arrived=self.clock.now(),
            started=started,
            deadline=started + allowed,
            attempts=attempts,
        )

    def cost(self, call: Call, meter: Meter | None) -> Decimal | None:
        """Exact dollars of a call so far, attempts in vain included; `None` when no price is known."""
        parts = [
            (lost.served_model or lost.model, lost.usage)
            for lost in call.tally.spent
            if lost.usage != Usage()
        ]
        if meter is not None and not meter.is_unbilled:
            parts.append((meter.model or call.request.model, meter.usage))
        costs = [price(self.prices)(model, usage, call.arrived) for model, usage in parts]
        return None if None in costs else dollars(sum(cost for cost in costs if cost is not None))

    def circuit_state(self, model: str) -> str:
        """The state of the circuit that a call for `model` meets first."""
        first = next((upstream for upstream in self.upstreams if serves(upstream.config, model)), None)
        return "closed" if first is None else self.circuits.state(circuit_name(first.name, model))

    def require_keys(self) -> None:
        """Raise `KeyMissing` when an upstream needs a key and it is nowhere to be found."""
        for upstream in self.upstreams:
            if upstream.config.url == SIMULATOR:
                continue
            for variable in upstream.config.key_envs:
                if variable not in upstream.further:
                    raise no_key(variable)
            if upstream.key is not None:
                continue
            if upstream.config.key_env is not None:
                raise no_key(upstream.config.key_env)
            if upstream.config.url.rstrip("/") == ANTHROPIC_URL:
                raise no_key_named(upstream.name)

    async def begin(self) -> None:
        """Look up what is stopped and whose workers were lost, and go on looking; the first call does it, too."""
        await self.stations.watch.begin()

    async def aclose(self) -> None:
        """End what runs for threads without a loop, write down what is queued, close every connection."""
        if self.portal.is_running and not self.portal.is_here:
            await asyncio.to_thread(self.portal.close)
        for upstream in self.upstreams:
            await upstream.client.aclose()
        await asyncio.to_thread(self.stations.watch.close)
        await self.stations.quotas.aclose()
        await self.ledger.aclose()

    def close(self) -> None:
        """`aclose` for threads without a loop."""
        self.portal.call(self.aclose())
        self.portal.close()


def assemble(
    settings: Settings,
    *,
    clock: Clock = SYSTEM_CLOCK,
    dice: Dice | None = None,
    observe: Observer = unobserved,
    client: Callable[[UpstreamConfig, Settings], Client] | None = None,
    ledger: Store | None = None,
) -> Runtime:
    """Build everything the settings describe; raises `ConfigError` and `StoreUnavailable`."""
    settings = _with_upstreams(settings)
    prices = PriceBook.default(config=settings.pricing, clock=clock)
    fleet = open_fleet(redis_url(settings), clock=clock, workers=settings.fleet.workers, observe=observe)
    inner = _inner(settings, client or connect, clock, dice or random.SystemRandom(), observe, fleet)
    ring = inner.ring
    suspicion = Suspicion(config=settings.screen)
    answers = looked_through(with_fallback(ring, settings.fallback, clock), settings.output, observe)
    send = Notices(send=gated(answers, settings.tools, clock, suspicion.is_attack, observe))
    # Opened last: nothing behind it can fail and leave it open.
    is_shared = ledger is None and settings.store_url != MEMORY
    store = ledger if ledger is not None else open_store(settings.store_url)
    stations = build(
        Floor(
            settings=settings,
            store=store,
            is_shared=is_shared,
            prices=prices,
            clock=clock,
            observe=observe,
            suspicion=suspicion,
            fleet=fleet,
            chores=inner.chores,
        )
    )
    return Runtime(
        settings=settings,
        clock=clock,
        ledger=store,
        stations=stations,
        prices=prices,
        circuits=ring.circuits,
        gates=ring.gates,
        upstreams=tuple(ring.upstreams),
        pipeline=Pipeline(
            stations.guards, EarlyCommit(send=send, after=settings.timeouts.commit_after), observe
        ),
        relay=Relay(ring.upstreams),
        portal=Portal(),
        new_id=new_request_id,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Inner:
    """The inner ring in front of all upstreams, and what must be done again and again for it in a fleet."""

    ring: Attempts
    chores: tuple[tuple[float, Chore], ...] = ()


def _inner(
    settings: Settings,
    connect: Callable[[UpstreamConfig, Settings], Client],
    clock: Clock,
    dice: Dice,
    observe: Observer,
    fleet: Fleet,
) -> _Inner:
    upstreams = _upstreams(settings, connect)
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
    return _Inner(ring=ring) if fleet.gossip is None else _in_company(ring, fleet, fleet.gossip, breaker)


def _in_company(ring: Attempts, fleet: Fleet, gossip: Gossip, breaker: BreakerConfig) -> _Inner:
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
    return _Inner(
        ring=replace(ring, probes=probes), chores=((LISTEN_EVERY, exchange), (LISTEN_EVERY, probes.tend))
    )


def new_request_id() -> str:
    """An id that no other request has."""
    return f"hfr_{secrets.token_hex(12)}"


def connect(config: UpstreamConfig, settings: Settings) -> Client:
    """The way to an upstream: the embedded simulator, or HTTP."""
    if config.url == SIMULATOR:
        simulator = settings.simulator
        return InProcessClient(Simulator(seed=simulator.seed, time_scale=simulator.time_scale))
    from holdfast.upstream.http import HttpClient

    return HttpClient(config.url, connect_timeout=settings.timeouts.connect)


def has_key() -> bool:
    """Whether the usual key is there, in the environment or in the file named there; raises `ConfigError`."""
    return secret(KEY_ENV) is not None


def _with_upstreams(settings: Settings) -> Settings:
    return settings if settings.upstreams else replace(settings, upstreams={"anthropic": ANTHROPIC})


def _leased(config: Leased, deadline: float) -> Leased:
    """The same settings with a lease that no honest call outlives."""
    return replace(config, permit_lease=max(config.permit_lease, deadline))


def _upstreams(
    settings: Settings, connect: Callable[[UpstreamConfig, Settings], Client]
) -> tuple[Upstream, ...]:
    opened: list[Upstream] = []
    for name, config in settings.upstreams.items():
        key, further = keys_of(config)
        client = connect(config, settings)
        opened.append(Upstream(name=name, config=config, client=client, key=key, further=further))
    return tuple(opened)


def _refuse_thread(request: MessagesRequest) -> None:
    """A threaded request hides the conversation from every guard; this answer makes the SDK resend it whole."""
    if request.thread:
        raise ThreadUnsupported(
            Sentence(
                "thread: message threads are not served here, send the whole conversation",
                ko="thread: 여기서는 메시지 스레드를 쓸 수 없습니다. 대화 전체를 보내세요",
            ),
            details={"unsupported": ["inference_hooks"]},
        )
