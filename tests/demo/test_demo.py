"""`holdfast demo`: every row of its story, in the command that README begins with."""

import os
import subprocess
import sys
from datetime import UTC, datetime
from random import Random

import pytest

from holdfast.demo.breaking import BREAKS, apply
from holdfast.demo.questions import CALLERS, everyday
from holdfast.demo.stage import settings
from holdfast.demo.tempo import QuickClock, Tempo
from holdfast.simulator import Simulator
from holdfast.testing import FakeClock

KEY = "sk-ant-api03-never-used-0123456789"


@pytest.mark.requirement("demo:every-row")
def test_every_row_of_the_story_is_to_be_seen_without_a_key_and_a_network() -> None:
    surroundings = {**os.environ, "HOLDFAST_LANG": "en", "ANTHROPIC_API_KEY": KEY}
    ended = subprocess.run(
        [sys.executable, "-m", "holdfast", "demo", "--headless-check", "--speed", "4", "--port", "0"],
        capture_output=True,
        text=True,
        env=surroundings,
        timeout=120,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "11 of 11 rows passed." in ended.stdout
    for words in ("OPEN", "Recovered", "Blocked", "LOOP x3", "Stopped by budget"):
        assert words in ended.stdout
    assert KEY not in ended.stdout + ended.stderr


async def test_a_quick_clock_takes_a_part_of_the_time_for_everything() -> None:
    clock = FakeClock()
    quick = QuickClock(clock, 4)
    before, began = quick.monotonic(), quick.now()
    clock.advance(2)
    assert quick.monotonic() - before == pytest.approx(8)
    assert (quick.now() - began).total_seconds() == pytest.approx(8)
    assert began.astimezone(UTC) > datetime(2000, 1, 1, tzinfo=UTC)


async def test_a_story_that_is_paused_stands_still() -> None:
    clock = FakeClock()
    tempo = Tempo(clock)
    clock.advance(3)
    tempo.toggle()
    clock.advance(60)
    assert tempo.is_paused
    assert tempo.seconds == pytest.approx(3)
    tempo.toggle()
    clock.advance(1)
    assert not tempo.is_paused
    assert tempo.seconds == pytest.approx(4)


@pytest.mark.parametrize("caller", CALLERS)
def test_the_same_seed_asks_the_same(caller: str) -> None:
    one, other = (
        [everyday(caller, number, dice) for number in range(20)] for dice in (Random("7"), Random("7"))
    )
    assert one == other


@pytest.mark.parametrize("key", BREAKS)
def test_each_key_breaks_the_upstream_for_a_while(key: str) -> None:
    simulator = Simulator(clock=FakeClock())
    apply(BREAKS[key], simulator)
    ((fault, _, _),) = simulator.faults.standing()
    assert (fault.until or 0) > fault.after


def test_it_only_knows_the_simulator() -> None:
    assert settings(7).simulated
    assert all(one.key_env is None for one in settings(7).upstreams.values())
