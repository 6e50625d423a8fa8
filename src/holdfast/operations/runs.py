"""Runs as they stand: when they were last heard of, how far they have spread, what they have cost."""

from dataclasses import dataclass

from holdfast.errors import ConfigError
from holdfast.language import Sentence
from holdfast.operations.desk import Desk, instant
from holdfast.operations.spend import money, spend_facts
from holdfast.operations.stops import Stops, stop_facts, stops
from holdfast.policy.stops import Stop, binding
from holdfast.ports import RunRecord, Spend, SpendQuery


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """A run, and the stop that binds all of its calls, if there is one."""

    record: RunRecord
    stop: Stop | None


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """A run with what it has spent by model."""

    standing: Standing
    models: tuple[Spend, ...]


async def runs(desk: Desk, limit: int) -> tuple[Standing, ...]:
    """The runs heard of last first, at most `limit`."""
    held = await stops(desk)
    return tuple(_standing(desk, record, held) for record in await desk.store.runs(limit))


async def run(desk: Desk, name: str) -> View:
    """One run; raises `ConfigError` for one that nobody has heard of."""
    record = await desk.store.run(name)
    if record is None:
        raise ConfigError(
            Sentence(
                f"There is no run `{name}`; `holdfast runs` shows those heard of last",
                ko=f"`{name}` 실행이 없습니다. `holdfast runs`로 최근 실행을 볼 수 있습니다",
            )
        )
    models = await desk.store.spend(SpendQuery(by=("model",), where={"run": name}))
    return View(standing=_standing(desk, record, await stops(desk)), models=models)


def run_facts(one: Standing) -> dict[str, object]:
    """A run as plain data for JSON; dollars are decimal text."""
    record = one.record
    return {
        "run": record.run,
        "first_at": instant(record.first_at),
        "last_at": instant(record.last_at),
        "calls": record.calls,
        "agents": len(record.agents),
        "depth": record.depth,
        "cost": money(record.cost_pico),
        "stopped": None if one.stop is None else stop_facts(one.stop),
    }


def view_facts(view: View) -> dict[str, object]:
    """A run with its agents and models as plain data for JSON."""
    parents = view.standing.record.agents
    return {
        **run_facts(view.standing),
        "agents": [{"agent": agent, "parent": parent or None} for agent, parent in parents.items()],
        "models": [spend_facts(one) for one in view.models],
    }


def _standing(desk: Desk, record: RunRecord, held: Stops) -> Standing:
    return Standing(record=record, stop=binding(held, {"run": record.run}, desk.now))
