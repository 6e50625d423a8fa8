"""An operator at work in a real browser: without a mouse, among hostile texts, while things happen."""

import json
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from holdfast.simulator import Status
from holdfast.simulator.server import RunningSimulator
from tests.browser.conftest import Watched
from tests.doors.running import RunningGateway
from tests.doors.talking import QUESTION, ask

HOSTILE = (
    "<img src=x onerror=window.attacked=1>",
    '"><script>window.attacked=1</script>',
    "x' onmouseover='window.attacked=1",
    "<div hx-get=/console/stop hx-trigger=load hx-on:click=window.attacked=1>",
    "<a href='javascript:window.attacked=1'>click</a>",
    "{{ 7*7 }}{% raw %}",
    "</td></tr></table><h1>second</h1>",
    "../../logout",
    "a" * 900,
)


def pressed(page: Page, *keys: str) -> None:
    for key in keys:
        page.keyboard.press(key)


@pytest.mark.requirement("console:keyboard")
def test_everything_is_stopped_and_undone_without_a_mouse(
    entered: Callable[..., Watched], gateway: RunningGateway
) -> None:
    browser = entered()
    page = browser.page
    pressed(page, "g", "u")
    page.wait_for_url("**/console/runs")
    page.wait_for_selector("body[data-ready]")
    pressed(page, "s")
    dialog = page.locator("#stop-dialog")
    expect(dialog).to_be_visible()
    expect(dialog.locator("input[name=scope]:checked")).to_be_focused()
    pressed(page, "ArrowUp")
    expect(dialog.locator("input[name=scope]:checked")).to_have_value("everything")
    for _ in range(8):
        pressed(page, "Tab")
        focused = page.evaluate("document.activeElement.name")
        if focused == "reason":
            page.keyboard.type("drill")
        if focused == "twice":
            page.keyboard.type("STOP")
            break
    pressed(page, "Enter")
    note = page.locator(".note.good")
    expect(note).to_contain_text("Stopped: everything")
    assert page.url.endswith("/console/runs")
    assert ask(gateway.url, QUESTION).status == 403
    browser.picture("stopped")
    undo = note.get_by_role("button", name="Undo")
    undo.focus()
    pressed(page, "Enter")
    expect(page.locator(".note.good")).to_contain_text("served again")
    assert ask(gateway.url, QUESTION).status == 200
    assert browser.troubles == []


def test_the_dialog_closes_with_escape_and_stops_nothing(
    entered: Callable[..., Watched], gateway: RunningGateway
) -> None:
    page = entered().page
    pressed(page, "s")
    expect(page.locator("#stop-dialog")).to_be_visible()
    pressed(page, "Escape")
    expect(page.locator("#stop-dialog")).to_be_hidden()
    assert ask(gateway.url, QUESTION).status == 200


def test_rows_are_walked_and_opened_with_keys(
    entered: Callable[..., Watched], gateway: RunningGateway
) -> None:
    ids = [ask(gateway.url, QUESTION).headers["x-holdfast-request-id"] for _ in range(3)]
    gateway.records()
    browser = entered()
    pressed(browser.page, "2")
    browser.page.wait_for_url("**/console/requests")
    browser.page.wait_for_selector("body[data-ready]")
    pressed(browser.page, "j", "j", "k", "j", "Enter")
    browser.page.wait_for_url("**/console/request?id=*")
    assert browser.page.url.endswith(ids[1])
    browser.page.wait_for_selector("body[data-ready]")
    pressed(browser.page, "?")
    expect(browser.page.locator("#keys")).to_be_visible()
    pressed(browser.page, "Escape", "/")
    expect(browser.page.locator("#search")).to_be_focused()
    browser.page.keyboard.type("outcome:answered")
    pressed(browser.page, "Enter")
    browser.page.wait_for_url("**/console/requests?filter=outcome%3Aanswered")
    assert browser.page.locator("#rows tbody tr").count() == 3


@pytest.mark.requirement("console:hostile")
def test_hostile_texts_are_shown_and_do_nothing(
    entered: Callable[..., Watched], gateway: RunningGateway
) -> None:
    browser = entered()
    browser.go("/console/requests")
    for number, text in enumerate(HOSTILE):
        question = {**QUESTION, "model": text[:200], "metadata": {"user_id": text[:200]}}
        ask(gateway.url, question, headers={"x-holdfast-run": text, "user-agent": text})
        heard = ask(gateway.url, {**QUESTION, "max_tokens": 10 + number}, headers={"x-holdfast-run": text})
        assert heard.status == 200
    expect(browser.page.locator("#rows tbody tr")).to_have_count(2 * len(HOSTILE))
    gateway.records()
    ids = browser.page.locator("#rows tbody tr").evaluate_all("rows => rows.map(one => one.dataset.href)")
    runs = browser.page.locator('#rows a[href^="/console/run?"]').evaluate_all(
        "all => all.map(one => one.href)"
    )
    paths = ["/console/now", "/console/requests", "/console/runs", *ids[:6]]
    for path in [*paths, *{one.removeprefix(browser.url) for one in runs}]:
        browser.go(path)
        assert browser.page.evaluate("window.attacked") is None, path
        assert (
            browser.page.locator("main img, main script, main iframe, main a[href^=javascript]").count() == 0
        )
        assert browser.page.locator("h1").count() == 1
        gets = browser.page.locator("[hx-get]").evaluate_all(
            "all => all.map(one => one.getAttribute('hx-get'))"
        )
        assert set(gets) <= {"/console/now?part=live"}
    assert browser.troubles == []
    assert browser.outside() == set()


@pytest.mark.requirement("console:live")
def test_an_outage_is_seen_without_reloading_and_so_is_its_end(
    entered: Callable[..., Watched], gateway: RunningGateway, simulator: RunningSimulator
) -> None:
    browser = entered()
    page = browser.page
    expect(page.locator("#empty-title")).to_be_visible()
    assert ask(gateway.url, QUESTION).status == 200
    expect(page.locator("#empty-title")).to_have_count(0)
    expect(page.locator(".state.closed")).to_have_count(1)
    simulator.simulator.fault(*[Status(529)] * 3)
    assert ask(gateway.url, QUESTION).status == 529
    for _ in range(8):
        ask(gateway.url, QUESTION)
    expect(page.locator(".state.open, .state.half_open")).to_have_count(1)
    expect(page.locator("#verdict")).to_contain_text("overloaded", timeout=12_000)
    icon = page.locator("link[rel=icon]")
    assert icon.get_attribute("href") == icon.get_attribute("data-bad")
    assert page.title().startswith("▲ Claude is overloaded")
    browser.picture("now-overloaded")
    assert ask(gateway.url, QUESTION).status == 200
    expect(page.locator(".state.closed")).to_have_count(1)
    expect(page.locator(".happened li").first).to_contain_text("closed")
    assert browser.troubles == []


def test_a_reader_gets_his_language_and_keeps_his_theme(entered: Callable[..., Watched]) -> None:
    browser = entered(locale="ko-KR")
    page = browser.page
    expect(page.locator("h1")).to_have_text("Claude 장애인가, 우리 문제인가?")
    page.get_by_role("button", name="English").click()
    expect(page.locator("h1")).to_have_text("Is Claude down, or is it us?")
    page.select_option("#theme", "dark")
    page.wait_for_selector("html[data-theme=dark] body[data-ready]")
    browser.go("/console/runs")
    assert page.locator("html").get_attribute("data-theme") == "dark"
    assert page.locator("html").get_attribute("lang") == "en"


def test_what_moves_can_be_paused(entered: Callable[..., Watched], gateway: RunningGateway) -> None:
    browser = entered()
    browser.go("/console/requests")
    pressed(browser.page, "p")
    expect(browser.page.locator("#pause")).to_have_attribute("aria-pressed", "true")
    ask(gateway.url, QUESTION)
    browser.page.wait_for_timeout(700)
    assert browser.page.locator("#rows tbody tr").count() == 0
    pressed(browser.page, "p")
    heard = ask(gateway.url, {**QUESTION, "max_tokens": 9})
    row = browser.page.locator("#rows tbody tr").first
    expect(row).to_be_visible()
    assert heard.headers["x-holdfast-request-id"] in json.dumps(row.get_attribute("data-href"))
