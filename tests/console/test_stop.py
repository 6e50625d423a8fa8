"""The stop dialog: what it would do, that it does it at once, and that it can be taken back."""

import re

import pytest

from tests.admin.operating import TOKEN
from tests.console.visiting import Browser
from tests.doors.running import RunningGateway
from tests.doors.talking import QUESTION, Heard, ask

RUN = {"scope": "run", "value": "r", "term": "30m", "reason": "turns in circles", "next": "/console/runs"}


def call(gateway: RunningGateway, run: str = "r") -> Heard:
    return ask(gateway.url, QUESTION, headers={"x-holdfast-run": run})


@pytest.mark.requirement("console:stop")
def test_a_run_is_stopped_at_once_and_others_go_on(browser: Browser, gateway: RunningGateway) -> None:
    assert call(gateway).status == 200
    heard = browser.post("/console/stop/stop", RUN)
    assert (heard.status, heard.headers["location"]) == (303, "/console/runs")
    refused = call(gateway)
    assert refused.status == 403
    assert "turns in circles" in refused.json["error"]["message"]
    assert call(gateway, "other").status == 200
    html = browser.html("/console/runs")
    assert "Stopped: run r." in html
    assert "Stopped: run r." not in browser.html("/console/runs"), "a note is told once"


@pytest.mark.requirement("console:stop")
def test_a_stop_is_taken_back_from_the_page_that_tells_of_it(
    browser: Browser, gateway: RunningGateway
) -> None:
    browser.post("/console/stop/stop", RUN)
    html = browser.html("/console/runs")
    undo = html.partition('class="undo"')[2]
    assert 'data-seconds="30"' in undo
    assert re.findall(r'name="name" value="([^"]+)"', undo) == ["run:r"]
    assert call(gateway).status == 403
    browser.post("/console/stop/resume", {"name": "run:r", "next": "/console/runs"})
    assert call(gateway).status == 200
    assert "run:r is served again." in browser.html("/console/runs")
    browser.post("/console/stop/resume", {"name": "run:r"})
    assert "was not stopped any more" in browser.html("/console/now")


@pytest.mark.requirement("console:stop")
def test_everything_stops_only_for_whoever_types_so(browser: Browser, gateway: RunningGateway) -> None:
    everything = {"scope": "everything", "value": "ignored", "term": "15m", "reason": "drill"}
    for typed in ("", "stop", "STOPP", "yes"):
        heard = browser.post("/console/stop/stop", {**everything, "twice": typed})
        assert heard.status == 400
        assert "STOP" in heard.body.decode()
        assert call(gateway).status == 200
    assert browser.post("/console/stop/stop", {**everything, "twice": "STOP"}).status == 303
    assert call(gateway).status == 403
    (held,) = browser.json("/console/stop.json")["stops"]
    assert (held["scope"], held["value"], held["by"]) == ("everything", "", "admin-token")


def test_the_reason_is_in_the_audit(browser: Browser, gateway: RunningGateway) -> None:
    browser.post("/console/stop/stop", RUN)
    heard = ask(gateway.url, method="GET", path="/api/v1/audit", headers={"x-api-key": TOKEN})
    line = heard.json["data"][0]
    assert (line["actor"], line["name"], line["note"]) == ("admin-token", "run:r", "turns in circles")


def test_a_stop_lasts_as_long_as_it_says(browser: Browser) -> None:
    browser.post("/console/stop/stop", RUN)
    browser.post("/console/stop/stop", {**RUN, "value": "s", "term": "always"})
    held = {one["value"]: one["until"] for one in browser.json("/console/stop.json")["stops"]}
    assert held["s"] is None
    assert held["r"] is not None
    html = browser.html("/console/stop")
    assert "it is resumed" in html


@pytest.mark.parametrize(
    "wrong",
    [{"scope": "planet"}, {"term": "for a while"}, {"value": ""}, {"reason": "x" * 501}],
)
def test_what_makes_no_sense_stops_nothing_and_says_why(browser: Browser, wrong: dict[str, str]) -> None:
    heard = browser.post("/console/stop/stop", {**RUN, **wrong})
    assert heard.status == 400
    assert 'role="alert"' in heard.body.decode()
    assert browser.json("/console/stop.json")["stops"] == []


def test_before_it_stops_it_says_what_that_would_do(browser: Browser, gateway: RunningGateway) -> None:
    for _ in range(5):
        call(gateway)
    gateway.records()
    facts = browser.json("/console/stop.json?scope=run&value=r")
    assert (facts["effect"]["calls"], facts["effect"]["per_minute"]) == (5, 1.0)
    assert facts["effect"]["is_known"]
    assert float(facts["effect"]["per_hour"]) > 0
    preview = browser.html("/console/stop?part=preview&scope=run&value=r")
    assert "5 calls, 1.0 a minute" in preview
    assert "<html" not in preview
    assert "written right" in browser.html("/console/stop?part=preview&scope=key&value=nobody")
    assert browser.json("/console/stop.json?scope=everything")["effect"]["calls"] == 5
    assert browser.json("/console/stop.json")["effect"] is None
    assert browser.get("/console/stop.json?scope=planet").status == 400


def test_the_dialog_is_the_form_of_the_page_alone(browser: Browser) -> None:
    html = browser.html("/console/stop?part=dialog&scope=run&value=r&next=/console/runs")
    assert "<html" not in html
    assert 'value="r"' in html
    assert 'name="next" value="/console/runs"' in html
    assert 'name="csrf"' in html


def test_a_long_name_is_stopped_and_undone_as_well(browser: Browser, gateway: RunningGateway) -> None:
    name = "가" * 400
    browser.post("/console/stop/stop", {**RUN, "value": name})
    assert all(len(value) < 4_000 for value in browser.cookies.values())
    html = browser.html("/console/runs")
    assert f'value="run:{name}"' in html.partition('class="undo"')[2]
