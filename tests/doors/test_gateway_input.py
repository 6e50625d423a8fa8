"""Bodies that are no Messages request: the API's own error shape, never a 500, and nothing spent."""

import gzip
import json
import zlib
from collections.abc import Mapping

import pytest

from tests.doors.running import RunningGateway
from tests.doors.talking import MESSAGES, QUESTION, Heard, ask, connected, request

COUNT_TOKENS = "/v1/messages/count_tokens"
LIMIT = 32 * 1024 * 1024


def refused(gateway: RunningGateway, body: object, headers: Mapping[str, str] | None = None) -> Heard:
    """The answer to a bad body, once it is certain that it cost nothing and reached nobody it should not."""
    answer = ask(gateway.url, body, headers=headers)
    assert 400 <= answer.status < 500
    assert answer.headers["x-should-retry"] == "false"
    assert answer.headers["x-holdfast-request-id"].startswith("hfr_")
    assert gateway.totals().cost_pico == 0
    assert gateway.simulator.simulator.billed == 0
    return answer


def without(name: str) -> dict[str, object]:
    return {member: value for member, value in QUESTION.items() if member != name}


@pytest.mark.requirement("input:empty-messages")
def test_messages_that_say_nothing_get_the_apis_own_error(gateway: RunningGateway) -> None:
    silent: list[object] = [[], None, [{}], [None], "hello", 5]
    for messages in silent:
        answer = refused(gateway, {**QUESTION, "messages": messages})
        assert (answer.status, answer.error_type) == (400, "invalid_request_error")
        assert "messages" in answer.json["error"]["message"]


def test_a_body_without_messages_gets_the_apis_own_error(gateway: RunningGateway) -> None:
    answer = refused(gateway, without("messages"))
    assert (answer.status, answer.error_type) == (400, "invalid_request_error")
    assert "messages" in answer.json["error"]["message"]


@pytest.mark.requirement("input:no-max-tokens")
def test_a_body_without_max_tokens_gets_the_apis_own_error(gateway: RunningGateway) -> None:
    answer = refused(gateway, without("max_tokens"))
    assert (answer.status, answer.error_type) == (400, "invalid_request_error")
    assert "max_tokens" in answer.json["error"]["message"]


def test_max_tokens_of_the_wrong_kind_get_the_apis_own_error(gateway: RunningGateway) -> None:
    wrong: list[object] = ["300", -1, 0.5, True, [], {}]
    for value in wrong:
        answer = refused(gateway, {**QUESTION, "max_tokens": value})
        assert (answer.status, answer.error_type) == (400, "invalid_request_error")


def test_a_model_that_is_no_name_gets_the_apis_own_error(gateway: RunningGateway) -> None:
    wrong: list[object] = [None, 5, "", [], {"a": 1}, True, "no-such-model", "x" * 100_000, "클로드", "a\0b"]
    for model in wrong:
        answer = refused(gateway, {**QUESTION, "model": model})
        assert answer.error_type == ("invalid_request_error" if answer.status == 400 else "not_found_error")


def test_what_is_no_json_object_gets_the_apis_own_error(gateway: RunningGateway) -> None:
    for body in (
        b"",
        b" ",
        b"null",
        b"5",
        b'"text"',
        b"[]",
        b"[{}]",
        b"{",
        b"{}",
        b"{'model': 'x'}",
        b'{"model": "a"}{"model": "b"}',
        b'{"model": NaN}',
        b'{"model": 1e400}',
        b'{"model": "\\ud800"}',
        b'{"model": "a", "model": "b"}',
        b'{"max_tokens": ' + b"9" * 5000 + b"}",
        b"\x00" * 100,
        b"\xef\xbb\xbf{}",
        b"model=claude&max_tokens=5",
    ):
        answer = refused(gateway, body)
        assert (answer.status, answer.error_type) == (400, "invalid_request_error"), body


@pytest.mark.requirement("input:too-deep")
@pytest.mark.parametrize("path", [MESSAGES, COUNT_TOKENS])
def test_json_nested_ten_thousand_deep_gets_the_apis_own_error(gateway: RunningGateway, path: str) -> None:
    deep = b"[" * 10_000 + b"]" * 10_000
    body = json.dumps({**QUESTION, "metadata": 0}).encode().replace(b'"metadata": 0', b'"metadata": ' + deep)
    for raw in (body, deep, b'{"a":' * 10_000 + b"1" + b"}" * 10_000, b"[" * 1_000_000):
        answer = ask(gateway.url, raw, path=path)
        assert (answer.status, answer.error_type) == (400, "invalid_request_error")
    assert gateway.simulator.simulator.requests == ()


@pytest.mark.requirement("input:invalid-utf-8")
@pytest.mark.parametrize("path", [MESSAGES, COUNT_TOKENS])
def test_a_body_that_is_not_utf_8_gets_the_apis_own_error(gateway: RunningGateway, path: str) -> None:
    for junk in (b"\xff\xfe", b"\xc0\xaf", b"\xed\xa0\x80", b"\xb0\xa1", b"\xf5\x80\x80\x80"):
        body = json.dumps(QUESTION).encode().replace(b"order", junk)
        answer = ask(gateway.url, body, path=path)
        assert (answer.status, answer.error_type) == (400, "invalid_request_error")
        assert "UTF-8" in answer.json["error"]["message"]
    assert gateway.simulator.simulator.requests == ()


@pytest.mark.requirement("input:wrong-content-type")
def test_a_body_of_another_content_type_gets_the_apis_own_error(gateway: RunningGateway) -> None:
    form = "multipart/form-data; boundary=x"
    for kind in ("text/plain", "application/x-www-form-urlencoded", form, "x", "\xff", ""):
        answer = refused(gateway, QUESTION, {"content-type": kind})
        assert (answer.status, answer.error_type) == (400, "invalid_request_error")
        assert "content-type" in answer.json["error"]["message"]


def test_json_by_any_of_its_names_is_taken(gateway: RunningGateway) -> None:
    for kind in ("application/json", "application/json; charset=utf-8", "Application/JSON"):
        assert ask(gateway.url, QUESTION, headers={"content-type": kind}).status == 200


@pytest.mark.parametrize("coding", ["gzip", "x-gzip", "deflate"])
def test_a_compressed_body_is_taken_apart_and_sent_on_plain(gateway: RunningGateway, coding: str) -> None:
    said = json.dumps({**QUESTION, "system": "x" * 100_000}).encode()
    packed = zlib.compress(said) if coding == "deflate" else gzip.compress(said)
    assert ask(gateway.url, packed, headers={"content-encoding": coding}).status == 200
    (sent,) = gateway.simulator.simulator.requests
    assert sent.body == said
    assert "content-encoding" not in dict(sent.headers)


def test_a_body_in_several_compressed_pieces_is_read_to_its_end(gateway: RunningGateway) -> None:
    said = json.dumps(QUESTION).encode()
    packed = gzip.compress(said[:20]) + gzip.compress(said[20:])
    assert ask(gateway.url, packed, headers={"content-encoding": "gzip"}).status == 200


@pytest.mark.parametrize("coding", ["br", "zstd", "gzip, gzip", "nothing"])
def test_a_coding_that_nobody_here_knows_gets_the_apis_own_error(
    gateway: RunningGateway, coding: str
) -> None:
    answer = refused(gateway, json.dumps(QUESTION).encode(), {"content-encoding": coding})
    assert (answer.status, answer.error_type) == (400, "invalid_request_error")
    assert "content-encoding" in answer.json["error"]["message"]


def test_a_body_that_is_not_compressed_as_it_says_gets_the_apis_own_error(gateway: RunningGateway) -> None:
    packed = gzip.compress(json.dumps(QUESTION).encode())
    for broken in (json.dumps(QUESTION).encode(), packed[:-10], packed + b"junk"):
        answer = refused(gateway, broken, {"content-encoding": "gzip"})
        assert (answer.status, answer.error_type) == (400, "invalid_request_error")


@pytest.mark.requirement("gateway:compressed")
def test_a_bomb_is_refused_before_it_is_taken_apart(gateway: RunningGateway) -> None:
    bomb = gzip.compress(b"x" * (LIMIT + 1))
    answer = refused(gateway, bomb, {"content-encoding": "gzip"})
    assert (answer.status, answer.error_type) == (413, "request_too_large")


@pytest.mark.requirement("input:too-large")
def test_a_body_of_forty_megabytes_gets_the_apis_own_error_and_its_connection_stays_good(
    gateway: RunningGateway,
) -> None:
    body = json.dumps({**QUESTION, "system": "x" * 40 * 1024 * 1024}).encode()
    with connected(gateway.url) as connection:
        for raw in (request(body), chunked(body)):
            connection.send(raw)
            answer = connection.hear()
            assert (answer.status, answer.error_type) == (413, "request_too_large")
            assert "32" in answer.json["error"]["message"] or "33,554,432" in answer.json["error"]["message"]
        connection.send(request(QUESTION))
        assert connection.hear().status == 200
    assert len(gateway.simulator.simulator.requests) == 1
    assert gateway.totals().calls == 1


def test_whoever_asks_before_sending_is_told_before_sending(gateway: RunningGateway) -> None:
    with connected(gateway.url) as connection:
        connection.send(request(headers={"expect": "100-continue", "content-length": str(LIMIT + 1)}))
        assert connection.hear().status == 413


def test_whoever_asks_before_sending_may_send(gateway: RunningGateway) -> None:
    raw = request(QUESTION, headers={"expect": "100-continue"})
    head, body = raw.split(b"\r\n\r\n")
    with connected(gateway.url) as connection:
        connection.send(head + b"\r\n\r\n")
        assert connection.reader.readline() == b"HTTP/1.1 100 Continue\r\n"
        assert connection.reader.readline() == b"\r\n"
        connection.send(body)
        assert connection.hear().status == 200


def test_a_body_of_exactly_the_limit_is_read(gateway: RunningGateway) -> None:
    frame = len(json.dumps({**QUESTION, "system": ""}).encode())
    body = json.dumps({**QUESTION, "system": "x" * (LIMIT - frame)}).encode()
    assert len(body) == LIMIT
    answer = ask(gateway.url, body)
    assert answer.status == 400
    assert "prompt is too long" in answer.json["error"]["message"]


@pytest.mark.requirement("input:nothing-spent")
def test_after_every_kind_of_bad_body_nothing_is_recorded_as_spent_and_the_gateway_serves_on(
    gateway: RunningGateway,
) -> None:
    bodies: list[object] = [
        b"",
        b"{",
        b"\xff",
        b"[" * 10_000,
        [],
        {},
        without("messages"),
        without("max_tokens"),
        without("model"),
        {**QUESTION, "messages": []},
        {**QUESTION, "model": 5},
        {**QUESTION, "model": "no-such-model"},
        {**QUESTION, "no_such_field": 1},
        {**QUESTION, "thread": {"type": "create"}},
    ]
    for body in bodies:
        answer = refused(gateway, body)
        assert answer.error_type in ("invalid_request_error", "not_found_error")
    assert {record.cost_pico for record in gateway.records()} <= {0}
    assert {record.usage.prompt_tokens for record in gateway.records()} <= {0}
    assert ask(gateway.url, QUESTION).status == 200
    assert gateway.totals().cost == gateway.simulator.simulator.billed > 0


def test_what_upstream_says_no_to_is_asked_there_once_and_answered_in_its_own_bytes(
    gateway: RunningGateway,
) -> None:
    ours = ask(gateway.url, {**QUESTION, "messages": []})
    upstreams = ask(gateway.simulator.url, {**QUESTION, "messages": []})
    assert len(gateway.simulator.simulator.requests) == 2
    assert {**ours.json, "request_id": ""} == {**upstreams.json, "request_id": ""}
    assert ours.headers["request-id"] == ours.json["request_id"]


def chunked(body: bytes, size: int = 1024 * 1024) -> bytes:
    """The same request without a length."""
    head = request(headers={"content-length": "", "transfer-encoding": "chunked"})
    parts = (body[start : start + size] for start in range(0, len(body), size))
    return head + b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"


def test_a_chunked_body_arrives_as_one(gateway: RunningGateway) -> None:
    body = json.dumps(QUESTION).encode()
    with connected(gateway.url) as connection:
        connection.send(chunked(body, 7))
        assert connection.hear().status == 200
    assert gateway.simulator.simulator.requests[0].body == body
