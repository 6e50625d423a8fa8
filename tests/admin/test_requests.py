"""Requests over the Admin API: lists by filter, one with its story, files, and the stream of those that end."""

import csv
import io
import json
from collections.abc import Generator
from contextlib import closing, contextmanager
from http.client import HTTPConnection, HTTPResponse
from typing import Any, cast
from urllib.parse import quote, urlsplit

import msgspec
import pytest

from holdfast.admin import requests as routes
from holdfast.admin.spending import Call
from holdfast.operations.requests import call_facts
from holdfast.policy.request_filter import RequestFilter
from holdfast.telemetry.feed import Feed
from tests.admin.operating import TOKEN, Operator, in_memory
from tests.doors.running import eventually
from tests.telemetry.test_feed import a_call, ended

PATH = "/api/v1/requests"


def ids(page: dict[str, Any]) -> list[str]:
    return [row["request_id"] for row in page["data"]]


@contextmanager
def stream(operator: Operator, wanted: str = "") -> Generator[HTTPResponse]:
    place = urlsplit(operator.gateway.url)
    with closing(HTTPConnection(place.hostname or "", place.port, timeout=20)) as connection:
        connection.request("GET", f"{PATH}/stream?filter={quote(wanted)}", headers={"x-api-key": TOKEN})
        yield connection.getresponse()


def event(response: HTTPResponse) -> tuple[str, dict[str, Any]]:
    """The next event; comments are left out."""
    while not (line := response.readline()).startswith(b"event: "):
        assert line, "the stream has ended"
    data = response.readline().removeprefix(b"data: ")
    return line.decode().removeprefix("event: ").strip(), cast("dict[str, Any]", json.loads(data))


def test_a_filter_chooses_the_requests(operator: Operator) -> None:
    first, second = operator.answered(x_holdfast_run="one"), operator.answered(x_holdfast_run="two")

    assert ids(operator.get(PATH)) == [second, first]
    assert ids(operator.get(f"{PATH}?filter={quote('run:one')}")) == [first]
    assert ids(operator.get(f"{PATH}?filter={quote('-run:one outcome:answered status:200')}")) == [second]
    assert ids(operator.get(f"{PATH}?filter={quote('outcome:failed')}")) == []


def test_pages_go_on_where_the_one_before_ended_though_new_requests_come(operator: Operator) -> None:
    made = [operator.answered() for _ in range(5)][::-1]
    first = operator.get(f"{PATH}?limit=2")
    operator.answered()
    second = operator.get(f"{PATH}?limit=2&after={first['next_page']}")
    third = operator.get(f"{PATH}?limit=2&page={second['next_page']}")

    assert ids(first) + ids(second) + ids(third) == made
    assert (first["has_more"], third["has_more"], third["next_page"]) == (True, False, None)


@in_memory
def test_what_is_wrong_with_a_filter_is_said(operator: Operator) -> None:
    for path in (PATH, f"{PATH}/export", f"{PATH}/stream"):
        status, message = operator.refused("GET", f"{path}?filter={quote('modl:x')}")
        assert (status, "did you mean `model`" in message) == (400, True)
    assert operator.refused("GET", f"{PATH}?after=nonsense")[0] == 400
    assert operator.refused("GET", f"{PATH}?after=%C3%A4")[0] == 400
    assert operator.refused("GET", f"{PATH}?filter={'x' * 2001}")[0] == 400


def test_one_request_is_told_with_its_attempts(operator: Operator) -> None:
    name = operator.answered()
    told = operator.get(f"{PATH}/{name}")

    assert told["call"]["outcome"] == "answered"
    assert [one["attempt"] for one in told["attempts"]] == [1]
    assert operator.refused("GET", f"{PATH}/hfr_nobody")[0] == 404


def test_every_request_comes_as_a_file(operator: Operator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("holdfast.operations.requests.PAGE", 2)
    made = [operator.answered(x_holdfast_run="=1+1") for _ in range(5)][::-1]
    table = operator.ask("GET", f"{PATH}/export")
    lines = operator.ask("GET", f"{PATH}/export?format=jsonl&filter={quote('outcome:answered')}")

    rows = [*csv.DictReader(io.StringIO(table.body.decode()))]
    assert [row["request_id"] for row in rows] == made
    assert rows[0]["run"] == "'=1+1"
    assert [json.loads(line)["request_id"] for line in lines.body.splitlines()] == made
    assert "requests.csv" in table.headers["content-disposition"]


def test_the_rows_of_a_file_have_the_order_of_its_header() -> None:
    assert [*call_facts(a_call("a"))] == [field.name for field in msgspec.structs.fields(Call)]


@in_memory
def test_a_follower_hears_of_the_requests_it_asked_for(operator: Operator) -> None:
    with stream(operator, "run:mine") as response:
        assert response.headers["content-type"].startswith("text/event-stream")
        assert event(response) == ("opened", {"workers": 1})
        operator.answered(x_holdfast_run="other")
        name = operator.answered(x_holdfast_run="mine")
        kind, facts = event(response)

    assert (kind, facts["request_id"], facts["run"]) == ("request", name, "mine")
    eventually(lambda: operator.gateway.hold.runtime.feed.followers == 0)


@in_memory
def test_a_silent_stream_says_that_it_is_there(operator: Operator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(routes, "ALIVE", 0.01)
    with stream(operator) as response:
        event(response)
        response.readline()
        assert response.readline() == b": alive\n"


async def test_a_slow_follower_hears_how_many_it_missed() -> None:
    feed = Feed(room=2)
    following = feed.follow()
    for name in "abcde":
        feed(ended(name))
    feed.end()
    told = [chunk async for chunk in routes.events(following, RequestFilter(), 3)]

    assert told[:2] == [b'event: opened\ndata: {"workers":3}\n\n', b'event: dropped\ndata: {"count":3}\n\n']
    assert [chunk.count(b"event: request") for chunk in told[2:]] == [2]


@in_memory
def test_no_more_than_so_many_may_follow(operator: Operator) -> None:
    operator.gateway.hold.runtime.feed.most = 0
    status, message = operator.refused("GET", f"{PATH}/stream")
    assert (status, "already follow" in message) == (429, True)


@in_memory
def test_a_gateway_that_stops_does_not_wait_for_those_who_follow(operator: Operator) -> None:
    with stream(operator) as response:
        event(response)
        operator.gateway.stop()
        assert response.read() == b"\n"


@in_memory
def test_without_a_token_nothing_is_told(operator: Operator) -> None:
    stranger = Operator(gateway=operator.gateway, token="")
    for path in (f"{PATH}/stream", f"{PATH}/export", PATH):
        assert stranger.refused("GET", path)[0] == 401
