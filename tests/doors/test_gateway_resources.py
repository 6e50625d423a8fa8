"""Files, skills and further paths: as they came, in bounds, each with whoever made it."""

import asyncio
import hashlib
import json
import resource as machine
from collections.abc import Callable, Coroutine, Generator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import pytest

from holdfast.operations.desk import Desk
from holdfast.operations.keys import NewKey, create
from holdfast.policy.gateway import GatewayConfig
from holdfast.policy.keys import KeyLimits
from holdfast.policy.routing import UpstreamConfig
from holdfast.settings import Settings, StoreConfig
from holdfast.simulator.server import RunningSimulator
from holdfast.stores.open import open_store
from tests.doors.running import RunningGateway, eventually, quick_settings, serving
from tests.doors.storehouse import PIECE, Storehouse, storehouse
from tests.doors.talking import QUESTION, Heard, ask, connected, request

T = TypeVar("T")
MEGABYTE = 1024 * 1024
MULTIPART = {"content-type": "multipart/form-data; boundary=xyz", "anthropic-beta": "files-api-2025-04-14"}


@pytest.fixture
def house() -> Iterator[Storehouse]:
    with storehouse() as running:
        yield running


def settings(simulator: RunningSimulator, house: Storehouse, **gateway: Any) -> Settings:
    return replace(
        quick_settings(simulator),
        gateway=GatewayConfig(drain_timeout=2.0, **gateway),
        upstreams={"house": UpstreamConfig(url=house.url)},
    )


@pytest.fixture
def gateway(simulator: RunningSimulator, house: Storehouse) -> Iterator[RunningGateway]:
    with serving(simulator, settings(simulator, house, passthrough=("/v1/agents",))) as running:
        yield running


@contextmanager
def keyed(
    simulator: RunningSimulator, house: Storehouse, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> Generator[RunningGateway]:
    """A gateway with a key of its own for the upstream, over a file."""
    monkeypatch.setenv("HOLDFAST_PEPPER", "a-pepper-for-the-tests")
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-ant-of-the-house")
    ours = replace(
        settings(simulator, house),
        store=StoreConfig(url=f"sqlite:///{folder / 'holdfast.db'}"),
        upstreams={"house": UpstreamConfig(url=house.url, key_env="ANTHROPIC_API_KEY")},
    )
    with serving(simulator, ours) as running:
        yield running


def operate(gateway: RunningGateway, verb: Callable[[Desk], Coroutine[Any, Any, T]]) -> T:
    async def work() -> T:
        store = open_store(gateway.hold.settings.store_url)
        try:
            return await verb(Desk(store=store, settings=gateway.hold.settings))
        finally:
            await store.aclose()

    return asyncio.run(work())


def issue(gateway: RunningGateway, name: str, limits: KeyLimits | None = None) -> str:
    wanted = NewKey(name=name, limits=limits or KeyLimits())
    secret = operate(gateway, lambda desk: create(desk, wanted)).secret
    eventually(lambda: said(gateway, "/v1/files", "local").status == 401)
    eventually(lambda: said(gateway, "/v1/models/none", secret).status != 401)
    return secret


def said(
    gateway: RunningGateway, path: str, key: str, *, method: str = "GET", body: bytes = b"", **more: str
) -> Heard:
    return ask(gateway.url, body, method=method, path=path, headers={"x-api-key": key, **more})


@pytest.mark.requirement("gateway:resources")
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v1/files"),
        ("GET", "/v1/files/file_1"),
        ("DELETE", "/v1/files/file_1"),
        ("GET", "/v1/skills"),
        ("GET", "/v1/skills/skill_1"),
        ("DELETE", "/v1/skills/skill_1"),
        ("GET", "/v1/skills/skill_1/versions"),
        ("GET", "/v1/skills/skill_1/versions/latest"),
        ("DELETE", "/v1/skills/skill_1/versions/17"),
        ("PATCH", "/v1/agents/agent_1/sessions"),
        ("HEAD", "/v1/agents"),
    ],
)
def test_what_needs_no_guard_goes_up_and_comes_back(
    gateway: RunningGateway, house: Storehouse, method: str, path: str
) -> None:
    answer = ask(
        gateway.url,
        method=method,
        path=f"{path}?beta=true&limit=3",
        headers={**MULTIPART, "anthropic-version": "2026-10-21"},
    )
    assert answer.status == 200
    assert answer.headers["x-holdfast-outcome"] == "answered"
    assert answer.headers["x-holdfast-attempts"] == "1"
    (sent,) = house.arrived
    assert (sent.method, sent.path, sent.query) == (method, path, "beta=true&limit=3")
    assert sent.headers["anthropic-version"] == "2026-10-21"
    assert sent.headers["anthropic-beta"] == "files-api-2025-04-14"
    assert sent.headers["x-api-key"] == "local"


@pytest.mark.parametrize(
    ("method", "path", "right"),
    [
        ("PUT", "/v1/files", "GET, POST"),
        ("POST", "/v1/files/file_1", "GET, DELETE"),
        ("DELETE", "/v1/files/file_1/content", "GET"),
        ("DELETE", "/v1/messages/batches", "GET, POST"),
        ("GET", "/v1/messages/batches/b_1/cancel", "POST"),
    ],
)
def test_a_resource_asked_in_another_way_says_in_which(
    gateway: RunningGateway, house: Storehouse, method: str, path: str, right: str
) -> None:
    answer = ask(gateway.url, method=method, path=path)
    assert (answer.status, answer.error_type) == (405, "invalid_request_error")
    assert answer.headers["allow"] == right
    assert house.arrived == []


@pytest.mark.parametrize(
    "path",
    [
        "/v1/files/..",
        "/v1/files/%2e%2e",
        "/v1/files/..%2Fmessages",
        "/v1/files/a%00",
        "/v1/files/a/other",
        "/v1/filesystem",
        "/v1/agents/../files",
        "/v1/agents/%2e%2e/messages",
        "/v1/agentsmith",
        "/v1/sessions",
        "/v1/files/" + "a" * 201,
    ],
)
def test_a_path_that_nobody_decided_to_serve_is_nothing(
    gateway: RunningGateway, house: Storehouse, path: str
) -> None:
    answer = ask(gateway.url, method="GET", path=path)
    assert (answer.status, answer.error_type) == (404, "not_found_error")
    assert house.arrived == []


def multipart(size: int) -> bytes:
    head = b'--xyz\r\ncontent-disposition: form-data; name="file"; filename="a.bin"\r\n\r\n'
    return head + bytes(range(256)) * (size // 256) + b"\r\n--xyz--\r\n"


@pytest.mark.requirement("gateway:upload")
def test_a_file_of_many_megabytes_flows_through_and_is_never_held(
    gateway: RunningGateway, house: Storehouse
) -> None:
    body = multipart(64 * MEGABYTE)
    before = machine.getrusage(machine.RUSAGE_SELF).ru_maxrss
    answer = ask(gateway.url, body, path="/v1/files", headers=MULTIPART)
    assert answer.status == 200
    (sent,) = house.arrived
    assert sent.digest == hashlib.sha256(body).hexdigest()
    assert sent.headers["content-length"] == str(len(body))
    assert sent.headers["content-type"] == MULTIPART["content-type"]
    # In kilobytes; the request that this test writes is one more copy of the body, in this same process.
    grown = machine.getrusage(machine.RUSAGE_SELF).ru_maxrss - before
    assert grown < 64 * 1024 + 32 * 1024


def test_an_upload_without_a_length_goes_up_in_chunks(gateway: RunningGateway, house: Storehouse) -> None:
    head = request(
        path="/v1/files", headers={**MULTIPART, "content-length": "", "transfer-encoding": "chunked"}
    )
    with connected(gateway.url) as connection:
        connection.send(head + b"5\r\nhello\r\n" + b"6\r\n world\r\n" + b"0\r\n\r\n")
        assert connection.hear().status == 200
    (sent,) = house.arrived
    assert sent.digest == hashlib.sha256(b"hello world").hexdigest()


def test_content_comes_down_as_it_is_read_with_its_length(gateway: RunningGateway, house: Storehouse) -> None:
    house.content = 40
    answer = ask(gateway.url, method="GET", path="/v1/files/file_1/content")
    assert answer.status == 200
    assert answer.headers["content-type"] == "application/octet-stream"
    assert answer.headers["content-length"] == str(40 * len(PIECE))
    assert answer.body == PIECE * 40


@pytest.mark.requirement("gateway:limits")
@pytest.mark.parametrize(
    ("path", "limit"),
    [
        ("/v1/messages", 1000),
        ("/v1/messages/count_tokens", 1000),
        ("/v1/messages/batches", 2000),
        ("/v1/files", 3000),
    ],
)
@pytest.mark.parametrize("announced", [True, False])
def test_each_endpoint_has_a_limit_of_its_own(
    simulator: RunningSimulator, house: Storehouse, path: str, limit: int, *, announced: bool
) -> None:
    ours = settings(simulator, house, max_body=1000, max_batch=2000, max_upload=3000)
    with serving(simulator, ours) as gateway, connected(gateway.url) as connection:
        more: Mapping[str, str] = {} if announced else {"content-length": "", "transfer-encoding": "chunked"}
        body = b"x" * (limit + 1)
        kind = MULTIPART if path == "/v1/files" else {}
        connection.send(request(body if announced else b"", path=path, headers={**kind, **more}))
        if not announced:
            connection.send(b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body))
        answer = connection.hear()
    assert (answer.status, answer.error_type) == (413, "request_too_large")


def test_who_leaves_in_the_middle_of_an_upload_cuts_the_upstream_off(
    gateway: RunningGateway, house: Storehouse
) -> None:
    with connected(gateway.url) as connection:
        connection.send(request(path="/v1/files", headers={**MULTIPART, "content-length": "1000000"}))
        connection.send(b"x" * 1000)
        eventually(lambda: bool(house.arrived) and house.arrived[0].size > 0)
    assert house.left.wait(10)
    eventually(lambda: gateway.app is not None and gateway.app.under_way == 0)


@pytest.mark.parametrize("status", [400, 401, 404, 413, 429, 500])
def test_an_error_of_the_upstream_arrives_byte_for_byte(
    gateway: RunningGateway, house: Storehouse, status: int
) -> None:
    body = b'{"type": "error",  "error": {"type": "x_error", "message": "no \\u00e9"}, "request_id": "r"}'
    house.answer = (status, body)
    answer = ask(gateway.url, method="GET", path="/v1/files/file_1")
    assert (answer.status, answer.body) == (status, body)
    assert answer.headers["x-holdfast-outcome"] == "failed"


def test_an_upstream_that_is_away_is_an_error_of_the_api(
    simulator: RunningSimulator, house: Storehouse
) -> None:
    house.url = "http://127.0.0.1:1"
    with serving(simulator, settings(simulator, house)) as gateway:
        for method, path in (("GET", "/v1/files"), ("POST", "/v1/files")):
            answer = ask(gateway.url, b"abc", method=method, path=path, headers=MULTIPART)
            assert (answer.status, answer.error_type) == (503, "api_error")


def test_what_changes_something_is_written_down_and_costs_nothing(gateway: RunningGateway) -> None:
    ask(gateway.url, b"abc", path="/v1/files", headers={**MULTIPART, "x-holdfast-user": "alice"})
    ask(gateway.url, method="GET", path="/v1/files")
    eventually(lambda: len(gateway.records()) == 1)
    (record,) = gateway.records()
    assert (record.model, record.user, record.status, record.cost_pico) == ("POST files", "alice", 200, 0)


@pytest.mark.requirement("gateway:tenants")
def test_nobody_sees_or_touches_what_another_key_has_made(
    simulator: RunningSimulator, house: Storehouse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with keyed(simulator, house, tmp_path, monkeypatch) as gateway:
        one, two = issue(gateway, "one"), issue(gateway, "two")
        made = said(gateway, "/v1/files", one, method="POST", body=b"abc", **MULTIPART).json["id"]
        other = said(gateway, "/v1/files", two, method="POST", body=b"def", **MULTIPART).json["id"]
        assert [row["id"] for row in said(gateway, "/v1/files", one).json["data"]] == [made]
        assert [row["id"] for row in said(gateway, "/v1/files", two).json["data"]] == [other]
        house.arrived.clear()
        for method, path in (
            ("GET", f"/v1/files/{made}"),
            ("GET", f"/v1/files/{made}/content"),
            ("DELETE", f"/v1/files/{made}"),
            ("GET", "/v1/files/file_unknown"),
        ):
            answer = said(gateway, path, two, method=method)
            assert (answer.status, answer.error_type) == (404, "not_found_error")
        assert house.arrived == []
        assert said(gateway, f"/v1/files/{made}", one).status == 200
        assert said(gateway, f"/v1/files/{made}", one, method="DELETE").status == 200
        assert said(gateway, f"/v1/files/{made}", one).status == 404


@pytest.mark.requirement("gateway:credentials")
def test_no_key_of_a_caller_goes_up_with_ours_and_ours_never_comes_back(
    simulator: RunningSimulator, house: Storehouse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with keyed(simulator, house, tmp_path, monkeypatch) as gateway:
        secret = issue(gateway, "one")
        heard = [
            said(gateway, "/v1/files", secret, method="POST", body=b"abc", **MULTIPART),
            said(gateway, "/v1/skills", "", authorization=f"Bearer {secret}"),
            said(gateway, "/v1/files", secret, authorization="Bearer sk-ant-of-the-caller"),
        ]
        assert [answer.status for answer in heard] == [200, 200, 200]
        for sent in house.arrived:
            assert sent.headers["x-api-key"] == "sk-ant-of-the-house"
            assert "authorization" not in sent.headers
            assert secret not in json.dumps(sent.headers)
            assert "of-the-caller" not in json.dumps(sent.headers)
        for answer in heard:
            assert b"of-the-house" not in answer.body
            assert "of-the-house" not in str(answer.headers)
            # Its limits are those of everybody together: they say nothing to one of them.
            assert not any(name.startswith("anthropic-ratelimit") for name in answer.headers)


def test_a_key_with_a_rate_is_held_to_it_on_every_path(
    simulator: RunningSimulator, house: Storehouse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with keyed(simulator, house, tmp_path, monkeypatch) as gateway:
        secret = issue(gateway, "one", KeyLimits(rpm=3))
        statuses = [said(gateway, "/v1/files", secret).status for _ in range(5)]
        assert statuses[-1] == 429
        refused = ask(gateway.url, QUESTION, headers={"x-api-key": secret})
        assert (refused.status, refused.error_type) == (429, "rate_limit_error")
        assert refused.headers["retry-after"]


@pytest.mark.parametrize("path", ["/v1/files", "/v1/files/file_1"])
def test_an_upstream_that_says_nothing_is_given_up(
    simulator: RunningSimulator, house: Storehouse, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    monkeypatch.setattr("holdfast.gateway.carrying.ANSWER_WITHIN", 0.2)
    house.silent = True
    with serving(simulator, settings(simulator, house)) as gateway:
        is_upload = path == "/v1/files"
        body = b"abc" if is_upload else b""
        answer = ask(gateway.url, body, method="POST" if is_upload else "GET", path=path, headers=MULTIPART)
        assert (answer.status, answer.error_type) == (504, "timeout_error")


def test_content_that_breaks_off_is_cut_off_here_too(gateway: RunningGateway, house: Storehouse) -> None:
    house.short = True
    with connected(gateway.url) as connection:
        connection.send(request(method="GET", path="/v1/files/file_1/content"))
        answer = connection.hear()
        assert len(answer.body) < int(answer.headers["content-length"])


def test_a_page_of_html_in_place_of_an_answer_becomes_an_error_of_the_api(
    gateway: RunningGateway, house: Storehouse
) -> None:
    house.answer, house.kind = (502, b"<html>bad gateway</html>"), b"text/html"
    answer = ask(gateway.url, method="GET", path="/v1/skills")
    assert (answer.status, answer.error_type) == (502, "api_error")
