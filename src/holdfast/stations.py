"""The guards of one pipeline in their order, and what an operator holds them by."""

import os
import secrets
import socket
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta

from holdfast.bookkeeping import Bookkeeper
from holdfast.clock import Clock
from holdfast.credentials import secret
from holdfast.errors import StoreUnavailable, UnknownModel
from holdfast.events import BudgetAlerted, Observer
from holdfast.guards.budget import BudgetGuard
from holdfast.guards.fence import FenceGuard
from holdfast.guards.pins import PinGuard
from holdfast.guards.quota import QuotaGuard
from holdfast.guards.record import RecordGuard
from holdfast.guards.run import RunGuard
from holdfast.guards.screen import ScreenGuard
from holdfast.guards.stop import StopGuard
from holdfast.orders import KINDS, Orders
from holdfast.parts.allowance import Allowance
from holdfast.parts.fairness import WaitingRoom
from holdfast.parts.prices import PriceBook
from holdfast.parts.suspicion import Suspicion
from holdfast.pipeline import Guard
from holdfast.policy.money import pico
from holdfast.policy.pins import PIN
from holdfast.ports import QuotaStore, Store
from holdfast.settings import Settings
from holdfast.stores.quotas import Fleet
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
    """What every station stands on; `chores` are done besides, each every so many seconds."""

    settings: Settings
    store: Store
    is_shared: bool
    prices: PriceBook
    clock: Clock
    observe: Observer
    suspicion: Suspicion
    fleet: Fleet
    chores: Sequence[tuple[float, Chore]] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Stations:
    """The guards, outermost first, and the standing orders that they obey."""

    guards: tuple[Guard, ...]
    watch: Watch
    orders: Orders
    stop: StopGuard
    quotas: QuotaStore


def build(floor: Floor) -> Stations:
    """The stations that the settings describe."""
    settings, store, clock, observe = floor.settings, floor.store, floor.clock, floor.observe
    spool = Spool(spool_folder(settings.store_url), clock=clock) if floor.is_shared else None
    book: Store | SpooledLedger = store if spool is None else SpooledLedger(store, spool, clock=clock)
    own = [(SWEEP_EVERY, _sweeping(floor, spool)), (PRUNE_EVERY, _pruning(floor))] if floor.is_shared else []
    watch = Watch(
        store,
        KINDS,
        clock=clock,
        is_alone=not (floor.is_shared or floor.chores),
        file=stop_file(settings.store_url) if floor.is_shared else None,
        chores=[*own, *floor.chores],
    )
    orders = Orders(watch, settings.budgets, observe=observe)
    stop = StopGuard(begin=watch.begin, stops=orders.stops, clock=clock, observe=observe)
    watch.listen(stop.enforce)
    books = Bookkeeper(price=price(floor.prices), price_version=floor.prices.version)
    budget = BudgetGuard(
        budgets=orders.budgets,
        approved=orders.approved,
        holds=book,
        ledger=book,
        prices=floor.prices,
        books=books,
        clock=clock,
        owner=_worker(),
        observe=observe,
        emergency=Allowance(pico(settings.store.emergency_usd, name="store.emergency_usd")),
    )
    guards: tuple[Guard, ...] = (
        RecordGuard(ledger=book, books=books, clock=clock, observe=observe),
        stop,
        ScreenGuard(config=settings.screen, observe=observe),
        _pins(floor, watch),
        FenceGuard(config=settings.tools, suspicion=floor.suspicion, observe=observe),
        RunGuard(runs=store, config=settings.runs, observe=observe),
        QuotaGuard(
            quotas=settings.quotas,
            store=floor.fleet.quotas,
            room=WaitingRoom(settings.fairness, clock=clock),
            clock=clock,
        ),
        budget,
    )
    return Stations(guards=guards, watch=watch, orders=orders, stop=stop, quotas=floor.fleet.quotas)


def _pins(floor: Floor, watch: Watch) -> PinGuard:
    return PinGuard(
        config=floor.settings.tools,
        register=floor.store,
        entries=lambda: watch.entries(PIN),
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
            crossings = (*brought, *await floor.store.sweep())
        except StoreUnavailable:
            return  # who is lost stays lost, and what waits goes on waiting: the next round finds it
        for crossing in crossings:
            floor.observe(BudgetAlerted.of(crossing))

    return sweep


def _pruning(floor: Floor) -> Callable[[], Awaitable[None]]:
    keep = floor.settings.store.keep_days

    async def prune() -> None:
        if keep is None:
            return
        with suppress(StoreUnavailable):  # they can still be forgotten in an hour
            await floor.store.prune(floor.clock.now() - timedelta(days=keep))

    return prune
