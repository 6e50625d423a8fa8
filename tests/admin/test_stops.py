"""The kill switch over HTTP: what is under way ends at once, with or without a database."""

import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import anthropic
import pytest

from holdfast.errors import StoreUnavailable
from holdfast.settings import StoreConfig
from holdfast.simulator import Stall
from holdfast.simulator.server import RunningSimulator
from holdfast.stores.sqlite import SqliteStore
from tests.admin.operating import Operator, in_memory, named
from tests.doors.running import quick_settings, serving
from tests.doors.talking import QUESTION, Connection, connected, request

PATH = "/api/v1/stops"
STREAM = {**QUESTION, "stream": True}
SOON = 1.0
"""Seconds in which a stop must have cut what is under way."""


@pytest.fixture
def away(simulator: RunningSimulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Operator]:
    """An operator of a gateway whose register has gone away."""
    settings = replace(quick_settings(simulator), store=StoreConfig(url=f"sqlite:///{tmp_path / 'away.db'}"))

    async def gone(*args: object, **others: object) -> object:
        raise StoreUnavailable("the database is gone")

    with serving(simulator, settings) as running:
        operator = Operator(gateway=running)
        operator.answered()
        for verb in ("put", "drop", "entries", "revision"):
            monkeypatch.setattr(SqliteStore, verb, gone)
        yield operator


def begun(connection: Connection, operator: Operator, run: str) -> None:
    """A stream is under way, and something of it has been heard."""
    operator.gateway.simulator.simulator.fault(Stall(after_events=6))
    connection.send(request(STREAM, headers={"x-holdfast-run": run}))
    while b"content_block" not in connection.reader.readline():
        pass


def told_last(connection: Connection) -> bytes:
    """The rest of a chunked answer."""
    rest = b""
    while not rest.endswith(b"\r\n0\r\n"):
        rest += connection.reader.readline()
    return rest


def now() -> float:
    return time.monotonic()  # noqa: TID251 - real servers, real time


def test_a_stop_ends_a_stream_at_once_with_a_typed_error_event(operator: Operator) -> None:
    with connected(operator.gateway.url) as connection:
        begun(connection, operator, "r1")
        start = now()
        told = operator.post(PATH, {"scope": "run", "value": "r1", "reason": "turns in circles"})
        rest = told_last(connection)
        assert now() - start < SOON
    assert (told["name"], told["by"], told["everywhere"], told["problem"]) == (
        "run:r1",
        "admin-token",
        True,
        None,
    )
    assert b"event: error" in rest
    assert b'"permission_error"' in rest
    assert b"holdfast_stopped" in rest
    assert b"turns in circles" in rest


def stopped_on_the_way(client: anthropic.Anthropic, operator: Operator, moments: list[float]) -> None:
    """Read a stream, and have its user stopped once it has begun to answer."""
    stream = client.messages.create(
        model="claude-sonnet-5-5",
        max_tokens=300,
        messages=[{"role": "user", "content": "Where is my order?"}],
        stream=True,
        extra_headers={"x-holdfast-user": "alice"},
    )
    for event in stream:
        if event.type == "content_block_start":
            moments.append(now())
            operator.post(PATH, {"scope": "user", "value": "alice"})


def test_the_official_client_raises_what_the_stop_said(operator: Operator) -> None:
    operator.gateway.simulator.simulator.fault(Stall(after_events=6))
    moments: list[float] = []
    client = anthropic.Anthropic(api_key="local", base_url=operator.gateway.url, max_retries=0)
    with client, pytest.raises(anthropic.APIStatusError) as caught:
        stopped_on_the_way(client, operator, moments)
    assert now() - moments[0] < SOON
    assert caught.value.error_code == "holdfast_stopped"


def test_what_is_stopped_is_refused_until_it_is_resumed_by_name_or_by_scope(operator: Operator) -> None:
    for path in (f"{PATH}/{named('user:a/b')}", f"{PATH}?scope=user&value=a%2Fb"):
        operator.post(PATH, {"scope": "user", "value": "a/b"})
        refused = operator.call(x_holdfast_user="a/b")
        assert (refused.status, refused.error_type) == (403, "permission_error")
        assert operator.call(x_holdfast_user="bob").status == 200
        assert [one["name"] for one in operator.get(PATH)["data"]] == ["user:a/b"]
        ended = operator.delete(path)
        assert (ended["ended"]["name"], ended["stops"]) == ("user:a/b", [])
        assert operator.call(x_holdfast_user="a/b").status == 200
        assert operator.refused("DELETE", path)[0] == 404


@in_memory
def test_everything_can_be_stopped_for_a_while(operator: Operator) -> None:
    told = operator.post(PATH, {"scope": "everything", "for": "2h"})
    assert told["until"] > told["at"]
    refused = operator.call()
    assert refused.status == 403
    assert 7_000 < int(refused.headers["retry-after"]) <= 7_200
    assert operator.delete(f"{PATH}/everything:")["ended"]["until"] == told["until"]
    until = "2126-01-01T00:00:00Z"
    assert operator.post(PATH, {"scope": "everything", "until": until})["until"] == until


@in_memory
def test_a_stop_that_makes_no_sense_is_refused(operator: Operator) -> None:
    for body in (
        {},
        {"scope": "run"},
        {"scope": "everything", "value": "x"},
        {"scope": "planet", "value": "x"},
        {"scope": "run", "value": "x", "reason": "a" * 501},
        {"scope": "run", "value": "a" * 501},
        {"scope": "run", "value": "x", "for": "ever"},
        {"scope": "run", "value": "x", "for": "1h", "until": "2126-01-01T00:00:00Z"},
        {"scope": "run", "value": "x", "until": "2126-01-01T00:00:00"},
        {"scope": "run", "value": "x", "by": "somebody else"},
    ):
        assert operator.refused("POST", PATH, body)[0] == 400, body
    assert operator.get(PATH)["data"] == []
    assert operator.refused("DELETE", f"{PATH}?scope=planet")[0] == 400
    assert operator.refused("DELETE", PATH)[0] == 400


def test_a_stop_is_in_the_audit_with_whoever_said_it(operator: Operator) -> None:
    operator.post(PATH, {"scope": "run", "value": "r1", "reason": "lost"})
    operator.delete(f"{PATH}/run:r1")
    lines = [
        (one["actor"], one["action"], one["name"], one["note"])
        for one in operator.get("/api/v1/audit")["data"]
    ]
    assert lines == [("admin-token", "drop", "run:r1", ""), ("admin-token", "put", "run:r1", "lost")]


def test_another_worker_of_the_same_book_hears_of_a_stop_within_a_second(
    simulator: RunningSimulator, tmp_path: Path
) -> None:
    settings = replace(
        quick_settings(simulator), store=StoreConfig(url=f"sqlite:///{tmp_path / 'shared.db'}")
    )
    with serving(simulator, settings) as here, serving(simulator, settings) as there:
        operator, other = Operator(gateway=here), Operator(gateway=there)
        with connected(there.url) as connection:
            begun(connection, other, "r1")
            start = now()
            operator.post(PATH, {"scope": "run", "value": "r1"})
            rest = told_last(connection)
            assert now() - start < SOON
        assert b"holdfast_stopped" in rest
        assert [one["name"] for one in other.get(PATH)["data"]] == ["run:r1"]


def test_with_the_database_gone_a_stop_still_holds_on_this_machine(away: Operator) -> None:
    start = now()
    told = away.post(PATH, {"scope": "everything", "reason": "fire"})
    assert now() - start < SOON
    assert (told["here"], told["everywhere"]) == (True, False)
    assert "the database is gone" in told["problem"]
    assert away.call().status == 403
    assert [one["name"] for one in away.get(PATH)["data"]] == ["everything:"]


def test_with_the_database_gone_a_stop_still_cuts_what_is_under_way(away: Operator) -> None:
    with connected(away.gateway.url) as connection:
        begun(connection, away, "r1")
        start = now()
        away.post(PATH, {"scope": "run", "value": "r1"})
        rest = told_last(connection)
        assert now() - start < SOON
    assert b"holdfast_stopped" in rest


def test_with_the_database_gone_what_needs_it_says_so(away: Operator) -> None:
    for method, path, body in (
        ("GET", "/api/v1/budgets", b""),
        ("PUT", "/api/v1/budgets/b", {"usd": "1"}),
        ("POST", "/api/v1/keys", {"name": "web"}),
        ("DELETE", f"{PATH}/everything:", b""),
        ("GET", "/v1/organizations/spend_limits", b""),
    ):
        heard = away.ask(method, path, body)
        assert (heard.status, heard.error_type) == (503, "api_error"), path
