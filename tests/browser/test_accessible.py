"""Every page of the console under axe: empty, busy and in an outage, light and dark, in both languages."""

import os
from collections.abc import Callable, Sequence
from importlib import resources
from typing import Any, cast

import pytest

from holdfast.console.pages import PAGES
from holdfast.simulator import Status
from holdfast.simulator.server import RunningSimulator
from tests.browser.conftest import Watched
from tests.doors.running import RunningGateway
from tests.doors.talking import QUESTION, ask

WHOLE = "HOLDFAST_BROWSER_WHOLE"
"""Set, every page is looked at in every state, theme and language; else each page in each of them at least once."""
STATES = ("empty", "busy", "outage")
LOCALES = {"en": "en-US", "ko": "ko-KR"}
IN_SHORT = {
    "empty": (("ko",), ("dark",)),
    "busy": (("en",), ("light",)),
    "outage": (("ko",), ("light",)),
}
AXE = resources.files("axe_playwright_python").joinpath("axe.min.js").read_text("utf-8")
LOOK = "axe.run({resultTypes: ['violations']})"
MOVING = ("now", "requests", "runs", "upstreams", "alerts")
"""Pages that an outage changes."""


@pytest.mark.requirement("console:accessible")
@pytest.mark.parametrize("state", STATES)
def test_axe_finds_nothing_on_any_page(
    entered: Callable[..., Watched], gateway: RunningGateway, simulator: RunningSimulator, state: str
) -> None:
    example = _bring_about(state, gateway, simulator)
    is_whole = bool(os.environ.get(WHOLE))
    found: list[str] = []
    languages, themes = (tuple(LOCALES), ("light", "dark")) if is_whole else IN_SHORT[state]
    for language in languages:
        browser = entered(locale=LOCALES[language])
        for page in PAGES:
            if page.name == "request" and not example:
                continue
            if page.name == "run" and state == "empty":
                continue
            if state == "outage" and not is_whole and page.name not in MOVING:
                continue
            browser.go(page.path + _query(page.name, example))
            found += _violations(browser, f"{page.name} {state} {language}", themes)
            browser.picture(f"{page.name}-{state}-{language}")
        assert browser.troubles == []
        assert browser.outside() == set()
    assert found == []


def _violations(browser: Watched, where: str, themes: Sequence[str]) -> list[str]:
    """What axe finds in each theme; the page need not be loaded anew for another."""
    found: list[str] = []
    browser.page.evaluate(AXE)
    for theme in themes:
        browser.page.evaluate("theme => { document.documentElement.dataset.theme = theme }", theme)
        told = cast("dict[str, Any]", browser.page.evaluate(LOOK))
        found += [f"{where} {theme}: {one['id']} {one['nodes'][0]['html']}" for one in told["violations"]]
    assert browser.page.locator("h1").count() == 1, where
    return found


def _bring_about(state: str, gateway: RunningGateway, simulator: RunningSimulator) -> str:
    """Make it so; the id of a request that is over, if there is any."""
    if state == "empty":
        return ""
    run = {"x-holdfast-run": "r"}
    heard = [ask(gateway.url, {**QUESTION, "max_tokens": 10 + n}, headers=run) for n in range(3)]
    if state == "outage":
        simulator.simulator.fault(*[Status(529)] * 40)
        heard += [ask(gateway.url, {**QUESTION, "max_tokens": 20 + n}, headers=run) for n in range(6)]
        assert heard[-1].status == 503
    gateway.records()
    return heard[-1].headers["x-holdfast-request-id"]


def _query(name: str, example: str) -> str:
    return {"request": f"?id={example}", "run": "?run=r", "stop": "?scope=run&value=r"}.get(name, "")
