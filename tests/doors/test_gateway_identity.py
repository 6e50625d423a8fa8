"""Who calls: told by headers while there are no keys, and by a key from the first one on."""

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeVar

import pytest

from holdfast.operations.desk import Desk
from holdfast.operations.keys import NewKey, create, revoke, rotate
from holdfast.policy.keys import KeyLimits
from holdfast.policy.routing import UpstreamConfig
from holdfast.settings import StoreConfig
from holdfast.simulator.server import RunningSimulator
from holdfast.stores.open import open_store
from tests.doors.running import RunningGateway, eventually, quick_settings, serving
from tests.doors.talking import QUESTION, Heard, ask

T = TypeVar("T")
HAIKU = {**QUESTION, "model": "claude-haiku-5-5"}


@pytest.fixture
def gateway(
    simulator: RunningSimulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[RunningGateway]:
    monkeypatch.setenv("HOLDFAST_PEPPER", "a pepper for tests".replace(" ", "-"))
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-ant-of-the-house")
    settings = replace(
        quick_settings(simulator),
        store=StoreConfig(url=f"sqlite:///{tmp_path / 'holdfast.db'}"),
        upstreams={"simulator": UpstreamConfig(url=simulator.url, key_env="ANTHROPIC_API_KEY")},
    )
    with serving(simulator, settings) as running:
        yield running


def operate(gateway: RunningGateway, verb: Callable[[Desk], Coroutine[Any, Any, T]]) -> T:
    """Do what an operator does in another process: through the file alone."""

    async def work() -> T:
        store = open_store(gateway.hold.settings.store_url)
        try:
            return await verb(Desk(store=store, settings=gateway.hold.settings))
        finally:
            await store.aclose()

    return asyncio.run(work())


def issue(gateway: RunningGateway, wanted: NewKey) -> str:
    secret = operate(gateway, lambda desk: create(desk, wanted)).secret
    eventually(lambda: said(gateway, "local").status == 401)
    return secret


def said(gateway: RunningGateway, key: str, body: object = QUESTION, **headers: str) -> Heard:
    return ask(gateway.url, body, headers={"x-api-key": key, **headers})


def test_while_there_are_no_keys_anybody_is_served_and_told_by_headers(gateway: RunningGateway) -> None:
    assert said(gateway, "local", **{"x-holdfast-user": "alice"}).status == 200
    eventually(lambda: len(gateway.records()) == 1)
    (record,) = gateway.records()
    assert (record.key, record.user) == ("local", "alice")


def test_from_the_first_key_on_only_good_keys_open(gateway: RunningGateway) -> None:
    secret = issue(gateway, NewKey(name="ci"))
    for wrong in ("local", "", secret[:-1] + ("a" if secret[-1] != "a" else "b"), "\u00e9" * 20):
        refused = said(gateway, wrong)
        assert (refused.status, refused.error_type) == (401, "authentication_error")
        assert refused.headers["x-should-retry"] == "false"
        assert refused.json["error"]["details"]["error_code"] == "holdfast_key_rejected"
    bearer = ask(gateway.url, QUESTION, headers={"x-api-key": "", "authorization": f"Bearer {secret}"})
    assert bearer.status == 200
    models = ask(gateway.url, method="GET", path="/v1/models", headers={"x-api-key": "local"})
    assert models.status == 401
    assert ask(gateway.url, method="GET", path="/healthz", headers={"x-api-key": ""}).status == 200


def test_a_key_says_whose_call_it_is_whatever_the_headers_say(gateway: RunningGateway) -> None:
    secret = issue(gateway, NewKey(name="ci", user="bob", tags={"team": "search"}))
    said(
        gateway,
        secret,
        **{
            "x-holdfast-user": "mallory",
            "x-holdfast-run": "nightly",
            "x-holdfast-tags": "team=other, feature=x",
        },
    )
    eventually(lambda: gateway.records()[0].key == "ci")
    record = gateway.records()[0]
    assert (record.user, record.run) == ("bob", "ci/nightly")
    ledger = gateway.hold.runtime.ledger
    (attempt,) = asyncio.run(ledger.attempts_of(record.request_id))
    assert attempt.payer.tags == {"team": "search", "feature": "x"}


def test_our_key_never_reaches_the_upstream(gateway: RunningGateway) -> None:
    secret = issue(gateway, NewKey(name="ci"))
    said(gateway, secret)
    ask(gateway.url, method="GET", path="/v1/models", headers={"x-api-key": secret})
    sent = [str(request.headers) for request in gateway.simulator.simulator.requests]
    assert sent
    assert not any(secret in headers for headers in sent)


def test_a_key_for_one_model_opens_no_other(gateway: RunningGateway) -> None:
    secret = issue(gateway, NewKey(name="small", models=("claude-haiku-5-5",)))
    assert said(gateway, secret, HAIKU).status == 200
    refused = said(gateway, secret)
    assert (refused.status, refused.error_type) == (403, "permission_error")
    assert "claude-haiku-5-5" in refused.json["error"]["message"]


def test_a_revoked_key_opens_nothing_within_a_second(gateway: RunningGateway) -> None:
    secret = issue(gateway, NewKey(name="ci"))
    operate(gateway, lambda desk: revoke(desk, "ci"))
    eventually(lambda: said(gateway, secret).status == 401)
    assert said(gateway, "local").status == 401


def test_a_key_may_spend_so_much_a_day_and_hears_whom_to_ask_for_more(gateway: RunningGateway) -> None:
    secret = issue(gateway, NewKey(name="ci", limits=KeyLimits(usd_per_day=Decimal("0.0001"))))
    other = operate(gateway, lambda desk: create(desk, NewKey(name="other"))).secret
    refused = said(gateway, secret)
    assert (refused.status, refused.error_type) == (429, "rate_limit_error")
    assert refused.headers["x-should-retry"] == "false"
    assert "ask an operator" in refused.json["error"]["message"]
    eventually(lambda: said(gateway, other).status == 200)


def test_a_key_and_the_one_that_follows_it_share_their_rate_and_both_open_meanwhile(
    gateway: RunningGateway,
) -> None:
    old = issue(gateway, NewKey(name="ci", limits=KeyLimits(rpm=2)))
    new = operate(gateway, lambda desk: rotate(desk, "ci", overlap=timedelta(hours=24))).secret
    models = {"method": "GET", "path": "/v1/models"}
    eventually(lambda: ask(gateway.url, **models, headers={"x-api-key": new}).status == 200)
    assert said(gateway, old).status == 200
    assert said(gateway, new).status == 200
    refused = said(gateway, old)
    assert (refused.status, refused.headers["x-should-retry"]) == (429, "true")
    assert float(refused.headers["retry-after"]) > 0
