"""Requests that two servers in a row would cut differently, and headers that belong to one hop."""

import json

import pytest

from tests.doors.running import RunningGateway, eventually
from tests.doors.talking import QUESTION, ask, connected, request

HOME = b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n"
BODY = json.dumps(QUESTION).encode()
HEAD = (
    b"POST /v1/messages HTTP/1.1\r\nhost: x\r\nx-api-key: k\r\nanthropic-version: 2023-06-01\r\n"
    b"content-type: application/json\r\n"
)
LENGTH = b"content-length: %d\r\n" % len(BODY)
CHUNKS = b"%x\r\n%s\r\n0\r\n\r\n" % (len(BODY), BODY)
CHUNKED = b"transfer-encoding: chunked\r\n"

AMBIGUOUS = {
    "CL.TE": HEAD + LENGTH + CHUNKED + b"\r\n" + CHUNKS,
    "TE.CL": HEAD + CHUNKED + LENGTH + b"\r\n" + CHUNKS,
    "TE.CL short": HEAD + CHUNKED + b"content-length: 4\r\n\r\n" + CHUNKS,
    "TE.TE": HEAD + CHUNKED + b"transfer-encoding: identity\r\n\r\n" + CHUNKS,
    "TE in capitals and CL": HEAD + LENGTH + b"Transfer-Encoding: CHUNKED\r\n\r\n" + CHUNKS,
    "TE behind a tab": HEAD + LENGTH + b"transfer-encoding:\x0bchunked\r\n\r\n" + CHUNKS,
    "TE behind a space": HEAD + LENGTH + b"transfer-encoding : chunked\r\n\r\n" + CHUNKS,
    "TE folded": HEAD + LENGTH + b"transfer-encoding:\r\n chunked\r\n\r\n" + CHUNKS,
    "TE gzip": HEAD + b"transfer-encoding: gzip, chunked\r\n\r\n" + CHUNKS,
    "TE in HTTP/1.0": (HEAD + CHUNKED + b"\r\n" + CHUNKS).replace(b"HTTP/1.1", b"HTTP/1.0"),
    "two lengths": HEAD + LENGTH + b"content-length: 5\r\n\r\n" + BODY,
    "two equal lengths": HEAD + LENGTH + LENGTH + b"\r\n" + BODY,
    "a list of lengths": HEAD + LENGTH.replace(b"\r\n", b", 5\r\n") + b"\r\n" + BODY,
    "a length with a sign": HEAD + b"content-length: +%d\r\n\r\n" % len(BODY) + BODY,
    "no length": HEAD + b"content-length: \r\n\r\n" + BODY,
    "bare LF": (HEAD + LENGTH + b"\r\n").replace(b"\r\n", b"\n") + BODY,
    "one bare LF": HEAD + b"x-a: b\n" + LENGTH + b"\r\n" + BODY,
    "bare LF at the end": HEAD + LENGTH[:-2] + b"\n\n" + BODY,
    "bare CR": HEAD + b"x-a: b\rx-c: d\r\n" + LENGTH + b"\r\n" + BODY,
    "obs-fold": HEAD + b"x-a: b\r\n c\r\n" + LENGTH + b"\r\n" + BODY,
    "two hosts": HEAD + b"host: y\r\n" + LENGTH + b"\r\n" + BODY,
    "NUL in a value": HEAD + b"x-a: b\0c\r\n" + LENGTH + b"\r\n" + BODY,
    "ESC in a value": HEAD + b"x-a: \x1b[31m\r\n" + LENGTH + b"\r\n" + BODY,
    "a chunk of -1": HEAD + CHUNKED + b"\r\n-1\r\n",
    "a chunk of 0x10": HEAD + CHUNKED + b"\r\n0x10\r\n",
    "a chunk of 2^72": HEAD + CHUNKED + b"\r\nFFFFFFFFFFFFFFFFFF\r\n",
    "a chunk that is longer than it says": HEAD + CHUNKED + b"\r\n" + CHUNKS.replace(b"\r\n0", b"XX\r\n0"),
    "chunks with bare LF": HEAD + CHUNKED + b"\r\n" + CHUNKS.replace(b"\r\n", b"\n"),
    "a chunk with a 3 MB extension": HEAD + CHUNKED + b"\r\n%x;" % len(BODY) + b"a" * 3_000_000,
    "3 MB of trailers": HEAD + CHUNKED + b"\r\n" + CHUNKS[:-2] + b"x: " + b"a" * 3_000_000,
}


@pytest.mark.parametrize("kind", AMBIGUOUS)
@pytest.mark.requirement("hostile:smuggling")
def test_a_request_that_could_be_cut_in_two_ways_is_refused_and_nothing_behind_it_is_read(
    gateway: RunningGateway, kind: str
) -> None:
    with connected(gateway.url) as connection:
        try:
            connection.send(AMBIGUOUS[kind] + HOME)
            answer = connection.hear()
            assert (answer.status, answer.error_type) in {
                (400, "invalid_request_error"),
                (431, "invalid_request_error"),
            }
            assert connection.is_closed()
        except ConnectionError:
            assert len(AMBIGUOUS[kind]) > 1_000_000  # the rest of it was not waited for
    assert gateway.simulator.simulator.requests == ()
    assert ask(gateway.url, QUESTION).status == 200


def test_a_request_hidden_in_a_body_is_a_body(gateway: RunningGateway) -> None:
    hidden = request(QUESTION)
    with connected(gateway.url) as connection:
        connection.send(
            b"GET /healthz HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n\r\n%s" % (len(hidden), hidden)
        )
        assert connection.hear().json == {"status": "alive"}
        connection.send(HOME)
        assert connection.hear().json == {"status": "alive"}
    assert gateway.simulator.simulator.requests == ()


def test_a_trailer_is_no_header(gateway: RunningGateway) -> None:
    trailers = b"x-holdfast-user: mallory\r\nx-api-key: other\r\nx-mine: 1\r\n"
    raw = HEAD + CHUNKED + b"\r\n" + CHUNKS.replace(b"\r\n0\r\n", b"\r\n0\r\n" + trailers)
    with connected(gateway.url) as connection:
        connection.send(raw)
        assert connection.hear().status == 200
    (record,) = gateway.records()
    assert record.user is None
    (upstream,) = gateway.simulator.simulator.requests
    assert upstream.headers["x-api-key"] == "k"
    assert "x-mine" not in upstream.headers


def test_chunks_of_one_byte_each_are_one_body(gateway: RunningGateway) -> None:
    body = b"".join(b"1;x=y\r\n%c\r\n" % letter for letter in BODY) + b"0\r\n\r\n"
    with connected(gateway.url) as connection:
        connection.send(HEAD + CHUNKED + b"\r\n" + body)
        assert connection.hear().status == 200
    (upstream,) = gateway.simulator.simulator.requests
    assert upstream.body == BODY


def test_what_belongs_to_one_hop_or_says_where_from_goes_no_further(gateway: RunningGateway) -> None:
    own = {
        "connection": "keep-alive, X-Listed, x-also-listed , anthropic-beta",
        "x-listed": "1",
        "x-also-listed": "1",
        "anthropic-beta": "listed-2026-01-01",
        "keep-alive": "timeout=5",
        "te": "trailers",
        "trailer": "x-a",
        "proxy-authorization": "Basic x",
        "proxy-connection": "keep-alive",
        "x-forwarded-for": "10.0.0.1",
        "x-forwarded-host": "evil.test",
        "x-forwarded-proto": "https",
        "forwarded": "for=10.0.0.1",
        "x-real-ip": "10.0.0.1",
        "x-client-ip": "10.0.0.1",
        "via": "1.1 x",
        "cookie": "session=1",
        "api-key": "other",
        "x-holdfast-anything": "1",
    }
    assert ask(gateway.url, QUESTION, headers=own).status == 200
    (upstream,) = gateway.simulator.simulator.requests
    assert not {name for name in own if name != "connection"} & set(upstream.headers)
    assert "x-listed" not in upstream.headers.get("connection", "")
    assert upstream.headers["host"] == gateway.simulator.url.removeprefix("http://")


def test_letters_outside_ascii_in_a_header_harm_nothing(gateway: RunningGateway) -> None:
    with connected(gateway.url) as connection:
        connection.send(HEAD + b"x-name: \xec\x95\x88\r\nx-odd: \xff\xfe\x85\r\n" + LENGTH + b"\r\n" + BODY)
        assert connection.hear().status == 200
    (upstream,) = gateway.simulator.simulator.requests
    assert upstream.headers["x-name"].encode("latin-1").decode() == "안"


def test_a_megabyte_of_user_agent_is_refused(gateway: RunningGateway) -> None:
    with connected(gateway.url) as connection:
        try:
            connection.send(HEAD + b"user-agent: " + b"a" * 1_000_000 + b"\r\n" + LENGTH + b"\r\n" + BODY)
            assert connection.hear().status == 431
        except ConnectionError:
            pass  # closed with a part of it unread
    assert gateway.simulator.simulator.requests == ()


def test_garbage_behind_good_requests_ends_the_connection_and_not_the_gateway(
    gateway: RunningGateway,
) -> None:
    for garbage in (
        b"\0" * 100,
        b"GARBAGE\r\n\r\n",
        b"\x16\x03\x01",
        HOME.replace(b"\r\n", b"\n"),
        b"{}" * 50,
    ):
        with connected(gateway.url) as connection:
            connection.send(HOME)
            assert connection.hear().status == 200
            connection.send(garbage)
            assert connection.hear().error_type == "invalid_request_error"
            assert connection.is_closed()
    eventually(lambda: gateway.tasks() < 20)
    assert ask(gateway.url, QUESTION).status == 200


def test_a_request_that_closes_is_answered_whatever_is_sent_behind_it(gateway: RunningGateway) -> None:
    with connected(gateway.url) as connection:
        connection.send(HOME.replace(b"\r\n\r\n", b"\r\nconnection: close\r\n\r\n") + HOME)
        answer = connection.hear()
        assert (answer.status, answer.json) == (200, {"status": "alive"})
        assert connection.is_closed()


def test_a_request_in_the_form_for_proxies_is_answered(gateway: RunningGateway) -> None:
    with connected(gateway.url) as connection:
        connection.send(b"GET http://gateway.example/healthz HTTP/1.1\r\nhost: x\r\n\r\n")
        assert connection.hear().json == {"status": "alive"}
