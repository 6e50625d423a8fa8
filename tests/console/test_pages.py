"""What holds for every page of the console, whatever it shows."""

import json
import re
from collections.abc import Iterator
from html.parser import HTMLParser

import pytest

from holdfast.console.pages import PAGES
from holdfast.language import Language, Sentence
from tests.console.visiting import Browser, in_query
from tests.doors.running import RunningGateway
from tests.doors.talking import QUESTION, ask

RUN = "<b hx-get=/x>r</b>"
OPEN, CLOSE = "⟦", "⟧"
VOID = {"meta", "link", "input", "br", "rect", "polyline", "circle", "path", "hr", "img"}
SAID_IN = ("aria-label", "title", "placeholder", "data-done")
UNSAID = {"script", "style", "time", "svg", "kbd"}
LETTERS = re.compile(r"[^\W\d_]")


class Visible(HTMLParser):
    """Gathers what a reader can read, but for data: those are marked as not to be translated."""

    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []
        self._hidden: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        known = dict(attrs)
        self.texts += [value for name in SAID_IN if (value := known.get(name))]
        if tag not in VOID and (self._hidden or tag in UNSAID or known.get("translate") == "no"):
            self._hidden.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if self._hidden and tag == self._hidden[-1]:
            self._hidden.pop()

    def handle_data(self, data: str) -> None:
        if not self._hidden and data.strip():
            self.texts.append(data.strip())


def untranslated(html: str) -> list[str]:
    """The texts of a page that no sentence has said."""
    reader = Visible()
    reader.feed(html)
    left = [re.sub(f"{OPEN}[^{CLOSE}]*{CLOSE}", "", text) for text in reader.texts]
    return [text.strip() for text in left if LETTERS.search(UNITS.sub("", text))]


UNITS = re.compile(r"\b\d[\d.,]* ?(ms|s|min)\b")


def asked(gateway: RunningGateway) -> str:
    """A call of a run, one that was refused, and the id of the first."""
    heard = ask(gateway.url, QUESTION, headers={"x-holdfast-run": RUN})
    ask(gateway.url, {**QUESTION, "model": "nobody-knows-it"}, headers={"x-holdfast-run": RUN})
    gateway.records()
    return heard.headers["x-holdfast-request-id"]


def paths(example: str) -> Iterator[tuple[str, str]]:
    """Every page, as somebody comes to it."""
    for page in PAGES:
        query = {"request": f"id={example}", "run": f"run={in_query(RUN)}", "stop": "scope=run&value=r"}
        yield page.name, f"{page.path}?{query.get(page.name, '')}"


@pytest.mark.requirement("console:korean")
def test_every_sentence_of_every_page_is_said_in_the_language_of_its_reader(
    browser: Browser, gateway: RunningGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    empty = {name: path for name, path in paths("none") if name not in ("request", "run")}

    def say(sentence: Sentence, language: Language) -> str:
        return f"{OPEN}{sentence.en}{CLOSE}"

    monkeypatch.setattr(Sentence, "say", say)
    for name, path in empty.items():
        assert untranslated(browser.html(path)) == [], f"{name}, empty"
    for name, path in paths(asked(gateway)):
        assert untranslated(browser.html(path)) == [], name
    missing = browser.get("/console/request?id=none").body.decode()
    assert untranslated(missing) == []
    browser.cookies.clear()
    assert untranslated(browser.get("/console/login").body.decode()) == []


def test_a_text_that_nobody_has_translated_is_found() -> None:
    assert untranslated("<p>⟦said⟧ and not <time>now</time></p>") == ["and not"]
    assert untranslated('<a title="plain">⟦x⟧</a><td translate="no">model</td><td>12.5 ms / 3</td>') == [
        "plain"
    ]


@pytest.mark.requirement("console:policy")
def test_no_page_carries_anything_that_its_policy_forbids(browser: Browser, gateway: RunningGateway) -> None:
    for name, path in paths(asked(gateway)):
        heard = browser.get(path)
        policy = heard.headers["content-security-policy"]
        nonce = re.search(r"script-src 'self' 'nonce-([\w-]+)';", policy)
        assert nonce is not None
        assert policy.startswith("default-src 'none';")
        assert "unsafe" not in policy
        assert "frame-ancestors 'none'" in policy
        assert heard.headers["cache-control"] == "no-store"
        assert heard.headers["x-content-type-options"] == "nosniff"
        html = heard.body.decode()
        assert re.findall(r"\s(?:on\w+|style)\s*=", html) == [], name
        for script in re.findall(r"<script\b[^>]*>", html):
            assert f'nonce="{nonce[1]}"' in script
            assert 'src="/console/static/' in script
        assert re.findall(r'(?:src|href|action|data-src)="(?!/console/|#|\{)[^"]*"', html) == [], name
        assert html.count("<h1>") == 1


def test_two_pages_never_share_a_nonce(browser: Browser) -> None:
    policies = {browser.get("/console/runs").headers["content-security-policy"] for _ in range(3)}
    assert len(policies) == 3


@pytest.mark.requirement("console:json")
def test_every_page_is_also_data(browser: Browser, gateway: RunningGateway) -> None:
    for name, path in paths(asked(gateway)):
        page, _, query = path.partition("?")
        facts = browser.json(f"{page}.json?{query}")
        assert facts, name
        assert f'href="{page}.json' in browser.html(path)


@pytest.mark.requirement("console:hostile")
def test_names_that_callers_chose_are_text_on_every_page(browser: Browser, gateway: RunningGateway) -> None:
    run = "\"'><script>alert(1)</script><i hx-get=/x>\u202e\x1b[31m\u200b{{7*7}}"
    written = run.encode().decode("latin-1").replace("\x1b", "")
    ask(gateway.url, QUESTION, headers={"x-holdfast-run": written})
    gateway.records()
    (known,) = (one["run"] for one in browser.json("/console/runs.json")["runs"])
    for path in ("/console/runs", "/console/requests", f"/console/run?run={in_query(known)}"):
        html = browser.html(path)
        assert "<script>alert" not in html, path
        assert "<i hx-get" not in html
        assert "\u202e" not in html
        assert "\x1b" not in html
    assert "{{7*7}}" in html, "the page of the run shows the whole name"
    stop = browser.html(f"/console/stop?scope=run&value={in_query(run)}&next={in_query('/console/runs')}")
    assert "<script>alert" not in stop
    assert "&lt;script&gt;alert" in stop


def test_a_page_that_cannot_be_shown_says_why_in_the_language_of_its_reader(browser: Browser) -> None:
    heard = browser.get("/console/request?id=none")
    assert heard.status == 404
    assert "There is no request `none` here." in heard.body.decode()
    browser.language = "ko"
    assert "`none` 요청을 찾을 수 없습니다." in browser.get("/console/request?id=none").body.decode()
    told = browser.get("/console/request.json?id=none")
    assert (told.status, told.error_type) == (404, "not_found_error")


def test_a_language_that_was_chosen_stays_chosen(browser: Browser) -> None:
    assert '<html lang="en"' in browser.html("/console/runs")
    heard = browser.post("/console/preferences", {"language": "ko", "theme": "dark", "next": "/console/stop"})
    assert (heard.status, heard.headers["location"]) == (303, "/console/stop")
    browser.cookies["holdfast_language"] = "ko"
    html = browser.html("/console/runs")
    assert '<html lang="ko"' in html
    browser.cookies["holdfast_language"] = "<script>"
    browser.cookies["holdfast_theme"] = "<script>"
    assert '<html lang="en" data-theme="system">' in browser.html("/console/runs")


def test_files_are_kept_for_ever_and_are_small(browser: Browser) -> None:
    html = browser.html("/console/now")
    whole = 0
    for path in set(re.findall(r'(?:src|href)="(/console/static/[^"]+)"', html)):
        heard = browser.get(path, accept_encoding="gzip")
        assert heard.headers["cache-control"] == "public, max-age=31536000, immutable"
        assert heard.headers["content-encoding"] == "gzip"
        plain = browser.get(path, accept_encoding="identity")
        assert "content-encoding" not in plain.headers
        assert browser.get(path, if_none_match=heard.headers["etag"]).status == 304
        whole += len(heard.body)
    assert whole < 100 * 1024
    assert browser.get("/console/static/0123456789abcdef/console.js").status == 404


def test_the_way_in_leads_to_now(browser: Browser) -> None:
    for path in ("/console", "/console/"):
        heard = browser.get(path)
        assert (heard.status, heard.headers["location"]) == (303, "/console/now")


def test_the_verdict_is_there_for_every_page(browser: Browser) -> None:
    told = browser.json("/console/verdict.json")
    assert set(told) >= {"kind", "ok", "sign", "shape", "title", "sentence"}
    assert json.dumps(told["sentence"], ensure_ascii=False).strip('"') in browser.html("/console/runs")
