"""Keys: made and shown once, rotated with an overlap, revoked for good, within their limits."""

import html as markup
import json
import re
from dataclasses import replace

import pytest

from holdfast.console.clients import NAMES, clients
from holdfast.policy.routing import UpstreamConfig
from holdfast.settings import Settings
from holdfast.simulator.server import RunningSimulator
from tests.console.visiting import Browser
from tests.doors.running import RunningGateway
from tests.doors.talking import QUESTION, ask

UPSTREAM_KEY = "test-api-key"
SECRET = re.compile(r'<pre id="issued-secret"[^>]*>([^<]+)</pre>')


@pytest.fixture
def settings(settings: Settings, simulator: RunningSimulator, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """An upstream that is called with a key of ours, whatever callers carry."""
    monkeypatch.setenv("UPSTREAM_KEY", UPSTREAM_KEY)
    upstream = UpstreamConfig(url=simulator.url, key_env="UPSTREAM_KEY")
    return replace(settings, upstreams={"simulator": upstream})


def secret(text: str) -> str:
    found = SECRET.search(text)
    assert found is not None
    return markup.unescape(found[1])


def made(browser: Browser, **form: str) -> str:
    heard = browser.post("/console/keys/create", {"name": "web", "scope": "messages", **form})
    assert heard.status == 200, heard
    return heard.body.decode()


def status(gateway: RunningGateway, key: str, model: str = "claude-sonnet-5-5") -> int:
    return ask(gateway.url, {**QUESTION, "model": model}, headers={"x-api-key": key}).status


@pytest.mark.requirement("console:keys")
def test_a_key_is_shown_once_with_what_six_clients_need(browser: Browser, gateway: RunningGateway) -> None:
    assert "No keys yet." in browser.html("/console/keys")
    page = made(browser, user="kim", life="30d")
    key = secret(page)
    assert status(gateway, key) == 200
    assert status(gateway, "local") == 401
    for label in NAMES.values():
        assert label in page
    assert page.count(key) == 7, "the key itself, and in each snippet"
    assert key not in browser.html("/console/keys")
    gateway.records()
    listed = browser.json("/console/keys.json")
    assert key not in json.dumps(listed)
    (one,) = listed["listed"]
    assert (one["name"], one["state"], one["user"], one["used"]) == ("web", "good", "kim", 1)
    assert one["ends_at"] is not None


def test_a_key_holds_to_its_limits_and_models(browser: Browser, gateway: RunningGateway) -> None:
    key = secret(made(browser, rpm="1", models="claude-sonnet-5-5, claude-haiku-5-5", usd="5", tpm="100000"))
    assert status(gateway, key, "claude-opus-5-5") == 403
    assert status(gateway, key) == 200
    assert status(gateway, key) == 429
    (one,) = browser.json("/console/keys.json")["listed"]
    assert one["limits"] == {"rpm": 1, "tpm": 100_000, "usd_per_day": "5"}


@pytest.mark.requirement("console:keys")
def test_a_key_is_rotated_with_an_overlap(browser: Browser, gateway: RunningGateway) -> None:
    old = secret(made(browser))
    (one,) = browser.json("/console/keys.json")["listed"]
    new = secret(browser.post("/console/keys/rotate", {"id": one["id"], "overlap": "1h"}).body.decode())
    assert new != old
    assert (status(gateway, old), status(gateway, new)) == (200, 200)
    (second,) = [key for key in browser.json("/console/keys.json")["listed"] if key["id"] != one["id"]]
    last = secret(browser.post("/console/keys/rotate", {"id": second["id"], "overlap": "0"}).body.decode())
    assert (status(gateway, new), status(gateway, last)) == (401, 200)


@pytest.mark.requirement("console:keys")
def test_a_key_is_revoked_for_good(browser: Browser, gateway: RunningGateway) -> None:
    key = secret(made(browser))
    (one,) = browser.json("/console/keys.json")["listed"]
    heard = browser.post("/console/keys/revoke", {"id": one["id"], "reason": "leaked"})
    assert (heard.status, heard.headers["location"]) == (303, "/console/keys")
    assert status(gateway, key) == 401
    assert "Revoked for good: web." in browser.html("/console/keys")


@pytest.mark.parametrize(
    ("act", "form"),
    [
        ("create", {"name": ""}),
        ("create", {"name": "two\nlines"}),
        ("create", {"scope": "planet"}),
        ("create", {"life": "soon"}),
        ("create", {"rpm": "many"}),
        ("create", {"rpm": "0"}),
        ("create", {"usd": "-1"}),
        ("create", {"name": "there"}),
        ("rotate", {"id": "there", "overlap": "soon"}),
        ("rotate", {"id": "nobody"}),
        ("revoke", {"id": "nobody"}),
    ],
)
def test_what_makes_no_sense_makes_no_key_and_says_why(
    browser: Browser, act: str, form: dict[str, str]
) -> None:
    made(browser, name="there")
    heard = browser.post(f"/console/keys/{act}", {"name": "n", "scope": "messages", **form})
    assert heard.status == 400
    assert 'role="alert"' in heard.body.decode()
    assert [one["state"] for one in browser.json("/console/keys.json")["listed"]] == ["good"]


def test_a_viewer_makes_none(viewer: Browser) -> None:
    assert "/console/keys/create" not in viewer.html("/console/keys")
    assert viewer.post("/console/keys/create", {"name": "x", "scope": "messages"}).status == 403


def test_nothing_in_an_address_leaves_its_place_in_a_snippet() -> None:
    hostile = "http://h';rm -rf /;\"x"
    for one in clients(hostile, "m"):
        assert hostile not in one["text"], one["name"]
