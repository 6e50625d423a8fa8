"""What travels in headers: what each call cost, nobody's key, and everything else untouched."""

import json
from dataclasses import replace
from decimal import Decimal

import anthropic
import pytest

from holdfast.policy.routing import UpstreamConfig
from holdfast.simulator import Fault, Status
from holdfast.simulator.server import RunningSimulator
from tests.doors.running import RunningGateway, quick_settings, serving
from tests.doors.talking import QUESTION, ask

OURS = "sk-ant-api03-ours-0123456789"
THEIRS = "sk-ant-api03-theirs-9876543210"


@pytest.mark.parametrize(
    "more", [{}, {"system": "Be brief.", "max_tokens": 2_000, "thinking": {"type": "adaptive"}}]
)
def test_an_answer_says_what_it_cost_exactly_as_ledger_and_bill_do(
    gateway: RunningGateway, more: dict[str, object]
) -> None:
    answer = ask(gateway.url, {**QUESTION, **more})
    (record,) = gateway.records()
    assert answer.headers["x-holdfast-request-id"] == record.request_id
    assert Decimal(answer.headers["x-holdfast-cost"]) == record.cost == gateway.simulator.simulator.billed > 0
    assert answer.headers["x-holdfast-outcome"] == "answered"
    assert answer.headers["x-holdfast-attempts"] == "1"
    assert answer.headers["x-holdfast-model"] == "claude-sonnet-5-5" == answer.json["model"]
    assert "e" not in answer.headers["x-holdfast-cost"].lower()


def test_a_stream_says_all_but_its_cost_which_the_ledger_knows(gateway: RunningGateway) -> None:
    answer = ask(gateway.url, {**QUESTION, "stream": True})
    (record,) = gateway.records()
    assert answer.headers["x-holdfast-request-id"] == record.request_id
    assert answer.headers["x-holdfast-outcome"] == "answered"
    assert answer.headers["x-holdfast-attempts"] == "1"
    assert answer.headers["x-holdfast-model"] == "claude-sonnet-5-5"
    assert "x-holdfast-cost" not in answer.headers
    assert record.cost == gateway.simulator.simulator.billed > 0


def test_a_refusal_costs_nothing_and_says_so(gateway: RunningGateway) -> None:
    answer = ask(gateway.url, b"{")
    assert answer.headers["x-holdfast-outcome"] == "refused"
    assert answer.headers["x-holdfast-cost"] == "0"
    assert answer.headers["x-holdfast-attempts"] == "0"
    assert answer.headers["x-holdfast-request-id"] == answer.headers["request-id"]


def test_every_request_has_an_id_of_its_own(gateway: RunningGateway) -> None:
    answers = [ask(gateway.url, QUESTION) for _ in range(5)]
    answers += [ask(gateway.url, b"{"), ask(gateway.url, method="GET", path="/v1/models")]
    answers += [
        ask(gateway.url, QUESTION, path="/v1/messages/count_tokens"),
        ask(gateway.url, path="/nothing"),
    ]
    assert len({answer.headers["x-holdfast-request-id"] for answer in answers}) == len(answers)


def test_the_ids_and_limits_of_the_upstream_are_handed_on(gateway: RunningGateway) -> None:
    for body, path, method in (
        (QUESTION, "/v1/messages", "POST"),
        ({**QUESTION, "stream": True}, "/v1/messages", "POST"),
        ({**QUESTION, "messages": []}, "/v1/messages", "POST"),
        (QUESTION, "/v1/messages/count_tokens", "POST"),
        (b"", "/v1/models", "GET"),
    ):
        ours = ask(gateway.url, body, path=path, method=method).headers
        upstreams = ask(gateway.simulator.url, body, path=path, method=method).headers
        requests = gateway.simulator.simulator.requests
        assert ours["request-id"] == requests[-2].request_id
        assert {name for name in upstreams if name.startswith("anthropic-")} <= set(ours)
        assert ours["anthropic-organization-id"] == upstreams["anthropic-organization-id"]


def test_what_belongs_to_one_connection_is_not_handed_on(gateway: RunningGateway) -> None:
    headers = {
        "x-holdfast-cost": "-5",
        "set-cookie": "a=b",
        "connection": "close",
        "server": "x",
        "x-own": "kept",
    }
    gateway.simulator.simulator.fault(Status(status=400, headers=headers))
    answer = ask(gateway.url, QUESTION)
    assert answer.headers["x-own"] == "kept"
    assert {"set-cookie", "server", "connection", "x-holdfast-cost"}.isdisjoint(answer.headers)


def test_what_the_caller_says_reaches_the_upstream_byte_for_byte(gateway: RunningGateway) -> None:
    body = (
        b'{ "messages":[{"role":"user","content":"caf\\u00e9 \\ud83d\\ude42 \xea\xb0\x80"}],\r\n\t'
        b'"max_tokens" : 1e2, "model":"claude-sonnet-5-5", "metadata": {"user_id": "u\\/1"}   }\n'
    )
    headers = {"anthropic-beta": "a-2026-01-01,b-2026-02-02", "anthropic-workspace-id": "w", "x-app": "cli"}
    gateway.simulator.simulator.lenient = True
    answer = ask(gateway.url, body, headers=headers, path="/v1/messages?beta=true")
    assert answer.status in (200, 400)
    (request,) = gateway.simulator.simulator.requests
    assert request.body == body
    assert request.query == "beta=true"
    assert {name: request.headers[name] for name in headers} == headers
    assert request.headers["anthropic-version"] == "2023-06-01"


def test_fields_that_nobody_here_knows_reach_the_upstream(gateway: RunningGateway) -> None:
    gateway.simulator.simulator.lenient = True
    body = json.dumps({**QUESTION, "field_of_next_year": {"a": [1, 2.50, None]}}).encode()
    for path in ("/v1/messages", "/v1/messages/count_tokens"):
        assert ask(gateway.url, body, path=path).status == 200
        assert gateway.simulator.simulator.requests[-1].body == body


def test_what_is_meant_for_holdfast_or_for_one_hop_stays_here(gateway: RunningGateway) -> None:
    headers = {
        "x-holdfast-user": "alice",
        "x-forwarded-for": "10.0.0.1",
        "cookie": "a=b",
        "proxy-authorization": "Basic x",
        "connection": "keep-alive, x-mine",
        "x-mine": "1",
    }
    assert ask(gateway.url, QUESTION, headers=headers).status == 200
    (request,) = gateway.simulator.simulator.requests
    assert set(headers).isdisjoint(request.headers) or request.headers.get("connection") == "keep-alive"
    assert {"x-holdfast-user", "x-forwarded-for", "cookie", "proxy-authorization", "x-mine"}.isdisjoint(
        request.headers
    )


def test_whose_call_it_was_is_in_the_ledger(gateway: RunningGateway) -> None:
    headers = {
        "x-claude-code-session-id": "session-1",
        "x-claude-code-agent-id": "agent-2",
        "x-holdfast-user": "앨리스".encode().decode("latin-1"),
    }
    ask(gateway.url, QUESTION, headers=headers)
    ask(gateway.url, {**QUESTION, "metadata": {"user_id": "bob"}}, headers={"x-holdfast-run": "r" * 500})
    ask(gateway.url, QUESTION, headers={"x-holdfast-user": "Jos\xe9"})
    third, second, first = gateway.records()
    assert third.user == "José"
    assert (first.run, first.agent, first.user, first.door) == ("session-1", "agent-2", "앨리스", "gateway")
    assert (second.run, second.agent, second.user) == ("r" * 200, None, "bob")


def keys_seen(gateway: RunningGateway) -> set[str]:
    """Every credential that reached the upstream."""
    return {
        value
        for request in gateway.simulator.simulator.requests
        for name, value in request.headers.items()
        if name in ("x-api-key", "authorization", "api-key", "cookie")
    }


def ask_everything(gateway: RunningGateway) -> list[bytes]:
    """All that comes back from every path of the data plane, asked with the caller's key in both headers."""
    headers = {"x-api-key": THEIRS, "authorization": f"Bearer {THEIRS}"}
    answers = [
        ask(gateway.url, body, path=path, method=method, headers=headers)
        for body, path, method in (
            (QUESTION, "/v1/messages", "POST"),
            ({**QUESTION, "stream": True}, "/v1/messages", "POST"),
            ({**QUESTION, "messages": []}, "/v1/messages", "POST"),
            (b"{", "/v1/messages", "POST"),
            (QUESTION, "/v1/messages/count_tokens", "POST"),
            (b"", "/v1/models", "GET"),
            (b"", "/v1/models/claude-sonnet-5-5", "GET"),
            (b"", "/readyz", "GET"),
        )
    ]
    return [repr((answer.headers, answer.body)).encode() for answer in answers]


def test_our_key_goes_upstream_in_place_of_the_callers_and_never_comes_back(
    simulator: RunningSimulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UPSTREAM_KEY", OURS)
    upstream = UpstreamConfig(url=simulator.url, key_env="UPSTREAM_KEY")
    settings = replace(quick_settings(simulator), upstreams={"simulator": upstream})
    with serving(simulator, settings) as gateway:
        answers = ask_everything(gateway)
        assert keys_seen(gateway) == {OURS}
        simulator.simulator.bad_keys = [OURS]
        answers += ask_everything(gateway)
        simulator.simulator.fault(Fault(Status(status=500), times=None, path=None))
        answers += ask_everything(gateway)
        assert keys_seen(gateway) == {OURS}
    assert not [answer for answer in answers if OURS.encode() in answer or THEIRS.encode() in answer]


def test_without_a_key_of_ours_each_caller_pays_with_their_own(gateway: RunningGateway) -> None:
    answers = ask_everything(gateway)
    assert keys_seen(gateway) == {THEIRS, f"Bearer {THEIRS}"}
    assert not [answer for answer in answers if THEIRS.encode() in answer]
    gateway.simulator.simulator.bad_keys = [THEIRS]
    with (
        anthropic.Anthropic(api_key=THEIRS, base_url=gateway.url) as client,
        pytest.raises(anthropic.AuthenticationError),
    ):
        client.models.list()


def test_small_talk_needs_no_key(gateway: RunningGateway) -> None:
    for path in ("/", "/api/hello"):
        assert ask(gateway.url, method="GET", path=path, headers={"x-api-key": ""}).json["name"] == "holdfast"
    assert ask(gateway.url, method="GET", path="/healthz").json == {"status": "alive"}
    assert gateway.simulator.simulator.requests == ()
