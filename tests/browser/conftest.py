"""Fixtures of the browser: Debian's Chromium, without a screen, in front of a real gateway and a simulator."""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Request, sync_playwright

import dev_browser
from holdfast.policy.breaker import BreakerConfig
from holdfast.settings import Settings
from holdfast.simulator.server import RunningSimulator
from tests.admin.operating import TOKEN
from tests.console.visiting import Browser as Messenger
from tests.doors.running import RunningGateway, quick_settings, serving

SCREENSHOTS = "HOLDFAST_SCREENSHOTS"
"""The folder that pictures of pages are kept in; without it none are taken."""


@dataclass(kw_only=True)
class Watched:
    """A page of the browser, and what went wrong on it."""

    page: Page
    url: str
    requests: list[Request] = field(default_factory=list[Request])
    troubles: list[str] = field(default_factory=list[str])

    def go(self, path: str) -> None:
        """Open a page, and wait until its own script has run."""
        self.page.goto(self.url + path)
        self.page.wait_for_selector("body[data-ready]")

    def outside(self) -> set[str]:
        """The hosts asked that are not ours."""
        return {urlsplit(one.url).netloc for one in self.requests} - {urlsplit(self.url).netloc}

    def picture(self, name: str) -> None:
        """Keep how it looks, where somebody wants that."""
        if folder := os.environ.get(SCREENSHOTS):
            self.page.screenshot(path=Path(folder) / f"{name}.png", full_page=True)


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """One Chromium for a module, not for the whole run: while it is there, no other event loop can begin."""
    program = dev_browser.find()
    assert program is not None, dev_browser.CURE
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def settings(simulator: RunningSimulator) -> Settings:
    """A circuit that opens soon and asks again soon."""
    breaker = BreakerConfig(failure_threshold=3, recovery_timeout=1.0, success_threshold=1)
    return replace(quick_settings(simulator), breaker=breaker)


@pytest.fixture
def gateway(
    simulator: RunningSimulator, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> Iterator[RunningGateway]:
    monkeypatch.setenv("HOLDFAST_ADMIN_TOKEN", TOKEN)
    monkeypatch.setenv("HOLDFAST_PEPPER", "a-pepper-of-the-tests,-long-enough")
    with serving(simulator, settings) as running:
        yield running


@pytest.fixture
def entered(chromium: Browser, gateway: RunningGateway) -> Iterator[Callable[..., Watched]]:
    """Opens a browser that logs in with a link, and counts from the first page on."""
    opened: list[BrowserContext] = []

    def enter(*, locale: str = "en-US", role: str = "operator") -> Watched:
        context = chromium.new_context(locale=locale, color_scheme="light")
        opened.append(context)
        context.set_default_timeout(15_000)
        watched = Watched(page=context.new_page(), url=gateway.url)
        listen(watched)
        watched.page.goto(gateway.url + Messenger(gateway=gateway).ticket(role))
        watched.page.wait_for_url("**/console/now")
        watched.page.wait_for_selector("body[data-ready]")
        return watched

    yield enter
    for context in opened:
        context.close()


def listen(watched: Watched) -> None:
    def said(message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            watched.troubles.append(message.text)

    watched.page.on("console", said)
    watched.page.on("pageerror", lambda error: watched.troubles.append(str(error)))
    watched.page.on("request", lambda request: watched.requests.append(request))
