"""The Admin API where servers, databases and our own code misbehave."""

import asyncio
import json
import sqlite3
import time
from collections.abc import Iterator, MutableMapping
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from holdfast.errors import StoreUnavailable
from holdfast.events import RequestCrashed
from holdfast.gateway.app import Gateway
from holdfast.hold import Holdfast
from holdfast.policy.keys import minted
from holdfast.ports import Entry, Totals
from holdfast.settings import Settings, StoreConfig
from holdfast.simulator import Simulator, Stall
from holdfast.simulator.server import RunningSimulator
from holdfast.stores.memory import MemoryStore
from holdfast.upstream.inprocess import InProcessClient
from tests.admin.operating import TOKEN, Operator
from tests.doors.running import over, quick_settings, serving
from tests.doors.talking import connected, request

BUDGETS = "/api/v1/budgets"
Message = MutableMapping[str, Any]


@pytest.fixture
def store_url() -> str:
    return "memory:"


@dataclass
class Server:
    """An ASGI server with one request; `fails_after` messages its client is gone."""

    gateway: Gateway
    fails_after: int = 99
    sent: list[Message] = field(default_factory=list[Message])
    _asked: bool = False

    async def ask(self, path: str, **scope: object) -> None:
        headers = [(b"x-api-key", TOKEN.encode())]
        said = {"type": "http", "method": "GET", "path": path, "query_string": b"", "headers": headers}
        await self.gateway({**said, **scope}, self.receive, self.send)

    async def receive(self) -> Message:
        if not self._asked:
            self._asked = True
            return {"type": "http.request", "body": b"", "more_body": False}
        await asyncio.Event().wait()
        raise AssertionError("nobody hangs up")

    async def send(self, message: Message) -> None:
        if len(self.sent) == self.fails_after:
            raise OSError("the client is gone")
        self.sent.append(message)

    @property
    def status(self) -> int:
        return int(self.sent[0]["status"])

    @property
    def json(self) -> dict[str, Any]:
        return dict(json.loads(b"".join(message.get("body", b"") for message in self.sent)))


@pytest.fixture
def gateway(simulator: RunningSimulator) -> Iterator[Gateway]:
    settings = quick_settings(simulator)
    opened = over(InProcessClient(Simulator()), MemoryStore())
    with Holdfast(settings, runtime=opened(settings, lambda event: None)) as hold:
        yield hold.asgi()


async def test_a_server_that_tells_no_written_path_is_served(gateway: Gateway) -> None:
    server = Server(gateway)
    await server.ask("/api/v1/runs/a b")
    assert (server.status, "`a b`" in server.json["error"]["message"]) == (404, True)


async def test_it_works_where_the_gateway_is_mounted(gateway: Gateway) -> None:
    server = Server(gateway)
    await server.ask("/llm/api/v1/budgets", root_path="/llm", raw_path=b"/llm/api/v1/budgets")
    assert (server.status, server.json["data"]) == (200, [])


async def test_a_client_that_is_gone_is_nobodys_mistake(gateway: Gateway) -> None:
    for path in (BUDGETS, "/api/v1/spend/export"):
        for after in (0, 1):
            server = Server(gateway, fails_after=after)
            await server.ask(path)
            assert len(server.sent) == after


async def test_an_admin_token_can_be_handed_over_with_the_application(
    simulator: RunningSimulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("HOLDFAST_ADMIN_TOKEN")
    settings = quick_settings(simulator)
    async with Holdfast(settings) as hold:
        opened, closed = Server(hold.asgi(admin_token=TOKEN)), Server(hold.asgi())
        await opened.ask(BUDGETS)
        await closed.ask(BUDGETS)
    assert (opened.status, closed.status) == (200, 401)


async def test_a_hold_that_was_closed_and_opened_again_is_administered_anew(
    simulator: RunningSimulator,
) -> None:
    hold = Holdfast(quick_settings(simulator))
    gateway = hold.asgi()
    for _ in range(2):
        server = Server(gateway)
        await server.ask(BUDGETS)
        assert server.status == 200
        await hold.aclose()


async def test_a_gateway_without_administration_has_none(simulator: RunningSimulator) -> None:
    hold = Holdfast(quick_settings(simulator))
    async with hold:
        server = Server(Gateway(lambda: hold.runtime))
        await server.ask(BUDGETS)
    assert server.status == 404


class Away(MemoryStore):
    """A store that has not answered since this worker began."""

    async def revision(self) -> int:
        raise StoreUnavailable("the store is away")

    async def entries(self, kind: str) -> tuple[Entry, ...]:
        raise StoreUnavailable("the store is away")


def test_while_nobody_knows_the_keys_one_is_told_to_come_back_and_the_token_opens(
    simulator: RunningSimulator,
) -> None:
    key = minted(bytes(32))
    opened = over(InProcessClient(Simulator()), Away())
    with serving(simulator, quick_settings(simulator), opened=opened) as running:
        operator = Operator(gateway=running)
        assert replace(operator, token=key).ask("GET", "/api/v1/requests").status == 503
        assert operator.ask("GET", "/api/v1/requests").status == 200
        assert operator.ask("GET", BUDGETS).status == 503


def test_a_bug_of_ours_costs_one_answer_and_is_announced(
    operator: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*args: object) -> Totals:
        raise RuntimeError("a bug")

    with monkeypatch.context() as patch:
        patch.setattr(MemoryStore, "calls", broken)
        heard = operator.ask("GET", "/api/v1/requests")
    assert (heard.status, heard.error_type) == (500, "api_error")
    assert "a bug" not in heard.body.decode()
    (crash,) = [event for event in operator.gateway.events if isinstance(event, RequestCrashed)]
    assert (crash.place, crash.error) == ("GET /api/v1/requests", "RuntimeError")
    assert operator.get("/api/v1/requests")["data"] == []


def test_text_that_is_none_is_refused_wherever_it_stands(operator: Operator) -> None:
    for method, path, body in (
        ("POST", "/api/v1/keys", b'{"name": "\\ud800"}'),
        ("POST", "/api/v1/stops", b'{"scope": "run", "value": "\\ud800"}'),
        ("PUT", f"{BUDGETS}/b", b'{"usd": "1", "where": {"user": "\\udfff"}}'),
        (
            "POST",
            "/v1/organizations/spend_limits",
            b'{"scope": {"type": "user", "user_id": "\\ud800"}, "amount": "5"}',
        ),
        ("GET", "/api/v1/runs/%ED%A0%80", b""),
        ("GET", "/api/v1/spend?user=%ED%A0%80", b""),
        ("GET", "/api/v1/spend?since=\xff", b""),
        ("GET", "/api/v1/requests/%00", b""),
    ):
        assert operator.ask(method, path, body).status in (400, 404), path


def test_a_database_that_is_locked_keeps_no_stop_from_what_is_under_way(
    simulator: RunningSimulator, settings: Settings, tmp_path: Path
) -> None:
    path = tmp_path / "locked.db"
    settings = replace(settings, store=StoreConfig(url=f"sqlite:///{path}"))
    with serving(simulator, settings) as running, connected(running.url) as connection:
        operator = Operator(gateway=running)
        simulator.simulator.fault(Stall(after_events=6))
        body = {"model": "claude-sonnet-5-5", "max_tokens": 300, "stream": True}
        connection.send(request({**body, "messages": [{"role": "user", "content": "Hello"}]}))
        while b"content_block" not in connection.reader.readline():
            pass
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            with connected(running.url) as second:
                begun = time.monotonic()  # noqa: TID251 - a real server, real time
                stop = json.dumps({"scope": "everything"}).encode()
                second.send(request(stop, path="/api/v1/stops", headers={"x-api-key": TOKEN}))
                while b"holdfast_stopped" not in connection.reader.readline():
                    pass
                assert time.monotonic() - begun < 1.0  # noqa: TID251 - a real server, real time
                other.execute("ROLLBACK")
                assert second.hear().json["everywhere"]
        assert [one["name"] for one in operator.get("/api/v1/stops")["data"]] == ["everything:"]
