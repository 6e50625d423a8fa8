"""A thousand seeded runs of the production pipeline in virtual time, each judged by every checker.

`HOLDFAST_SEEDS=100000` runs more seeds, `HOLDFAST_SEED=123` replays one and prints what happened.
"""

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from holdfast.testing.virtual import run
from tests.simulation.callers import play
from tests.simulation.checkers import complaints, is_exact
from tests.simulation.scenario import scenario
from tests.simulation.world import World

SEEDS = int(os.environ.get("HOLDFAST_SEEDS", "1000"))
BLOCK = 50
ONLY = os.environ.get("HOLDFAST_SEED")
BLOCKS = [[int(ONLY)]] if ONLY else [range(at, min(at + BLOCK, SEEDS)) for at in range(0, SEEDS, BLOCK)]
REPLAY = "HOLDFAST_SEED={seed} python -m pytest tests/simulation/test_seeds.py -k promise"
ROOT = Path(__file__).parents[2]


def simulated(seed: int) -> World:
    """The run of a seed; whatever it dies of says how to see it again."""
    try:
        return run(play(scenario(seed)), seed=seed)
    except BaseException as error:
        error.add_note(f"replay: {REPLAY.format(seed=seed)}")
        raise


@pytest.mark.parametrize("seeds", BLOCKS, ids=lambda seeds: f"from {seeds[0]}")
@pytest.mark.requirement("simulation:seeds")
def test_no_seed_breaks_a_promise(seeds: Sequence[int], capsys: pytest.CaptureFixture[str]) -> None:
    problems: list[str] = []
    for seed in seeds:
        world = simulated(seed)
        found = complaints(world)
        problems += [*found, f"replay: {REPLAY.format(seed=seed)}"] if found else []
        if ONLY is not None:
            with capsys.disabled():
                sys.stdout.write("\n".join((f"\n{world.scenario}", *world.trace, world.digest(), "")))
    assert not problems, "\n" + "\n".join(problems)


@pytest.mark.parametrize("seed", range(40, 50))
@pytest.mark.requirement("simulation:seeds")
def test_the_same_seed_is_the_same_run(seed: int) -> None:
    first, second = simulated(seed), simulated(seed)
    assert first.trace == second.trace
    assert first.digest() != simulated(seed + 1).digest()


def test_the_same_seed_is_the_same_run_in_a_process_with_other_hashes() -> None:
    program = (
        "from holdfast.testing.virtual import run\n"
        "from tests.simulation.callers import play\n"
        "from tests.simulation.scenario import scenario\n"
        "print(*[run(play(scenario(seed)), seed=seed).digest() for seed in range(5)])"
    )
    found = {_printed(program, hashes) for hashes in ("1", "2")}
    assert found == {" ".join(simulated(seed).digest() for seed in range(5)) + "\n"}


def _printed(program: str, hashes: str) -> str:
    environment = {**os.environ, "PYTHONHASHSEED": hashes, "PYTHONPATH": os.pathsep.join(sys.path)}
    found = subprocess.run(
        [sys.executable, "-c", program],
        env=environment,
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return found.stdout


def test_the_seeds_meet_every_kind_of_ending_and_of_budget_and_many_have_an_exact_bill() -> None:
    worlds = [simulated(seed) for seed in range(60)]
    ends = {entry.end for world in worlds for entry in world.book.written}
    assert ends == {"answered", "refused", "failed", "abandoned"}
    assert sum(is_exact(world) for world in worlds) >= 12
    states = {snapshot.state for world in worlds for snapshot in world.final.values()}
    assert {"closed", "open"} <= states
    assert {mode for world in worlds for mode in _modes(world)} == {"strict", "expected", "clamp"}
    assert sum(len(world.book.denied) for world in worlds) >= 100
    marks = {heard.headers.get("x-holdfast-degraded", "") for world in worlds for heard in world.heard}
    assert any(mark.startswith("model") for mark in marks)
    assert any("max-tokens" in mark for mark in marks)
    # Who expects the usual may be surprised; who insists on the worst is not, not even for a moment.
    insisting = [world for world in worlds if "expected" not in _modes(world)]
    assert [overrun for world in insisting for overrun in world.book.overruns] == []


def _modes(world: World) -> set[str]:
    return {config.mode for config in world.scenario.budgets.values()}
