"""`holdfast console`: a link for the browser."""

import json
from collections.abc import Iterator

import pytest

from holdfast.simulator.server import RunningSimulator
from tests.admin.operating import TOKEN
from tests.cli.conftest import Holdfast
from tests.console.visiting import Browser
from tests.doors.running import RunningGateway, quick_settings, serving


@pytest.fixture
def gateway(simulator: RunningSimulator, monkeypatch: pytest.MonkeyPatch) -> Iterator[RunningGateway]:
    monkeypatch.setenv("HOLDFAST_ADMIN_TOKEN", TOKEN)
    monkeypatch.setenv("HOLDFAST_PEPPER", "a-pepper-of-the-tests,-long-enough")
    with serving(simulator, quick_settings(simulator)) as running:
        monkeypatch.setenv("HOLDFAST_URL", running.url)
        yield running


@pytest.mark.requirement("console:login")
def test_it_prints_a_link_that_opens_the_console_once(holdfast: Holdfast, gateway: RunningGateway) -> None:
    ended = holdfast("console")
    assert ended.code == 0
    path = ended.out.strip().removeprefix(gateway.url)
    browser = Browser(gateway=gateway)
    assert browser.get(path).status == 200
    assert "operator" in browser.html("/console/now")
    assert Browser(gateway=gateway).get(path).status == 401
    assert "once" in ended.err


def test_a_link_for_a_viewer_opens_for_looking(holdfast: Holdfast, gateway: RunningGateway) -> None:
    told = json.loads(holdfast("console", "--viewer", "--json").out)
    assert (told["role"], told["seconds"]) == ("viewer", 600)
    browser = Browser(gateway=gateway)
    assert browser.get(str(told["url"]).removeprefix(gateway.url)).status == 200
    assert "stop-open" not in browser.html("/console/now")


def test_without_the_token_there_is_no_link(
    holdfast: Holdfast, gateway: RunningGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOLDFAST_TOKEN", "wrong")
    ended = holdfast("console")
    assert ended.code != 0
    assert ended.out == ""
