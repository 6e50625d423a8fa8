"""`holdfast alerts` against a real gateway."""

import json
from collections.abc import Iterator
from dataclasses import replace

import pytest

from holdfast.policy.alert_rules import AlertRuleConfig, AlertsConfig, ChannelConfig
from holdfast.simulator.server import RunningSimulator
from tests.cli.conftest import Holdfast
from tests.doors.running import RunningGateway, eventually, quick_settings, serving

TOKEN = "an-admin-token-of-the-tests"
RULES = {"circuit": AlertRuleConfig(when="circuit open"), "crash": AlertRuleConfig(when="crash")}


@pytest.fixture
def gateway(simulator: RunningSimulator, monkeypatch: pytest.MonkeyPatch) -> Iterator[RunningGateway]:
    monkeypatch.setenv("HOLDFAST_ADMIN_TOKEN", TOKEN)
    monkeypatch.delenv("HOLDFAST_TOKEN", raising=False)
    hook = ChannelConfig(kind="webhook", url=f"{simulator.url}/nowhere")
    settings = replace(quick_settings(simulator), alerts=AlertsConfig(channels={"hook": hook}, rules=RULES))
    with serving(simulator, settings) as running:
        monkeypatch.setenv("HOLDFAST_URL", running.url)
        yield running


def test_without_an_incident_the_rules_and_channels_are_listed(
    holdfast: Holdfast, gateway: RunningGateway
) -> None:
    ended = holdfast("alerts")
    assert (ended.code, ended.err) == (0, "No incident.\n")
    assert "circuit  circuit open  all" in ended.out
    assert "hook     webhook" in ended.out


def test_an_incident_is_listed_with_what_it_is_about(holdfast: Holdfast, gateway: RunningGateway) -> None:
    gateway.hold.runtime.circuits.of("live/m").force_open()
    eventually(lambda: bool(gateway.hold.runtime.alerting.incidents))
    facts = json.loads(holdfast("alerts", "list", "--json").out)
    assert [(one["rule"], one["label"]) for one in facts["incidents"]] == [("circuit", "live/m")]
    assert holdfast("alerts", "silence", "circuit", "--for", "1h").code == 0
    listed = holdfast("alerts", "list")
    assert listed.err == ""
    row = listed.out.splitlines()[1].split()
    assert (row[0], row[1], row[-1]) == ("circuit", "live/m", "silenced")


def test_a_rule_is_silenced_and_resumed(holdfast: Holdfast, gateway: RunningGateway) -> None:
    silenced = holdfast("alerts", "silence", "circuit", "--for", "2h", "--label", "live/m")
    listed = holdfast("alerts", "list")
    resumed = holdfast("alerts", "resume", "circuit", "--label", "live/m")
    assert silenced.err.startswith("Nobody is told of `circuit` until 20")
    assert "live/m" in listed.out
    assert resumed.err == "`circuit` is told again.\n"
    assert holdfast("alerts", "resume", "circuit").code == 1


def test_the_verbs_print_json_when_asked_to(holdfast: Holdfast, gateway: RunningGateway) -> None:
    silenced = json.loads(holdfast("alerts", "silence", "*", "--for", "1h", "--json").out)
    resumed = json.loads(holdfast("alerts", "resume", "*", "--json").out)
    assert (silenced["rule"], resumed) == ("*", {"rule": "*", "label": ""})


def test_a_channel_that_does_not_take_the_test_fails(holdfast: Holdfast, gateway: RunningGateway) -> None:
    ended = holdfast("alerts", "test", "hook")
    assert ended.code == 1
    assert "The alert was not delivered" in ended.err


def test_what_is_not_there_is_told_as_such(holdfast: Holdfast, gateway: RunningGateway) -> None:
    ended = holdfast("alerts", "test", "nope")
    assert (ended.code, "There is no channel `nope` here." in ended.err) == (1, True)


def test_without_channels_it_says_how_to_add_one(
    holdfast: Holdfast, simulator: RunningSimulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOLDFAST_ADMIN_TOKEN", TOKEN)
    with serving(simulator, quick_settings(simulator)) as running:
        ended = holdfast("alerts", "--url", running.url)
    assert (ended.code, ended.out) == (0, "")
    assert "[alerts.channels.NAME]" in ended.err
