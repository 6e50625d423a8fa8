"""Alerts: rules in words, a test of a channel, silences that end, and a timeline for a report."""

from dataclasses import replace

import pytest

from holdfast.policy.alert_rules import AlertRuleConfig, AlertsConfig, ChannelConfig
from holdfast.policy.breaker import BreakerConfig
from holdfast.settings import Settings
from holdfast.simulator import Status
from holdfast.simulator.server import RunningSimulator
from tests.console.visiting import Browser
from tests.doors.running import RunningGateway, eventually
from tests.doors.talking import QUESTION, ask

SILENCE = {"rule": "circuit", "label": "", "term": "30m", "reason": "known"}


def outage(gateway: RunningGateway, simulator: RunningSimulator) -> None:
    simulator.simulator.fault(*[Status(529)] * 20)
    for _ in range(4):
        ask(gateway.url, {**QUESTION, "model": "claude-sonnet-5-5"})


class TestWithoutChannels:
    """As it comes."""

    def test_it_says_that_nobody_is_told_and_how_to_be(self, browser: Browser) -> None:
        html = browser.html("/console/alerts")
        assert "No channel: nobody is told of anything." in html
        assert "[alerts.channels.ops]" in html


@pytest.fixture
def told(settings: Settings, simulator: RunningSimulator) -> Settings:
    hook = ChannelConfig(kind="webhook", url=f"{simulator.url}/v1/messages")
    return replace(
        settings,
        breaker=BreakerConfig(failure_threshold=2, recovery_timeout=60.0),
        alerts=AlertsConfig(channels={"hook": hook}, rules={"circuit": AlertRuleConfig(when="circuit open")}),
    )


@pytest.mark.usefixtures("simulator")
class TestTold:
    """With a rule and a channel, which takes nothing."""

    @pytest.fixture
    def settings(self, told: Settings) -> Settings:
        return told

    @pytest.mark.requirement("console:alerts")
    def test_rules_are_told_in_words_and_incidents_as_they_are(
        self, browser: Browser, gateway: RunningGateway, simulator: RunningSimulator
    ) -> None:
        (rule,) = browser.json("/console/alerts.json")["rules"]
        assert rule["said"] == "A circuit is open"
        outage(gateway, simulator)
        eventually(lambda: bool(browser.json("/console/alerts.json")["incidents"]))
        (incident,) = browser.json("/console/alerts.json")["incidents"]
        assert (incident["rule"], incident["label"]) == ("circuit", "simulator/claude-sonnet-5-5")
        assert "simulator/claude-sonnet-5-5" in browser.html("/console/alerts")

    @pytest.mark.requirement("console:alerts")
    def test_a_silence_is_set_taken_back_and_ends(self, browser: Browser) -> None:
        heard = browser.post("/console/alerts/silence", SILENCE)
        assert (heard.status, heard.headers["location"]) == (303, "/console/alerts")
        html = browser.html("/console/alerts")
        assert "Silenced until" in html
        assert 'action="/console/alerts/resume"' in html
        (held,) = browser.json("/console/alerts.json")["silences"]
        assert (held["rule"], held["by"], held["reason"]) == ("circuit", "admin-token", "known")
        browser.post("/console/alerts/resume", {"rule": "circuit", "label": ""})
        assert browser.json("/console/alerts.json")["silences"] == []
        browser.post("/console/alerts/resume", {"rule": "circuit", "label": ""})
        assert "Was not silenced any more" in browser.html("/console/alerts")

    def test_a_channel_that_takes_no_message_says_so(self, browser: Browser) -> None:
        heard = browser.post("/console/alerts/test", {"channel": "hook"})
        assert heard.status == 502
        assert "The alert was not delivered" in heard.body.decode()
        assert browser.post("/console/alerts/test", {"channel": "nobody"}).status == 404

    @pytest.mark.parametrize("wrong", [{"rule": "nobody"}, {"term": "soon"}])
    def test_what_makes_no_sense_silences_nothing(self, browser: Browser, wrong: dict[str, str]) -> None:
        assert browser.post("/console/alerts/silence", {**SILENCE, **wrong}).status in (400, 404)
        assert browser.json("/console/alerts.json")["silences"] == []


@pytest.mark.requirement("console:alerts")
def test_the_timeline_is_a_file_in_which_names_are_no_markup(
    browser: Browser, gateway: RunningGateway
) -> None:
    assert "Nothing worth telling" in browser.html("/console/alerts")
    run = "[x](javascript:alert(1)) <b>"
    turns: list[dict[str, object]] = [{"role": "user", "content": "Run."}]
    for turn in range(4):
        use = {"type": "tool_use", "id": f"t{turn}", "name": "Bash", "input": {"command": "ls"}}
        turns.append({"role": "assistant", "content": [use]})
        turns.append(
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": f"t{turn}", "content": "x"}]}
        )
    ask(gateway.url, {**QUESTION, "messages": turns}, headers={"x-holdfast-run": run})
    heard = browser.get("/console/alerts/timeline")
    assert heard.headers["content-type"].startswith("text/markdown")
    assert "attachment" in heard.headers["content-disposition"]
    text = heard.body.decode()
    assert "# Timeline" in text
    assert "\\[x\\]\\(javascript:alert\\(1\\)\\) \\<b\\>" in text
    assert "[x](" not in text
