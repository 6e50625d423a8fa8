"""Round after round of the same callers: nothing that a call leaves behind grows with the number of calls."""

import gc
from dataclasses import replace
from threading import Lock

import pytest
from prometheus_client.values import MutexValue

from holdfast.policy import evidence, series
from holdfast.telemetry import chronicle, pulse
from holdfast.testing.virtual import run
from tests.simulation.callers import come
from tests.simulation.scenario import Scenario, scenario
from tests.simulation.world import World

WARM = 6
ROUNDS = 6
QUIET = 200.0
"""Seconds in which all timers of a round come to their end, those that were given up too."""
MADE_ONCE = (MutexValue, type(Lock()))
"""What a metric is made of: twenty of each when a label is seen for the first time, and never again."""
BOUNDS = ((series, "KEPT"), (evidence, "MOST"), (pulse, "HEARD"), (chronicle, "KEPT"), (chronicle, "LOOPS"))
"""What is kept of the last hour or the last thousands, made small enough to be full."""
FEW = 3
LOOSE = 0.5
"""Objects a call may seem to leave, for caches that are not full yet."""


async def sizes(plan: Scenario) -> list[int]:
    """How many objects there are after each round, when everything that was seen is forgotten."""
    world = World(plan, keep=10)
    gateway = world.hold.asgi()
    found: list[int] = []
    for _ in range(WARM + ROUNDS):
        await come(world, gateway)
        world.forget()
        await world.clock.sleep(QUIET)
        gc.collect()
        found.append(sum(not isinstance(one, MADE_ONCE) for one in gc.get_objects()))
    return found


def without_agents(plan: Scenario) -> Scenario:
    """Each chat of an agent is a new conversation, and of those the last ten thousand are remembered on purpose."""
    return replace(
        plan, callers=tuple(caller for caller in plan.callers if caller.form in ("plain", "stream"))
    )


@pytest.mark.parametrize("seed", [1, 2, 7, 11])
def test_a_call_leaves_nothing_behind(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    for module, name in BOUNDS:
        monkeypatch.setattr(module, name, FEW)
    plan = without_agents(scenario(seed))
    found = run(sizes(plan), seed=seed)
    calls = sum(caller.calls for caller in plan.callers) * ROUNDS
    assert found[-1] - found[WARM - 1] <= calls * LOOSE
