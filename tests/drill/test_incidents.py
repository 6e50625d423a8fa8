"""Every incident passes on the settings that come with holdfast, and fails on settings that are bad in its way."""

import os
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from holdfast import Settings
from holdfast.cli.serve import with_starter_budget
from holdfast.drill import Sheet, drill, incident, incidents
from holdfast.policy.breaker import BreakerConfig
from holdfast.policy.gate import GateConfig
from holdfast.policy.pricing import CardOverride, PricingConfig
from holdfast.policy.retry import RetryConfig
from holdfast.settings import TimeoutsConfig

NAMES = (
    "429-window",
    "529-storm",
    "database-frozen",
    "key-revoked",
    "mid-stream-errors",
    "price-change",
    "runaway-agent",
    "slow-first-token",
)
SLOW = () if os.environ.get("HOLDFAST_EXPLORE") else ("database-frozen",)
"""What takes real time is played in full by `HOLDFAST_EXPLORE=1`; `test_frozen` has a short form of it."""
QUICK = tuple(name for name in NAMES if name not in SLOW)
STARTER = with_starter_budget(Settings())


def played(name: str, settings: Settings = STARTER, seed: int = 0) -> Sheet:
    return drill(incident(name), settings, seed=seed)


def broken(sheet: Sheet) -> set[str]:
    return {line.expectation for line in sheet.lines if not line.passed}


def test_the_incidents_are_those_that_are_promised() -> None:
    assert tuple(scenario.name for scenario in incidents()) == NAMES


@pytest.mark.requirement("drill:passes")
@pytest.mark.parametrize("name", QUICK)
def test_every_incident_passes_on_the_settings_that_serve_begins_with(name: str) -> None:
    sheet = played(name)
    assert sheet.passed, sheet.said()


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("name", ["529-storm", "429-window", "mid-stream-errors"])
def test_an_incident_passes_whatever_the_dice(name: str, seed: int) -> None:
    sheet = played(name, seed=seed)
    assert sheet.passed, sheet.said()


BAD: dict[str, tuple[dict[str, Any], str]] = {
    "529-storm": (
        {"breaker": BreakerConfig(failure_threshold=None, failure_rate_threshold=None)},
        "circuit_opened == true or users_saw_errors == 0",
    ),
    "429-window": ({"gates": GateConfig(wait_max=1.0)}, "too_early == 0"),
    "mid-stream-errors": ({"retry": RetryConfig(attempts=1)}, "failed == 0"),
    "slow-first-token": ({"timeouts": TimeoutsConfig(stall=10.0)}, "upstream_requests_per_call == 1"),
    "key-revoked": (
        {"gates": GateConfig(probe_interval=0.1)},
        "troubled_requests <= 12 or spare_keys > 0",
    ),
    "price-change": (
        {
            "pricing": PricingConfig(
                overrides={"claude-sonnet-5-5": CardOverride(input=Decimal(2), output=Decimal(10))}
            )
        },
        "billed == settled",
    ),
    "runaway-agent": ({"budgets": {}}, "spent <= budget"),
    "database-frozen": ({"budgets": {}}, "spent_while_frozen <= emergency"),
}


@pytest.mark.requirement("drill:fails")
@pytest.mark.parametrize("name", QUICK)
def test_an_incident_fails_on_settings_that_are_bad_in_its_way(name: str) -> None:
    changes, expectation = BAD[name]
    sheet = played(name, replace(STARTER, **changes))
    assert expectation in broken(sheet), sheet.said()
