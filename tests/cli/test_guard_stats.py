"""`holdfast guard stats` against a real gateway."""

import json
from collections.abc import Iterator
from dataclasses import replace

import pytest

from holdfast.policy.screening import ScreenConfig
from holdfast.simulator.server import RunningSimulator
from tests.admin.test_guard_stats import ATTACK, RULE
from tests.cli.conftest import Holdfast
from tests.doors.running import RunningGateway, quick_settings, serving
from tests.doors.talking import ask


@pytest.fixture(params=[ScreenConfig(monitor=(RULE,))])
def gateway(
    simulator: RunningSimulator, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> Iterator[RunningGateway]:
    monkeypatch.setenv("HOLDFAST_ADMIN_TOKEN", "an-admin-token-of-the-tests")
    monkeypatch.delenv("HOLDFAST_TOKEN", raising=False)
    with serving(simulator, replace(quick_settings(simulator), screen=request.param)) as running:
        monkeypatch.setenv("HOLDFAST_URL", running.url)
        yield running


def test_the_table_says_what_each_rule_has_done_and_which_only_watch(
    holdfast: Holdfast, gateway: RunningGateway
) -> None:
    assert "No rule has seen anything" in holdfast("guard", "stats").err
    assert ask(gateway.url, ATTACK).status == 400
    ended = holdfast("guard", "stats")
    header, *rows = ended.out.splitlines()
    assert (ended.code, ended.err) == (0, "")
    assert header.split() == ["rule", "effect", "blocked", "flagged", "would", "have", "blocked"]
    assert [RULE, "watches", "1", "0", "0"] in [row.split() for row in rows]
    assert json.loads(holdfast("guard", "stats", "--json").out)["mode"] == "enforce"


@pytest.mark.parametrize("gateway", [ScreenConfig(enabled=False)], indirect=True)
def test_a_screen_that_is_off_is_said_to_be(holdfast: Holdfast, gateway: RunningGateway) -> None:
    assert "The screen is off" in holdfast("guard", "stats").err
