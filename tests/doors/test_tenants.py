"""Two tenants who say the same words: nothing that one does, names or is told ever reaches the other."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from holdfast.policy.fallback import FallbackConfig
from holdfast.policy.quota import QuotaConfig
from holdfast.policy.routing import UpstreamConfig
from holdfast.policy.runs import RunsConfig
from holdfast.settings import Settings, StoreConfig
from holdfast.simulator import Fault, Status
from holdfast.simulator.server import RunningSimulator
from tests.admin.operating import TOKEN, Operator
from tests.doors.running import RunningGateway, eventually, quick_settings, serving
from tests.doors.talking import QUESTION, Heard, ask

NAMES = ("a", "a/b")
"""Keys whose runs `b/r` and `r` would be one if their names were only joined."""
RUNS = {"a": "b/r", "a/b": "r"}


@pytest.fixture(params=["memory:", "sqlite"])
def settings(
    request: pytest.FixtureRequest,
    simulator: RunningSimulator,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Settings:
    monkeypatch.setenv("HOLDFAST_ADMIN_TOKEN", TOKEN)
    monkeypatch.setenv("HOLDFAST_PEPPER", "a-pepper-of-the-tests")
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-of-the-house")
    url = "memory:" if request.param == "memory:" else f"sqlite:///{tmp_path / 'holdfast.db'}"
    return replace(
        quick_settings(simulator),
        store=StoreConfig(url=url),
        upstreams={"simulator": UpstreamConfig(url=simulator.url, key_env="ANTHROPIC_API_KEY")},
        quotas={"each": QuotaConfig(requests=3, per=3600.0, scope="user")},
        runs=RunsConfig(calls=2),
        fallback=FallbackConfig(cached=True),
    )


@pytest.fixture
def gateway(simulator: RunningSimulator, settings: Settings) -> Iterator[RunningGateway]:
    with serving(simulator, settings) as running:
        yield running


@pytest.fixture
def keys(gateway: RunningGateway) -> dict[str, str]:
    operator = Operator(gateway=gateway)
    return {name: str(operator.post("/api/v1/keys", {"name": name})["key"]) for name in NAMES}


def said(gateway: RunningGateway, key: str, **headers: str) -> Heard:
    return ask(gateway.url, QUESTION, headers={"x-api-key": key, **headers})


def words(heard: Heard) -> str:
    return str(heard.json["content"][0]["text"])


def test_a_run_named_by_two_keys_is_two_runs_each_with_its_own_cap(
    gateway: RunningGateway, keys: dict[str, str]
) -> None:
    for name in NAMES:
        for _ in range(2):
            assert said(gateway, keys[name], **{"x-holdfast-run": RUNS[name]}).status == 200
    third = said(gateway, keys["a"], **{"x-holdfast-run": RUNS["a"]})
    eventually(lambda: len(gateway.records()) == 5)
    answered = {(one.key, one.run) for one in gateway.records()}
    operator = Operator(gateway=gateway)
    runs = {one["run"]: one["calls"] for one in operator.get("/api/v1/runs")["data"]}

    assert third.json["error"]["details"]["cap"] == "calls"
    assert answered == {("a", "a/b/r"), ("a/b", "a%2Fb/r")}
    assert runs == {"a/b/r": 3, "a%2Fb/r": 2}


def test_a_tenant_who_has_used_up_his_quota_takes_nothing_from_another(
    gateway: RunningGateway, keys: dict[str, str]
) -> None:
    statuses = [said(gateway, keys["a"]).status for _ in range(4)]
    theirs = [said(gateway, keys["a/b"], **{"x-holdfast-user": user}).status for user in ("", "a", "key=a")]

    assert statuses == [200, 200, 200, 429]
    assert theirs == [200, 200, 200]


def test_the_kept_answer_of_one_is_never_told_to_another(
    gateway: RunningGateway, keys: dict[str, str]
) -> None:
    kept = said(gateway, keys["a"])
    gateway.simulator.simulator.fault(Fault(Status(529), times=None))
    again, other = said(gateway, keys["a"]), said(gateway, keys["a/b"])
    user = said(gateway, keys["a"], **{"x-holdfast-user": "mallory"})

    assert (again.status, words(again)) == (200, words(kept))
    assert (other.status, user.status) == (529, 529)
    assert words(kept) not in other.body.decode() + user.body.decode()


def test_what_one_spends_stands_under_no_other_name(gateway: RunningGateway, keys: dict[str, str]) -> None:
    for name, calls in (("a", 2), ("a/b", 1)):
        for _ in range(calls):
            assert said(gateway, keys[name], **{"x-holdfast-user": "same"}).status == 200
    eventually(lambda: len(gateway.records()) == 3)
    operator = Operator(gateway=gateway)
    rows = operator.get("/api/v1/spend?by=key&since=all")["groups"]

    assert {row["key"]: row["attempts"] for row in rows} == {"a": 2, "a/b": 1}


def test_a_stop_for_one_key_lets_the_other_go_on(gateway: RunningGateway, keys: dict[str, str]) -> None:
    operator = Operator(gateway=gateway)
    operator.post("/api/v1/stops", {"scope": "key", "value": "a"})

    assert said(gateway, keys["a"]).status == 403
    assert said(gateway, keys["a/b"]).status == 200
