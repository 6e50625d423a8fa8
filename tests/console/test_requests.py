"""Requests in the console: filters, pages, files, the live tail, and one request as a waterfall."""

import json
import re

import pytest

from holdfast.simulator import Status
from holdfast.simulator.server import RunningSimulator
from tests.console.visiting import Browser, in_query
from tests.doors.running import RunningGateway, eventually
from tests.doors.talking import QUESTION, ask, connected, request


def called(gateway: RunningGateway, *, times: int = 1, **headers: str) -> list[str]:
    """Ids of calls that are in the book."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    heard = [ask(gateway.url, {**QUESTION, "max_tokens": 10 + one}, headers=named) for one in range(times)]
    gateway.records()
    return [one.headers["x-holdfast-request-id"] for one in heard]


def shown(html: str) -> list[str]:
    return re.findall(r'<tr data-href="/console/request\?id=([^"]+)">', html)


def test_the_newest_come_first_and_pages_follow_each_other(browser: Browser, gateway: RunningGateway) -> None:
    ids = called(gateway, times=53)[::-1]
    first = browser.html("/console/requests")
    assert shown(first) == ids[:50]
    following = re.search(r'href="([^"]+)" rel="next"', first)
    assert following is not None
    second = browser.html(following[1].replace("&amp;", "&"))
    assert shown(second) == ids[50:]
    assert 'rel="next"' not in second
    assert "data-tail" not in second, "an older page does not move"


def test_a_filter_is_text_and_chips_and_the_address(browser: Browser, gateway: RunningGateway) -> None:
    (mine,) = called(gateway, x_holdfast_run="r1")
    called(gateway, x_holdfast_run="r2")
    path = f"/console/requests?filter={in_query('run:r1 outcome:answered')}"
    html = browser.html(path)
    assert shown(html) == [mine]
    assert 'value="run:r1 outcome:answered"' in html
    assert 'href="/console/requests?filter=outcome%3Aanswered"' in html, "the chip takes its own term out"
    assert browser.json(path.replace("requests?", "requests.json?"))["calls"][0]["request_id"] == mine


def test_a_filter_that_means_nothing_is_said_so_in_place(browser: Browser) -> None:
    html = browser.html("/console/requests?filter=outcom%3Afailed")
    assert "outcome" in html.partition('role="alert"')[2].partition("</p>")[0]
    assert browser.json("/console/requests.json?filter=x")["problem"]
    assert browser.get("/console/requests/tail?filter=x").status == 400
    assert browser.get("/console/requests/export?filter=x").status == 400
    assert browser.get("/console/requests?after=nonsense").status == 400
    assert browser.get("/console/requests.json?after=nonsense").status == 400


def test_what_is_typed_is_completed(browser: Browser) -> None:
    heard = browser.get("/console/requests/complete?filter=out")
    assert json.loads(heard.body) == ["outcome:"]


def test_all_that_is_meant_comes_as_a_file(browser: Browser, gateway: RunningGateway) -> None:
    ids = called(gateway, times=3, x_holdfast_run="r")
    called(gateway)
    lines = browser.get("/console/requests/export?filter=run%3Ar&format=jsonl").body.decode().splitlines()
    assert [json.loads(line)["request_id"] for line in lines] == ids[::-1]
    table = browser.get("/console/requests/export?filter=run%3Ar&format=csv")
    assert table.body.decode().splitlines()[0].startswith("request_id,")
    assert 'filename="requests.csv"' in table.headers["content-disposition"]


@pytest.mark.requirement("console:live")
def test_the_tail_shows_rows_as_calls_end(browser: Browser, gateway: RunningGateway) -> None:
    cookies = "; ".join(f"{name}={value}" for name, value in browser.cookies.items())
    with connected(gateway.url) as line:
        path = "/console/requests/tail?filter=run%3Ar"
        line.send(
            request(
                method="GET", path=path, headers={"host": browser.host, "cookie": cookies, "x-api-key": ""}
            )
        )
        _, headers = line._head()  # pyright: ignore[reportPrivateUsage]
        assert headers["content-type"].startswith("text/event-stream")
        heard = ""
        while "event: opened" not in heard:
            heard += line.reader.readline().decode()
        called(gateway)
        (mine,) = called(gateway, x_holdfast_run="r")
        while "event: rows" not in heard:
            heard += line.reader.readline().decode()
        told = json.loads(line.reader.readline().decode().removeprefix("data: "))
        assert shown("".join(told["rows"])) == [mine]
        assert told["missed"] == 0
    eventually(lambda: gateway.hold.runtime.feed.followers == 0)


def test_a_tail_ends_with_the_login(browser: Browser, gateway: RunningGateway) -> None:
    cookies = "; ".join(f"{name}={value}" for name, value in browser.cookies.items())
    headers = {"host": browser.host, "cookie": cookies, "x-api-key": "", "connection": "close"}
    with connected(gateway.url) as line:
        line.send(request(method="GET", path="/console/requests/tail", headers=headers))
        while b"opened" not in line.reader.readline():
            pass
        browser.post("/console/logout", {})
        called(gateway)
        assert b"event: rows" not in line.reader.read()


def test_a_tail_ends_when_the_gateway_does(browser: Browser, gateway: RunningGateway) -> None:
    cookies = "; ".join(f"{name}={value}" for name, value in browser.cookies.items())
    headers = {"host": browser.host, "cookie": cookies, "x-api-key": ""}
    with connected(gateway.url) as line:
        line.send(request(method="GET", path="/console/requests/tail", headers=headers))
        while b"opened" not in line.reader.readline():
            pass
        gateway.stop()
        assert b"event: rows" not in line.reader.read()


@pytest.mark.requirement("console:waterfall")
def test_a_request_shows_every_attempt_to_scale(
    browser: Browser, gateway: RunningGateway, simulator: RunningSimulator
) -> None:
    simulator.simulator.fault(Status(529))
    (name,) = called(gateway, x_holdfast_run="r")
    html = browser.html(f"/console/request?id={name}")
    assert len(re.findall(r'<svg class="bar"', html)) == 2
    assert "529" in html
    assert "then waited" in html
    assert "Stop this run" in html
    assert f"holdfast requests show {name}" in html
    facts = browser.json(f"/console/request.json?id={name}")
    assert [one["status"] for one in facts["story"]["attempts"]] == [529, 200]
    first, second = facts["bars"]
    assert 0 <= first["start"] <= first["end"] <= second["start"] < second["end"] <= 1000


def test_a_request_that_nobody_was_asked_for_says_so(browser: Browser, gateway: RunningGateway) -> None:
    heard = ask(gateway.url, {**QUESTION, "model": "nobody-knows-it"})
    gateway.records()
    html = browser.html(f"/console/request?id={heard.headers['x-holdfast-request-id']}")
    assert "No upstream was asked." in html or "attempt" in html
