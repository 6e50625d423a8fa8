"""Health and settings: whether holdfast itself is all right, what is set by whom, and who changed what."""

from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from holdfast.console import health
from holdfast.errors import StoreUnavailable
from holdfast.language import Sentence
from holdfast.policy.budget import BudgetConfig
from holdfast.settings import Settings
from holdfast.stores.memory import MemoryStore
from tests.console.visiting import Browser
from tests.doors.running import RunningGateway


@pytest.mark.requirement("console:health")
def test_each_part_of_holdfast_says_how_it_is(browser: Browser) -> None:
    facts = browser.json("/console/health.json")
    checks = {one["name"]: one for one in facts["checks"]}
    assert set(checks) == {"store", "spool", "queue", "dropped", "limits", "lag", "prices", "orders"}
    assert (checks["dropped"]["count"], checks["dropped"]["state"]) == (0, "good")
    assert checks["store"]["ms"] is not None
    assert facts["versions"]["holdfast"]
    assert "Must be 0." in browser.html("/console/health")


@pytest.mark.requirement("console:health")
def test_a_store_that_is_away_is_bad_and_the_page_is_there(
    browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(_: object) -> None:
        raise StoreUnavailable(Sentence("gone", ko="없음"))

    monkeypatch.setattr(MemoryStore, "check", away)
    html = browser.html("/console/health")
    assert "■ bad" in html
    assert "1 things need a look" in html or "2 things need a look" in html


def test_what_was_lost_is_bad(
    browser: Browser, gateway: RunningGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    instruments = gateway.hold.runtime.reporting.metrics.instruments
    monkeypatch.setattr(instruments, "lines_dropped", lambda: 3)
    monkeypatch.setattr(instruments, "lag", lambda: 0.5)
    checks = {one["name"]: one for one in browser.json("/console/health.json")["checks"]}
    assert (checks["dropped"]["count"], checks["dropped"]["state"]) == (3, "bad")
    assert (checks["lag"]["ms"], checks["lag"]["state"]) == (500.0, "weak")


@pytest.mark.requirement("console:health")
def test_the_doctor_is_asked_and_says_what_to_do(browser: Browser) -> None:
    assert browser.json("/console/health.json")["findings"] is None
    html = browser.post("/console/health/examine", {}).body.decode()
    assert "upstreams.simulator" in html


class TestSettings:
    """Settings that somebody has loaded, with a budget that refuses nothing."""

    @pytest.fixture
    def settings(self, settings: Settings) -> Settings:
        loaded = Settings.load(environment={"HOLDFAST__BREAKER__FAILURE_THRESHOLD": "7"})
        return replace(
            settings, origins=loaded.origins, budgets={"soft": BudgetConfig(usd=Decimal(5), hard=False)}
        )

    @pytest.mark.requirement("console:settings")
    def test_every_value_is_told_with_its_origin_and_its_meaning(self, browser: Browser) -> None:
        rows = {one["name"]: one for one in browser.json("/console/settings.json?show=all")["rows"]}
        one = rows["breaker.failure_threshold"]
        assert one["kind"] == "environment"
        assert "HOLDFAST__BREAKER__FAILURE_THRESHOLD" in one["place"]
        assert one["means"]
        changed = browser.json("/console/settings.json")["rows"]
        assert [row["name"] for row in changed] == ["breaker.failure_threshold"]
        found = browser.json("/console/settings.json?find=STORE.url")["rows"]
        assert [row["name"] for row in found] == ["store.url"]
        assert "No setting is called so." in browser.html("/console/settings?find=zzz")

    def test_what_is_advised_against_is_said(self, browser: Browser) -> None:
        assert "HF202" in [one["code"] for one in browser.json("/console/settings.json")["advice"]]
        assert "every budget is soft" in browser.html("/console/settings")


@pytest.mark.requirement("console:settings")
def test_who_changed_what_is_on_record(browser: Browser) -> None:
    assert "Everything is at its default." in browser.html("/console/settings")
    browser.post("/console/keys/create", {"name": "<b>web", "scope": "messages"})
    line = next(one for one in browser.json("/console/settings.json")["audit"] if one["kind"] == "key")
    assert (line["actor"], line["action"]) == ("admin-token", "put")
    html = browser.html("/console/settings")
    assert "create &lt;b&gt;web" in html


def test_records_that_wait_for_the_store_are_counted(
    browser: Browser, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "waiting.jsonl").write_bytes(b"{}\n")
    (tmp_path / "empty.jsonl").write_bytes(b"")

    def folder(_: str) -> Path:
        return tmp_path

    monkeypatch.setattr(health, "spool_folder", folder)
    checks = {one["name"]: one for one in browser.json("/console/health.json")["checks"]}
    assert (checks["spool"]["count"], checks["spool"]["state"]) == (1, "weak")
