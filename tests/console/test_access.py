"""Who gets into the console, for how long, and what no page of another site can do."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from holdfast.clock import SYSTEM_CLOCK
from holdfast.console import sessions
from holdfast.console.pages import PAGES
from holdfast.console.tickets import Tickets
from holdfast.policy.console import ConsoleConfig
from holdfast.settings import Settings, StoreConfig
from holdfast.simulator.server import RunningSimulator
from tests.admin.operating import TOKEN, Operator
from tests.console.visiting import Browser
from tests.doors.running import eventually, serving
from tests.doors.talking import Heard, ask

STOP = {"scope": "run", "value": "r", "term": "15m", "reason": "test", "next": "/console/runs"}


@pytest.fixture
def named(simulator: RunningSimulator, settings: Settings) -> Iterator[Browser]:
    """A console behind a proxy that browsers call by another name."""
    config = ConsoleConfig(hosts=("agents.example.com",))
    with serving(simulator, replace(settings, console=config)) as running:
        yield Browser(gateway=running)


def ask_admin(operator: Operator, path: str, body: object = b"") -> Heard:
    return ask(operator.gateway.url, body, path=path, headers={"x-api-key": TOKEN})


def made(operator: Operator, name: str, *scopes: str) -> str:
    """A new key."""
    heard = ask_admin(operator, "/api/v1/keys", {"name": name, "scopes": list(scopes)})
    assert heard.status == 201, heard
    return str(heard.json["key"])


@pytest.mark.requirement("console:login")
def test_a_link_opens_the_console_once(stranger: Browser) -> None:
    link = stranger.ticket()
    first = stranger.get(link)
    assert first.status == 200
    assert 'url=/console/now"' in first.body.decode()
    assert "Is Claude down" in stranger.html("/console/now")
    other = Browser(gateway=stranger.gateway)
    again = other.get(link)
    assert (again.status, other.cookies) == (401, {})
    assert "holdfast console" in again.body.decode()


def test_whoever_only_looks_ahead_does_not_use_a_link_up(stranger: Browser) -> None:
    link = stranger.ticket()
    assert stranger.get(link, sec_purpose="prefetch;prerender").status == 503
    assert stranger._heard("HEAD", link, b"", {}).status == 200  # pyright: ignore[reportPrivateUsage]
    assert stranger.get(link).status == 200
    assert stranger.cookies


def test_the_cookie_is_for_our_pages_alone(stranger: Browser) -> None:
    heard = stranger.get(stranger.ticket())
    cookie = heard.headers["set-cookie"]
    port = stranger.host.rpartition(":")[2]
    assert cookie.startswith(f"holdfast_session_{port}=")
    assert {"HttpOnly", "SameSite=Strict", "Path=/console"} <= {part.strip() for part in cookie.split(";")}
    assert "Secure" not in cookie


def test_under_tls_the_cookie_is_never_sent_without_it(stranger: Browser) -> None:
    heard = stranger.get(stranger.ticket(), x_forwarded_proto="https")
    assert "; Secure" in heard.headers["set-cookie"]


def test_the_admin_token_opens_too(stranger: Browser) -> None:
    assert stranger.enter().status == 200
    assert "admin-token" in stranger.html("/console/now")
    assert "operator" in stranger.html("/console/now")


def test_a_wrong_token_is_told_so_and_opens_nothing(stranger: Browser) -> None:
    heard = stranger.enter("wrong")
    assert (heard.status, stranger.cookies) == (401, {})
    assert 'role="alert"' in heard.body.decode()
    assert "wrong" not in heard.body.decode()


def test_after_many_wrong_tokens_nobody_may_guess_for_a_while(stranger: Browser) -> None:
    for _ in range(10):
        assert stranger.enter("wrong").status == 401
    heard = stranger.enter()
    assert heard.status == 429
    assert 0 < int(heard.headers["retry-after"]) <= 60
    assert stranger.get(stranger.ticket()).status == 200, "a link is no guess"


def test_a_key_comes_in_with_what_it_may(operator: Operator, stranger: Browser) -> None:
    def key(*scopes: str) -> str:
        return made(operator, "-".join(scopes), *scopes)

    assert stranger.enter(key("messages")).status == 403
    assert stranger.enter(key("admin:read")).status == 200
    assert "viewer" in stranger.html("/console/now")
    assert stranger.enter(key("admin:read", "admin:write")).status == 200
    assert "operator" in stranger.html("/console/now")


def test_a_login_ends_with_the_key_that_it_came_with(operator: Operator, stranger: Browser) -> None:
    assert stranger.enter(made(operator, "kim", "admin:read")).status == 200
    assert stranger.get("/console/now").status == 200
    assert ask_admin(operator, "/api/v1/keys/kim/revoke").status == 200
    assert stranger.get("/console/now").status == 303
    assert stranger.get("/console/now.json").status == 401


def test_a_key_that_only_reads_makes_no_link_for_an_operator(operator: Operator, stranger: Browser) -> None:
    headers = {"x-api-key": made(operator, "reader", "admin:read"), "host": stranger.host}
    for role, status in (("operator", 403), ("viewer", 201)):
        heard = ask(
            stranger.gateway.url, method="POST", path=f"/console/tickets?role={role}", headers=headers
        )
        assert heard.status == status
    headers = {"x-api-key": "local", "host": stranger.host}
    assert ask(stranger.gateway.url, method="POST", path="/console/tickets", headers=headers).status == 401


def test_whoever_is_not_logged_in_sees_nothing(stranger: Browser) -> None:
    for page in PAGES:
        heard = stranger.get(f"{page.path}?x=1")
        assert (heard.status, heard.body) == (303, b"")
        assert heard.headers["location"] == f"/console/login?next=%2Fconsole%2F{page.name}%3Fx%3D1"
        assert stranger.get(f"{page.path}.json").status == 401
        for part in page.parts:
            assert stranger.get(f"{page.path}?part={part}").status == 401
        for read in page.reads:
            assert stranger.get(f"{page.path}/{read}").status == 401
        for act in page.acts:
            assert stranger.post(f"{page.path}/{act}", {}, marked=False).status == 401
    assert stranger.get("/console/verdict.json").status == 401


def test_a_program_reads_with_the_admin_token(stranger: Browser) -> None:
    for page in ("now", "requests", "runs", "stop"):
        assert stranger.get(f"/console/{page}.json", x_api_key=TOKEN).status == 200
        assert stranger.get(f"/console/{page}.json", authorization=f"Bearer {TOKEN}").status == 200
        assert stranger.get(f"/console/{page}.json", x_api_key="nope").status == 401
    heard = stranger.post("/console/stop/stop", STOP, marked=False, headers={"x-api-key": TOKEN})
    assert heard.status == 401, "acts are for pages; programs have the Admin API"


@pytest.mark.requirement("console:forms")
def test_a_form_without_the_mark_of_the_login_does_nothing(browser: Browser) -> None:
    other = Browser(gateway=browser.gateway)
    other.enter()
    for form in (STOP, {**STOP, "csrf": ""}, {**STOP, "csrf": "x"}, {**STOP, "csrf": other.mark()}):
        heard = browser.post("/console/stop/stop", form, marked=False)
        assert (heard.status, heard.error_type) == (403, "permission_error")
    for form in ({}, {"csrf": "x"}):
        assert browser.post("/console/logout", form, marked=False).status == 403
    assert browser.json("/console/stop.json")["stops"] == []


@pytest.mark.requirement("console:forms")
def test_a_page_of_another_site_can_do_nothing(browser: Browser) -> None:
    for headers in (
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"origin": "http://127.0.0.1"},
        {"origin": f"{browser.gateway.url}.evil.example"},
        {"sec_fetch_site": "cross-site"},
        {"sec_fetch_site": "same-site"},
    ):
        for path in ("/console/stop/stop", "/console/logout", "/console/login", "/console/preferences"):
            heard = browser.post(path, STOP, headers=headers)
            assert (heard.status, heard.error_type) == (403, "permission_error"), (path, headers)
    assert browser.json("/console/stop.json")["stops"] == []


@pytest.mark.requirement("console:forms")
def test_a_name_that_is_not_ours_is_turned_away(browser: Browser) -> None:
    for host in (
        "evil.example",
        "127.0.0.1.evil.example",
        "evil.example:4180",
        "",
        "[",
        "localhost.evil.example",
    ):
        heard = browser.get("/console/now", host=host or "x.y")
        assert heard.status == 421, host
    port = browser.host.rpartition(":")[2]
    for host in ("localhost", "LOCALHOST", "127.0.0.1", "127.9.9.9", "[::1]"):
        assert browser.get("/console/now", host=f"{host}:{port}").status == 200, host


def test_a_console_behind_a_proxy_is_told_its_name(named: Browser) -> None:
    link = named.ticket()
    assert named.get(link, host="agents.example.com", x_forwarded_proto="https").status == 200
    assert list(named.cookies) == ["holdfast_session_443"]
    name = {"host": "agents.example.com", "x_forwarded_proto": "https"}
    assert named.get("/console/now", **name).status == 200
    assert named.get("/console/now", host="other.example.com").status == 421
    origin = {"origin": "https://agents.example.com"}
    heard = named.post("/console/preferences", {"language": "ko"}, marked=False, headers=origin)
    assert heard.status == 303, "a proxy may call us by another name than browsers do"


@pytest.mark.requirement("console:roles")
def test_a_viewer_looks_and_changes_nothing(viewer: Browser) -> None:
    for page in PAGES:
        if page.name not in ("request", "run"):
            assert viewer.get(page.path).status == 200
        for act in page.acts:
            heard = viewer.post(f"{page.path}/{act}", STOP)
            assert (heard.status, heard.error_type) == (403, "permission_error")
    assert viewer.json("/console/stop.json")["stops"] == []
    assert 'action="/console/stop/stop"' not in viewer.html("/console/stop")
    assert "stop-open" not in viewer.html("/console/now")


def test_logging_out_ends_the_login(browser: Browser) -> None:
    kept = dict(browser.cookies)
    heard = browser.post("/console/logout", {})
    assert (heard.status, heard.headers["location"]) == (303, "/console/login")
    assert browser.cookies == {}
    browser.cookies = kept
    assert browser.get("/console/now").status == 303, "whoever has copied the cookie is out, too"


def test_a_login_and_a_logout_of_one_worker_are_those_of_all(
    simulator: RunningSimulator, settings: Settings, tmp_path: Path
) -> None:
    """Two gateways on one store with one secret, as `serve --workers 2` forks them."""
    shared = replace(settings, store=StoreConfig(url=f"sqlite:///{tmp_path / 'holdfast.db'}"))
    tickets = Tickets(SYSTEM_CLOCK)
    with (
        serving(simulator, shared, tickets=tickets) as first,
        serving(simulator, shared, tickets=tickets) as second,
    ):
        one = Browser(gateway=first)
        link = one.ticket()
        one.get(link)
        host = one.host
        assert Browser(gateway=second).get(link, host=host).status == 401, "a link works once, wherever"
        other = Browser(gateway=second, cookies=dict(one.cookies))
        assert other.get("/console/now", host=host).status == 200
        one.post("/console/logout", {})
        eventually(lambda: other.get("/console/now", host=host).status == 303)


def test_logging_in_makes_a_new_cookie_whatever_came_with_it(stranger: Browser) -> None:
    port = stranger.host.rpartition(":")[2]
    stranger.cookies = {f"holdfast_session_{port}": "planted"}
    stranger.get(stranger.ticket())
    first = dict(stranger.cookies)
    stranger.get(stranger.ticket())
    assert "planted" not in first.values()
    assert stranger.cookies != first


def test_after_logging_in_somebody_is_where_he_wanted_to_be(stranger: Browser) -> None:
    def sent_to(asked: str) -> str:
        form = {"token": TOKEN, "next": asked}
        page = stranger.post("/console/login", form, marked=False).body.decode()
        return page.partition("url=")[2].partition('"')[0]

    assert sent_to("/console/requests?filter=a") == "/console/requests?filter=a"
    for elsewhere in (
        "https://evil.example",
        "//evil.example",
        "/console",
        "/console/../../evil",
        "/console//evil.example",
        "/console/\\evil",
        "javascript:alert(1)",
        "/console/\r\nx",
    ):
        went = sent_to(elsewhere)
        assert went == "/console/now", elsewhere


def test_there_is_no_console_where_it_is_switched_off(
    simulator: RunningSimulator, settings: Settings
) -> None:
    with serving(simulator, replace(settings, console=ConsoleConfig(enabled=False))) as running:
        away = Browser(gateway=running)
        for path in ("/console", "/console/now", "/console/login"):
            assert away.get(path).status == 404


def test_what_is_not_there_is_a_404(browser: Browser) -> None:
    for path in (
        "/console/nothing",
        "/console/nothing.json",
        "/console/now/nothing",
        "/console/now/series/x",
        "/console/now?part=content",
        "/console/static/0000/console.js",
        "/console/static/../app.py",
    ):
        assert browser.get(path).status == 404, path
    assert browser.post("/console/stop/nothing", {}).status == 404
    assert browser.post("/console/nothing/stop", {}).status == 404
    assert browser.get("/console/logout").status == 405


def test_a_form_that_is_none_is_a_400(browser: Browser) -> None:
    heard = browser.post("/console/stop/stop", STOP, headers={"content-type": "application/json"})
    assert (heard.status, heard.error_type) == (400, "invalid_request_error")
    many = {f"f{number}": "x" for number in range(300)}
    assert browser.post("/console/stop/stop", many).status == 400


def test_cookies_that_make_no_sense_are_nobodys(stranger: Browser) -> None:
    for cookie in ('a="', "=;;=", "holdfast_session_1=x\\", "\xff=\xff", "x" * 10_000):
        assert stranger.get("/console/now", cookie=cookie).status == 303
        assert stranger.get("/console/now.json", cookie=cookie).status == 401


def test_a_cookie_that_somebody_has_changed_opens_nothing(viewer: Browser) -> None:
    name, token = next(iter(viewer.cookies.items()))
    content, _, mark = token.partition(".")
    for forged in (content, f"{content}.", f"{content}x.{mark}", f"{content}.{mark[:-3]}AAA"):
        viewer.cookies = {name: forged}
        assert viewer.get("/console/now").status == 303


def test_a_click_keeps_a_login_awake_and_a_poll_does_not(
    browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = dict(browser.cookies)
    monkeypatch.setattr(sessions, "FRESH", 0.0)
    browser.get("/console/now", x_holdfast_live="1")
    assert browser.cookies == before
    browser.get("/console/now")
    assert browser.cookies != before
    assert browser.get("/console/now").status == 200
