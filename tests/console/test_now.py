"""Now and the runs: the verdict with its figures, circuits, what happened, and who loops."""

from dataclasses import replace

import pytest

from holdfast.policy.breaker import BreakerConfig
from holdfast.settings import Settings
from holdfast.simulator import Status
from holdfast.simulator.server import RunningSimulator
from tests.console.visiting import Browser
from tests.doors.running import RunningGateway
from tests.doors.talking import QUESTION, ask


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """A circuit that opens after three failures, and stays so."""
    return replace(settings, breaker=BreakerConfig(failure_threshold=3, recovery_timeout=60.0))


@pytest.mark.requirement("console:now")
def test_an_outage_is_told_as_a_sentence_with_whose_doing_it_is(
    browser: Browser, gateway: RunningGateway, simulator: RunningSimulator
) -> None:
    simulator.simulator.fault(*[Status(529)] * 30)
    for _ in range(6):
        ask(gateway.url, QUESTION)
    facts = browser.json("/console/now.json")
    blame = {one["name"]: one["count"] for one in facts["blame"]}
    assert blame["claude"] >= 3
    assert max(blame, key=lambda name: blame[name]) == "claude"
    (circuit,) = facts["circuits"]
    assert (circuit["state"], circuit["label"]) == ("open", "OPEN")
    assert 0 < circuit["retry_after_s"] <= 75
    assert any("opened" in one["said"] for one in facts["happenings"])
    html = browser.html("/console/now")
    assert "OPEN" in html
    assert f"in {circuit['retry_after_s']} s" in html or f"in {circuit['retry_after_s'] - 1} s" in html


def test_a_closed_circuit_has_no_next_probe(browser: Browser, gateway: RunningGateway) -> None:
    ask(gateway.url, QUESTION)
    (circuit,) = browser.json("/console/now.json")["circuits"]
    assert (circuit["state"], circuit["retry_after_s"]) == ("closed", None)


def test_before_the_first_call_it_says_how_to_make_one(browser: Browser, gateway: RunningGateway) -> None:
    html = browser.html("/console/now")
    assert f"curl {gateway.url}/v1/messages" in html
    assert f"base_url=&#34;{gateway.url}&#34;" in html
    ask(gateway.url, QUESTION)
    assert browser.json("/console/now.json")["empty"] is None
    assert "<html" not in browser.html("/console/now?part=live")


def test_charts_are_drawn_from_the_last_minutes(browser: Browser, gateway: RunningGateway) -> None:
    ask(gateway.url, QUESTION)
    for name, steps in (("5m", 59), ("15m", 179), ("1h", 179), ("nonsense", 179)):
        series = browser.json(f"/console/now/series?range={name}")
        lengths = {len(series[one]) for one in ("at", "p50", "p95", "cost")}
        assert lengths | {len(one) for one in series["calls"].values()} == {steps}
        assert series["at"] == sorted(series["at"])


@pytest.mark.requirement("console:runs")
def test_a_run_that_repeats_itself_is_on_top_with_what_it_repeats(
    browser: Browser, gateway: RunningGateway
) -> None:
    ask(gateway.url, {**QUESTION, "messages": turns(4)}, headers={"x-holdfast-run": "looping"})
    ask(gateway.url, QUESTION, headers={"x-holdfast-run": "fine"})
    gateway.records()
    first, second = browser.json("/console/runs.json")["runs"]
    assert (first["run"], first["loop"]["kind"]) == ("looping", "same_call")
    assert first["loop"]["count"] >= 3
    assert (second["run"], second["loop"]) == ("fine", None)
    html = browser.html("/console/runs")
    assert "LOOP" in html
    assert "same tool, same arguments" in html
    detail = browser.html("/console/run?run=looping")
    assert "LOOP" in detail
    assert "Bash" in detail, "the evidence names the tool"


def test_a_run_shows_its_requests_its_models_and_how_it_grew(
    browser: Browser, gateway: RunningGateway
) -> None:
    for tokens in (10, 20, 30):
        ask(gateway.url, {**QUESTION, "max_tokens": tokens}, headers={"x-holdfast-run": "r"})
    gateway.records()
    facts = browser.json("/console/run.json?run=r")
    assert facts["calls"] == 3
    assert len(facts["calls_latest"]) == 3
    assert facts["curves"]["spent"]["last"] > facts["curves"]["spent"]["first"]
    assert [one["model"] for one in facts["models"]] == [QUESTION["model"]]
    assert browser.get("/console/run?run=nobody").status == 404
    assert browser.get("/console/run").status == 404


def turns(times: int) -> list[dict[str, object]]:
    """A conversation in which the same command ran again and again."""
    said: list[dict[str, object]] = [{"role": "user", "content": "Run the tests."}]
    for turn in range(times):
        use = {"type": "tool_use", "id": f"toolu_{turn}", "name": "Bash", "input": {"command": "pytest -q"}}
        result = {"type": "tool_result", "tool_use_id": f"toolu_{turn}", "content": "1 failed"}
        said.append({"role": "assistant", "content": [use]})
        said.append({"role": "user", "content": [result]})
    return said
