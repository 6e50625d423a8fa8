"""A gateway on PostgreSQL and Redis, and what callers notice when these are away."""

import time
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal

import pytest

from holdfast.policy.budget import BudgetConfig
from holdfast.policy.quota import QuotaConfig
from holdfast.settings import FleetConfig, StoreConfig
from holdfast.simulator.actions import Delay
from holdfast.simulator.server import RunningSimulator
from tests.doors.running import RunningGateway, eventually, quick_settings, serving
from tests.doors.talking import QUESTION, Heard, ask, connected, request
from tests.servers.postgres import PostgresServer
from tests.servers.redis import RedisServer

SLACK = 1.0
"""Seconds that a busy machine may add to what is promised."""


@pytest.fixture
def gateway(
    simulator: RunningSimulator,
    postgres_server: PostgresServer,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[RunningGateway]:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path_factory.mktemp("state")))
    settings = replace(
        quick_settings(simulator),
        store=StoreConfig(url=postgres_server.url),
        budgets={"all": BudgetConfig(usd=Decimal(5), per="day")},
    )
    with serving(simulator, settings) as running:
        yield running


def timed(gateway: RunningGateway) -> tuple[Heard, float]:
    started = time.monotonic()  # noqa: TID251 - real servers, real time
    heard = ask(gateway.url, QUESTION)
    return heard, time.monotonic() - started  # noqa: TID251 - real servers, real time


def cost(gateway: RunningGateway) -> Decimal:
    return gateway.totals().cost


@pytest.mark.requirement("money:postgres-frozen")
def test_while_postgres_is_frozen_a_hard_budget_lets_no_call_leave_and_says_so_in_time(
    gateway: RunningGateway, postgres_server: PostgresServer
) -> None:
    assert ask(gateway.url, QUESTION).status == 200
    sent = len(gateway.simulator.simulator.requests)
    postgres_server.freeze()
    try:
        for _ in range(2):
            refused, seconds = timed(gateway)
            assert (refused.status, refused.error_type) == (503, "overloaded_error")
            assert refused.json["error"]["details"]["error_code"] == "holdfast_budget_unavailable"
            assert refused.headers["x-should-retry"] == "true"
            assert seconds < 1.1 + SLACK
    finally:
        postgres_server.thaw()
    assert len(gateway.simulator.simulator.requests) == sent
    eventually(lambda: ask(gateway.url, QUESTION).status == 200)


def test_an_answer_that_was_paid_for_is_delivered_and_written_down_when_postgres_is_back(
    gateway: RunningGateway, postgres_server: PostgresServer
) -> None:
    before = gateway.simulator.simulator.billed
    known = cost(gateway)
    gateway.simulator.simulator.fault(Delay(seconds=1.0))
    with connected(gateway.url) as connection:
        connection.send(request(QUESTION))
        eventually(lambda: len(gateway.simulator.simulator.requests) > 0)
        eventually(lambda: gateway.simulator.simulator.capture.open > 0)
        postgres_server.stop()
        try:
            assert connection.hear().status == 200
        finally:
            postgres_server.start()
    billed = gateway.simulator.simulator.billed - before
    assert billed > 0
    eventually(lambda: cost(gateway) - known == billed)


@pytest.mark.requirement("money:redis-frozen")
def test_while_redis_is_frozen_calls_go_on_and_the_gateway_says_that_it_is_degraded(
    simulator: RunningSimulator, redis_server: RedisServer
) -> None:
    settings = replace(
        quick_settings(simulator),
        fleet=FleetConfig(redis_url=redis_server.url),
        quotas={"users": QuotaConfig(requests=1_000, scope="user")},
    )
    with serving(simulator, settings) as gateway:
        assert ask(gateway.url, QUESTION).status == 200
        usual = min(timed(gateway)[1] for _ in range(3))
        redis_server.freeze()
        try:
            heard, seconds = timed(gateway)
            assert heard.status == 200
            assert seconds < usual + 0.06 + SLACK
            assert timed(gateway)[0].status == 200
            ready = ask(gateway.url, method="GET", path="/readyz")
            assert ready.status == 200
            assert "quotas" in ready.json["degraded"][0]
        finally:
            redis_server.thaw()
        eventually(lambda: ask(gateway.url, method="GET", path="/readyz").json["degraded"] == [])


def test_two_gateways_share_one_limit_over_redis(
    simulator: RunningSimulator, redis_server: RedisServer
) -> None:
    settings = replace(
        quick_settings(simulator),
        fleet=FleetConfig(redis_url=redis_server.url, workers=2),
        quotas={"users": QuotaConfig(requests=4, per=3_600, scope="user")},
    )
    with serving(simulator, settings) as one, serving(simulator, settings) as other:
        found = [ask(gateway.url, QUESTION).status for gateway in (one, other) * 4]
    assert sorted(found) == [200] * 4 + [429] * 4


def test_two_gateways_share_one_budget_over_postgres(
    simulator: RunningSimulator, postgres_server: PostgresServer
) -> None:
    limit = BudgetConfig(usd=Decimal("0.0070"), per="total")
    settings = replace(
        quick_settings(simulator), store=StoreConfig(url=postgres_server.url), budgets={"tight": limit}
    )
    with serving(simulator, settings) as one, serving(simulator, settings) as other:
        found = [ask(gateway.url, QUESTION) for gateway in (one, other) * 6]
        assert {heard.status for heard in found} == {200, 429}
        assert found[-1].status == 429
        (refused, *_) = [heard for heard in found if heard.status == 429]
        assert refused.json["error"]["details"]["error_code"] == "holdfast_budget_exhausted"
        assert refused.headers["x-should-retry"] == "false"
