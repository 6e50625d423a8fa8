"""Gateways with budgets over one SQLite file, and an upstream whose door a test holds shut."""

import asyncio
import sqlite3
import threading
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from decimal import Decimal
from pathlib import Path

from holdfast.assembly import Runtime, assemble
from holdfast.events import CallEnded, Observer
from holdfast.policy.budget import BudgetConfig
from holdfast.policy.routing import UpstreamConfig
from holdfast.ports import AttemptRecord
from holdfast.settings import Settings, StoreConfig
from holdfast.simulator.server import RunningSimulator
from holdfast.stores.open import open_store
from holdfast.upstream.client import UpstreamRequest
from holdfast.upstream.http import HttpClient, HttpConnection
from tests.doors.running import PATIENCE, RunningGateway, eventually, quick_settings, serving

Budgets = Mapping[str, BudgetConfig]


@dataclass
class Turnstile:
    """Keeps requests to the upstream waiting until it is opened; they are under way, and paid for, by then."""

    opened: threading.Event = field(default_factory=threading.Event)
    arrived: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    async def passed(self) -> None:
        with self._lock:
            self.arrived += 1
        assert await asyncio.to_thread(self.opened.wait, PATIENCE)


class KeptClient(HttpClient):
    """A real client behind a turnstile."""

    def __init__(self, url: str, turnstile: Turnstile) -> None:
        super().__init__(url, connect_timeout=PATIENCE)
        self._turnstile = turnstile

    async def send(self, request: UpstreamRequest) -> HttpConnection:
        await self._turnstile.passed()
        return await super().send(request)


@dataclass
class Till:
    """Where the money is: one SQLite file, the settings that name it, and what is written there."""

    simulator: RunningSimulator
    settings: Settings
    path: Path

    @property
    def billed(self) -> Decimal:
        """Dollars that the simulator has really billed."""
        return self.simulator.simulator.billed

    @property
    def requests(self) -> int:
        """How many requests have reached the simulator."""
        return len(self.simulator.simulator.requests)

    def attempts(self) -> tuple[AttemptRecord, ...]:
        """Every attempt in the ledger."""

        async def read() -> tuple[AttemptRecord, ...]:
            store = open_store(self.settings.store_url)
            try:
                return await store.attempts(limit=10_000)
            finally:
                await store.aclose()

        return asyncio.run(read())

    def windows(self) -> dict[str, tuple[int, int]]:
        """Settled and reserved nano-dollars of every window that was used."""
        with closing(sqlite3.connect(self.path)) as db:
            rows = db.execute("SELECT * FROM counters").fetchall()
        return {str(row[0]): (int(row[1]), int(row[2])) for row in rows}

    def at_rest(self) -> None:
        """Wait until nothing is held, then find every sum the same, in the ledger and at the simulator."""
        eventually(lambda: all(reserved == 0 for _, reserved in self.windows().values()))
        settled = sum(row.cost_pico or 0 for row in self.attempts() if row.state in ("settled", "expired"))
        assert Decimal(settled) / 10**12 == self.billed


def till(simulator: RunningSimulator, folder: Path, budgets: Budgets | None = None) -> Till:
    """A till whose budgets are those."""
    path = folder / "ledger.db"
    settings = replace(
        quick_settings(simulator),
        store=StoreConfig(url=f"sqlite:///{path}"),
        upstreams={"simulator": UpstreamConfig(url=simulator.url)},
        budgets=budgets or {},
    )
    return Till(simulator, settings, path)


@contextmanager
def open_gateway(till: Till, turnstile: Turnstile | None = None) -> Generator[RunningGateway]:
    """A gateway of the till, on a real socket."""
    opened = None if turnstile is None else behind(till, turnstile)
    with serving(till.simulator, till.settings, opened=opened) as gateway:
        yield gateway


def behind(till: Till, turnstile: Turnstile) -> Callable[[Settings, Observer], Runtime]:
    """Opens a runtime whose requests wait at a turnstile."""

    def opened(settings: Settings, observe: Observer) -> Runtime:
        return assemble(
            settings,
            observe=observe,
            client=lambda config, settings: KeptClient(till.simulator.url, turnstile),
        )

    return opened


def ended(events: Sequence[object]) -> list[CallEnded]:
    """The calls that are over."""
    return [event for event in events if isinstance(event, CallEnded)]
