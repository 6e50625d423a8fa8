"""An agent's world: a simulator in process, a hold over it, and what happened there."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from holdfast import Holdfast, Settings
from holdfast.assembly import assemble
from holdfast.events import Event
from holdfast.policy.breaker import BreakerConfig
from holdfast.policy.retry import RetryConfig
from holdfast.policy.routing import UpstreamConfig
from holdfast.ports import CallRecord
from holdfast.settings import StoreConfig
from holdfast.simulator import Simulator
from holdfast.simulator.server import RunningSimulator
from holdfast.upstream.inprocess import InProcessClient

Json = dict[str, Any]
QUICK = RetryConfig(wait_initial=0.001, wait_max=0.002, throttle_wait_initial=0.001, throttle_wait_max=0.002)


@dataclass
class World:
    """A simulator, a hold over it, and the events of the hold."""

    simulator: Simulator = field(default_factory=lambda: Simulator(time_scale=0))
    events: list[Event] = field(default_factory=list[Event])

    def hold(self, **settings: Any) -> Holdfast:
        """A hold with these settings in place of quick and forgiving ones."""
        quick = Settings(
            store=StoreConfig(url="memory:"),
            upstreams={"simulator": UpstreamConfig(url="simulator")},
            retry=QUICK,
            breaker=BreakerConfig(failure_threshold=None, failure_rate_threshold=None),
        )
        chosen: Settings = replace(quick, **settings)
        return Holdfast(runtime=assemble(chosen, observe=self.events.append, client=self._connect))

    def _connect(self, config: UpstreamConfig, settings: Settings) -> InProcessClient:
        return InProcessClient(self.simulator)

    def bodies(self) -> list[Json]:
        """What was asked, as the simulator received it."""
        return [dict(request.json()) for request in self.simulator.requests]

    def prompts(self) -> list[str]:
        """The newest user text of every request."""
        return [body["messages"][-1]["content"] for body in self.bodies()]


def records(hold: Holdfast) -> tuple[CallRecord, ...]:
    """The calls in the ledger of a hold, newest first."""
    return asyncio.run(hold.runtime.ledger.newest(1_000))


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def hold(world: World) -> Iterator[Holdfast]:
    with world.hold() as hold:
        yield hold


@pytest.fixture
def clean(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """An environment without keys and settings of whoever runs the tests; quick retries, a book in memory."""
    monkeypatch.chdir(tmp_path)
    for name in ("ANTHROPIC_API_KEY", "ANTHROPIC_API_KEY_FILE", "HOLDFAST_CONFIG", "HOLDFAST_UPSTREAM"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOLDFAST_HOME", str(tmp_path))
    monkeypatch.setenv("HOLDFAST_DATABASE_URL", "memory:")
    monkeypatch.setenv("HOLDFAST__SIMULATOR__TIME_SCALE", "0")
    for name in ("WAIT_INITIAL", "THROTTLE_WAIT_INITIAL"):
        monkeypatch.setenv(f"HOLDFAST__RETRY__{name}", "0.001")


@pytest.fixture
def upstream(clean: None, simulator: RunningSimulator) -> RunningSimulator:
    """A simulator on a real socket, for agents with a pipeline of their own."""
    return simulator
