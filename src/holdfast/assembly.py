"""The composition root: settings in, one pipeline and all it stands on out."""

import asyncio
import random
import secrets
from collections.abc import Callable
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import partial

from holdfast.call import Call, Incoming, Principal
from holdfast.clock import SYSTEM_CLOCK, Clock, Dice
from holdfast.credentials import no_key, no_key_named, secret
from holdfast.detectors.opening import Opened, opened
from holdfast.errors import ThreadUnsupported
from holdfast.events import Observer, together, unobserved
from holdfast.identity import kept
from holdfast.language import Sentence
from holdfast.operations.alerting import Alerting, Prepared, prepared
from holdfast.operations.key_ring import KeyRing, ring_of
from holdfast.orders import SILENCE
from holdfast.parts.prices import PriceBook
from holdfast.parts.suspicion import Suspicion
from holdfast.pipeline import Pipeline
from holdfast.policy.money import dollars
from holdfast.policy.routing import ANTHROPIC_URL, KEY_ENV, SIMULATOR, UpstreamConfig, circuit_name, serves
from holdfast.portal import Portal
from holdfast.ports import Store
from holdfast.ring import connect, inner_ring, traced
from holdfast.settings import Settings
from holdfast.stations import Floor, Stations, build, price, redis_url
from holdfast.stores.open import MEMORY, open_store
from holdfast.stores.quotas import open_fleet
from holdfast.telemetry.chronicle import Chronicle
from holdfast.telemetry.feed import Feed
from holdfast.telemetry.hearsay import EVERY as HEAR_EVERY
from holdfast.telemetry.hearsay import Hearsay
from holdfast.telemetry.history import History
from holdfast.telemetry.pulse import Pulse
from holdfast.telemetry.reporting import Reporting
from holdfast.upstream.attempts import Attempts
from holdfast.upstream.circuits import Circuits
from holdfast.upstream.client import Client
from holdfast.upstream.commit import EarlyCommit
from holdfast.upstream.direct import DirectProbe
from holdfast.upstream.fallback import with_fallback
from holdfast.upstream.gates import Gates
from holdfast.upstream.notice import Notices
from holdfast.upstream.output import looked_through
from holdfast.upstream.recorded import Recorded
from holdfast.upstream.relay import Relay
from holdfast.upstream.request import Upstream
from holdfast.upstream.tool_gate import gated
from holdfast.upstream.vitals import vitals
from holdfast.wire.headers import patience
from holdfast.wire.messages import MessagesRequest, read_request
from holdfast.wire.meter import Meter
from holdfast.wire.usage import Usage

ANTHROPIC = UpstreamConfig.at(ANTHROPIC_URL)
PATIENCE_MARGIN = 2.0
"""Seconds by which we answer before the client stops listening."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Runtime:
    """An open pipeline and all it stands on; every door works on one of these."""

    settings: Settings
    clock: Clock
    ledger: Store
    stations: Stations
    keys: Callable[[], KeyRing]
    feed: Feed
    prices: PriceBook
    ring: Attempts
    pipeline: Pipeline
    relay: Relay
    portal: Portal
    pulse: Pulse
    alerting: Alerting
    reporting: Reporting
    history: History
    chronicle: Chronicle
    probe: DirectProbe
    new_id: Callable[[], str]
    dear: Opened | None = None

    @property
    def circuits(self) -> Circuits:
        """The circuits of all targets."""
        return self.ring.circuits

    @property
    def gates(self) -> Gates:
        """The gates before all upstreams."""
        return self.ring.gates

    @property
    def upstreams(self) -> tuple[Upstream, ...]:
        """The upstreams in their order."""
        return tuple(self.ring.upstreams)

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
            parts.append((meter.model or call.tally.asked_model or call.request.model, meter.usage))
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
        self.alerting.begin()

    async def aclose(self) -> None:
        """End what runs for threads without a loop, write down what is queued, close every connection."""
        if self.portal.is_running and not self.portal.is_here:
            await asyncio.to_thread(self.portal.close)
        for upstream in self.upstreams:
            await upstream.client.aclose()
        await asyncio.to_thread(self.alerting.close)
        await asyncio.to_thread(self.stations.watch.close)
        await asyncio.to_thread(self.stations.recorder.close)
        await self.stations.quotas.aclose()
        if self.dear is not None:
            await self.dear.aclose()
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
    ears = _ears(settings, prices, clock, observe)
    fleet = open_fleet(redis_url(settings), clock=clock, workers=settings.fleet.workers, observe=ears.observe)
    way = traced(client or connect, ears.reporting.tracing.outgoing)
    inner = inner_ring(settings, way, clock, dice or random.Random(), ears.observe, fleet)
    ears.reporting.metrics.vitals = partial(vitals, inner.ring)
    is_shared = ledger is None and settings.store_url != MEMORY
    suspicion = Suspicion(config=settings.screen)
    dear = opened(settings.screen, secret=secret)
    # Opened last: nothing behind it can fail and leave it open.
    store = ledger if ledger is not None else open_store(settings.store_url)
    floor = Floor(
        settings=settings,
        store=store,
        is_shared=is_shared,
        prices=prices,
        clock=clock,
        observe=ears.observe,
        suspicion=suspicion,
        fleet=fleet,
        ask=inner.ring,
        new_id=new_request_id,
        dear=dear,
        chores=inner.chores,
    )
    return _opened(floor, ears, inner.ring)


def _opened(floor: Floor, ears: "_Ears", ring: Attempts) -> Runtime:
    """The pipeline on that floor, ready for calls."""
    settings, clock, store = floor.settings, floor.clock, floor.store
    probe = DirectProbe(ring.upstreams, settings.models.small, clock)
    stations = build(_in_company(floor, ears.pulse, probe))
    ears.reporting.metrics.instruments.recordings_lost = lambda: stations.recorder.lost
    ears.alerts.signals.add_gauge(lambda: stations.recorder.lost)
    send = _send(settings, ring, floor.suspicion, clock, ears.observe)
    guards = (ears.reporting.tracing.guard, *stations.guards)
    return Runtime(
        settings=settings,
        clock=clock,
        ledger=store,
        stations=stations,
        keys=ring_of(stations.watch, settings.store_url, clock),
        prices=floor.prices,
        ring=ring,
        pipeline=Pipeline(guards, send, ears.observe, clock),
        relay=Relay(ring.upstreams),
        portal=Portal(),
        feed=ears.feed,
        pulse=ears.pulse,
        alerting=ears.alerts.open(ears.pulse.verdict, store, lambda: stations.watch.entries(SILENCE)),
        reporting=ears.reporting,
        history=ears.history,
        chronicle=ears.chronicle,
        probe=probe,
        new_id=new_request_id,
        dear=floor.dear,
    )


def _in_company(floor: Floor, pulse: Pulse, probe: DirectProbe) -> Floor:
    """The same floor for a worker whose store others may share: it hears of their calls, and looks after bad news."""
    if not floor.is_shared:
        return floor

    async def look_after() -> None:
        if not pulse.verdict().is_ok:
            await probe.ask()

    hearsay = Hearsay(floor.store, pulse, floor.clock)
    return replace(floor, chores=(*floor.chores, (HEAR_EVERY, hearsay.listen), (HEAR_EVERY, look_after)))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Ears:
    """Everybody who hears of what happens; `observe` tells all of them."""

    feed: Feed
    pulse: Pulse
    alerts: Prepared
    reporting: Reporting
    history: History
    chronicle: Chronicle
    observe: Observer


def _ears(settings: Settings, prices: PriceBook, clock: Clock, observe: Observer) -> _Ears:
    feed, pulse, alerts = Feed(), Pulse(clock), prepared(settings, clock)
    history, chronicle = History(clock), Chronicle(clock)
    reporting = Reporting.of(_named(settings, prices), clock)
    return _Ears(
        feed=feed,
        pulse=pulse,
        alerts=alerts,
        reporting=reporting,
        history=history,
        chronicle=chronicle,
        observe=together(feed, pulse, alerts.signals, reporting, history, chronicle, observe),
    )


def _send(
    settings: Settings, ring: Attempts, suspicion: Suspicion, clock: Clock, observe: Observer
) -> Recorded:
    """The way to an answer behind all guards, and what is done to it on its way out."""
    answers = looked_through(with_fallback(ring, settings.fallback, clock), settings.output, observe)
    send = Notices(
        send=gated(answers, settings.tools, clock, suspicion.is_attack, observe, settings.screen.max_examined)
    )
    waits = settings.timeouts
    return Recorded(send=EarlyCommit(send=send, after=waits.commit_after, every=waits.ping_every))


def new_request_id() -> str:
    """An id that no other request has."""
    return f"hfr_{secrets.token_hex(12)}"


def has_key() -> bool:
    """Whether the usual key is there, in the environment or in the file named there; raises `ConfigError`."""
    return secret(KEY_ENV) is not None


def _with_upstreams(settings: Settings) -> Settings:
    return settings if settings.upstreams else replace(settings, upstreams={"anthropic": ANTHROPIC})


def _named(settings: Settings, prices: PriceBook) -> set[str]:
    """The models that an operator or a price list names."""
    models, failover = settings.models, settings.failover.models
    ours = {
        models.small,
        models.standard,
        models.large,
        *failover,
        *(two for one in failover.values() for two in one),
    }
    return ours.union(prices.models(), *(upstream.models for upstream in settings.upstreams.values()))


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
