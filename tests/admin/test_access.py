"""Who gets in, and what a browser on another site cannot do."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from holdfast.admin.app import OPERATIONS
from holdfast.settings import Settings
from holdfast.simulator.server import RunningSimulator
from tests.admin.operating import TOKEN, Operator
from tests.doors.running import serving
from tests.doors.talking import ask

BUDGETS = "/api/v1/budgets"


@pytest.fixture
def store_url() -> str:
    return "memory:"


@pytest.fixture
def without_token(
    simulator: RunningSimulator, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Operator]:
    monkeypatch.delenv("HOLDFAST_ADMIN_TOKEN")
    with serving(simulator, settings) as running:
        yield Operator(gateway=running)


def key(operator: Operator, *scopes: str) -> str:
    made = operator.post("/api/v1/keys", {"name": "-".join(scopes), "scopes": list(scopes)})
    return str(made["key"])


def test_every_operation_wants_the_token(operator: Operator) -> None:
    for operation in OPERATIONS:
        path = operation.path.replace("{", "").replace("}", "")
        for token in ("", "wrong", TOKEN + "x", TOKEN[:-1], "hf_live_short"):
            heard = replace(operator, token=token).ask(operation.method, path, b"{}")
            assert (heard.status, heard.error_type) == (401, "authentication_error"), (operation.name, token)
            assert heard.headers["x-should-retry"] == "false"


def test_the_token_opens_as_a_bearer_too(operator: Operator) -> None:
    for headers in (
        {"authorization": f"Bearer {TOKEN}"},
        {"authorization": f"bearer {TOKEN}", "x-api-key": "something-else"},
        {"authorization": "Basic xyz", "x-api-key": TOKEN},
    ):
        assert replace(operator, token="").ask("GET", BUDGETS, headers=headers).status == 200
    assert replace(operator, token="").ask("GET", BUDGETS, headers={"authorization": TOKEN}).status == 401


def test_a_key_may_do_what_its_scopes_say(operator: Operator) -> None:
    reader = replace(operator, token=key(operator, "admin:read"))
    writer = replace(operator, token=key(operator, "admin:read", "admin:write"))
    caller = replace(operator, token=key(operator, "messages"))
    assert reader.get(BUDGETS)["data"] == []
    assert reader.refused("PUT", f"{BUDGETS}/b", {"usd": "1"})[0] == 403
    assert writer.put(f"{BUDGETS}/b", {"usd": "1"})["name"] == "b"
    assert caller.refused("GET", BUDGETS)[0] == 403
    (line, *_) = operator.get("/api/v1/audit")["data"]
    assert (line["actor"], line["kind"], line["name"]) == ("key:admin:read-admin:write", "budget", "b")


def test_a_revoked_key_opens_nothing_from_then_on(operator: Operator) -> None:
    reader = replace(operator, token=key(operator, "admin:read"))
    assert reader.ask("GET", BUDGETS).status == 200
    operator.post("/api/v1/keys/admin:read/revoke")
    assert reader.ask("GET", BUDGETS).status == 401


def test_what_opens_the_admin_api_does_not_open_the_data_plane(operator: Operator) -> None:
    reader = key(operator, "admin:read")
    assert operator.call(x_api_key=reader).status == 403
    assert operator.call(x_api_key=TOKEN).status == 401


def test_without_a_token_set_nothing_opens_but_keys(without_token: Operator) -> None:
    for token in ("", "None", TOKEN):
        status, message = replace(without_token, token=token).refused("GET", BUDGETS)
        assert (status, "HOLDFAST_ADMIN_TOKEN" in message) == (401, True)


def test_a_page_of_another_site_may_not_change_anything(operator: Operator) -> None:
    host = operator.gateway.url.removeprefix("http://")
    for headers in (
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"origin": "http://127.0.0.1"},
        {"origin": f"http://{host}.evil.example"},
        {"origin": "http://[broken"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
    ):
        heard = operator.ask("PUT", f"{BUDGETS}/b", {"usd": "1"}, headers={"host": host, **headers})
        assert (heard.status, heard.error_type) == (403, "permission_error"), headers
    assert operator.get(BUDGETS)["data"] == []
    own = {"host": host, "origin": f"http://{host}", "sec-fetch-site": "same-origin"}
    assert operator.ask("PUT", f"{BUDGETS}/b", {"usd": "1"}, headers=own).status == 200


def test_a_body_must_say_that_it_is_json(operator: Operator) -> None:
    for kind in ("", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"):
        heard = operator.ask("PUT", f"{BUDGETS}/b", {"usd": "1"}, headers={"content-type": kind})
        assert (heard.status, heard.error_type) == (400, "invalid_request_error"), kind
    kind = "Application/JSON; charset=utf-8"
    assert operator.ask("PUT", f"{BUDGETS}/b", {"usd": "1"}, headers={"content-type": kind}).status == 200


def test_a_huge_body_is_refused_before_it_fills_the_memory(operator: Operator) -> None:
    heard = operator.ask("PUT", f"{BUDGETS}/b", b"x" * 70_000)
    assert (heard.status, heard.error_type) == (413, "request_too_large")
    heard = operator.ask("PUT", f"{BUDGETS}/b", headers={"content-length": "9" * 30})
    assert heard.status in (400, 413)


def test_a_method_that_a_path_does_not_take_is_a_405_with_the_right_ones(operator: Operator) -> None:
    for method, path, right in (
        ("POST", BUDGETS, "GET, HEAD"),
        ("PATCH", f"{BUDGETS}/b", "DELETE, GET, HEAD, PUT"),
        ("PUT", "/api/v1/stops", "DELETE, GET, HEAD, POST"),
        ("POST", "/openapi.json", "GET, HEAD"),
        ("DELETE", "/v1/organizations/spend_limits", "GET, HEAD, POST"),
    ):
        heard = operator.ask(method, path)
        assert (heard.status, heard.headers["allow"]) == (405, right), path


def test_what_is_not_there_is_a_404(operator: Operator) -> None:
    for path in (
        "/api/v1/",
        "/api/v1/nothing",
        "/api/v1/budgets/",
        "/api/v1/budgets/a/b",
        "/api/v1/keys/a",
        "/api/v1/%62udgets",
        "/v1/organizations/spend_limits/",
        "/v1/organizations/spend_limitsx",
        "/api/v1/runs/none",
        "/api/v1/requests/none",
        "/v1/organizations/spend_limits/spl_none",
    ):
        heard = operator.ask("GET", path)
        assert (heard.status, heard.error_type) == (404, "not_found_error"), path


def test_refusals_speak_the_language_that_is_asked_for(operator: Operator) -> None:
    for accept, is_korean in (("ko-KR,ko;q=0.9,en;q=0.8", True), ("en-US,ko;q=0.5", False), ("fr", False)):
        heard = operator.ask("GET", "/api/v1/runs/none", headers={"accept-language": accept})
        assert ("찾을 수 없습니다" in heard.json["error"]["message"]) == is_korean


def test_the_language_of_the_settings_is_spoken_where_nothing_is_asked_for(
    simulator: RunningSimulator, settings: Settings
) -> None:
    with serving(simulator, replace(settings, language="ko")) as running:
        heard = Operator(gateway=running).ask("GET", "/api/v1/runs/none")
        assert "찾을 수 없습니다" in heard.json["error"]["message"]


def test_head_has_the_head_of_an_answer_and_no_body(operator: Operator) -> None:
    headers = {"x-api-key": TOKEN, "content-length": ""}
    heard = ask(operator.gateway.url, method="HEAD", path=BUDGETS, headers=headers)
    assert (heard.status, heard.body) == (200, b"")


def test_an_answer_is_for_nobody_else(operator: Operator) -> None:
    heard = operator.ask("GET", BUDGETS, headers={"origin": "https://evil.example"})
    assert heard.status == 200
    assert not [name for name in heard.headers if name.startswith("access-control-")]
