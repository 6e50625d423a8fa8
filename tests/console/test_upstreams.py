"""Upstreams: circuits with their countdown, gates, what is left of limits, and a test that costs nothing."""

from dataclasses import replace

import pytest

from holdfast.policy.breaker import BreakerConfig
from holdfast.policy.routing import FailoverConfig
from holdfast.settings import Settings
from holdfast.simulator import Status
from holdfast.simulator.server import RunningSimulator
from tests.admin.operating import Operator
from tests.console.visiting import Browser
from tests.doors.running import RunningGateway
from tests.doors.talking import QUESTION, ask

CIRCUIT = "simulator/claude-sonnet-5-5"


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """A circuit that opens after three failures and stays so, and a model that stands in."""
    return replace(
        settings,
        breaker=BreakerConfig(failure_threshold=3, recovery_timeout=60.0),
        failover=FailoverConfig(models={"a": ("b", "c")}),
    )


@pytest.mark.requirement("console:upstreams")
def test_a_circuit_that_opened_is_closed_by_hand(
    browser: Browser, gateway: RunningGateway, simulator: RunningSimulator, operator: Operator
) -> None:
    assert "No upstream has been called yet." in browser.html("/console/upstreams")
    simulator.simulator.fault(*[Status(529)] * 30)
    for _ in range(4):
        ask(gateway.url, QUESTION)
    gateway.records()
    facts = browser.json("/console/upstreams.json")
    (circuit,) = facts["circuits"]
    assert (circuit["name"], circuit["state"]) == (CIRCUIT, "open")
    assert circuit["retry_after_s"] > 0
    assert [part["name"] for part in facts["mix"][0]["outcomes"]] == ["failed"]
    assert browser.post("/console/upstreams/reset", {"circuit": CIRCUIT}).status == 303
    assert f"{CIRCUIT}: closed by hand." in browser.html("/console/upstreams")
    (circuit,) = browser.json("/console/upstreams.json")["circuits"]
    assert circuit["state"] == "closed"
    line = operator.get("/api/v1/audit")["data"][0]
    assert (line["actor"], line["kind"], line["note"]) == ("admin-token", "circuit", "closed by hand")


def test_a_circuit_is_held_open(browser: Browser, gateway: RunningGateway) -> None:
    assert ask(gateway.url, QUESTION).status == 200
    assert browser.post("/console/upstreams/open", {"circuit": CIRCUIT}).status == 303
    assert ask(gateway.url, QUESTION).status == 503
    assert browser.post("/console/upstreams/reset", {"circuit": CIRCUIT}).status == 303
    assert ask(gateway.url, QUESTION).status == 200


def test_what_is_not_there_is_neither_opened_nor_closed(browser: Browser) -> None:
    assert browser.post("/console/upstreams/open", {"circuit": "x/y"}).status == 404
    assert browser.post("/console/upstreams/gate", {"gate": "rate", "place": "x"}).status == 404


@pytest.mark.requirement("console:upstreams")
def test_a_closed_gate_is_opened_by_hand(
    browser: Browser, gateway: RunningGateway, simulator: RunningSimulator
) -> None:
    simulator.simulator.fault(Status(429, headers={"retry-after": "600"}))
    assert ask(gateway.url, QUESTION).status == 429
    (gate,) = browser.json("/console/upstreams.json")["gates"]
    assert (gate["gate"], gate["why"]) == ("rate", "rate_limited")
    assert 500 < gate["retry_after_s"] <= 700
    assert gate["place"] in browser.html("/console/upstreams")
    assert ask(gateway.url, QUESTION).status == 429
    assert browser.post("/console/upstreams/gate", {"gate": "rate", "place": gate["place"]}).status == 303
    assert browser.json("/console/upstreams.json")["gates"] == []
    assert ask(gateway.url, QUESTION).status == 200


@pytest.mark.requirement("console:upstreams")
def test_every_upstream_is_tested_now_for_free(
    browser: Browser, gateway: RunningGateway, simulator: RunningSimulator
) -> None:
    html = browser.post("/console/upstreams/probe", {}).body.decode()
    assert "cannot be asked" in html, "callers bring their own key"
    assert gateway.records() == ()


def test_chains_and_ends_of_models_are_there(browser: Browser) -> None:
    facts = browser.json("/console/upstreams.json")
    assert facts["chains"] == [["a", "b", "c"]]
    assert [one["days"] for one in facts["ends"]] == sorted(one["days"] for one in facts["ends"])
    assert "a → b → c" in browser.html("/console/upstreams")


def test_what_answers_say_is_left_of_limits_is_shown(browser: Browser, gateway: RunningGateway) -> None:
    ask(gateway.url, QUESTION)
    for one in browser.json("/console/upstreams.json")["limits"]:
        assert 0 <= one["remaining"] <= one["limit"]
