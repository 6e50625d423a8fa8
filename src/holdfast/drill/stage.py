"""The stage of a drill: the user's own settings over simulators, a store that nobody else has, and nothing that leaves."""

import os
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from random import Random

from holdfast.assembly import Runtime, assemble
from holdfast.clock import Clock
from holdfast.drill.scenario import ALL, FIRST, Break, Revoke, Scenario, Slow, Trouble
from holdfast.errors import ConfigError
from holdfast.events import CircuitChanged, Event, GateChanged
from holdfast.hold import Holdfast
from holdfast.language import Sentence
from holdfast.policy.alert_rules import AlertsConfig
from holdfast.policy.routing import SIMULATOR, UpstreamConfig
from holdfast.policy.screening import ScreenConfig
from holdfast.policy.second_opinion import SecondOpinionConfig
from holdfast.policy.telemetry import TelemetryConfig
from holdfast.ports import Store
from holdfast.settings import FleetConfig, Settings
from holdfast.simulator import BrownOut, Fault, Simulator, Turn
from holdfast.stores.memory import MemoryStore
from holdfast.stores.open import MEMORY
from holdfast.upstream.inprocess import InProcessClient

KEY = "HOLDFAST_DRILL_KEY"
"""Begins the names of the variables that hold the keys of a drill: no real key is ever used."""
CALLER_KEY = "drill-caller"
SPARE_ANSWERS = 4
"""Scripted answers for each call: so many attempts may come."""
WORD = "simulated "
"""Repeated where answers are to be long; its tokens are reckoned with `TOKEN_LENGTH`."""
TOKEN_LENGTH = 3


REAL_TIME = 0.1
"""What answers take of their usual time where time is real."""


@dataclass(slots=True, kw_only=True)
class Stage:
    """A hold over simulators, and what it announced, each event with its second."""

    scenario: Scenario
    settings: Settings
    clock: Clock
    hold: Holdfast
    store: Store
    simulators: Mapping[str, Simulator]
    keys: Mapping[str, tuple[str, ...]]
    events: list[Event] = field(default_factory=list[Event])
    path: Path | None = None
    frozen: list[tuple[datetime, datetime]] = field(default_factory=list[tuple[datetime, datetime]])

    def troubled(self, trouble: Trouble) -> tuple[str, ...]:
        """The names of the upstreams that it happens to."""
        return troubled(trouble, tuple(self.simulators))

    def revoke(self, trouble: Revoke) -> None:
        """Have the first key refused from now on."""
        for name in self.troubled(trouble):
            simulator = self.simulators[name]
            simulator.keys = {**simulator.keys, self.keys[name][0]: "key_revoked"}

    def restore(self, trouble: Revoke) -> None:
        """Have it accepted again."""
        for name in self.troubled(trouble):
            kept = dict(self.simulators[name].keys)
            kept.pop(self.keys[name][0], None)
            self.simulators[name].keys = kept

    @property
    def circuits(self) -> list[CircuitChanged]:
        """How circuits moved."""
        return [event for event in self.events if isinstance(event, CircuitChanged)]

    @property
    def gates(self) -> list[GateChanged]:
        """How gates moved."""
        return [event for event in self.events if isinstance(event, GateChanged)]


def troubled(trouble: Trouble, names: tuple[str, ...]) -> tuple[str, ...]:
    """The upstreams that it happens to; raises `ConfigError` for a name that is none of them."""
    if trouble.on == ALL:
        return names
    if trouble.on == FIRST:
        return names[:1]
    if trouble.on not in names:
        listed = ", ".join(names)
        raise ConfigError(
            Sentence(
                f"a step of the drill happens on `{trouble.on}`, which is no upstream of yours; write {FIRST}, {ALL} "
                f"or one of {listed}",
                ko=f"훈련 단계의 대상 `{trouble.on}`은(는) 설정에 없는 업스트림입니다. {FIRST}, {ALL} 또는 "
                f"{listed} 중에서 적으세요",
            )
        )
    return (trouble.on,)


@dataclass(frozen=True, slots=True, kw_only=True)
class Props:
    """What a stage is built of besides the scenario: `path` is the database file, `None` keeps all in memory."""

    clock: Clock
    seed: int = 0
    path: Path | None = None


def build(scenario: Scenario, settings: Settings, props: Props) -> Stage:
    """The stage of a scenario; raises `ConfigError` for steps that name what there is not."""
    theirs = settings.upstreams or {"anthropic": UpstreamConfig.at("https://api.anthropic.com")}
    keys = {name: _keys(number, config) for number, (name, config) in enumerate(theirs.items())}
    staged = _staged(settings, theirs, props.path)
    simulators = _simulators(scenario, tuple(theirs), props)
    events: list[Event] = []
    waiting = iter(simulators.values())
    store = MemoryStore(clock=props.clock) if props.path is None else None
    with _variables(keys):
        runtime = assemble(
            staged,
            clock=props.clock,
            dice=Random(props.seed),
            observe=events.append,
            client=lambda config, settings: InProcessClient(next(waiting)),
            ledger=store,
        )
    return Stage(
        scenario=scenario,
        settings=settings,
        clock=props.clock,
        hold=Holdfast(observe=events.append, runtime=_numbered(runtime, props.seed)),
        store=runtime.ledger,
        simulators=simulators,
        keys=keys,
        events=events,
        path=props.path,
    )


def _staged(settings: Settings, theirs: Mapping[str, UpstreamConfig], path: Path | None) -> Settings:
    """The same settings, but for what would reach out of the drill: stores, fleets, collectors, channels, detectors."""
    upstreams = {
        name: replace(
            config,
            url=f"http://{number}.drill.invalid",
            key_env=_variable(number, 0) if _has_key(config) else None,
            key_envs=tuple(_variable(number, spare) for spare in range(1, len(config.key_envs) + 1)),
        )
        for number, (name, config) in enumerate(theirs.items())
    }
    url = MEMORY if path is None else f"sqlite:///{path}"
    return replace(
        settings,
        upstreams=upstreams,
        store=replace(settings.store, url=url),
        fleet=FleetConfig(),
        alerts=AlertsConfig(),
        telemetry=TelemetryConfig(),
        screen=_screen(settings.screen),
    )


def _screen(screen: ScreenConfig) -> ScreenConfig:
    """The rules go on; a second opinion would have to be asked of somebody outside."""
    return replace(screen, second_opinion=SecondOpinionConfig())


def _has_key(config: UpstreamConfig) -> bool:
    return config.key_env is not None or config.url == SIMULATOR


def _keys(number: int, config: UpstreamConfig) -> tuple[str, ...]:
    """The keys of an upstream on this stage; one that has none of its own gets those of its callers."""
    if not _has_key(config):
        return (CALLER_KEY,)
    return tuple(f"drill-key-{number}-{spare}" for spare in range(len(config.key_envs) + 1))


def _variable(number: int, spare: int) -> str:
    return f"{KEY}_{number}_{spare}"


@contextmanager
def _variables(keys: Mapping[str, tuple[str, ...]]) -> Generator[None]:
    """The keys where credentials are looked for, for as long as that takes."""
    ours = {
        _variable(number, spare): key
        for number, of_one in enumerate(keys.values())
        for spare, key in enumerate(of_one)
    }
    os.environ.update(ours)
    try:
        yield
    finally:
        for name in ours:
            os.environ.pop(name, None)


def _numbered(runtime: Runtime, seed: int) -> Runtime:
    """Ids of calls that are the same in every drill of the same seed."""
    dice = Random(seed)
    return replace(runtime, new_id=lambda: f"hfr_{dice.getrandbits(96):024x}")


def _simulators(scenario: Scenario, names: tuple[str, ...], props: Props) -> dict[str, Simulator]:
    pace = 1.0 if props.path is None else REAL_TIME
    found = {
        name: Simulator(seed=props.seed * 97 + number, clock=props.clock, keep=100_000, time_scale=pace)
        for number, name in enumerate(names)
    }
    for step in scenario.steps:
        for name in troubled(step, names):
            _apply(step, found[name])
    if scenario.answer_tokens:
        turn = Turn(text=WORD * (scenario.answer_tokens * TOKEN_LENGTH // len(WORD) + 1))
        calls = sum(load.users * load.calls for load in scenario.loads)
        for simulator in found.values():
            simulator.say(*[turn] * (calls * SPARE_ANSWERS))
    return found


def _apply(step: Trouble, simulator: Simulator) -> None:
    match step:
        case Break():
            fault = Fault(
                step.action,
                after=step.at,
                until=step.until,
                probability=step.share,
                every=step.every,
                times=step.times,
                stream=step.stream,
                model=step.model,
            )
            simulator.fault(fault)
        case Slow():
            stretch = BrownOut(step.at, step.until, error_rate=step.error_share, latency_factor=step.factor)
            simulator.profile = (*simulator.profile, stretch)
        case _:
            pass


def smallest_budget(settings: Settings) -> Decimal | None:
    """The smallest limit, in dollars, that all calls are refused for; those for some calls only do not count."""
    hard = (budget for budget in settings.budgets.values() if budget.hard and not budget.where)
    return min((budget.usd for budget in hard), default=None)
