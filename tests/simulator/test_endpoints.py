"""Everything beside messages: the list of models, the small endpoints, rate limits, and the control plane."""

import base64
from typing import TYPE_CHECKING, Any, cast

import pytest

from holdfast.simulator import RateLimits, Simulator
from holdfast.testing import FakeClock

if TYPE_CHECKING:
    from tests.simulator.conftest import Api, Json

KEYED = {"x-api-key": "k", "anthropic-version": "2023-06-01"}


async def listed(api: "Api", query: str = "") -> "Json":
    response = await api.call("GET", f"/v1/models{query}")
    assert response.status_code == 200, response.text
    return cast("Json", response.json())


def ids(page: "Json") -> list[str]:
    return [model["id"] for model in page["data"]]


async def test_the_list_of_models_starts_with_the_newest_and_has_pages(api: "Api") -> None:
    page = await listed(api)
    assert len(page["data"]) == 20
    assert page["has_more"] is True
    assert ids(page)[0] == page["first_id"] == "claude-fable-5-2"
    rest = await listed(api, f"?after_id={page['last_id']}")
    assert rest["has_more"] is False
    assert len(set(ids(page)) | set(ids(rest))) == 27


async def test_pages_can_be_walked_backwards(api: "Api") -> None:
    everything = ids(await listed(api, "?limit=1000"))
    page = await listed(api, f"?limit=2&before_id={everything[5]}")
    assert ids(page) == everything[3:5]
    assert page["has_more"] is True
    first = await listed(api, f"?limit=2&before_id={everything[1]}")
    assert (ids(first), first["has_more"]) == (everything[:1], False)


async def test_an_empty_page_has_no_ends(api: "Api") -> None:
    last = ids(await listed(api, "?limit=1000"))[-1]
    page = await listed(api, f"?after_id={last}")
    assert (page["data"], page["first_id"], page["last_id"]) == ([], None, None)


@pytest.mark.parametrize("query", ["limit=0", "limit=1001", "limit=x", "after_id=nobody", "before_id=nobody"])
async def test_a_wrong_page_is_refused(api: "Api", query: str) -> None:
    assert (await api.call("GET", f"/v1/models?{query}")).status_code == 400


async def test_one_model_tells_its_limits_and_abilities(api: "Api") -> None:
    model = (await api.call("GET", "/v1/models/claude-haiku-4-5")).json()
    assert (model["id"], model["display_name"]) == ("claude-haiku-4-5-20251001", "Claude Haiku 4.5")
    assert (model["max_input_tokens"], model["max_tokens"]) == (200_000, 64_000)
    types = model["capabilities"]["thinking"]["types"]
    assert (types["enabled"]["supported"], types["adaptive"]["supported"]) == (True, False)


async def test_a_model_shows_when_it_is_retired(api: "Api") -> None:
    gone = (await api.call("GET", "/v1/models/claude-3-opus-20240229")).json()
    leaving = (await api.call("GET", "/v1/models/claude-sonnet-4-5")).json()
    assert gone["lifecycle"] == "retired"
    assert (leaving["lifecycle"], leaving["retires_at"]) == ("deprecated", "2026-11-30T00:00:00Z")


async def test_an_unknown_model_is_not_found(api: "Api") -> None:
    assert (await api.call("GET", "/v1/models/nobody")).status_code == 404


async def test_models_want_a_key(api: "Api") -> None:
    api.headers.clear()
    assert (await api.call("GET", "/v1/models")).status_code == 401


@pytest.mark.parametrize(
    ("method", "path"), [("HEAD", "/"), ("GET", "/"), ("HEAD", "/api/hello"), ("GET", "/api/hello")]
)
async def test_a_greeting_needs_no_key(api: "Api", method: str, path: str) -> None:
    api.headers.clear()
    assert (await api.call(method, path)).status_code == 200


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v1/messages"),
        ("POST", "/v1/skills"),
        ("PUT", "/v1/files"),
        ("GET", "/v1/models/a/b"),
        ("DELETE", "/"),
    ],
)
async def test_everything_else_is_not_found(api: "Api", method: str, path: str) -> None:
    response = await api.call(method, path)
    assert response.status_code == 404
    assert response.json()["error"] == {"type": "not_found_error", "message": "Not found"}


async def test_a_query_changes_nothing(api: "Api") -> None:
    response = await api.post(
        {"model": "claude-sonnet-5-5", "max_tokens": 9, "messages": [{"role": "user", "content": "Hi"}]},
        "/v1/messages?beta=true",
    )
    assert response.status_code == 200
    assert api.simulator.requests[0].query == "beta=true"


async def test_other_kinds_of_connection_are_ignored(api: "Api") -> None:
    async def never(*_: object) -> Any:
        raise AssertionError

    await api.simulator({"type": "lifespan"}, never, never)


async def test_the_standing_is_told_but_not_enforced_by_default(api: "Api") -> None:
    response = await api.post(
        {"model": "claude-sonnet-5-5", "max_tokens": 9, "messages": [{"role": "user", "content": "Hi"}]}
    )
    assert response.headers["anthropic-ratelimit-requests-limit"] == "4000"
    assert response.headers["anthropic-ratelimit-requests-remaining"] == "3999"
    assert response.headers["anthropic-ratelimit-requests-reset"].endswith("Z")


async def limited(api: "Api") -> tuple[int, str | None]:
    response = await api.post(
        {"model": "claude-sonnet-5-5", "max_tokens": 50, "messages": [{"role": "user", "content": "Hi"}]}
    )
    return response.status_code, response.headers.get("retry-after")


async def test_a_request_limit_is_enforced_and_says_when_to_come_back(api: "Api", clock: FakeClock) -> None:
    api.simulator = Simulator(time_scale=0, clock=clock, limits=RateLimits(requests=2))
    assert [await limited(api) for _ in range(3)] == [(200, None), (200, None), (429, "30")]
    clock.advance(30)
    assert (await limited(api))[0] == 200


async def test_what_is_remembered_of_callers_is_bounded(api: "Api", monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("holdfast.simulator.limits.KEEP", 1)
    api.simulator = Simulator(time_scale=0, limits=RateLimits(requests=1), keep=1)
    first = [await limited(api)]
    api.headers["x-api-key"] = "another"
    await limited(api)
    api.headers["x-api-key"] = "test-key"
    assert first == [await limited(api)] == [(200, None)]


async def test_input_and_output_tokens_are_limited_too(api: "Api", clock: FakeClock) -> None:
    api.simulator = Simulator(time_scale=0, clock=clock, limits=RateLimits(input_tokens=8))
    assert [(await limited(api))[0] for _ in range(2)] == [200, 429]
    api.simulator = Simulator(time_scale=0, clock=clock, limits=RateLimits(output_tokens=10))
    assert [(await limited(api))[0] for _ in range(2)] == [200, 429]


async def test_a_request_is_captured_as_it_arrived(api: "Api") -> None:
    raw = b'{ "model":"nobody" , "x": 1 }'
    await api.call(
        "POST", "/v1/messages", content=raw, headers={"content-type": "application/json", "x-team": "b"}
    )
    (seen,) = api.simulator.requests
    assert (seen.method, seen.path, seen.body, seen.headers["x-team"]) == ("POST", "/v1/messages", raw, "b")
    assert (seen.status, seen.ending, seen.key, seen.json()["x"]) == (400, "completed", "test-key", 1)
    assert seen.arrived_at == api.simulator.clock.now()


async def test_the_capture_has_room_for_a_bounded_number_of_bytes(api: "Api") -> None:
    api.simulator.capture.room = 1_000
    for _ in range(5):
        await api.message("x" * 400)
    assert len(api.simulator.requests) == 2
    assert api.simulator.requests[-1].number == 5


async def test_faults_can_be_set_shown_and_cleared_over_http(api: "Api") -> None:
    faults = [
        {"action": {"type": "status", "status": 529}, "times": 2},
        {"action": {"type": "reset", "after": 3}},
    ]
    shown = (await api.call("POST", "/__sim/faults", json={"faults": faults})).json()["faults"]
    assert [fault["action"]["type"] for fault in shown] == ["status", "reset"]
    assert (await limited(api))[0] == 529
    shown = (await api.call("GET", "/__sim/faults")).json()["faults"]
    assert (shown[0]["seen"], shown[0]["fired"], shown[0]["times"]) == (1, 1, 2)
    assert (await api.call("DELETE", "/__sim/faults")).json() == {"faults": []}
    assert (await limited(api))[0] == 200


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b'{"faults": [{"action": {"type": "magic"}}]}',
        b'{"faults": [{"action": {"type": "reset", "x": 1}}]}',
    ],
)
async def test_a_wrong_fault_is_refused(api: "Api", body: bytes) -> None:
    assert (await api.call("POST", "/__sim/faults", content=body)).status_code == 400


async def test_requests_and_bills_are_shown_over_http(api: "Api") -> None:
    await api.message("Hi")
    shown = (await api.call("GET", "/__sim/requests")).json()["requests"]
    assert base64.b64decode(shown[0]["body_base64"]) == api.simulator.requests[0].body
    assert (shown[0]["ending"], shown[0]["status"]) == ("completed", 200)
    ledger = (await api.call("GET", "/__sim/ledger")).json()
    assert ledger["total"] == ledger["entries"][0]["cost"] == format(api.simulator.billed, "f")


async def test_everything_can_be_reset_over_http(api: "Api") -> None:
    await api.message("Hi")
    assert (await api.call("POST", "/__sim/reset")).status_code == 200
    assert api.simulator.requests == ()


async def test_settings_can_be_read_and_changed_over_http(api: "Api") -> None:
    changes = {"seed": 7, "mode": "echo", "script": ["first"]}
    shown = (await api.call("POST", "/__sim/config", json=changes)).json()
    assert (shown["seed"], shown["mode"], shown["time_scale"]) == (7, "echo", 0)
    assert [await api.text("Hi"), await api.text("Hi")] == ["first", "Hi"]
    assert (await api.call("GET", "/__sim/config")).json() == shown


async def test_an_unknown_setting_is_refused(api: "Api") -> None:
    assert (await api.call("POST", "/__sim/config", json={"sed": 7})).status_code == 400


async def test_the_control_plane_knows_its_own_paths_only(api: "Api") -> None:
    assert (await api.call("GET", "/__sim/secrets")).status_code == 404


class Connection:
    """A transport that only has to be there."""

    def abort(self) -> None: ...

    def write(self, data: bytes, /) -> None: ...

    def close(self) -> None: ...


@pytest.mark.parametrize(
    ("peer", "headers", "status"),
    [
        ("127.0.0.1", {"host": "127.0.0.1:8000"}, 200),
        ("::1", {"host": "[::1]:8000"}, 200),
        ("127.0.0.1", {"host": "localhost"}, 200),
        ("192.0.2.7", {"host": "127.0.0.1"}, 403),
        ("", {"host": "127.0.0.1"}, 403),
        ("127.0.0.1", {"host": "evil.example"}, 403),
        ("127.0.0.1", {"host": "localhost", "origin": "https://evil.example"}, 403),
    ],
)
async def test_only_programs_on_this_machine_may_control_the_simulator(
    api: "Api", peer: str, headers: dict[str, str], status: int
) -> None:
    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(event: Any) -> None:
        sent.append(event)

    pairs = [(name.encode(), value.encode()) for name, value in headers.items()]
    scope = {
        "type": "http",
        "method": "GET",
        "path": "/__sim/config",
        "headers": pairs,
        "client": (peer, 1) if peer else None,
        "state": {"transport": Connection()},
    }
    await api.simulator(scope, receive, send)
    assert sent[0]["status"] == status
