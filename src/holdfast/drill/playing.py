"""Playing a scenario: every user asks, every trouble comes and goes, then the books are read."""

import asyncio
import tempfile
from collections.abc import Callable, Coroutine, Iterator
from datetime import UTC
from pathlib import Path
from typing import Any, TypeAlias

from holdfast.clock import SYSTEM_CLOCK, Clock
from holdfast.drill.asking import Ask, Heard, Question, over_code, over_gateway
from holdfast.drill.counting import count, read_books
from holdfast.drill.facts import Fact
from holdfast.drill.freezing import Freezer
from holdfast.drill.scenario import Freeze, Load, Revoke, Scenario
from holdfast.drill.sheet import Sheet, sheet
from holdfast.drill.stage import Props, Stage, build
from holdfast.errors import ConfigError
from holdfast.language import Sentence
from holdfast.settings import Settings
from holdfast.simulator.models import is_served
from holdfast.testing.clock import START
from holdfast.testing.virtual import VirtualClock, run

SIZES = ("small", "standard", "large")
Asker: TypeAlias = Callable[[Question], Coroutine[Any, Any, Heard]]


def drill(scenario: Scenario, settings: Settings, *, seed: int = 0, ask: Ask | None = None) -> Sheet:
    """Play a scenario against settings, and say what held; call it from a plain function, not from a coroutine.

    Users ask over the gateway, or through `ask`: the code under test. Time is virtual, so that minutes take less
    than a second, unless the scenario freezes a database. No key is used and nothing is sent to anybody.

    Raises:
        ConfigError: the settings cannot be opened, or the scenario names what there is not.
    """
    began = SYSTEM_CLOCK.monotonic()
    for load in scenario.loads:
        _model(settings, load.model)
    if scenario.is_real:
        with tempfile.TemporaryDirectory(prefix="holdfast-drill-") as folder:
            props = Props(clock=SYSTEM_CLOCK, seed=seed, path=Path(folder) / "drill.db")
            facts, seconds = asyncio.run(_play(build(scenario, settings, props), ask))
    else:
        starts = scenario.starts_at or START
        props = Props(clock=VirtualClock(starts.astimezone(UTC)), seed=seed)
        facts, seconds = run(_virtual(scenario, settings, props, ask), seed=seed, inline=True)
    return sheet(scenario, facts, seed=seed, seconds=seconds, took=SYSTEM_CLOCK.monotonic() - began)


async def _virtual(
    scenario: Scenario, settings: Settings, props: Props, ask: Ask | None
) -> tuple[dict[str, Fact], float]:
    """Everything is made inside of the loop: a virtual clock is asked nowhere else."""
    return await _play(build(scenario, settings, props), ask)


async def _play(stage: Stage, ask: Ask | None) -> tuple[dict[str, Fact], float]:
    clock, zero = stage.clock, stage.clock.monotonic()
    heard: list[Heard] = []
    async with asyncio.TaskGroup() as group:
        for step in stage.scenario.steps:
            match step:
                case Revoke():
                    group.create_task(_revoke(stage, step))
                case Freeze():
                    group.create_task(_freeze(stage, step))
                case _:
                    pass
        for asking in _users(stage, _asker(stage, ask), heard):
            group.create_task(asking)
    await clock.sleep(stage.scenario.wait)
    facts = count(stage, heard, await read_books(stage))
    seconds = clock.monotonic() - zero
    if stage.path is not None:
        await stage.hold.aclose()
    return facts, seconds


def _asker(stage: Stage, ask: Ask | None) -> Asker:
    hold, clock = stage.hold, stage.clock
    if ask is not None:
        return lambda question: over_code(ask, hold, clock, question)
    gateway = hold.asgi(admin_token="")
    return lambda question: over_gateway(gateway, clock, question)


def _users(stage: Stage, asker: Asker, heard: list[Heard]) -> Iterator[Coroutine[Any, Any, None]]:
    for number, load in enumerate(stage.scenario.loads):
        for user in range(load.users):
            starts = load.starts + load.every * user / load.users
            yield _live(stage, asker, heard, _questions(stage, load, (number, user)), starts, load.every)


async def _live(
    stage: Stage,
    asker: Asker,
    heard: list[Heard],
    questions: list[Question],
    starts: float,
    every: float,
) -> None:
    clock = stage.clock
    due = clock.monotonic() + starts
    for question in questions:
        await clock.sleep(max(0.0, due - clock.monotonic()))
        heard.append(await _persistent(asker, clock, question))
        due = max(due + every, clock.monotonic())


async def _persistent(asker: Asker, clock: Clock, question: Question) -> Heard:
    """Ask, and come back as often as a client would that is told when."""
    found = await asker(question)
    for _ in range(question.retries):
        if (seconds := found.comes_back_in) is None:
            break
        await clock.sleep(seconds)
        again = await asker(question)
        again.began = found.began
        found = again
    return found


def _questions(stage: Stage, load: Load, who: tuple[int, int]) -> list[Question]:
    group, user = who
    return [_question(stage, load, f"{group}-{user}-{number}", number) for number in range(load.calls)]


def _question(stage: Stage, load: Load, mark: str, number: int) -> Question:
    return Question(
        text=f"{load.prompt} [drill {mark}]",
        mark=mark,
        user=f"drill-user-{mark.rpartition('-')[0]}",
        run=load.run,
        model=_model(stage.settings, load.model),
        max_tokens=load.max_tokens,
        stream=number % 2 == 1 if load.stream == "mixed" else load.stream,
        cached=load.cached,
        patience=load.patience,
        retries=load.retries,
    )


def _model(settings: Settings, name: str) -> str:
    """The model that is meant; of a size, the first that the first upstream serves where it does not serve that one."""
    if name not in SIZES:
        return _known(name)
    wanted: str = getattr(settings.models, name)
    served = next((config.models for config in settings.upstreams.values()), ())
    return _known(wanted if not served or wanted in served else served[0])


def _known(model: str) -> str:
    """The same model; raises `ConfigError` for one that the simulator cannot play."""
    if is_served(model):
        return model
    raise ConfigError(
        Sentence(
            f"a drill cannot ask `{model}`: the simulator plays Claude models that are in service. Name one in the "
            "scenario ([[load]] model), or in [models] or [upstreams.NAME] models",
            ko=f"훈련에서 `{model}` 모델을 쓸 수 없습니다. 시뮬레이터는 서비스 중인 Claude 모델만 흉내 냅니다. "
            "시나리오의 [[load]] model이나 [models], [upstreams.이름] models에 그런 모델을 적으세요",
        )
    )


async def _revoke(stage: Stage, step: Revoke) -> None:
    await stage.clock.sleep(step.at)
    stage.revoke(step)
    if step.until is not None:
        await stage.clock.sleep(step.until - step.at)
        stage.restore(step)


async def _freeze(stage: Stage, step: Freeze) -> None:
    assert stage.path is not None  # a scenario that freezes is played on a file
    freezer, clock = Freezer(stage.path), stage.clock
    await clock.sleep(step.at)
    await freezer.freeze()
    since = clock.now()
    try:
        await clock.sleep(LONGEST if step.until is None else step.until - step.at)
    finally:
        await freezer.thaw()
        stage.frozen.append((since, clock.now()))


LONGEST = 20.0
"""Seconds after which a freeze without an end is over: it is played in real time."""
