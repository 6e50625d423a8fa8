"""HTTP at its edges, under both parsers that uvicorn may have: always an answer in the API's shape."""

import asyncio
import json
from collections.abc import Iterator

import pytest
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from holdfast.clock import SYSTEM_CLOCK
from holdfast.simulator import Stall
from holdfast.simulator.server import RunningSimulator
from tests.doors.running import RunningGateway, eventually, quick_settings, serving
from tests.doors.talking import QUESTION, ask, connected, request

PARSERS = {"h11": H11Protocol, "httptools": HttpToolsProtocol}


@pytest.fixture(params=PARSERS)
def gateway(request: pytest.FixtureRequest, simulator: RunningSimulator) -> Iterator[RunningGateway]:
    parser: type[asyncio.Protocol] = PARSERS[request.param]
    with serving(simulator, quick_settings(simulator), http=parser) as running:
        yield running


def test_an_unknown_path_is_a_404_in_the_apis_shape(gateway: RunningGateway) -> None:
    for path in (
        "/v1/nothing",
        "/v1/messages/",
        "//v1/messages",
        "/v1/messages/batches/a/b",
        "/v1/messages/batches/..",
        "/v1/files/a/content/b",
        "/v1/agents",
        "/v1",
        "/%ff",
        "/v1/models/",
        "/v1/models/a/b",
        "/v1/models/..",
        "/v1/models/%2e%2e",
        "/v1/models/..%2Fmessages",
        "/v1/models/a%0d%0ax-injected:%20yes",
        "/v1/models/%00",
        "/v1/models/" + "a" * 201,
    ):
        for method in ("GET", "DELETE", "BREW"):
            answer = ask(gateway.url, method=method, path=path)
            if answer.status != 400 or method != "BREW":  # httptools knows no method of that name
                assert (answer.status, answer.error_type) == (404, "not_found_error"), (method, path)
    assert gateway.simulator.simulator.requests == ()


def test_a_known_path_asked_with_another_method_is_a_405_that_names_the_right_one(
    gateway: RunningGateway,
) -> None:
    for method, path, right in (
        ("GET", "/v1/messages", "POST"),
        ("PUT", "/v1/messages", "POST"),
        ("OPTIONS", "/v1/messages", "POST"),
        ("GET", "/v1/messages/count_tokens", "POST"),
        ("POST", "/v1/models", "GET"),
        ("DELETE", "/v1/models/claude-sonnet-5-5", "GET"),
        ("POST", "/healthz", "GET, HEAD"),
        ("DELETE", "/", "GET, HEAD"),
    ):
        answer = ask(gateway.url, QUESTION, method=method, path=path)
        assert (answer.status, answer.error_type) == (405, "invalid_request_error"), (method, path)
        assert answer.headers["allow"] == right
    assert gateway.simulator.simulator.requests == ()


def test_head_has_the_head_of_an_answer_and_no_body(gateway: RunningGateway) -> None:
    for path, status in (("/", 200), ("/api/hello", 200), ("/healthz", 200), ("/readyz", 200)):
        with connected(gateway.url) as connection:
            for _ in range(2):  # a body would be taken for the next answer
                connection.send(request(method="HEAD", path=path, headers={"content-length": ""}))
                answer = connection.hear(method="HEAD")
                assert (answer.status, answer.body) == (status, b"")
    assert ask(gateway.url, method="HEAD").status == 405
    assert ask(gateway.url, method="HEAD", path="/nothing").status == 404


def test_what_is_no_http_is_a_400_in_the_apis_shape_and_ends_the_connection(gateway: RunningGateway) -> None:
    head = b"POST /v1/messages HTTP/1.1\r\nhost: x\r\n"
    for raw in (
        b"hello\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 50,
        b"POST /v1/messages\r\n\r\n",
        b"POST /v1 messages HTTP/1.1\r\nhost: x\r\n\r\n",
        head + b"x-name: a\x00b\r\n\r\n",
        head + b"x\x00: a\r\n\r\n",
        head + b"x y: a\r\n\r\n",
        head + b"content-length: five\r\n\r\n",
        head + b"content-length: -5\r\n\r\n",
        head + b"content-length: 5\r\ncontent-length: 6\r\n\r\nhello!",
        head + b"content-length: " + b"9" * 30 + b"\r\n\r\n",
        head + b"transfer-encoding: chunked\r\n\r\nZZ\r\n",
    ):
        with connected(gateway.url) as connection:
            connection.send(raw)
            answer = connection.hear()
            assert (answer.status, answer.error_type) == (400, "invalid_request_error"), raw
            assert answer.headers["x-should-retry"] == "false"
            assert connection.is_closed()
    assert ask(gateway.url, QUESTION).status == 200
    assert len(gateway.simulator.simulator.requests) == 1


def test_a_head_without_end_is_refused_before_it_fills_the_memory(gateway: RunningGateway) -> None:
    with connected(gateway.url) as connection:
        connection.send(b"POST /v1/messages HTTP/1.1\r\nhost: x\r\nx-long: ")
        with pytest.raises(OSError, match=r"reset|Broken pipe"):
            connection.send(b"x" * 64 * 1024 * 1024)


def test_a_huge_header_is_refused_in_the_apis_shape(gateway: RunningGateway) -> None:
    with connected(gateway.url) as connection:
        connection.send(b"POST /v1/messages HTTP/1.1\r\nhost: x\r\nx-long: " + b"x" * 70_000)
        answer = connection.hear()
        assert answer.status in (400, 431)
        assert answer.error_type == "invalid_request_error"
        assert connection.is_closed()


def test_a_long_header_that_clients_may_send_is_taken(gateway: RunningGateway) -> None:
    for _ in range(2):
        assert ask(gateway.url, QUESTION, headers={"x-long": "x" * 30_000}).status == 200


def test_large_requests_one_after_the_other_do_not_add_up_to_a_large_head(gateway: RunningGateway) -> None:
    large = {**QUESTION, "system": "x" * 200_000}
    with connected(gateway.url) as connection:
        for _ in range(3):
            connection.send(request(large))
            assert connection.hear().status == 200
            connection.send(request(QUESTION, headers={"x-long": "x" * 30_000}))
            assert connection.hear().status == 200


def test_http_1_0_gets_its_answer_and_the_end_of_the_connection(gateway: RunningGateway) -> None:
    for body in (QUESTION, {**QUESTION, "stream": True}):
        with connected(gateway.url) as connection:
            connection.send(request(body).replace(b"HTTP/1.1", b"HTTP/1.0"))
            answer = connection.hear()
            assert answer.status == 200
            assert b"message" in answer.body
            assert connection.is_closed()


def test_pipelined_requests_are_answered_in_their_order(gateway: RunningGateway) -> None:
    questions = [{**QUESTION, "messages": [{"role": "user", "content": f"Question {n}?"}]} for n in range(5)]
    with connected(gateway.url) as connection:
        connection.send(
            b"".join(
                request(question) + request(method="GET", path="/healthz", headers={"content-length": ""})
                for question in questions
            )
        )
        for n in range(5):
            assert f"Question {n}?" in connection.hear().json["content"][0]["text"]
            assert connection.hear().json == {"status": "alive"}
    assert gateway.totals().calls == 5


def test_junk_behind_a_running_answer_is_not_answered_in_the_middle_of_it(gateway: RunningGateway) -> None:
    gateway.simulator.simulator.fault(Stall(after_events=6, seconds=0.3))
    with connected(gateway.url) as connection:
        connection.send(request({**QUESTION, "stream": True}))
        assert connection.reader.readline().startswith(b"HTTP/1.1 200")
        connection.send(b"\x00junk\x00\r\n\r\n" * 3)
        answer, _, rest = connection.reader.read().partition(b"HTTP/1.1 400")
        assert (not rest) or answer.endswith(b"0\r\n\r\n")
    eventually(lambda: gateway.totals().calls == 1)


def test_an_upgrade_to_http_2_or_websocket_is_ignored(gateway: RunningGateway) -> None:
    for protocol in ("h2c", "websocket"):
        headers = {"connection": "Upgrade, HTTP2-Settings", "upgrade": protocol, "http2-settings": "AAMAAABk"}
        answer = ask(gateway.url, QUESTION, headers=headers)
        assert answer.status == 200
        assert answer.json["type"] == "message"


def test_duplicate_headers_reach_upstream_as_they_came(gateway: RunningGateway) -> None:
    raw = request(QUESTION).replace(b"\r\n\r\n", b"\r\nanthropic-beta: one\r\nAnthropic-Beta: two\r\n\r\n", 1)
    with connected(gateway.url) as connection:
        connection.send(raw)
        assert connection.hear().status == 200
    assert gateway.simulator.simulator.requests[0].headers["anthropic-beta"] == "one, two"


def test_a_query_reaches_upstream_whatever_is_in_it(gateway: RunningGateway) -> None:
    path = "/v1/messages?beta=true&x=%20%22%7c&y=a/b?c&z=[]+~,;'"
    assert ask(gateway.url, QUESTION, path=path).status == 200
    assert gateway.simulator.simulator.requests[0].query == path.partition("?")[2]


def test_a_query_that_is_not_ascii_breaks_nothing(gateway: RunningGateway) -> None:
    answer = ask(gateway.url, QUESTION, path="/v1/messages?q=\xec\x95\x88")
    if answer.status == 200:
        assert gateway.simulator.simulator.requests[0].query == "q=%EC%95%88"
    else:
        assert answer.error_type == "invalid_request_error"


def test_a_thousand_requests_on_one_connection_leave_nothing_behind(gateway: RunningGateway) -> None:
    plain = request(QUESTION)
    streamed = request({**QUESTION, "stream": True})
    with connected(gateway.url) as connection:
        connection.send(plain)
        assert connection.hear().status == 200
        at_rest = gateway.tasks()
        started = SYSTEM_CLOCK.monotonic()
        for n in range(1_000):
            connection.send(streamed if n % 10 == 0 else plain)
            assert connection.hear().status == 200
        assert SYSTEM_CLOCK.monotonic() - started < 30  # with Nagle's algorithm on it takes 40 s and more
        eventually(lambda: gateway.tasks() <= at_rest)
    assert gateway.totals().calls == 1_001
    assert gateway.totals().cost == gateway.simulator.simulator.billed


def test_a_body_that_stops_short_is_no_call(gateway: RunningGateway) -> None:
    at_rest = gateway.tasks()
    with connected(gateway.url) as connection:
        connection.send(request(QUESTION)[:-10])
        eventually(lambda: gateway.tasks() > at_rest)
    eventually(lambda: gateway.tasks() <= at_rest)
    assert gateway.totals().calls == 0
    assert json.loads(ask(gateway.url, method="GET", path="/healthz").body) == {"status": "alive"}
