"""Alerts over HTTP: what goes on, who is told, a test and a silence, and a channel that hangs."""

import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace

import pytest

from holdfast.policy.alert_rules import AlertRuleConfig, AlertsConfig, ChannelConfig
from holdfast.policy.breaker import BreakerConfig
from holdfast.settings import Settings
from holdfast.simulator import Fault, Status
from holdfast.simulator.server import RunningSimulator
from tests.admin.operating import Operator, in_memory
from tests.doors.running import eventually, quick_settings, serving
from tests.doors.talking import QUESTION, ask

PATH = "/api/v1/alerts"


@pytest.fixture
def hanging() -> Iterator[str]:
    """A server that takes every connection and never says a word."""
    with ExitStack() as open_, socket.create_server(("127.0.0.1", 0), backlog=200) as server:
        open_.callback(server.close)
        yield f"http://127.0.0.1:{server.getsockname()[1]}/"


@pytest.fixture
def operator(simulator: RunningSimulator, store_url: str, hanging: str) -> Iterator[Operator]:
    usual = quick_settings(simulator)
    settings: Settings = replace(
        usual,
        store=replace(usual.store, url=store_url),
        breaker=BreakerConfig(failure_threshold=2, recovery_timeout=60.0),
        alerts=AlertsConfig(
            channels={
                "slow": ChannelConfig(kind="webhook", url=hanging),
                "hook": ChannelConfig(kind="webhook", url=f"{simulator.url}/v1/messages"),
            },
            rules={"circuit": AlertRuleConfig(when="circuit open")},
        ),
    )
    with serving(simulator, settings) as running:
        yield Operator(gateway=running)


def test_rules_and_channels_are_listed_without_their_addresses(operator: Operator) -> None:
    heard = operator.ask("GET", PATH)
    assert heard.json["rules"] == [
        {"name": "circuit", "when": "circuit open", "channels": [], "again_every": None, "calm": 60.0}
    ]
    assert [one["name"] for one in heard.json["channels"]] == ["slow", "hook"]
    assert b"http" not in heard.body


@in_memory
def test_a_webhook_that_hangs_makes_no_request_slower(operator: Operator) -> None:
    operator.gateway.simulator.simulator.fault(Fault(Status(500), times=None))
    for _ in range(3):
        operator.call()
    eventually(lambda: operator.get(PATH)["incidents"] and operator.get(PATH)["channels"][0]["waiting"])
    incident = operator.get(PATH)["incidents"][0]
    assert (incident["rule"], incident["told"], incident["silenced"]) == ("circuit", True, False)
    start = time.monotonic()  # noqa: TID251 - real servers, real time
    for _ in range(20):
        assert ask(operator.gateway.url, QUESTION).status == 503
    assert time.monotonic() - start < 2.0  # noqa: TID251 - real servers, real time
    assert operator.get(PATH)["channels"][0]["sent"] == 0


def test_a_rule_is_silenced_for_a_while_and_told_again(operator: Operator) -> None:
    told = operator.post(f"{PATH}/silences", {"rule": "circuit", "for": "1h", "reason": "deploying"})
    assert (told["rule"], told["by"], told["reason"]) == ("circuit", "admin-token", "deploying")
    assert operator.get(PATH)["silences"] == [told]
    assert operator.delete(f"{PATH}/silences?rule=circuit") == {"rule": "circuit", "label": ""}
    assert operator.get(PATH)["silences"] == []


@in_memory
def test_what_is_not_there_is_not_found(operator: Operator) -> None:
    assert operator.refused("POST", f"{PATH}/silences", {"rule": "nope", "for": "1h"})[0] == 404
    assert operator.refused("DELETE", f"{PATH}/silences?rule=circuit")[0] == 404
    assert operator.refused("POST", f"{PATH}/test", {"channel": "nope"})[0] == 404
    assert operator.refused("POST", f"{PATH}/silences", {"rule": "circuit", "for": "soon"})[0] == 400


@in_memory
def test_a_channel_that_does_not_take_the_test_is_told_as_such(operator: Operator) -> None:
    status, message = operator.refused("POST", f"{PATH}/test", {"channel": "hook"})
    assert status == 502
    assert "The alert was not delivered (webhook: status 4" in message
