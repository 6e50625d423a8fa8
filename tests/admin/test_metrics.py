"""Who may read `/metrics`: anybody until there are keys, and then those who may read what operators read."""

from dataclasses import replace

import pytest

from holdfast.policy.telemetry import TelemetryConfig
from holdfast.settings import Settings
from holdfast.simulator.server import RunningSimulator
from tests.admin.operating import Operator
from tests.doors.running import serving
from tests.doors.talking import Heard, ask


@pytest.fixture
def store_url() -> str:
    return "memory:"


def status(operator: Operator, token: str) -> int:
    return scraped(operator, token).status


def scraped(operator: Operator, token: str) -> Heard:
    return ask(operator.gateway.url, method="GET", path="/metrics", headers={"x-api-key": token})


def key(operator: Operator, *scopes: str) -> str:
    made = operator.post("/api/v1/keys", {"name": "-".join(scopes), "scopes": list(scopes)})
    return str(made["key"])


def test_without_keys_anybody_on_this_machine_may_read(operator: Operator) -> None:
    assert status(operator, "") == 200


def test_from_the_first_key_on_only_operators_may(operator: Operator) -> None:
    caller, reader = key(operator, "messages"), key(operator, "admin:read")
    assert (status(operator, ""), status(operator, caller)) == (401, 403)
    assert (status(operator, reader), status(operator, operator.token)) == (200, 200)


def test_an_operator_may_open_them_all_the_same(simulator: RunningSimulator, settings: Settings) -> None:
    opened = replace(settings, telemetry=TelemetryConfig(metrics="open"))
    with serving(simulator, opened) as running:
        operator = Operator(gateway=running)
        key(operator, "messages")
        assert status(operator, "") == 200


def test_an_operator_may_close_them_before_there_are_keys(
    simulator: RunningSimulator, settings: Settings
) -> None:
    closed = replace(settings, telemetry=TelemetryConfig(metrics="admin"))
    with serving(simulator, closed) as running:
        operator = Operator(gateway=running)
        assert (status(operator, ""), status(operator, operator.token)) == (401, 200)


def test_the_words_of_keys_and_budgets_are_not_in_them(operator: Operator) -> None:
    operator.put("/api/v1/budgets/canary-team", {"usd": "5", "per": "day", "scope": "user"})
    canary = key(operator, "messages")
    operator.ask("POST", "/v1/messages", b"{}", headers={"x-api-key": canary})
    body = scraped(operator, operator.token).body
    assert b"canary" not in body
    assert canary.encode() not in body
