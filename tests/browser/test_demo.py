"""The demo in a real browser: the story of a minute, as somebody sees it who has just installed holdfast."""

import os
import queue
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import Watched, listen

SPEED = "1.5"
"""The page looks every two seconds: much quicker, and the outage is over before it has looked a few times."""
PATIENCE = 60.0
"""Seconds for what takes a few where nobody else is at work."""
MS = 1000 * PATIENCE
OUTAGE_SEEN = """() => {
  const seen = (window.demoSeen ??= {verdict: false, open: false});
  seen.verdict ||= /Claude is (overloaded|failing)/.test(document.querySelector("#verdict").textContent);
  seen.open ||= [...document.querySelectorAll("#live .state.open")].some(one => one.textContent.includes("OPEN"));
  return seen.verdict && seen.open;
}"""
"""Whether both were to be seen, at once or one after the other."""
LINK = re.compile(r"(http://\S+/console/login\?token=\S+)")


@dataclass(kw_only=True)
class Playing:
    """A demo that runs: what it prints, line by line."""

    process: subprocess.Popen[str]
    lines: queue.Queue[str] = field(default_factory=queue.Queue[str])
    printed: list[str] = field(default_factory=list[str])

    def read(self) -> None:
        """Take what it prints, for as long as it does."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.put(line)

    def until(self, said: str | re.Pattern[str]) -> str:
        """The first line with these words, those that were passed over on the way left behind."""
        while True:
            try:
                line = self.lines.get(timeout=PATIENCE)
            except queue.Empty:
                pytest.fail(f"{said!r} was never printed, but: {''.join(self.printed)}")
            self.printed.append(line)
            if re.search(said, line):
                return line


@contextmanager
def demo(home: Path) -> Generator[Playing]:
    """`holdfast demo`, until the block ends."""
    surroundings = {**os.environ, "HOLDFAST_LANG": "en", "HOLDFAST_HOME": str(home), "PYTHONUNBUFFERED": "1"}
    command = [sys.executable, "-m", "holdfast", "demo", "--no-browser", "--speed", SPEED, "--port", "0"]
    with subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
        env=surroundings,
    ) as process:
        playing = Playing(process=process)
        reading = threading.Thread(target=playing.read)
        reading.start()
        try:
            yield playing
        finally:
            process.send_signal(signal.SIGINT)
            try:
                process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                process.kill()
            reading.join()


@contextmanager
def opened(chromium: Browser, link: str) -> Generator[Watched]:
    """The console, opened with the link that was printed."""
    place = urlsplit(link)
    context = chromium.new_context(
        locale="en-US", color_scheme="light", viewport={"width": 1280, "height": 900}
    )
    try:
        context.set_default_timeout(MS)
        watched = Watched(page=context.new_page(), url=f"{place.scheme}://{place.netloc}")
        listen(watched)
        watched.page.goto(link)
        watched.page.wait_for_url("**/console/now")
        watched.page.wait_for_selector("body[data-ready]")
        yield watched
    finally:
        context.close()


def outage_and_recovery(browser: Watched) -> None:
    """What somebody sees who only watches Now, which moves by itself."""
    page = browser.page
    verdict = page.locator("#verdict")
    expect(verdict).to_contain_text("All holding", timeout=MS)
    browser.picture("demo-1-holding")
    page.wait_for_function(OUTAGE_SEEN)
    browser.picture("demo-2-open")
    expect(verdict).to_contain_text("All holding", timeout=MS)
    expect(page.locator("#live .happened li.good", has_text="closed").first).to_be_visible(timeout=MS)
    browser.picture("demo-3-recovered")


def what_was_stopped(browser: Watched, page: Page) -> None:
    """What the other pages keep of it."""
    browser.go("/console/guard")
    expect(page.locator("tbody tr", has_text="holdfast_").first).to_be_visible()
    browser.picture("demo-4-guard")
    browser.go("/console/runs")
    run = page.locator("tr.loops", has_text="refactor-7f2c")
    expect(run.locator(".badge.bad", has_text="LOOP")).to_be_visible()
    browser.picture("demo-5-runs")
    browser.go("/console/requests?filter=outcome:refused")
    expect(page.locator("#rows tbody tr", has_text="holdfast_budget_exhausted").first).to_be_visible()
    browser.picture("demo-6-requests")
    browser.go("/console/spend")
    expect(page.locator("tbody tr", has_text="per-run")).to_contain_text("refactor-7f2c")
    browser.picture("demo-7-spend")


@pytest.mark.requirement("demo:walk")
def test_the_story_of_the_demo_is_to_be_seen_on_the_pages_of_the_console(
    chromium: Browser, tmp_path: Path
) -> None:
    with demo(tmp_path) as playing:
        found = LINK.search(playing.until(LINK))
        assert found is not None
        with opened(chromium, found[1]) as browser:
            outage_and_recovery(browser)
            playing.until("Stopped by budget")
            what_was_stopped(browser, browser.page)
            assert browser.outside() == set()
            assert browser.troubles == []
