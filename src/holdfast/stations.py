"""The guards of one pipeline in their order, and what an operator holds them by."""

import os
import secrets
import socket
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from hashlib import sha256

from holdfast.bookkeeping import Bookkeeper
from holdfast.clock import Clock
from holdfast.credentials import secret
from holdfast.detectors.judge import JUDGE, JudgeDetector
from holdfast.detectors.opening import Opened
from holdfast.detectors.remembered import Remembered
from holdfast.errors import StoreUnavailable, UnknownModel
from holdfast.events import BudgetAlerted, HoldsExpired, Observer
from holdfast.guards.budget import BudgetGuard
from holdfast.guards.cache import CacheGuard
from holdfast.guards.cache_bust import CacheBustGuard
from holdfast.guards.fence import FenceGuard
from holdfast.guards.pins import PinGuard
from holdfast.guards.quota import QuotaGuard
from holdfast.guards.record import RecordGuard
from holdfast.guards.recorder import RecorderGuard
from holdfast.guards.route import RouteGuard
from holdfast.guards.run import RunGuard
from holdfast.guards.screen import ScreenGuard
from holdfast.guards.stop import StopGuard
from holdfast.orders import KINDS, Orders
from holdfast.parts.allowance import Allowance
from holdfast.parts.cache import Cache
from holdfast.parts.cache_bust import Conversations
from holdfast.parts.cascade import Cascade
from holdfast.parts.fairness import WaitingRoom
from holdfast.parts.linear import LinearDetector
from holdfast.parts.prices import PriceBook
from holdfast.parts.redactor import Redactor
from holdfast.parts.route import Route
from holdfast.parts.sightings import Sightings
from holdfast.parts.suspicion import Suspicion
from holdfast.pipeline import Guard, Pipeline, Send
from holdfast.policy.budget import BudgetConfig
from holdfast.policy.expectation import Expectation
from holdfast.policy.money import pico
from holdfast.policy.pins import PIN
from holdfast.policy.price_table import ModelFacts
from holdfast.policy.routing import serves
from holdfast.ports import QuotaStore, Store
from holdfast.settings import Settings
from holdfast.stores.bodies import open_bodies
from holdfast.stores.open import MEMORY
from holdfast.stores.quotas import Fleet
from holdfast.stores.recorder import Recorder
from holdfast.stores.spool import Spool, SpooledLedger
from holdfast.stores.stop_file import spool_folder, stop_file
from holdfast.stores.watch import Chore, Watch
from holdfast.wire.usage import Usage

SWEEP_EVERY = 5.0
"""Seconds between two searches for holds whose workers are lost."""

PRUNE_EVERY = 3_600.0
"""Seconds between two searches for rows that are old enough to be forgotten."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Floor:
    """What every station stands on; `chores` are done besides, each every so many seconds.

    `ask` sends a question of our own, whose id is a `new_id`; `dear` judges texts in doubt.
    """

    settings: Settings
    store: Store
    is_shared: bool
    prices: PriceBook
    clock: Clock
    observe: Observer
    suspicion: Suspicion
    fleet: Fleet
    ask: Send
    new_id: Callable[[], str]
    dear: Opened | None = None
    chores: Sequence[tuple[float, Chore]] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Stations:
    """The guards, outermost first, and the standing orders that they obey.

    `sightings` is what each rule of the screen has seen; `route` and `cache` say what those of the settings saved.
    """

    guards: tuple[Guard, ...]
    watch: Watch
    orders: Orders
    stop: StopGuard
    quotas: QuotaStore
    recorder: Recorder
    sightings: Sightings
    route: Route
    cache: Cache


def build(floor: Floor) -> Stations:
    """The stations that the settings describe."""
    settings, store, clock, observe = floor.settings, floor.store, floor.clock, floor.observe
    spool = Spool(spool_folder(settings.store_url), clock=clock) if floor.is_shared else None
    book: Store | SpooledLedger = store if spool is None else SpooledLedger(store, spool, clock=clock)
    recorder = _recorder(floor)
    own = [(SWEEP_EVERY, _sweeping(floor, spool)), (PRUNE_EVERY, _pruning(floor, recorder))]
    watch = Watch(
        store,
        KINDS,
        clock=clock,
        is_alone=not (floor.is_shared or floor.chores),
        file=stop_file(settings.store_url) if floor.is_shared else None,
        chores=[*(own if floor.is_shared else ()), *floor.chores],
    )
    orders = Orders(watch, settings.budgets, observe=observe)
    stop = StopGuard(begin=watch.begin, stops=orders.stops, clock=clock, observe=observe)
    watch.listen(stop.enforce)
    books = Bookkeeper(price=price(floor.prices), price_version=floor.prices.version)
    budget = _budget(floor, orders, book, books)
    record = RecordGuard(ledger=book, books=books, clock=clock, observe=observe)
    route, cache = Route.of(settings.route), Cache.of(settings.cache, clock)
    screen = _screen(floor, (record, stop, _judges(budget, settings)))
    guards: tuple[Guard, ...] = (
        record,
        stop,
        RecorderGuard(recordings=orders.recordings, take=recorder.take),
        screen,
        _pins(floor, watch),
        FenceGuard(config=settings.tools, suspicion=floor.suspicion, observe=observe),
        _route(floor, route),
        RunGuard(runs=store, config=settings.runs, observe=observe),
        _quota(floor),
        _cache(floor, cache),
        budget,
        _cache_bust(floor),
    )
    return Stations(
        guards=guards,
        watch=watch,
        orders=orders,
        stop=stop,
        quotas=floor.fleet.quotas,
        recorder=recorder,
        sightings=screen.sightings,
        route=route,
        cache=cache,
    )


def _route(floor: Floor, route: Route) -> RouteGuard:
    upstreams = tuple(floor.settings.upstreams.values())

    def facts(model: str) -> ModelFacts | None:
        known = floor.prices.table.find(model)
        return None if known is None else known.facts

    return RouteGuard(
        config=floor.settings.route,
        models=floor.settings.models,
        facts=facts,
        serves=lambda model: any(serves(config, model) for config in upstreams),
        price=price(floor.prices),
        told=route.told,
        observe=floor.observe,
    )


def _cache(floor: Floor, cache: Cache) -> CacheGuard:
    settings = floor.settings
    shaping = f"{settings.output!r} {settings.tools!r}"
    return CacheGuard(
        cache=cache.own,
        fleet=floor.fleet.answers,
        secret=floor.fleet.secret,
        price=price(floor.prices),
        clock=floor.clock,
        rules=sha256(shaping.encode()).hexdigest(),
        observe=floor.observe,
    )


def _budget(floor: Floor, orders: Orders, book: Store | SpooledLedger, books: Bookkeeper) -> BudgetGuard:
    return BudgetGuard(
        budgets=orders.budgets,
        approved=orders.approved,
        holds=book,
        ledger=book,
        prices=floor.prices,
        books=books,
        clock=floor.clock,
        owner=_worker(),
        observe=floor.observe,
        emergency=Allowance(pico(floor.settings.store.emergency_usd, name="store.emergency_usd")),
    )


def _recorder(floor: Floor) -> Recorder:
    settings = floor.settings
    bodies = open_bodies(settings.store_url if floor.is_shared else MEMORY)
    masking = Redactor.configured(settings.redaction, os.environ).config
    return Recorder(bodies, settings.recorder, masking, clock=floor.clock)


def _cache_bust(floor: Floor) -> CacheBustGuard:
    known = Conversations(key=secrets.token_bytes(32))
    return CacheBustGuard(conversations=known, price=price(floor.prices), observe=floor.observe)


def _quota(floor: Floor) -> QuotaGuard:
    return QuotaGuard(
        quotas=floor.settings.quotas,
        store=floor.fleet.quotas,
        room=WaitingRoom(floor.settings.fairness, clock=floor.clock),
        clock=floor.clock,
    )


def _screen(floor: Floor, guards: Sequence[Guard]) -> ScreenGuard:
    tools = floor.settings.tools
    return ScreenGuard(
        config=floor.settings.screen,
        verdicts=floor.suspicion.verdicts,
        second=_second(floor, guards),
        only_flags_tools=tools.fence and tools.while_tainted != "off",
        observe=floor.observe,
    )


def _second(floor: Floor, guards: Sequence[Guard]) -> Cascade | None:
    """Whom the screen asks besides; a model is asked past the screen, so that no question raises another."""
    config = floor.settings.screen.second_opinion
    if not floor.settings.screen.enabled or config.kind == "off":
        return None
    judge = JudgeDetector(
        ask=Pipeline(guards, floor.ask, floor.observe, floor.clock),
        clock=floor.clock,
        new_id=floor.new_id,
        model=config.model or floor.settings.models.small,
        timeout=config.timeout,
        scores=config.scores,
    )
    dear = judge if floor.dear is None else floor.dear.detector
    return Cascade(cheap=LinearDetector(), dear=Remembered(detector=dear), band=config.band, fail=config.fail)


def _judges(budget: BudgetGuard, settings: Settings) -> BudgetGuard:
    """The station that holds money for the judge: all budgets, and one of its own for a day."""
    own = BudgetConfig(usd=settings.screen.second_opinion.budget_usd, per="day", where={"key": JUDGE})
    return replace(budget, budgets=lambda: {**budget.budgets(), JUDGE: own}, expectation=Expectation())


def _pins(floor: Floor, watch: Watch) -> PinGuard:
    return PinGuard(
        config=floor.settings.tools,
        register=floor.store,
        entries=lambda: watch.entries(PIN),
        revision=lambda: None if floor.is_shared or floor.chores else watch.revision,
        flags=floor.suspicion.is_suspicious,
        observe=floor.observe,
    )


def _worker() -> str:
    """The name of this process among those that share a store."""
    return f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"


def redis_url(settings: Settings) -> str:
    """The address of the Redis that a fleet shares, from the settings or the variable they name; empty for none."""
    fleet = settings.fleet
    return fleet.redis_url or (secret(fleet.redis_url_env) if fleet.redis_url_env else None) or ""


def price(prices: PriceBook) -> Callable[[str, Usage, datetime], int | None]:
    """What a usage costs in pico-dollars; `None` for a model that has no price."""

    def cost(model: str, usage: Usage, at: datetime) -> int | None:
        try:
            return prices.cost_pico(model, usage, at=at)
        except UnknownModel:
            return None

    return cost


def _sweeping(floor: Floor, spool: Spool | None) -> Callable[[], Awaitable[None]]:
    async def sweep() -> None:
        try:
            # First what is known of an attempt, then what is presumed of those that nobody knows about.
            brought = () if spool is None else await spool.bring(floor.store)
            swept = await floor.store.sweep()
        except StoreUnavailable:
            return  # who is lost stays lost, and what waits goes on waiting: the next round finds it
        if swept.expired:
            floor.observe(HoldsExpired(count=swept.expired))
        for crossing in (*brought, *swept.crossings):
            floor.observe(BudgetAlerted.of(crossing))

    return sweep


def _pruning(floor: Floor, recorder: Recorder) -> Callable[[], Awaitable[None]]:
    keep = floor.settings.store.keep_days

    async def prune() -> None:
        await recorder.prune()
        if keep is None:
            return
        with suppress(StoreUnavailable):  # they can still be forgotten in an hour
            await floor.store.prune(floor.clock.now() - timedelta(days=keep))

    return prune
