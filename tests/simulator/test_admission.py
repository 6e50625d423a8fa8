"""Who is let in and with which bodies: credentials, versions, content types, and JSON that is none."""

import json
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.simulator.conftest import Api, Json

JSON = {"content-type": "application/json"}


def ask(content: str = "Hi", **more: object) -> "Json":
    body: dict[str, Any] = {
        "model": "claude-sonnet-5-5",
        "max_tokens": 100,
        "messages": [{"role": "user", "content": content}],
    }
    return {**body, **more}


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (b"", "The request body is not valid JSON: Input data was truncated"),
        (b'{"model": ', "The request body is not valid JSON: Input data was truncated"),
        (b"[1]", "Input should be a valid dictionary"),
        (b'{"model": "\xff"}', "The request body is not valid JSON: it is not valid UTF-8"),
        (b"[" * 100_000, "The request body is not valid JSON: it is nested too deeply"),
        (b'{"messages":' * 50_000, "The request body is not valid JSON: it is nested too deeply"),
    ],
)
async def test_a_body_that_is_no_json_object_is_a_400(api: "Api", raw: bytes, message: str) -> None:
    response = await api.call(
        "POST", "/v1/messages", content=raw, headers={"content-type": "application/json"}
    )
    assert (response.status_code, response.json()["error"]["message"]) == (400, message)


@pytest.mark.parametrize("depth", [50, *range(900, 1000)])
async def test_a_deep_body_is_answered_and_never_crashes(api: "Api", depth: int) -> None:
    api.simulator.lenient = True
    for deep in (b"[" * depth + b"]" * depth, b'{"a":' * depth + b"1" + b"}" * depth):
        raw = json.dumps(ask())[:-1].encode() + b', "deep": ' + deep + b"}"
        response = await api.call("POST", "/v1/messages", content=raw, headers=JSON)
        assert response.status_code in (200, 400)


async def test_a_schema_without_an_end_is_a_400(api: "Api") -> None:
    endless = {"type": "object", "allOf": [{"$ref": "#"}]}
    body = ask("use the tool t", tools=[{"name": "t", "input_schema": endless}])
    assert (await api.refusal(body))[:2] == (400, "invalid_request_error")


async def test_a_body_that_cannot_be_written_again_is_answered(
    api: "Api", monkeypatch: pytest.MonkeyPatch
) -> None:
    def too_deep(_: object) -> bytes:
        raise RecursionError

    monkeypatch.setattr("holdfast.simulator.answers.canonical", too_deep)
    assert (await api.post(ask())).status_code == 200


@pytest.mark.parametrize("media", ["text/plain", "", "application/x-www-form-urlencoded"])
async def test_another_content_type_is_refused(api: "Api", media: str) -> None:
    response = await api.call("POST", "/v1/messages", content=b"{}", headers={"content-type": media})
    assert response.json()["error"]["message"] == "content-type: must be application/json"


async def test_another_charset_is_refused_with_its_code(api: "Api") -> None:
    response = await api.call(
        "POST", "/v1/messages", content=b"{}", headers={"content-type": "application/json; charset=utf-16"}
    )
    assert response.json()["error"]["details"]["error_code"] == "unsupported_charset"


async def test_a_body_over_32_megabytes_is_too_large(api: "Api") -> None:
    raw = b"x" * (32 * 1024 * 1024 + 1)
    response = await api.call(
        "POST", "/v1/messages", content=raw, headers={"content-type": "application/json"}
    )
    assert (response.status_code, response.json()["error"]["type"]) == (413, "request_too_large")


async def test_without_a_credential_nobody_is_served(api: "Api") -> None:
    del api.headers["x-api-key"]
    assert await api.refusal(ask()) == (401, "authentication_error", "x-api-key header is required")


@pytest.mark.parametrize(
    ("headers", "message"),
    [({"x_api_key": "bad"}, "invalid x-api-key"), ({"authorization": "Bearer bad"}, "Invalid bearer token")],
)
async def test_a_bad_key_is_refused_for_good(api: "Api", headers: dict[str, str], message: str) -> None:
    del api.headers["x-api-key"]
    api.simulator.bad_keys = {"bad"}
    response = await api.post(ask(), **headers)
    assert (response.status_code, response.json()["error"]["message"]) == (401, message)
    assert response.headers["x-should-retry"] == "false"


async def test_a_bearer_token_is_as_good_as_a_key(api: "Api") -> None:
    del api.headers["x-api-key"]
    assert (await api.post(ask(), authorization="Bearer good")).status_code == 200
    assert api.simulator.requests[0].key == "good"


async def test_a_basic_credential_is_none(api: "Api") -> None:
    del api.headers["x-api-key"]
    assert (await api.post(ask(), authorization="Basic good")).status_code == 401


async def test_the_version_header_is_required_and_must_be_known(api: "Api") -> None:
    assert "not a valid version" in (await api.refusal(ask(), anthropic_version="1999-01-01"))[2]
    del api.headers["anthropic-version"]
    assert await api.refusal(ask()) == (
        400,
        "invalid_request_error",
        "anthropic-version: header is required",
    )


async def test_every_answer_names_its_request_in_header_and_error_body(api: "Api") -> None:
    response = await api.post(ask(model="nobody"))
    assert response.headers["request-id"].startswith("req_01")
    assert response.json()["request_id"] == response.headers["request-id"]
    assert response.headers["anthropic-organization-id"]
